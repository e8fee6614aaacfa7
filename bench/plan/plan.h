/* plan.h: from an experiment to what will run, in which order.
 *
 * The matrix spans the cells. A launch (column `block`) is every label of a cell started afresh;
 * all cells go through launch 1, then all through launch 2, so that a run that is cut short has
 * whole launches of everything. A trial is one label in one launch: a row of measurements.csv.
 * The order of labels is random and follows from the seed alone, so a resumed run has the same one.
 * The baseline has two controls, which are no rivals: the twin is the same server under a second
 * label (A/A); the calibration is the same server with --work, whose cost is known to be higher.
 *
 * Nothing here grows with the number of launches: what launch 200 is like is computed, not kept. */
#ifndef MUX_PLAN_H
#define MUX_PLAN_H

#include <stdio.h>

#include "bench/data/rows.h"
#include "bench/data/slices.h"
#include "bench/plan/experiment.h"
#include "loadgen/find_rate.h"

struct plan_label {
  const struct experiment_server *server;
  char *name;
};

struct plan_cell {
  char *id;     /* "connections=100;rate=10k": what tells it from the others; "all" for one cell */
  char *params; /* what of it has no column of its own in measurements.csv */
  int choice[EXPERIMENT_AXES]; /* index into each axis' values */
  char **skip;                 /* by label: why it cannot run here; NULL: it can */
  int running;                 /* labels that can */
};

struct plan_trial {
  int number; /* 1, 2, … in the order of running */
  int cell, block, label;
};

struct plan {
  const struct experiment *experiment;
  struct plan_label *labels;
  int label_count;
  struct plan_cell *cells;
  int cell_count;
  int baseline;    /* a label, or -1 */
  int twin;        /* a label, or -1 */
  int calibration; /* a label, or -1 */
  struct slice_names names;
};

/* Says why this server cannot run in this cell, or returns NULL. Caller frees. */
typedef char *(*plan_skip_rule)(const struct experiment *experiment, const struct plan_cell *cell,
                                const struct experiment_server *server);

struct plan *plan_new(const struct experiment *experiment, plan_skip_rule skip);
void plan_free(struct plan *plan);

/* The trials of one cell in launch `block` (1, 2, …), plan->label_count of them, in the order in
 * which they are started. */
void plan_launch(const struct plan *plan, int cell, int block, struct plan_trial *trials);

/* Is the label compared with the baseline for its own sake? */
bool plan_is_rival(const struct plan *plan, int label);
/* The label whose server this one is: the baseline for the controls. */
int plan_original(const struct plan *plan, int label);
/* How many rivals run in a cell. */
int plan_rivals(const struct plan *plan, const struct plan_cell *cell);

/* Which trial a row is of. False if it is of none. */
bool plan_find(const struct plan *plan, const struct row *row, struct plan_trial *trial);

/* True if the axis means nothing in this cell: how workers get their connections (accept), if there
 * is one worker. Of cells that differ in nothing else there is one. */
bool plan_is_moot(const struct experiment *experiment, const struct plan_cell *cell,
                  const struct experiment_axis *axis);

/* The value an axis has in a cell, or NULL if the experiment leaves the option to the command or it
 * is moot. A server's own option goes before the matrix. */
const struct experiment_value *plan_value(const struct plan *plan, const struct plan_cell *cell,
                                          const struct experiment_server *server,
                                          enum option_group group, const char *key);
/* Such a value as a number; `fallback` without one. */
int64_t plan_number(const struct plan *plan, const struct plan_cell *cell, enum option_group group,
                    const char *key, int64_t fallback);

/* What the rate of this cell is sought for (load.find-rate); percentile 0: nothing is sought. */
struct load_objective plan_objective(const struct plan *plan, const struct plan_cell *cell);

/* True if the labels of this cell are compared in slices: not those of short connections (crr),
 * whose TIME_WAIT would be the next one's burden. */
bool plan_slices(const struct plan *plan, const struct plan_cell *cell);

#endif
