/* plan.h: from an experiment to the list of trials, in the order they will run.
 *
 * The matrix spans the cells. A block is every label of a cell once, in random order; all cells go
 * through block 1, then all through block 2, so that a run that is cut short has whole blocks of
 * everything. The order follows from the seed alone, so a resumed run has the same one. The
 * baseline of an A/A run has a twin: the same server under a second label. */
#ifndef MUX_PLAN_H
#define MUX_PLAN_H

#include <stdio.h>

#include "bench/plan/experiment.h"

struct plan_label {
  const struct experiment_server *server;
  char *name;
  bool twin;
};

struct plan_cell {
  char *id;     /* "connections=100;rate=10k": what tells it from the others; "all" for one cell */
  char *params; /* what of it has no column of its own in measurements.csv */
  int choice[EXPERIMENT_AXES]; /* index into each axis' values */
  int64_t overhead_ns;         /* of a trial beside warm-up and duration, estimated */
};

struct plan_trial {
  int number; /* 1, 2, … in the order of running */
  int cell, block, label;
  char *skip; /* why it cannot run; NULL: it can */
};

struct plan {
  const struct experiment *experiment;
  struct plan_label *labels;
  int label_count;
  struct plan_cell *cells;
  int cell_count;
  struct plan_trial *trials;
  int trial_count;
  int blocks;
  int baseline; /* a label, or -1 */
  int twin;     /* a label, or -1 */
};

/* Says why this server cannot run in this cell, or returns NULL. Caller frees. */
typedef char *(*plan_skip_rule)(const struct experiment *experiment, const struct plan_cell *cell,
                                const struct experiment_server *server);

/* blocks: those of the experiment, or fewer if the budget wants it (plan_fit_budget). */
struct plan *plan_new(const struct experiment *experiment, int blocks, plan_skip_rule skip);
void plan_free(struct plan *plan);

/* True if the axis means nothing in this cell: how workers get their connections (accept), if there
 * is one worker. Of cells that differ in nothing else there is one. */
bool plan_is_moot(const struct experiment *experiment, const struct plan_cell *cell,
                  const struct experiment_axis *axis);

/* The value an axis has in a cell, or NULL if the experiment leaves the option to the command or it
 * is moot. A server's own option goes before the matrix. */
const struct experiment_value *plan_value(const struct plan *plan, const struct plan_cell *cell,
                                          const struct experiment_server *server,
                                          enum option_group group, const char *key);

/* ---- Time ------------------------------------------------------------------------------------ */

struct plan_times {
  int64_t warmup_ns, duration_ns;
};

/* What the trials [first, trial_count) may take each so that all end within left_ns. overhead_scale
 * corrects the estimates (1: trust them). Without a budget, what the experiment says. Never above
 * what the experiment says, nor below its min_duration: then *fits is false. */
struct plan_times plan_times_for(const struct plan *plan, const struct plan_cell *cell, int first,
                                 int64_t left_ns, double overhead_scale, bool *fits);

/* Fills in the cells' overhead_ns; plan_new does it. */
void plan_estimate_overheads(struct plan *plan);

/* The number of blocks that fits the experiment's budget: all of them or fewer, at least 1. */
int plan_fit_budget(const struct experiment *experiment, plan_skip_rule skip);

/* What the whole takes, by estimate. */
int64_t plan_estimate_ns(const struct plan *plan);

/* The part of a budget that trials may use: the rest is for the start, files and the report. */
int64_t plan_usable_ns(int64_t budget_ns);

/* Cells, servers, what is skipped and how long it takes, for people. */
void plan_print(const struct plan *plan, FILE *to);

#endif
