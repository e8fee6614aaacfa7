/* metrics.c: which columns are judged, what flags void, see summary.h. */
#include <string.h>

#include "bench/results/summary.h"

const struct summary_metric summary_metrics[] = {
    {COL_host_cpu_us_per_req, BETTER_LOWER, "host CPU per request", " µs"},
    {COL_server_cpu_us_per_req, BETTER_LOWER, "server CPU per request", " µs"},
    {COL_client_cpu_us_per_req, BETTER_LOWER, "load CPU per request", " µs"},
    {COL_completed_per_s, BETTER_HIGHER, "throughput", "/s"},
    {COL_capacity_per_s, BETTER_HIGHER, "capacity", "/s"},
    {COL_response_p50_us, BETTER_LOWER, "median response time", " µs"},
    {COL_response_p90_us, BETTER_LOWER, "p90 response time", " µs"},
    {COL_response_p99_us, BETTER_LOWER, "p99 response time", " µs"},
    {COL_response_p999_us, BETTER_LOWER, "p99.9 response time", " µs"},
    {COL_service_p50_us, BETTER_LOWER, "median service time", " µs"},
    {COL_service_p99_us, BETTER_LOWER, "p99 service time", " µs"},
    {COL_connect_p99_us, BETTER_LOWER, "p99 connect time", " µs"},
    {COL_floor_ratio, BETTER_LOWER, "server CPU over the floor", ""},
    {COL_server_user_us_per_req, BETTER_LOWER, "server user CPU per request", " µs"},
    {COL_server_system_us_per_req, BETTER_LOWER, "server system CPU per request", " µs"},
    {COL_syscalls_per_req, BETTER_LOWER, "system calls per request", ""},
    {COL_context_switches_per_req, BETTER_LOWER, "context switches per request", ""},
    {COL_rss_bytes_per_conn, BETTER_LOWER, "resident memory per connection", " bytes"},
    {COL_kernel_bytes_per_conn, BETTER_LOWER, "kernel memory per connection", " bytes"},
    {COL_task_bytes_per_conn, BETTER_LOWER, "memory of tasks per connection", " bytes"},
    {COL_fairness_jain, BETTER_HIGHER, "fairness", ""},
};
const int summary_metric_count = sizeof summary_metrics / sizeof *summary_metrics;

const char *const summary_regime_names[] = {"mixed", "server-bound", "client-bound"};

int summary_metric_of(enum column column) {
  int i = 0;
  while (summary_metrics[i].column != column)
    i++;
  return i;
}

const struct summary_metric *summary_metric_find(const char *column) {
  for (int i = 0; i < summary_metric_count; i++)
    if (strcmp(column_names[summary_metrics[i].column], column) == 0)
      return &summary_metrics[i];
  return NULL;
}

int summary_objective(const struct plan *plan) {
  const struct summary_metric *metric = summary_metric_find(plan->experiment->objective);
  return metric != NULL ? (int)(metric - summary_metrics) : 0;
}

/* ---- Flags ------------------------------------------------------------------------------------
 */

enum metric_class { CLASS_SPEED, CLASS_CPU, CLASS_MEMORY, CLASS_SHARE, CLASSES };

static enum metric_class class_of(enum column metric) {
  if (metric == COL_rss_bytes_per_conn || metric == COL_kernel_bytes_per_conn ||
      metric == COL_task_bytes_per_conn)
    return CLASS_MEMORY;
  if (metric == COL_fairness_jain)
    return CLASS_SHARE;
  if ((metric >= COL_server_user_us_per_req && metric <= COL_events_per_wait) ||
      metric == COL_floor_ratio || metric == COL_host_cpu_us_per_req)
    return CLASS_CPU;
  return CLASS_SPEED;
}

/* client_bound is not among them: it is a matter of the label in the cell (enum summary_regime),
 * not of the one launch in which it showed. */
bool summary_is_void(const struct row *row, enum column metric) {
  static const struct {
    const char *flag;
    bool voids[CLASSES]; /* speed, CPU, memory, how evenly it is shared */
  } rules[] = {
      {"load_limited", {true, false, false, false}},
      {"rate_missed", {true, false, false, true}},
      {"slip_high", {true, false, false, true}},
      {"unanswered", {true, false, false, true}},
      {"datagrams_lost", {true, false, false, true}},
      {"shared_core", {true, false, false, true}},
      {"littles_law", {true, false, false, true}},
      {"in_turn", {true, false, false, false}},
      {"short_of_connections", {true, true, true, true}},
      {"errors", {true, true, true, true}},
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].voids[class_of(metric)] && row_has_flag(row, rules[i].flag))
      return true;
  return false;
}
