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

#define NOISE_SHARE 0.10 /* CPU time of others, of one core */
#define STEAL_SHARE 0.02
#define EDGE_SHARE  0.05 /* how far the readings may be apart from the phase's length */
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
  int64_t rate = load.config.rate_per_s;
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
  row_set(row, COL_loop, "%s", rate > 0 ? "open" : "closed");
  row_set(row, COL_connections, "%lld", (long long)trial_number(plan, trial, "connections"));
  row_set(row, COL_idle_connections, "%lld", (long long)trial_number(plan, trial, "idle"));
  row_set(row, COL_payload_bytes, "%lld", (long long)load.config.payload_bytes);
  if (rate > 0) {
    row_set(row, COL_arrival, "%s", trial_text(plan, trial, OPTION_LOAD, "arrival"));
    row_set(row, COL_offered_per_s, "%lld", (long long)rate);
  } else {
    row_set(row, COL_depth, "%d", load.config.depth);
  }
}

int64_t trial_timeout_ns(const struct plan *plan, const struct plan_trial *trial,
                         struct plan_times times) {
  if (servers_at_a_time(plan->experiment, &plan->cells[trial->cell],
                        plan->labels[trial->label].server) > 0)
    return times.warmup_ns + times.duration_ns + TURN_GRACE_NS;
  return trial_number(plan, trial, "timeout");
}

void trial_skip(const struct trial_setting *setting, const struct plan_trial *trial,
                struct row *row) {
  *row = (struct row){0};
  trial_describe(setting, trial, row);
  row_set(row, COL_status, "skipped");
}

/* ---- What was measured ----------------------------------------------------------------------- */

static void cpu_columns(struct row *row, const struct trial_measurement *m) {
  const struct mux_tree_cpu *a = &m->start.cpu;
  const struct mux_tree_cpu *b = &m->end.cpu;
  double requests = row_number(row, COL_completed_per_s) * row_number(row, COL_duration_s);
  if (a->processes == 0 || b->processes == 0)
    return; /* a target: not ours to see */
  double phase_ns = row_number(row, COL_duration_s) * 1e9;
  double away_ns = fabs((double)(b->at_ns - a->at_ns) - phase_ns);
  double reading_ns = fmax((double)(a->done_ns - a->at_ns), (double)(b->done_ns - b->at_ns));
  if (fmax(away_ns, reading_ns) > EDGE_SHARE * phase_ns) {
    row_flag(row, "edges_late");
    return; /* we came too late to an edge: this is the CPU time of something else */
  }
  double cpu_us = (double)(b->total_ns - a->total_ns) / 1e3;
  double user = (double)(b->user_ticks - a->user_ticks);
  double system = (double)(b->system_ticks - a->system_ticks);
  row_set_number(row, COL_server_cores_used, cpu_us * 1e3 / (double)(b->at_ns - a->at_ns));
  row_set_number(row, COL_server_cpu_us_per_req, cpu_us / requests);
  if (m->end.waits > m->start.waits)
    row_set_number(row, COL_events_per_wait,
                   (double)(m->end.events - m->start.events) /
                       (double)(m->end.waits - m->start.waits));
  if (user + system < SHARE_TICKS_MIN)
    return;
  row_set_number(row, COL_server_user_us_per_req, cpu_us / requests * user / (user + system));
  row_set_number(row, COL_server_system_us_per_req, cpu_us / requests * system / (user + system));
}

static void memory_columns(struct row *row, const struct trial_measurement *m) {
  double connections = row_number(row, COL_established) + row_number(row, COL_idle_connections);
  if (!(connections >= MEMORY_CONNECTIONS_MIN))
    return;
  if (m->memory_before > 0 && m->memory_with > 0)
    row_set_number(row, COL_rss_bytes_per_conn,
                   (double)(m->memory_with - m->memory_before) / connections);
  if (m->before.slab_bytes >= 0 && m->before.socket_bytes >= 0)
    row_set_number(row, COL_kernel_bytes_per_conn,
                   (double)(m->with.slab_bytes - m->before.slab_bytes + m->with.socket_bytes -
                            m->before.socket_bytes) /
                       connections);
  if (m->before.task_bytes >= 0)
    row_set_number(row, COL_task_bytes_per_conn,
                   (double)(m->with.task_bytes - m->before.task_bytes) / connections);
}

