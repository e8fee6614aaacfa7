/* trial_server.h: how a trial's server is started: by trials, and by the gate before them. */
#ifndef MUX_TRIAL_SERVER_H
#define MUX_TRIAL_SERVER_H

#include "backends/mux_backend.h"
#include "bench/run/trial.h"
#include "process/server.h"

enum { TRIAL_SERVE_ARGS = 32 };

struct trial_server {
  struct mux_server_spec spec; /* points into the rest: do not copy */
  char words[TRIAL_SERVE_ARGS][512];
  const char *argv[TRIAL_SERVE_ARGS + 1];
  char listen[MUX_ADDR_TEXT + 16];
  char log[RUNDIR_PATH];
};

/* Its stderr goes to logs/NAME.server.log. */
void trial_server_describe(const struct trial_setting *setting, const struct plan_trial *trial,
                           const char *name, struct trial_server *server);

/* Has it burn so much CPU time per message, beside what its own options say. */
void trial_server_work(struct trial_server *server, int64_t work_ns);

/* The counters of a server of ours, one per worker, or NULL. */
const struct mux_counters *trial_server_counters(const struct mux_server *server, int *workers);

/* Asks the conformance gate (check/check.h) whether this server echoes at all; one that does not
 * has no performance. Returns 0, or 1 with the reason in why. */
int trial_gate(const struct trial_setting *setting, const struct plan_trial *trial, char *why,
               size_t why_bytes);

#endif
