/* trial_columns.c: see trial_columns.h. */
#include "bench/run/trial_columns.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/plan/plan_options.h"
#include "bench/plan/servers.h"
#include "bench/run/trial_load.h"
#include "common/addr.h"
#include "common/clock.h"

#define NOISE_SHARE  0.10 /* CPU time of others, of one core */
#define STEAL_SHARE  0.02
#define LITTLE_SHARE 0.05 /* that the law may be off by */
/* Beyond the phase, for the last echoes of a server that leaves connections waiting. */
#define TURN_GRACE_NS (200 * MUX_MS)
/* The kernel tells user from system time by sampling: fewer samples than this tell nothing. */
enum { SHARE_TICKS_MIN = 20 };

/* ---- The row's own description ----------------------------------------------------------------
 */

const char *trial_text(const struct plan *plan, const struct plan_trial *trial,
                       enum option_group group, const char *key) {
  const struct experiment_value *value =
      plan_value(plan, &plan->cells[trial->cell], plan->labels[trial->label].server, group, key);
  return value != NULL ? value->text : "";
}

int64_t trial_number(const struct plan *plan, const struct plan_trial *trial, const char *key) {
  const struct experiment_value *value =
      plan_value(plan, &plan->cells[trial->cell], NULL, OPTION_LOAD, key);
  return value != NULL ? value->number : 0;
}

int64_t trial_connections(const struct plan *plan, const struct plan_trial *trial) {
  return trial_number(plan, trial, "connections") + trial_number(plan, trial, "idle");
}

static int trial_addr(const struct plan *plan, const struct plan_trial *trial,
                      struct mux_addr *addr) {
  const char *target = plan->labels[trial->label].server->target;
  char why[160];
  return mux_addr_parse(addr,
                        target != NULL ? target : trial_text(plan, trial, OPTION_SERVE, "listen"),
                        true, why, sizeof why);
}

enum mux_addr_kind trial_transport(const struct plan *plan, const struct plan_trial *trial) {
  struct mux_addr addr;
  return trial_addr(plan, trial, &addr) == 0 ? addr.kind : MUX_ADDR_TCP;
}

void trial_describe(const struct trial_setting *setting, const struct plan_trial *trial,
                    struct row *row) {
  const struct plan *plan = setting->plan;
  const struct plan_cell *cell = &plan->cells[trial->cell];
  const struct plan_label *label = &plan->labels[trial->label];
  struct mux_addr addr;
  struct load_options load;
  plan_load_options(plan->experiment, cell, &load);
  bool open = load.config.rate_per_s > 0 || load.find_rate;
  row_set(row, COL_schema_version, "%d", MUX_SCHEMA_VERSION);
  row_set(row, COL_run_id, "%s", setting->dir->id);
  row_set(row, COL_experiment, "%s", plan->experiment->name);
  row_set(row, COL_cell_id, "%s", cell->id);
  row_set(row, COL_block, "%d", trial->block);
  row_set(row, COL_trial, "%d", trial->number);
  row_set(row, COL_backend, "%s", label->server->backend);
  row_set(row, COL_label, "%s", label->name);
  row_set(row, COL_params, "%s", cell->params);
  if (trial_addr(plan, trial, &addr) == 0)
    row_set(row, COL_transport, "%s", mux_addr_transport(&addr));
  const char *workers = trial_text(plan, trial, OPTION_SERVE, "workers");
  if (*workers != 0)
    row_set(row, COL_workers, "%s", workers);
  row_set(row, COL_threads, "%lld", (long long)trial_number(plan, trial, "threads"));
  row_set(row, COL_mode, "%s", trial_text(plan, trial, OPTION_LOAD, "mode"));
  row_set(row, COL_loop, "%s", open ? "open" : "closed");
  row_set(row, COL_connections, "%lld", (long long)trial_number(plan, trial, "connections"));
  row_set(row, COL_idle_connections, "%lld", (long long)trial_number(plan, trial, "idle"));
  row_set(row, COL_payload_bytes, "%lld", (long long)load.config.payload_bytes);
  if (open) {
    row_set(row, COL_arrival, "%s", trial_text(plan, trial, OPTION_LOAD, "arrival"));
    if (!load.find_rate)
      row_set(row, COL_offered_per_s, "%lld", (long long)load.config.rate_per_s);
  } else {
    row_set(row, COL_depth, "%d", load.config.depth);
  }
}

