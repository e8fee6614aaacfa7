/* trial_columns.h: from what was seen of a trial to the columns of its row. */
#ifndef MUX_TRIAL_COLUMNS_H
#define MUX_TRIAL_COLUMNS_H

#include <jansson.h>

#include "bench/run/trial.h"

/* How long the load waits for an echo. Connections that a server of this kind leaves waiting
 * (servers.h) are not waited for beyond the phase: nothing would come. */
int64_t trial_timeout_ns(const struct plan *plan, const struct plan_trial *trial,
                         const struct pace_cell *pace);

/* The columns that are known beforehand. */
void trial_describe(const struct trial_setting *setting, const struct plan_trial *trial,
                    struct row *row);
/* The others, status and flags, once the load's result is in the row (trial_load_columns).
 * server_status as of mux_server_stop. May fail the trial. */
void trial_columns(const struct trial_setting *setting, struct trial *trial, const json_t *result,
                   int server_status, struct row *row);

#endif
