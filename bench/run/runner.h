/* runner.h: runs the launches of a plan one after another, and keeps the run directory true to what
 * has been done: every finished launch of a cell is on disk. */
#ifndef MUX_RUNNER_H
#define MUX_RUNNER_H

#include "bench/data/rows.h"
#include "bench/data/rundir.h"
#include "bench/data/slices.h"
#include "bench/plan/pace.h"

struct runner_setting {
  const struct plan *plan;
  const struct rundir *dir;
  cpu_set_t server_cpus, load_cpus;
  bool shared_core;
  int stop_fd;      /* readable after Ctrl-C */
  int64_t spent_ns; /* of the budget, by the run that is resumed */
  json_t *run;      /* run.json: the runner keeps "status" and "trials" up to date */
};

enum runner_end { RUNNER_FINISHED, RUNNER_INTERRUPTED };

/* Runs what is not in rows yet; rows and slices get the rest, in the order of the plan. Returns how
 * it ended, or -errno if the run directory could not be written (said on stderr). */
int runner_run(struct runner_setting *setting, struct rows *rows, struct slices *slices);

/* True if the rows have that launch of that cell. */
bool runner_has_launch(const struct plan *plan, const struct rows *rows, int cell, int block);

/* The number of rows of that status. */
int runner_count(const struct rows *rows, const char *status);

#endif
