/* trial_server.c: see trial_server.h. */
#include "bench/run/trial_server.h"

#include <stdio.h>
#include <string.h>

#include "bench/plan/experiment_options.h"
#include "bench/run/trial_columns.h"
#include "check/check.h"
#include "common/clock.h"
#include "common/units.h"

/* What a server may take to end beyond its drain time: closing takes time, too. */
#define PATIENCE_NS (2 * MUX_S)
#define CLOSE_NS    (100 * MUX_US)

/* Options of serve that the launcher does not know by itself. */
static void add_options(const struct plan *plan, const struct plan_trial *trial,
                        struct trial_server *server) {
  int n = 0;
  for (const struct mux_option_row *row = experiment_rows(OPTION_SERVE); row->key != NULL; row++) {
    const char *value = trial_text(plan, trial, OPTION_SERVE, row->key);
    bool known = strcmp(row->key, "listen") == 0 || strcmp(row->key, "workers") == 0 ||
                 strcmp(row->key, "drain") == 0;
    if (*value == 0 || known || n == TRIAL_SERVE_ARGS ||
        mux_option_row_word(row, server->words[n], sizeof server->words[n], value) == 0)
      continue;
    server->argv[n] = server->words[n];
    n++;
  }
  server->argv[n] = NULL;
}

void trial_server_describe(const struct trial_setting *setting, const struct plan_trial *trial,
                           const char *name, struct trial_server *server) {
  const struct plan *plan = setting->plan;
  const struct experiment_server *which = plan->labels[trial->label].server;
  const struct experiment_value *workers =
      plan_value(plan, &plan->cells[trial->cell], which, OPTION_SERVE, "workers");
  bool own = which->command == NULL && which->target == NULL;
  add_options(plan, trial, server);
  snprintf(server->listen, sizeof server->listen, "%s",
           trial_text(plan, trial, OPTION_SERVE, "listen"));
  if (trial_transport(plan, trial) == MUX_ADDR_UNIX) { /* several serve at a time: a path each */
    size_t length = strlen(server->listen);
    snprintf(server->listen + length, sizeof server->listen - length, ".%d", trial->label);
  }
  server->spec = (struct mux_server_spec){
      .backend = own ? which->backend : NULL,
      .command = which->command,
      .target = which->target,
      .listen = server->listen,
      .extra = server->argv,
      .workers = workers != NULL ? (int)workers->number : 0,
      .cpus = &setting->server_cpus,
      .stderr_path = rundir_file(setting->dir, server->log, "logs/%s.server.log", name),
      .share_counters = own,
      .patience_ns = PATIENCE_NS + trial_connections(plan, trial) * CLOSE_NS,
  };
  mux_parse_time(trial_text(plan, trial, OPTION_SERVE, "drain"), &server->spec.drain_ns);
}

void trial_server_work(struct trial_server *server, int64_t work_ns) {
  static const char key[] = "--work=";
  int n = 0;
  while (server->argv[n] != NULL && strncmp(server->argv[n], key, sizeof key - 1) != 0)
    n++;
  int64_t own_ns = 0;
  if (server->argv[n] != NULL)
    mux_parse_time(server->argv[n] + sizeof key - 1, &own_ns);
  else if (n < TRIAL_SERVE_ARGS)
    server->argv[n + 1] = NULL;
  else
    return;
  snprintf(server->words[n], sizeof server->words[n], "%s%.3fus", key,
           (double)(own_ns + work_ns) / 1e3);
  server->argv[n] = server->words[n];
}

const struct mux_counters *trial_server_counters(const struct mux_server *server, int *workers) {
  size_t bytes;
  const struct mux_counters *counters = mux_server_counters(server, &bytes);
  *workers = (int)(bytes / sizeof *counters);
  return counters;
}

int trial_gate(const struct trial_setting *setting, const struct plan_trial *trial, char *why,
               size_t why_bytes) {
  struct trial_server server;
  char name[128];
  snprintf(name, sizeof name, "gate.%s", setting->plan->labels[trial->label].name);
  trial_server_describe(setting, trial, name, &server);
  server.spec.share_counters = false;
  server.spec.cpus = NULL;
  return mux_check_quick(&server.spec, why, why_bytes);
}
