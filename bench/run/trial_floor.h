/* trial_floor.h: the floor beside every result (floor.h). */
#ifndef MUX_TRIAL_FLOOR_H
#define MUX_TRIAL_FLOOR_H

#include "bench/run/trial.h"

/* Fills floor_us and floor_ratio of a row that has been measured. The floor is measured once for a
 * number of connections, payload and kind of socket, in a process of its own, and kept in logs/ for
 * the other trials and for a resumed run. Where it cannot be had, the columns stay empty. */
void trial_floor(const struct trial_setting *setting, const struct plan_trial *trial,
                 struct row *row);

#endif
