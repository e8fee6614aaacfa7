/* trial.c: see trial.h.
 *
 *   server up → memory, before → load connects and holds → memory, with its connections
 *   → slices → the load's result → server down */
#include "bench/run/trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/plan/servers.h"
#include "bench/run/trial_columns.h"
#include "bench/run/trial_load.h"
#include "bench/run/trial_server.h"
#include "common/clock.h"

/* How long phases may take beyond what they should. */
#define CONNECT_LIMIT_NS  (15 * MUX_S)
#define PER_CONNECTION_NS (1 * MUX_MS)
#define SLICE_LIMIT_NS    (10 * MUX_S)
enum { SLICE_ATTEMPTS = 3 }; /* of one that the host cuts short */
enum { COST_SLICES = 6 };    /* to know the baseline's cost by, and one to warm up */
#define SETTLE_LIMIT_NS (1 * MUX_S)
/* A server that uses more CPU time than this in a silent look does not rest by itself. */
#define LOOK_NS    (20 * MUX_MS)
#define RESTING_NS (MUX_MS / 2)
/* A latency slice spins for as long as it takes. */
#define SPIN_NS (3600 * MUX_S)
enum { FIRST_RATE = 5000, LEAST_RATE = 100 }; /* of a search, messages per second */

static bool is_open_loop(const struct trial_setting *setting, const struct trial *trial) {
  return trial_number(setting->plan, &trial->plan, "rate") > 0;
}

static bool seeks(const struct trial_setting *setting, const struct trial *trial) {
  return plan_objective(setting->plan, &setting->plan->cells[trial->plan.cell]).percentile > 0;
}

/* Takes in what a step came to: an interruption is the caller's, another failure the trial's. */
static int settle_with(struct trial *trial, int rc) {
  if (rc == 0 || rc == -EINTR)
    return rc;
  trial->alive = false;
  trial->status = "failed";
  snprintf(trial->why, sizeof trial->why, "%s", trial->session.why);
  session_close(&trial->session);
  return 0;
}

static void sleep_ns(int64_t ns) {
  struct timespec pause = mux_ns_timespec(ns);
  nanosleep(&pause, NULL);
}

/* ---- Start ------------------------------------------------------------------------------------
 */

static int start_server(const struct trial_setting *setting, struct trial *trial) {
  struct trial_server server;
  char name[32];
  trial_server_describe(setting, &trial->plan, trial_name(trial, name), &server);
  if (trial->work_ns > 0)
    trial_server_work(&server, trial->work_ns);
  return session_start_server(&trial->session, &server.spec);
}

static int start_load(const struct trial_setting *setting, struct trial *trial,
                      const struct pace_cell *pace) {
  char cpus[MUX_CPUS_TEXT];
  char name[32];
  char hlog[RUNDIR_PATH];
  char json[RUNDIR_PATH];
  char log[RUNDIR_PATH];
  trial_name(trial, name);
  rundir_file(setting->dir, hlog, "hlog/%s.hlog", name);
  rundir_file(setting->dir, json, "logs/%s.load.json", name);
  rundir_file(setting->dir, log, "logs/%s.load.log", name);
  char **options = trial_load_options(setting->plan, &trial->plan, pace,
                                      mux_cpus_print(cpus, &setting->load_cpus), hlog, json);
  int rc =
      session_start_load(&trial->session, (const char *const *)options, &setting->load_cpus, log);
  free(options);
  return rc;
}

static int await_connected(const struct trial_setting *setting, struct trial *trial) {
  int64_t connections = trial_connections(setting->plan, &trial->plan);
  int64_t ramp = trial_number(setting->plan, &trial->plan, "ramp");
  int64_t limit_ns = CONNECT_LIMIT_NS + connections * PER_CONNECTION_NS;
  if (ramp > 0)
    limit_ns += connections * MUX_S / ramp;
  return session_connected(&trial->session, limit_ns);
}

/* Waits until the server has taken in its connections: it uses no more CPU. One that spins never
 * rests; its own count of accepted connections tells. */
