/* proc.h: what the kernel tells about processes and the host. Source: proc(5). */
#ifndef MUX_PROC_H
#define MUX_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A whole small file, cut to bytes - 1. Returns its length or -errno; text is terminated. */
ssize_t mux_proc_read(const char *path, char *text, size_t bytes);

/* The number that a file begins with, as those of /proc/sys do; 0: there is none. */
double mux_proc_count(const char *path);

/* The number after "key:" at the beginning of a line, -1 if there is none. */
int64_t mux_proc_number(const char *text, const char *key);
/* The same in /proc/PID/FILE. */
int64_t mux_proc_of(pid_t pid, const char *file, const char *key);

/* Of /proc/PID/stat: times in clock ticks, those of children once they have been waited for. */
struct mux_proc_stat {
  char state; /* R running or ready to run, S and D asleep, T stopped, Z ended, … */
  unsigned flags;
  pid_t parent;
  int64_t user, system, children_user, children_system;
};
/* Flags of the kernel (include/linux/sched.h). */
enum { MUX_PROC_EXITING = 0x4, MUX_PROC_IO_WORKER = 0x10 };
/* Of a process, or of one thread: state and flags are its own. Returns 0 or -errno (-ESRCH: it has
 * ended). */
int mux_proc_stat(pid_t pid, struct mux_proc_stat *stat);

#endif
