/* process.h: a child program that cannot outlive us.
 *
 * Between us and the program stands a supervisor: a child of ours that is a subreaper (prctl(2)),
 * so that whatever the program forks and abandons falls to it. A socket pair, the lifeline, joins
 * us and the supervisor: we send signals for the program down it, it reports the program's end up.
 * EOF on it (we ended, however) makes it kill the program and every descendant. Signals go through
 * the program's own parent, so they can never hit a process that took over its pid. */
#ifndef MUX_PROCESS_H
#define MUX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cpus.h"

enum { MUX_PROCESS_PASSED = 4 };

struct mux_process_spec {
  const char *path; /* what to execute; NULL: argv[0], looked for in PATH */
  char *const *argv;
  int stdout_fd;                  /* -1: /dev/null; the caller keeps (and closes) all of these */
  int stderr_fd;                  /* -1: /dev/null */
  int passed[MUX_PROCESS_PASSED]; /* become descriptors 3, 4, … of the program */
  int passed_count;
  const cpu_set_t *cpus; /* empty or NULL: inherited */
  long nofile;           /* RLIMIT_NOFILE, soft and hard; 0: unchanged */
  const char *preload;   /* LD_PRELOAD; NULL: as it is */
};

struct mux_process {
  pid_t supervisor;
  pid_t pid;      /* of the program; names it for as long as it has not been ended */
  int lifeline;   /* readable when there is a report: poll it, then ask mux_process_running */
  bool ended;     /* the program, by whatever cause */
  int exec_error; /* errno of a failed exec, 0 if it got through */
  int wait_status;
};

/* Returns 0 or -errno, then nothing was started. That the program cannot be executed shows only
 * in exec_error, once it has ended. */
int mux_process_start(struct mux_process *process, const struct mux_process_spec *spec);

/* True while the program runs; takes in what the supervisor reported. Never blocks. */
bool mux_process_running(struct mux_process *process);
/* Waits up to timeout_ns for its end. Returns 0 or -ETIMEDOUT. */
int mux_process_wait(struct mux_process *process, int64_t timeout_ns);
/* Sends a signal to the program, if it still runs. */
void mux_process_signal(struct mux_process *process, int signal);
/* Kills what is left of it, descendants included, and frees. Returns its exit status (0…255),
 * 128 + signal, or -ETIMEDOUT if it had not ended before. */
int mux_process_end(struct mux_process *process);

#endif