static void host_columns(struct row *row, const struct trial_measurement *m) {
  const struct accounting_host *a = &m->start.host;
  const struct accounting_host *b = &m->end.host;
  if (b->retransmits >= 0)
    row_set_number(row, COL_tcp_retransmits, (double)(b->retransmits - a->retransmits));
  if (b->listen_overflows >= 0) /* they happen while connecting */
    row_set_number(row, COL_listen_overflows,
                   (double)(b->listen_overflows - m->before.listen_overflows));
  double phase_us = (double)(m->end.cpu.at_ns - m->start.cpu.at_ns) / 1e3;
  if (b->pressure_us >= 0)
    row_set_number(row, COL_cpu_pressure_pct,
                   100 * (double)(b->pressure_us - a->pressure_us) / phase_us);
  double ticks = (double)(b->total_ticks - a->total_ticks);
  if (ticks <= 0)
    return;
  double steal = (double)(b->steal_ticks - a->steal_ticks) / ticks;
  row_set_number(row, COL_steal_pct, 100 * steal);
  /* What neither the server nor the load used, in cores: a tick is 10 ms of one CPU. */
  double wall_s = (double)(m->end.cpu.at_ns - m->start.cpu.at_ns) / 1e9;
  double busy = (double)(b->busy_ticks - a->busy_ticks) / (double)sysconf(_SC_CLK_TCK) / wall_s;
  double ours = row_number(row, COL_server_cores_used) + row_number(row, COL_client_cores_used);
  if (steal > STEAL_SHARE || busy - ours > NOISE_SHARE + 2.0 / 100 / wall_s)
    row_flag(row, "noisy_host");
}

/* How connections were spread over several workers. */
static void worker_columns(struct row *row, const struct trial_measurement *m) {
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

/* client_bound is not among them: it voids throughput and latency, but CPU per request stands. */
static bool forbids_claims(const struct row *row) {
  static const char *const flags[] = {"rate_missed",   "slip_high", "short_of_connections",
                                      "unanswered",    "errors",    "in_turn",
                                      "datagrams_lost"};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (row_has_flag(row, flags[i]))
      return true;
  return false;
}

/* Connections or messages that came to grief, by cause or all told. */
static double errors_of(const struct row *row) {
  double errors = 0;
  for (int i = COL_errors_connect; i <= COL_errors_closed; i++)
    errors += fmax(0, row_number(row, (enum column)i));
  return errors;
}

/* A model that serves few at a time leaves the others waiting, until the load gives them up: that
 * is what there is to see, not an error. Anything else that went wrong is one. */
static bool waits_in_turn(const struct row *row, const struct trial_measurement *m, double lost) {
  double never = row_number(row, COL_never_served);
  return m->at_a_time > 0 && never > 0 && lost <= never &&
         never <= row_number(row, COL_established) - (double)m->at_a_time &&
         errors_of(row) == row_number(row, COL_errors_timeout);
}

void trial_columns(const struct trial_setting *setting, const struct trial_measurement *m,
                   const json_t *result, int server_status, struct row *row, char *reason,
                   size_t reason_bytes) {
  cpu_columns(row, m);
  memory_columns(row, m);
  host_columns(row, m);
  worker_columns(row, m);
  judge_client(row);
  if (setting->shared_core)
    row_flag(row, "shared_core");
  /* A foreign server may well die of the SIGTERM that asks it to end. */
  if (server_status != 0 && server_status != 128 + SIGTERM)
    row_flag(row, "server_exit");
  double errors = errors_of(row);
  double lost = rundir_number(result, "connections_lost");
  if (waits_in_turn(row, m, lost)) {
    row_flag(row, "in_turn");
    row_unflag(row, "short_of_connections"); /* those that wait are not held, and that is said */
  } else if (errors > fmax(0, row_number(row, COL_datagrams_lost)))
    row_flag(row, "errors"); /* UDP may lose some; the load says if they are too many */
  double wrong = row_number(row, COL_errors_mismatch);
  bool short_lived = strcmp(row_text(row, COL_mode), "crr") == 0;
  const char *status = "ok";
  if (wrong > 0) {
    status = "failed";
    snprintf(reason, reason_bytes, "%.0f echoes were not the bytes that had been sent", wrong);
  } else if (row_number(row, COL_completed) == 0) {
    status = "failed";
    snprintf(reason, reason_bytes, "no message was echoed");
  } else if (!short_lived && lost >= row_number(row, COL_established)) {
    status = "failed";
    snprintf(reason, reason_bytes, "every connection was lost, %.0f messages with them", errors);
  } else if (forbids_claims(row)) {
    status = "invalid";
  }
  row_set(row, COL_status, "%s", status);
}
