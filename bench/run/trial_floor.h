/* trial_floor.h: the floor of a cell (floor.h), read in each launch between the slices of its
 * labels. */
#ifndef MUX_TRIAL_FLOOR_H
#define MUX_TRIAL_FLOOR_H

#include "bench/run/trial.h"

/* Starts `muxbench floor` with the cell's connections and payload; it holds still. Returns 0, or
 * -errno when the cell has none (mode echo only, too much in flight for UDP); nothing runs then. */
int trial_floor_start(const struct trial_setting *setting, const struct plan_trial *trial,
                      struct session *session);
/* Returns 0 or -errno. */
int trial_floor_slice(const struct trial_setting *setting, struct session *session,
                      const struct pace_cell *pace, struct slice *slice);
/* floor_us NAN: not measured. */
void trial_floor_columns(struct row *row, double floor_us);

#endif
