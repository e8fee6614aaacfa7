/* trial.c: see trial.h. The phases of a trial:
 *
 *   server up → memory, before → load connects and holds → memory, with its connections → warm-up
 *   → [edge: CPU, host] measured window [edge] → drain → the load's result → server down
 *
 * then, if the experiment wants it, once more and shorter with system calls counted. */
#include "bench/run/trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/plan/servers.h"
#include "bench/run/accounting.h"
#include "bench/run/session.h"
#include "bench/run/trial_columns.h"
#include "bench/run/trial_load.h"
#include "bench/run/trial_server.h"
#include "common/clock.h"
#include "common/units.h"

/* How long phases may take beyond what they should. */
#define CONNECT_LIMIT_NS  (15 * MUX_S)
#define PER_CONNECTION_NS (1 * MUX_MS)
#define EDGE_LIMIT_NS     (10 * MUX_S)
#define SETTLE_LIMIT_NS   (1 * MUX_S)
#define COUNT_WARMUP_NS   (100 * MUX_MS)

/* ---- Processes --------------------------------------------------------------------------------
 */

static int start_server(const struct trial_setting *setting, const struct plan_trial *trial,
                        struct session *session, const char *suffix) {
  struct trial_server server;
  char name[32];
  snprintf(name, sizeof name, "%d%s", trial->number, suffix);
  trial_server_describe(setting, trial, name, &server);
  return session_start_server(session, &server.spec);
}

static int start_load(struct trial_setting *setting, const struct plan_trial *trial,
                      struct plan_times times, struct session *session, const char *suffix) {
  char cpus[MUX_CPUS_TEXT];
  char hlog[RUNDIR_PATH];
  char json[RUNDIR_PATH];
  char log[RUNDIR_PATH];
  bool counting = *suffix != 0;
  rundir_file(setting->dir, hlog, "hlog/%d.hlog", trial->number);
  rundir_file(setting->dir, json, "logs/%d%s.load.json", trial->number, suffix);
  rundir_file(setting->dir, log, "logs/%d%s.load.log", trial->number, suffix);
  char **options =
      trial_load_options(setting->plan, trial, times, mux_cpus_print(cpus, &setting->load_cpus),
                         counting ? NULL : hlog, json);
  int rc = session_start_load(session, (const char *const *)options, &setting->load_cpus, log);
  free(options);
  return rc;
}

static int await_connected(const struct trial_setting *setting, const struct plan_trial *trial,
                           struct session *session) {
  const struct plan *plan = setting->plan;
  int64_t connections =
      trial_number(plan, trial, "connections") + trial_number(plan, trial, "idle");
  int64_t ramp = trial_number(plan, trial, "ramp");
  int64_t limit_ns = CONNECT_LIMIT_NS + connections * PER_CONNECTION_NS;
  if (ramp > 0)
    limit_ns += connections * MUX_S / ramp;
  return session_await(session, "connected", limit_ns);
}

/* Waits until the server has taken in its connections: it uses no more CPU. One that spins never
 * rests; its own count of accepted connections tells. */
static void settle(const struct session *session, struct mux_tree *tree, int64_t connections) {
  struct timespec pause = {.tv_nsec = 4 * MUX_MS};
  int64_t until_ns = mux_now_ns() + SETTLE_LIMIT_NS;
  int64_t before_ns = -1;
  while (mux_now_ns() < until_ns) {
    int workers;
    uint64_t taken = 0;
    const struct mux_counters *counters = trial_server_counters(session->server, &workers);
    for (int i = 0; counters != NULL && i < workers; i++)
      taken += __atomic_load_n(&counters[i].accepted, __ATOMIC_RELAXED) +
               __atomic_load_n(&counters[i].refused, __ATOMIC_RELAXED);
    if (counters != NULL && taken >= (uint64_t)connections)
      return;
    struct mux_tree_cpu cpu;
    if (mux_tree_cpu(tree, &cpu) != 0 ||
        (before_ns >= 0 && cpu.total_ns - before_ns < 100 * MUX_US))
      return;
    before_ns = cpu.total_ns;
    nanosleep(&pause, NULL);
  }
}

