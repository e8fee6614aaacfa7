/* trial_columns.h: from what was seen of a trial to the columns of its row. */
#ifndef MUX_TRIAL_COLUMNS_H
#define MUX_TRIAL_COLUMNS_H

#include <jansson.h>

#include "bench/run/accounting.h"
#include "bench/run/trial.h"

/* Growth of memory is told per connection from this many on: below, noise would be divided by
 * little. */
enum { MEMORY_CONNECTIONS_MIN = 100, WORKERS_MAX = 1024 };

struct trial_edge {
  struct mux_tree_cpu cpu;
  struct accounting_host host;
  uint64_t waits, events;
  int64_t took_ns; /* CPU time of the runner to read all this */
};

struct trial_measurement {
  int64_t at_a_time; /* connections that the server serves while others wait; 0: all of them */
  int64_t memory_before, memory_with;
  struct accounting_host before, with; /* the connections */
  struct trial_edge start, end;
  int workers;                    /* that count their connections; 0: none does */
  uint64_t accepted[WORKERS_MAX]; /* by each of them until the end of the phase */
};

/* The cell's value of an option for this trial's server, "" if it is left to the command. */
const char *trial_text(const struct plan *plan, const struct plan_trial *trial,
                       enum option_group group, const char *key);
/* ... of a quantity of load; 0 if it is left to the command. */
int64_t trial_number(const struct plan *plan, const struct plan_trial *trial, const char *key);
/* What its server is spoken to over. */
enum mux_addr_kind trial_transport(const struct plan *plan, const struct plan_trial *trial);
/* How long the load waits for an echo. Whom a server of this kind leaves waiting (servers.h) is not
 * waited for beyond the phase: nothing would come. */
int64_t trial_timeout_ns(const struct plan *plan, const struct plan_trial *trial,
                         struct plan_times times);

/* The columns that are known beforehand. */
void trial_describe(const struct trial_setting *setting, const struct plan_trial *trial,
                    struct row *row);
/* The others, status and flags, once the load's result is in the row (trial_load_columns).
 * server_status as of mux_server_stop. */
void trial_columns(const struct trial_setting *setting, const struct trial_measurement *m,
                   const json_t *result, int server_status, struct row *row, char *reason,
                   size_t reason_bytes);

#endif
