/* supervisor.h: the process between process.c and the program it runs. See process.h. */
#ifndef MUX_SUPERVISOR_H
#define MUX_SUPERVISOR_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct mux_process_spec;

/* What comes up the lifeline, one per datagram. Down it go signal numbers, an int each. */
enum mux_report_kind {
  MUX_REPORT_STARTED,     /* value: pid of the program; always the first */
  MUX_REPORT_FAILED,      /* value: errno; nothing was started, the supervisor ends */
  MUX_REPORT_EXEC_FAILED, /* value: errno */
  MUX_REPORT_ENDED,       /* value: status as of waitpid(2) */
};
struct mux_report {
  int kind;
  int value;
};

/* Runs in the child of a fork, for good. Takes nothing for granted that a fork of a threaded
 * process lacks: no allocation, no stdio. */
_Noreturn void mux_supervise(const struct mux_process_spec *spec, char **env, int lifeline,
                             int null_fd);

#endif