/* ---- The measured trial -----------------------------------------------------------------------
 */

static void take_edge(const struct session *session, struct mux_tree *tree,
                      struct trial_edge *edge) {
  int workers;
  const struct mux_counters *counters = trial_server_counters(session->server, &workers);
  int64_t began_ns = mux_thread_cpu_ns();
  mux_tree_cpu(tree, &edge->cpu);
  for (int i = 0; counters != NULL && i < workers; i++) {
    edge->waits += __atomic_load_n(&counters[i].waits, __ATOMIC_RELAXED);
    edge->events += __atomic_load_n(&counters[i].events, __ATOMIC_RELAXED);
  }
  accounting_host(&edge->host);
  edge->took_ns = mux_thread_cpu_ns() - began_ns;
}

static void count_connections(const struct session *session, struct trial_measurement *m) {
  const struct mux_counters *counters = trial_server_counters(session->server, &m->workers);
  if (counters == NULL || m->workers > WORKERS_MAX)
    m->workers = 0;
  for (int i = 0; i < m->workers; i++)
    m->accepted[i] = __atomic_load_n(&counters[i].accepted, __ATOMIC_RELAXED);
}

static int measure(struct trial_setting *setting, const struct plan_trial *trial,
                   struct plan_times times, struct session *session, struct trial_measurement *m) {
  struct mux_tree tree = {.root = -1};
  const struct plan *plan = setting->plan;
  int64_t connections =
      trial_number(plan, trial, "connections") + trial_number(plan, trial, "idle");
  int rc = start_server(setting, trial, session, "");
  if (rc == 0) {
    tree.root = mux_server_root(session->server);
    m->memory_before = mux_tree_memory_bytes(tree.root);
    accounting_host(&m->before);
    rc = start_load(setting, trial, times, session, "");
  }
  if (rc == 0)
    rc = await_connected(setting, trial, session);
  if (rc == 0) {
    if (connections >= MEMORY_CONNECTIONS_MIN) {
      settle(session, &tree, connections);
      m->memory_with = mux_tree_memory_bytes(tree.root);
      accounting_host(&m->with);
    }
    mux_tree_find(&tree);
    rc = session_release(session);
  }
  if (rc == 0)
    rc = session_await(session, "measure", times.warmup_ns + EDGE_LIMIT_NS);
  if (rc == 0) {
    take_edge(session, &tree, &m->start);
    rc = session_await(session, "drain", times.duration_ns + EDGE_LIMIT_NS);
  }
  if (rc == 0) {
    take_edge(session, &tree, &m->end);
    count_connections(session, m);
    session_let_go(session);
    /* One for draining, one for asking the connections that have not echoed. */
    rc = session_finish(session, 2 * trial_timeout_ns(plan, trial, times) + EDGE_LIMIT_NS);
  }
  mux_tree_free(&tree);
  return rc;
}

/* The load's result of this trial, or NULL. */
static json_t *read_result(const struct trial_setting *setting, const struct plan_trial *trial,
                           const char *suffix, char *why, size_t why_bytes) {
  char name[64];
  snprintf(name, sizeof name, "logs/%d%s.load.json", trial->number, suffix);
  return rundir_read_json(setting->dir, name, why, why_bytes);
}

/* ---- The counting phase -----------------------------------------------------------------------
 */

static int count_phases(struct trial_setting *setting, const struct plan_trial *trial,
                        struct plan_times times, struct session *session,
                        struct accounting_probe *probe, struct accounting_counts counted[2]) {
  int rc = start_load(setting, trial, times, session, ".count");
  if (rc == 0)
    rc = await_connected(setting, trial, session);
  if (rc == 0)
    rc = session_release(session);
  if (rc == 0)
    rc = session_await(session, "measure", times.warmup_ns + EDGE_LIMIT_NS);
  if (rc == 0)
    rc = accounting_probe_read(probe, &counted[0]);
  if (rc == 0)
    rc = session_await(session, "drain", times.duration_ns + EDGE_LIMIT_NS);
  if (rc == 0)
    rc = accounting_probe_read(probe, &counted[1]);
  session_let_go(session);
  if (rc == 0)
    rc = session_finish(session, 2 * trial_timeout_ns(setting->plan, trial, times) + EDGE_LIMIT_NS);
  return rc < 0 ? rc : 0;
}