static void settle(struct trial *trial, int64_t connections) {
  int64_t until_ns = mux_now_ns() + SETTLE_LIMIT_NS;
  int64_t before_ns = -1;
  while (mux_now_ns() < until_ns) {
    int workers;
    uint64_t taken = 0;
    const struct mux_counters *counters = trial_server_counters(trial->session.server, &workers);
    for (int i = 0; counters != NULL && i < workers; i++)
      taken += __atomic_load_n(&counters[i].accepted, __ATOMIC_RELAXED) +
               __atomic_load_n(&counters[i].refused, __ATOMIC_RELAXED);
    if (counters != NULL && taken >= (uint64_t)connections)
      return;
    struct mux_tree_cpu cpu;
    if (mux_tree_cpu(&trial->tree, &cpu) != 0 ||
        (before_ns >= 0 && cpu.total_ns - before_ns < 100 * MUX_US))
      return;
    before_ns = cpu.total_ns;
    sleep_ns(4 * MUX_MS);
  }
}

/* Others will be measured while it has nothing to do: does it rest? */
static void look_at_rest(struct trial *trial) {
  struct mux_tree_cpu before;
  struct mux_tree_cpu after;
  if (mux_tree_cpu(&trial->tree, &before) != 0)
    return;
  sleep_ns(LOOK_NS);
  if (mux_tree_cpu(&trial->tree, &after) == 0 && after.total_ns - before.total_ns > RESTING_NS)
    session_freeze(&trial->session);
}

int trial_start(const struct trial_setting *setting, struct trial *trial,
                const struct pace_cell *pace) {
  int64_t connections = trial_connections(setting->plan, &trial->plan);
  staircase_begin(&trial->sought, FIRST_RATE, LEAST_RATE, LOAD_RATE_SOUGHT_MOST);
  int rc = start_server(setting, trial);
  if (rc == 0) {
    trial->tree.root = mux_server_root(trial->session.server);
    trial->memory_before = mux_tree_memory_bytes(trial->tree.root);
    accounting_host(&trial->before);
    accounting_kernel_steady(&trial->kernel_before);
    rc = start_load(setting, trial, pace);
  }
  if (rc == 0)
    rc = await_connected(setting, trial);
  if (rc == 0) {
    settle(trial, connections);
    if (connections >= TRIAL_MEMORY_CONNECTIONS_MIN) {
      trial->memory_with = mux_tree_memory_bytes(trial->tree.root);
      accounting_kernel(&trial->kernel_with);
      trial->load_memory = mux_tree_memory_bytes(trial->session.load.supervisor);
    }
    accounting_host(&trial->with);
    mux_tree_find(&trial->tree);
    trial->alive = true;
    if (pace->slices)
      look_at_rest(trial);
  }
  return settle_with(trial, rc);
}

/* ---- Slices -----------------------------------------------------------------------------------
 */

/* Readings while both are silent, around a slice. */
struct edge {
  struct mux_tree_cpu server;
  struct accounting_host host;
  int64_t load_ns, at_ns;
  uint64_t waits, events;
};

static void take_edge(struct trial *trial, struct edge *edge) {
  int workers = 0;
  const struct mux_counters *counters = trial_server_counters(trial->session.server, &workers);
  *edge = (struct edge){.at_ns = mux_now_ns()};
  mux_tree_cpu(&trial->tree, &edge->server);
  edge->load_ns = mux_process_cpu_ns(trial->session.load.pid);
  for (int i = 0; counters != NULL && i < workers; i++) {
    edge->waits += __atomic_load_n(&counters[i].waits, __ATOMIC_RELAXED);
    edge->events += __atomic_load_n(&counters[i].events, __ATOMIC_RELAXED);
  }
  accounting_host(&edge->host);
}

static void add_edges(struct trial *trial, const struct edge *a, const struct edge *b) {
  accounting_host_add(&trial->spent, &a->host, &b->host);
  trial->ours_cpu_s += (double)(b->server.total_ns - a->server.total_ns) / 1e9;
  trial->ours_cpu_s += (double)(b->load_ns - a->load_ns) / 1e9;
  trial->wall_s += (double)(b->at_ns - a->at_ns) / 1e9;
  trial->user_ticks += b->server.user_ticks - a->server.user_ticks;
  trial->system_ticks += b->server.system_ticks - a->server.system_ticks;
  trial->waits += b->waits - a->waits;
  trial->events += b->events - a->events;
}