int64_t trial_timeout_ns(const struct plan *plan, const struct plan_trial *trial,
                         const struct pace_cell *pace) {
  if (servers_at_a_time(plan->experiment, &plan->cells[trial->cell],
                        plan->labels[trial->label].server) > 0)
    return pace->warmup_ns + pace->duration_ns + TURN_GRACE_NS;
  return trial_number(plan, trial, "timeout");
}

/* ---- What was measured ----------------------------------------------------------------------- */

/* CPU time ÷ requests of the same windows. */
static void cpu_columns(struct row *row, const struct trial *t) {
  const struct trial_sum *sum = &t->cost;
  double requests = (double)sum->completed;
  double user = (double)t->user_ticks;
  double system = (double)t->system_ticks;
  row_set_number(row, COL_slices, sum->slices);
  row_set_number(row, COL_rounds, t->rounds);
  row_set_number(row, COL_work_us_per_req, t->work_ns > 0 ? (double)t->work_ns / 1e3 : NAN);
  if (requests <= 0)
    return;
  double server_us = sum->server_cpu_s * 1e6 / requests; /* NAN for a target: not ours to see */
  double client_us = sum->client_cpu_s * 1e6 / requests;
  row_set_number(row, COL_server_cpu_us_per_req, server_us);
  row_set_number(row, COL_client_cpu_us_per_req, client_us);
  row_set_number(row, COL_host_cpu_us_per_req, server_us + client_us);
  row_set_number(row, COL_server_cores_used, sum->server_cpu_s / sum->duration_s);
  row_set_number(row, COL_client_cores_used, sum->client_cpu_s / sum->duration_s);
  if (t->waits > 0)
    row_set_number(row, COL_events_per_wait, (double)t->events / (double)t->waits);
  if (user + system >= SHARE_TICKS_MIN) {
    row_set_number(row, COL_server_user_us_per_req, server_us * user / (user + system));
    row_set_number(row, COL_server_system_us_per_req, server_us * system / (user + system));
  }
}

/* Figures of rates above the capacity and below it, taken together, say nothing. */
static void capacity_columns(struct row *row, const struct trial *t) {
  static const char *const sought[] = {"rate_missed", "slip_high", "client_bound"};
  for (enum column i = COL_response_p50_us; i <= COL_slip_p99_us; i++)
    row_set(row, i, "%s", "");
  row_set(row, COL_completed_per_s, "%s", "");
  row_set(row, COL_bytes_per_s, "%s", "");
  for (size_t i = 0; i < sizeof sought / sizeof *sought; i++)
    row_unflag(row, sought[i]);
  row_set_number(row, COL_slices, t->latency.slices);
  row_set_number(row, COL_capacity_per_s, staircase_estimate(&t->sought));
  if (2 * t->late_by_load > t->late)
    row_flag(row, "load_limited");
}

static void count_columns(struct row *row, const struct trial *t) {
  double requests = (double)t->counted_requests;
  if (requests <= 0)
    return;
  row_set_number(row, COL_syscalls_per_req, (double)t->counted.syscalls / requests);
  row_set_number(row, COL_context_switches_per_req, (double)t->counted.switches / requests);
}

