/* run.h: a run of an experiment, from its directory to its report. `run` and `versus` are two ways
 * of asking for one. */
#ifndef MUX_RUN_H
#define MUX_RUN_H

#include <signal.h>

#include "bench/results/summary.h"
#include "bench/run/doctor.h"
#include "bench/run/runner.h"

struct run {
  struct experiment *experiment; /* the run's own */
  struct plan *plan;
  struct rundir dir;
  struct rows rows;
  struct slices slices;
  struct summary *summary; /* once it has been carried out */
  json_t *json;            /* run.json */
  int64_t spent_ns;        /* of the budget, before it was resumed */
  int stop_fd;             /* readable after SIGINT, SIGTERM or SIGHUP, from the first moment on */
  sigset_t old_mask;
  enum runner_end end;
};

/* Takes the signals that end a run in good order. Call it before anything is written. */
void run_catch_signals(struct run *run);

/* Settles what the experiment leaves open (seed, CPUs), makes the plan and checks it; nothing is
 * written. Returns 0 or -EINVAL with one line in why. */
int run_plan(struct run *run, struct experiment *experiment, char *why, size_t why_bytes);
/* A new directory under `out`. source: the file of the experiment, NULL: there is none. Returns 0
 * or -errno with one line in why. */
int run_begin(struct run *run, const char *out, const char *source, int argc, char **argv,
              const struct doctor_report *doctor, char *why, size_t why_bytes);
/* Takes up one that was interrupted, unless anything that it measures has changed since, or
 * somebody else has it. The same results. */
int run_resume(struct run *run, const char *path, char *why, size_t why_bytes);

/* What the machine is like; run_begin shows its warnings. Ends the program when it is not fit to
 * measure, unless forced. */
void run_examine(struct doctor_report *report, bool force);
/* What would run, how long it takes, what it could show. */
void run_print_plan(const struct run *run, FILE *to);

enum run_report { RUN_REPORT, RUN_NO_REPORT };
/* Runs what is left to do, writes what follows from it, and the report. Returns 0 with run->end and
 * run->summary, or -errno (said on stderr). */
int run_carry_out(struct run *run, enum run_report report);
void run_free(struct run *run);

#endif
