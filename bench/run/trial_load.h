/* trial_load.h: the command line of a trial's load, and its result as columns. */
#ifndef MUX_TRIAL_LOAD_H
#define MUX_TRIAL_LOAD_H

#include <jansson.h>

#include "bench/plan/pace.h"

enum { TRIAL_LOAD_ARGS = 80 };

/* The words after `muxbench load --target …`; one free() releases them. hlog and json may be NULL.
 */
char **trial_load_options(const struct plan *plan, const struct plan_trial *trial,
                          const struct pace_cell *pace, const char *cpus, const char *hlog,
                          const char *json);

/* --spin of the trial: how long before a message is due the load polls. */
int64_t trial_load_spin_ns(const struct plan *plan, const struct plan_trial *trial);

/* Fills the columns that the load's JSON has. Returns 0, or -EINVAL when it is no such result. */
int trial_load_columns(struct row *row, const json_t *result);

#endif