static void memory_columns(struct row *row, const struct trial *t) {
  double connections = row_number(row, COL_established) + row_number(row, COL_idle_connections);
  if (!(connections >= TRIAL_MEMORY_CONNECTIONS_MIN))
    return;
  if (t->memory_before > 0 && t->memory_with > 0)
    row_set_number(row, COL_rss_bytes_per_conn,
                   (double)(t->memory_with - t->memory_before) / connections);
  if (t->load_memory > 0)
    row_set_number(row, COL_client_rss_bytes_per_conn, (double)t->load_memory / connections);
  if (t->kernel_before.socket_bytes >= 0)
    row_set_number(row, COL_kernel_bytes_per_conn,
                   (double)(t->kernel_with.socket_bytes - t->kernel_before.socket_bytes) /
                       connections);
  if (t->kernel_before.task_bytes >= 0)
    row_set_number(row, COL_task_bytes_per_conn,
                   (double)(t->kernel_with.task_bytes - t->kernel_before.task_bytes) / connections);
}

/* What the host did during the slices, and who else used it. */
static void host_columns(struct row *row, const struct trial *t) {
  const struct accounting_host *spent = &t->spent;
  if (spent->retransmits >= 0)
    row_set_number(row, COL_tcp_retransmits, (double)spent->retransmits);
  if (t->with.listen_overflows >= 0) /* they happen while connecting */
    row_set_number(row, COL_listen_overflows,
                   (double)(t->with.listen_overflows - t->before.listen_overflows));
  if (spent->pressure_us >= 0 && t->wall_s > 0)
    row_set_number(row, COL_cpu_pressure_pct, 100 * (double)spent->pressure_us / 1e6 / t->wall_s);
  if (spent->total_ticks <= 0)
    return;
  double steal = (double)spent->steal_ticks / (double)spent->total_ticks;
  row_set_number(row, COL_steal_pct, 100 * steal);
  /* What neither the server nor the load used, in cores. The kernel counts in ticks of 10 ms: n
   * readings are off by √n of them. */
  double hertz = (double)sysconf(_SC_CLK_TCK);
  double others = ((double)spent->busy_ticks / hertz - t->ours_cpu_s) / t->wall_s;
  double error = 2 * sqrt(t->cost.slices + t->latency.slices) / hertz / t->wall_s;
  row_set_number(row, COL_others_cores_used, fmax(0, others));
  if (steal > STEAL_SHARE || others > NOISE_SHARE + error)
    row_flag(row, "noisy_host");
}

/* How connections were spread over several workers. */
static void worker_columns(struct row *row, const struct trial *m) {
  char *text = NULL;
  size_t length;
  double sum = 0;
  double squares = 0;
  FILE *list = m->workers > 1 ? open_memstream(&text, &length) : NULL;
  if (list == NULL)
    return;
  for (int i = 0; i < m->workers; i++) {
    double accepted = (double)m->accepted[i];
    fprintf(list, "%s%.0f", i > 0 ? "/" : "", accepted);
    sum += accepted;
    squares += accepted * accepted;
  }
  if (fclose(list) == 0 && sum > 0) {
    row_set(row, COL_connections_per_worker, "%s", text);
    row_set_number(row, COL_worker_balance_jain, sum * sum / (m->workers * squares));
  }
  free(text);
}

/* The load flags itself client_bound when it is busy; that matters only if the server is less so.
 */
static void judge_client(struct row *row) {
  double workers = fmax(1, row_number(row, COL_workers));
  double server_share = row_number(row, COL_server_cores_used) / workers;
  double client_share = row_number(row, COL_client_cores_used) / row_number(row, COL_threads);
  if (server_share >= client_share)
    row_unflag(row, "client_bound");
}

/* client_bound is not among them: it voids throughput and latency, not CPU per request. */
static bool forbids_claims(const struct row *row) {
  static const char *const flags[] = {"rate_missed",    "slip_high",   "short_of_connections",
                                      "unanswered",     "errors",      "in_turn",
                                      "datagrams_lost", "load_limited"};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (row_has_flag(row, flags[i]))
      return true;
  return false;
}