/* Once more, shorter, with system calls and context switches counted. A failure leaves the columns
 * empty: the trial itself is done. Returns -EINTR alone. */
static int count(struct trial_setting *setting, const struct plan_trial *trial, struct row *row) {
  struct plan_times times = {.warmup_ns = COUNT_WARMUP_NS,
                             .duration_ns = setting->plan->experiment->count_ns};
  struct accounting_probe *probe = NULL;
  struct accounting_counts counted[2];
  struct session session;
  char why[512];
  session_init(&session, setting->stop_fd, setting->deadline_ns);
  int rc = start_server(setting, trial, &session, ".count");
  if (rc == 0)
    rc = accounting_probe_open(&probe, mux_server_root(session.server), setting->count_why,
                               sizeof setting->count_why);
  if (rc == 0)
    rc = count_phases(setting, trial, times, &session, probe, counted);
  if (probe != NULL)
    accounting_probe_close(probe);
  session_close(&session);
  json_t *result = rc == 0 ? read_result(setting, trial, ".count", why, sizeof why) : NULL;
  if (result != NULL) {
    double requests =
        rundir_number(result, "completed_per_s") * rundir_number(result, "duration_s");
    if (requests > 0) {
      row_set_number(row, COL_syscalls_per_req,
                     (double)(counted[1].syscalls - counted[0].syscalls) / requests);
      row_set_number(row, COL_context_switches_per_req,
                     (double)(counted[1].switches - counted[0].switches) / requests);
    }
  }
  json_decref(result);
  return rc == -EINTR ? rc : 0;
}

/* ---- The whole --------------------------------------------------------------------------------
 */

int trial_run(struct trial_setting *setting, const struct plan_trial *trial,
              struct plan_times times, struct row *row, char *reason, size_t reason_bytes) {
  struct session session;
  const struct plan *plan = setting->plan;
  struct trial_measurement m = {.at_a_time =
                                    servers_at_a_time(plan->experiment, &plan->cells[trial->cell],
                                                      plan->labels[trial->label].server)};
  json_t *result = NULL;
  *row = (struct row){0};
  reason[0] = 0;
  trial_describe(setting, trial, row);
  session_init(&session, setting->stop_fd, setting->deadline_ns);
  int rc = measure(setting, trial, times, &session, &m);
  int workers = 0;
  if (session.server != NULL && trial_server_counters(session.server, &workers) != NULL)
    row_set(row, COL_workers, "%d", workers);
  int server_status = session_close(&session);
  if (rc >= 0) {
    result = read_result(setting, trial, "", session.why, sizeof session.why);
    rc = result == NULL ? -EPROTO : trial_load_columns(row, result);
  }
  double share = (double)(m.start.took_ns + m.end.took_ns) / (double)times.duration_ns;
  if (rc == 0 && share > setting->edge_share)
    setting->edge_share = share;
  if (rc == 0)
    trial_columns(setting, &m, result, server_status, row, reason, reason_bytes);
  else
    snprintf(reason, reason_bytes, "%s", session.why);
  json_decref(result);
  if (rc != 0)
    row_set(row, COL_status, "failed");
  bool late = setting->deadline_ns > 0 && mux_now_ns() >= setting->deadline_ns;
  if (rc != -EINTR && rc != 0 && late)
    rc = -ETIME;
  else if (rc != -EINTR)
    rc = 0;
  if (rc == 0 && plan->experiment->count_ns > 0 && setting->count_why[0] == 0 &&
      strcmp(row_text(row, COL_status), "failed") != 0)
    rc = count(setting, trial, row);
  if (rc != 0)
    row_clear(row);
  return rc;
}
