/* descriptors.h: tables of descriptors. RLIMIT_NOFILE is a limit of each table, not of the process:
 * threads that have one each hold more together (unshare(2), CLONE_FILES). */
#ifndef MUX_DESCRIPTORS_H
#define MUX_DESCRIPTORS_H

#include <sys/types.h>

/* --descriptors of servers and loads with several threads. */
enum mux_descriptors { MUX_DESCRIPTORS_OWN, MUX_DESCRIPTORS_SHARED };
extern const char *const mux_descriptors_names[]; /* NULL-terminated */

/* Gives the calling thread a table of its own, a copy of the one that it shared. What is in it
 * stays open until all copies are closed: threads have to do this before any of them opens what has
 * to end with a FIN. Returns 0 or -errno. */
int mux_descriptors_own(void);

/* One task of each table that the threads of a process have, the process itself first. Returns how
 * many, `most` at most; 0: there is no such process. Where the kernel does not tell tables apart
 * (kcmp(2)), all threads count as having the first one. */
int mux_descriptors_tables(pid_t pid, pid_t *tasks, int most);

#endif