/* Connections or messages that were lost, of all causes together. */
static double errors_of(const struct row *row) {
  double errors = 0;
  for (int i = COL_errors_connect; i <= COL_errors_closed; i++)
    errors += fmax(0, row_number(row, (enum column)i));
  return errors;
}

/* A model that serves few at a time leaves the others waiting, until the load gives them up: that
 * is what there is to see, not an error. Anything else that went wrong is one. */
static bool waits_in_turn(const struct row *row, int64_t at_a_time, double lost) {
  double never = row_number(row, COL_never_served);
  return at_a_time > 0 && never > 0 && lost <= never &&
         never <= row_number(row, COL_established) - (double)at_a_time &&
         errors_of(row) == row_number(row, COL_errors_timeout);
}

static void fail(struct trial *trial, const char *format, double figure) {
  trial->status = "failed";
  snprintf(trial->why, sizeof trial->why, format, figure);
}

/* What has gone wrong, by severity. */
static void judge(const struct trial_setting *setting, struct trial *trial, const json_t *result,
                  struct row *row) {
  const struct plan *plan = setting->plan;
  int64_t at_a_time = servers_at_a_time(plan->experiment, &plan->cells[trial->plan.cell],
                                        plan->labels[trial->plan.label].server);
  double errors = errors_of(row);
  double lost = rundir_number(result, "connections_lost");
  if (waits_in_turn(row, at_a_time, lost))
    row_flag(row, "in_turn");
  else if (errors > fmax(0, row_number(row, COL_datagrams_lost)))
    row_flag(row, "errors"); /* UDP may lose some; the load says if they are too many */
  bool short_lived = strcmp(row_text(row, COL_mode), "crr") == 0;
  if (row_number(row, COL_errors_mismatch) > 0)
    fail(trial, "%.0f echoes were not the bytes that had been sent",
         row_number(row, COL_errors_mismatch));
  else if (row_number(row, COL_completed) == 0)
    fail(trial, "no message was echoed", 0);
  else if (!short_lived && lost >= row_number(row, COL_established))
    fail(trial, "every connection was lost, %.0f messages with them", errors);
}

/* Little's law, N = X·R, holds for the connections of a closed loop, whatever the server does
 * (Little 1961). A difference is an error of the measurement. */
static bool breaks_littles_law(const struct plan *plan, const struct trial *trial,
                               const json_t *result, const struct row *row) {
  bool closed = strcmp(row_text(row, COL_loop), "closed") == 0 &&
                strcmp(row_text(row, COL_mode), "echo") == 0;
  if (!closed || errors_of(row) > 0 || row_number(row, COL_never_served) > 0 ||
      trial_number(plan, &trial->plan, "think") > 0)
    return false;
  double n = row_number(row, COL_established) * row_number(row, COL_depth);
  double x = row_number(row, COL_completed) / row_number(row, COL_duration_s);
  double r = rundir_number(result, "response_us.mean") / 1e6;
  return fabs(x * r / n - 1) > LITTLE_SHARE;
}

void trial_columns(const struct trial_setting *setting, struct trial *trial, const json_t *result,
                   int server_status, struct row *row) {
  cpu_columns(row, trial);
  count_columns(row, trial);
  memory_columns(row, trial);
  host_columns(row, trial);
  worker_columns(row, trial);
  judge_client(row);
  if (plan_objective(setting->plan, &setting->plan->cells[trial->plan.cell]).percentile > 0)
    capacity_columns(row, trial);
  if (setting->shared_core)
    row_flag(row, "shared_core");
  /* A foreign server may well die of the SIGTERM that asks it to end. */
  if (server_status != 0 && server_status != 128 + SIGTERM)
    row_flag(row, "server_exit");
  judge(setting, trial, result, row);
  if (breaks_littles_law(setting->plan, trial, result, row))
    row_flag(row, "littles_law");
  row_set(row, COL_status, "%s", forbids_claims(row) ? "invalid" : "ok");
}
