/* process.h: a child program that cannot outlive us.
 *
 * Between us and the program is a supervisor: a child of ours that is a subreaper (prctl(2)), so
 * that it inherits whatever the program forks and abandons. A socket pair, the lifeline, connects
 * us with the supervisor: we send it signals for the program, and it reports the program's end. EOF
 * on the lifeline means that we have ended, for whatever reason: it then kills the program and all
 * its descendants. Signals are sent by the program's own parent, so they never hit another process
 * that has got the same pid. */
#ifndef MUX_PROCESS_H
#define MUX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cpus.h"

enum { MUX_PROCESS_PASSED = 4 };

struct mux_process_spec {
  const char *path; /* what to execute; NULL: argv[0], searched for in PATH */
  char *const *argv;
  int stdin_fd;  /* 0 or -1: /dev/null; the caller keeps (and closes) all of these */
  int stdout_fd; /* -1: /dev/null */
  int stderr_fd; /* -1: /dev/null */
  int passed[MUX_PROCESS_PASSED]; /* become descriptors 3, 4, … of the program */
  int passed_count;
  const cpu_set_t *cpus; /* empty or NULL: inherited */
  long nofile;           /* RLIMIT_NOFILE, soft and hard; 0: unchanged */
  const char *preload;   /* LD_PRELOAD; NULL: unchanged */
};

struct mux_process {
  pid_t supervisor;
  pid_t pid;      /* of the program; not reused before mux_process_end */
  int lifeline;   /* readable when there is a report: poll it, then call mux_process_running */
  bool ended;     /* the program has, for whatever reason */
  int exec_error; /* errno of a failed exec, 0 if it succeeded */
  int wait_status;
};

/* Returns 0, or -errno with nothing started. That the program cannot be executed shows in
 * exec_error only, once it has ended. */
int mux_process_start(struct mux_process *process, const struct mux_process_spec *spec);

/* True while the program runs; reads what the supervisor has reported. Never blocks. */
bool mux_process_running(struct mux_process *process);
/* Waits up to timeout_ns for its end. Returns 0 or -ETIMEDOUT. */
int mux_process_wait(struct mux_process *process, int64_t timeout_ns);
/* Sends a signal to the program, if it still runs. */
void mux_process_signal(struct mux_process *process, int signal);
/* Kills what is left of it, descendants included, and frees everything. Returns the exit status
 * (0…255) or 128 + signal, or -ETIMEDOUT if the program had not ended by itself. */
int mux_process_end(struct mux_process *process);

#endif
