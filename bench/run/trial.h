/* trial.h: one trial: one server, started afresh, in one cell, and its row of measurements.csv. */
#ifndef MUX_TRIAL_H
#define MUX_TRIAL_H

#include "bench/data/rows.h"
#include "bench/data/rundir.h"
#include "bench/plan/plan.h"

/* What all trials of a run share. */
struct trial_setting {
  const struct plan *plan;
  const struct rundir *dir;
  cpu_set_t server_cpus, load_cpus;
  bool shared_core;    /* there is only one: server and load share it */
  int stop_fd;         /* readable after Ctrl-C */
  int64_t deadline_ns; /* of the run; 0: none */
  char count_why[256]; /* why system calls are not counted; "" while they are */
  double edge_share;   /* CPU time for reading accounts ÷ phase, the largest so far */
};

/* Runs it. Returns 0 with the row filled, whatever became of the trial; reason then says why its
 * status is failed. -EINTR: interrupted, there is no row. -ETIME: the run's deadline came. */
int trial_run(struct trial_setting *setting, const struct plan_trial *trial,
              struct plan_times times, struct row *row, char *reason, size_t reason_bytes);

/* The row of a trial that is not run. */
void trial_skip(const struct trial_setting *setting, const struct plan_trial *trial,
                struct row *row);

#endif