static void add_slice(struct trial_sum *sum, const struct slice *slice) {
  sum->slices++;
  sum->completed += slice->completed;
  sum->duration_s += slice->duration_s;
  sum->server_cpu_s += slice->server_cpu_s;
  sum->client_cpu_s += slice->client_cpu_s;
}

static struct mux_order order_of(const struct trial_setting *setting, const struct trial *trial,
                                 const struct pace_cell *pace, enum slice_kind kind) {
  struct mux_order order = {.warmup_ns = pace->warmup_ns, .duration_ns = pace->duration_ns};
  if (!pace->slices)
    order.spin_ns = trial_load_spin_ns(setting->plan, &trial->plan);
  else if (kind != SLICE_COST)
    order.spin_ns = SPIN_NS;
  if (seeks(setting, trial))
    order.rate_per_s = (int64_t)staircase_level(&trial->sought);
  return order;
}

/* The load thread was kept from running: that is the host, not the server. */
static bool is_cut_short(const struct mux_order *order, const struct mux_answer *answer) {
  return answer->completed == 0 || answer->duration_ns < order->duration_ns / 2;
}

static struct slice slice_of(const struct trial *trial, enum slice_kind kind,
                             const struct mux_answer *answer) {
  return (struct slice){.trial = trial->plan.number,
                        .cell = trial->plan.cell,
                        .label = trial->plan.label,
                        .block = trial->plan.block,
                        .group = trial->group,
                        .kind = kind,
                        .duration_s = (double)answer->duration_ns / 1e9,
                        .completed = answer->completed,
                        .server_cpu_s =
                            answer->server_ns >= 0 ? (double)answer->server_ns / 1e9 : NAN,
                        .client_cpu_s = (double)(answer->client_ns - answer->spin_ns) / 1e9,
                        .offered_per_s = NAN,
                        .late = NAN};
}

/* Did the slice's rate keep the objective? The next one's follows from that. */
static void judge_rate(const struct trial_setting *setting, struct trial *trial,
                       const struct mux_order *order, const struct mux_answer *answer,
                       struct slice *slice) {
  struct load_objective objective =
      plan_objective(setting->plan, &setting->plan->cells[trial->plan.cell]);
  double allowed = (1 - objective.percentile / 100) * (double)answer->messages;
  bool held = (double)answer->late <= allowed;
  if (staircase_is_near(&trial->sought) && !held) {
    trial->late++;
    trial->late_by_load += (double)answer->late_in_service <= allowed;
  }
  staircase_tell(&trial->sought, held);
  slice->offered_per_s = (double)order->rate_per_s;
  slice->late = (double)answer->late / (double)answer->messages;
}

int trial_slice(const struct trial_setting *setting, struct trial *trial,
                const struct pace_cell *pace, enum slice_kind kind, struct slice *out) {
  if (pace->seeks)
    kind = SLICE_CAPACITY;
  struct edge before;
  struct edge after;
  struct mux_answer answer;
  struct mux_order order = order_of(setting, trial, pace, kind);
  int64_t limit_ns = trial_timeout_ns(setting->plan, &trial->plan, pace) + SLICE_LIMIT_NS;
  /* Of an open loop's slices those count for response times in which the load did not sleep. */
  order.record =
      out != NULL && (kind != SLICE_COST || !pace->slices || !is_open_loop(setting, trial));
  for (int attempt = 1;; attempt++) {
    take_edge(trial, &before);
    int rc = session_slice(&trial->session, &order, limit_ns, &answer);
    if (rc != 0)
      return settle_with(trial, rc);
    take_edge(trial, &after);
    if (!is_cut_short(&order, &answer) || answer.errors > trial->errors ||
        attempt == SLICE_ATTEMPTS)
      break;
  }
  if (out == NULL)
    return 0;
  *out = slice_of(trial, kind, &answer);
  out->failed = is_cut_short(&order, &answer) || answer.errors > trial->errors;
  trial->errors = answer.errors;
  if (!out->failed) {
    if (kind == SLICE_CAPACITY)
      judge_rate(setting, trial, &order, &answer, out);
    add_slice(kind == SLICE_COST ? &trial->cost : &trial->latency, out);
    add_edges(trial, &before, &after);
  }
  return 0;
}

