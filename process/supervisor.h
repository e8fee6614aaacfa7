/* supervisor.h: the process between us and the program that we run. See process.h. */
#ifndef MUX_SUPERVISOR_H
#define MUX_SUPERVISOR_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct mux_process_spec;

/* What the supervisor reports over the lifeline, one per datagram. It receives signal numbers, an
 * int each. */
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

/* Runs in the child of a fork and does not return. The process may have had threads, so it neither
 * allocates nor uses stdio. */
_Noreturn void mux_supervise(const struct mux_process_spec *spec, char **env, int lifeline,
                             int null_fd);

#endif