int trial_cost(const struct trial_setting *setting, struct trial *trial,
               const struct pace_cell *pace, double *host_us) {
  struct mux_order order = order_of(setting, trial, pace, SLICE_COST);
  double sum_ns = 0;
  double requests = 0;
  *host_us = NAN;
  for (int i = 0; i < COST_SLICES && trial->alive; i++) {
    struct mux_answer answer;
    int rc = session_slice(&trial->session, &order,
                           trial_timeout_ns(setting->plan, &trial->plan, pace) + SLICE_LIMIT_NS,
                           &answer);
    if (rc != 0)
      return settle_with(trial, rc);
    if (i == 0 || is_cut_short(&order, &answer)) /* the first one warms */
      continue;
    sum_ns += (double)(answer.server_ns + answer.client_ns - answer.spin_ns);
    requests += (double)answer.completed;
  }
  if (requests > 0)
    *host_us = sum_ns / 1e3 / requests;
  return 0;
}

int trial_count(struct trial_setting *setting, struct trial *trial, const struct pace_cell *pace) {
  struct accounting_probe *probe = NULL;
  struct accounting_counts before;
  struct accounting_counts after;
  struct mux_answer answer;
  struct mux_order order = {.warmup_ns = pace->warmup_ns,
                            .duration_ns = setting->plan->experiment->count_ns};
  if (order.duration_ns > pace->duration_ns && pace->slices)
    order.duration_ns = pace->duration_ns;
  if (seeks(setting, trial))
    order.rate_per_s = (int64_t)staircase_level(&trial->sought);
  if (accounting_probe_open(&probe, mux_server_root(trial->session.server), setting->count_why,
                            sizeof setting->count_why) != 0)
    return 0;
  int rc = accounting_probe_read(probe, &before);
  if (rc == 0)
    rc = session_slice(&trial->session, &order,
                       trial_timeout_ns(setting->plan, &trial->plan, pace) + SLICE_LIMIT_NS,
                       &answer);
  if (rc == 0 && accounting_probe_read(probe, &after) == 0) {
    /* From silence to silence: all its messages, those of the warm-up too. */
    trial->counted.syscalls = after.syscalls - before.syscalls;
    trial->counted.switches = after.switches - before.switches;
    trial->counted_requests = answer.all;
  }
  accounting_probe_close(probe);
  return settle_with(trial, rc);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void count_connections(struct trial *trial) {
  const struct mux_counters *counters =
      trial_server_counters(trial->session.server, &trial->workers);
  if (counters == NULL || trial->workers > TRIAL_WORKERS_MAX)
    trial->workers = 0;
  for (int i = 0; i < trial->workers; i++)
    trial->accepted[i] = __atomic_load_n(&counters[i].accepted, __ATOMIC_RELAXED);
}

/* The load's result of this trial, or NULL. */
static json_t *read_result(const struct trial_setting *setting, struct trial *trial) {
  char file[64];
  char name[32];
  snprintf(file, sizeof file, "logs/%s.load.json", trial_name(trial, name));
  return rundir_read_json(setting->dir, file, trial->session.why, sizeof trial->session.why);
}

int trial_finish(const struct trial_setting *setting, struct trial *trial, struct row *row) {
  json_t *result = NULL;
  int server_status = 0;
  int rc = 0;
  trial_describe(setting, &trial->plan, row);
  if (trial->alive) {
    count_connections(trial);
    int64_t connections = trial_connections(setting->plan, &trial->plan);
    rc = session_finish(&trial->session, SLICE_LIMIT_NS + connections * PER_CONNECTION_NS);
    rc = settle_with(trial, rc < 0 ? rc : 0);
  }
  if (trial->alive && rc == 0) {
    server_status = session_close(&trial->session);
    result = read_result(setting, trial);
    rc = settle_with(trial, result == NULL ? -EPROTO : trial_load_columns(row, result));
  }
  if (trial->alive && rc == 0)
    trial_columns(setting, trial, result, server_status, row);
  trial->alive = false;
  if (trial->status != NULL)
    row_set(row, COL_status, "%s", trial->status);
  json_decref(result);
  return rc;
}

void trial_close(struct trial *trial) {
  session_close(&trial->session);
  mux_tree_free(&trial->tree);
}

char *trial_name(const struct trial *trial, char out[32]) {
  if (trial->group > 1)
    snprintf(out, 32, "%d.group%d", trial->plan.number, trial->group);
  else
    snprintf(out, 32, "%d", trial->plan.number);
  return out;
}
