/* summary.c: see summary.h. */
#include "bench/results/summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/csv.h"
#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/memory.h"

const struct summary_metric summary_metrics[] = {
    {COL_completed_per_s, BETTER_HIGHER, "throughput", "/s"},
    {COL_response_p50_us, BETTER_LOWER, "median response time", " µs"},
    {COL_response_p90_us, BETTER_LOWER, "p90 response time", " µs"},
    {COL_response_p99_us, BETTER_LOWER, "p99 response time", " µs"},
    {COL_response_p999_us, BETTER_LOWER, "p99.9 response time", " µs"},
    {COL_service_p50_us, BETTER_LOWER, "median service time", " µs"},
    {COL_service_p99_us, BETTER_LOWER, "p99 service time", " µs"},
    {COL_connect_p99_us, BETTER_LOWER, "p99 connect time", " µs"},
    {COL_server_cpu_us_per_req, BETTER_LOWER, "server CPU per request", " µs"},
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

const char *const summary_verdict_names[] = {"", "baseline", "better", "worse", "~", "void"};

const struct summary_metric *summary_metric_find(const char *column) {
  for (int i = 0; i < summary_metric_count; i++)
    if (strcmp(column_names[summary_metrics[i].column], column) == 0)
      return &summary_metrics[i];
  return NULL;
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
      metric == COL_floor_ratio)
    return CLASS_CPU;
  return CLASS_SPEED;
}

bool summary_is_void(const struct row *row, enum column metric) {
  static const struct {
    const char *flag;
    bool voids[CLASSES]; /* speed, CPU, memory, how evenly it is shared */
  } rules[] = {
      {"client_bound", {true, false, false, true}},
      {"rate_missed", {true, false, false, true}},
      {"slip_high", {true, false, false, true}},
      {"unanswered", {true, false, false, true}},
      {"datagrams_lost", {true, false, false, true}},
      {"noisy_host", {true, false, false, true}},
      {"shared_core", {true, false, false, true}},
      {"in_turn", {true, false, false, false}},
      {"short_of_connections", {true, true, true, true}},
      {"errors", {true, true, true, true}},
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].voids[class_of(metric)] && row_has_flag(row, rules[i].flag))
      return true;
  return false;
}

/* ---- Numbers ----------------------------------------------------------------------------------
 */

/* Rows by [cell][block][label]; NULL where there is none, or none that measured. */
struct grid {
  const struct plan *plan;
  const struct row **rows;
};

static const struct row **grid_at(const struct grid *grid, int cell, int block, int label) {
  const struct plan *plan = grid->plan;
  return &grid->rows[((size_t)cell * (size_t)plan->blocks + (size_t)(block - 1)) *
                         (size_t)plan->label_count +
                     (size_t)label];
}

static struct grid grid_new(const struct plan *plan, const struct rows *rows) {
  size_t n = (size_t)plan->cell_count * (size_t)plan->blocks * (size_t)plan->label_count;
  struct grid grid = {.plan = plan, .rows = mux_new(n, sizeof *grid.rows)};
  for (size_t i = 0; i < rows->count; i++) {
    const struct row *row = &rows->rows[i];
    double number = row_number(row, COL_trial);
    if (!(number >= 1 && number <= plan->trial_count) || !row_has_result(row))
      continue;
    const struct plan_trial *trial = &plan->trials[(int)number - 1];
    *grid_at(&grid, trial->cell, trial->block, trial->label) = row;
  }
  return grid;
}

/* Centre and spread of one label's values. */
static void describe(const struct grid *grid, int cell, int label, enum column column,
                     struct summary_entry *entry) {
  double values[STATS_BLOCKS_MAX];
  for (int block = 1; block <= grid->plan->blocks; block++) {
    const struct row *row = *grid_at(grid, cell, block, label);
    double value = row != NULL ? row_number(row, column) : NAN;
    if (!isnan(value))
      values[entry->n++] = value;
  }
  entry->median = stats_median(values, entry->n);
  struct estimate estimate = stats_walsh(values, entry->n);
  entry->low = estimate.low;
  entry->high = estimate.high;
}

/* ln ratios to the baseline, of the blocks where both have a claimable value. Returns how many;
 * *pairs: how many have both values at all. */
static int log_ratios(const struct grid *grid, int cell, int label, enum column column,
                      double *ratios, int *pairs) {
  int n = 0;
  *pairs = 0;
  for (int block = 1; block <= grid->plan->blocks; block++) {
    const struct row *a = *grid_at(grid, cell, block, label);
    const struct row *b = *grid_at(grid, cell, block, grid->plan->baseline);
    if (a == NULL || b == NULL)
      continue;
    double x = row_number(a, column);
    double y = row_number(b, column);
    if (!(x > 0 && y > 0))
      continue;
    ++*pairs;
    if (!summary_is_void(a, column) && !summary_is_void(b, column))
      ratios[n++] = log(x / y);
  }
  return n;
}

static void compare(const struct grid *grid, int cell, int label, enum column column,
                    struct summary_entry *entry) {
  double ratios[STATS_BLOCKS_MAX];
  int pairs;
  int n = log_ratios(grid, cell, label, column, ratios, &pairs);
  if (pairs > 0 && n * 2 < pairs) {
    entry->verdict = VERDICT_VOID;
    return;
  }
  struct estimate estimate = stats_walsh(ratios, n);
  entry->ratio = exp(estimate.value);
  entry->ratio_low = exp(estimate.low);
  entry->ratio_high = exp(estimate.high);
  if (estimate.interval)
    entry->p_holm = stats_signed_rank_p(ratios, n);
}

/* One cell and one metric: the Holm family. entries: one per label. */
static void judge(const struct plan *plan, enum summary_better better,
                  struct summary_entry *entries) {
  double p[EXPERIMENT_SERVERS + 1];
  double delta = 0;
  if (plan->twin >= 0 && !isnan(entries[plan->twin].ratio_low))
    delta = (entries[plan->twin].ratio_high - entries[plan->twin].ratio_low) / 2;
  for (int i = 0; i < plan->label_count; i++)
    p[i] = entries[i].p_holm;
  stats_holm(p, plan->label_count);
  for (int i = 0; i < plan->label_count; i++) {
    struct summary_entry *entry = &entries[i];
    entry->p_holm = p[i];
    entry->delta = delta;
    if (i == plan->baseline)
      entry->verdict = VERDICT_BASELINE;
    if (isnan(p[i]))
      continue;
    bool higher = entry->ratio > 1;
    if (p[i] < 0.05 && fabs(entry->ratio - 1) > delta)
      entry->verdict = higher == (better == BETTER_HIGHER) ? VERDICT_BETTER : VERDICT_WORSE;
    else
      entry->verdict = VERDICT_TIE;
  }
}

/* Is a proven better than b? Against the baseline the verdict says it; between two others the
 * intervals of their ratios must not touch, which is more careful than a test of the two. */
static bool proven_better(enum summary_better better, const struct summary_entry *a,
                          const struct summary_entry *b) {
  if (a->verdict == VERDICT_BASELINE)
    return b->verdict == VERDICT_WORSE;
  if (b->verdict == VERDICT_BASELINE)
    return a->verdict == VERDICT_BETTER;
  return better == BETTER_LOWER ? a->ratio_high < b->ratio_low : a->ratio_low > b->ratio_high;
}

static bool is_ranked(const struct summary_entry *entry) {
  return entry->verdict == VERDICT_BASELINE || !isnan(entry->ratio_low);
}

/* The ranks that the intervals leave open to each label of one cell and metric: ties are ranges
 * that overlap. None where nothing but the baseline has an interval. */
static void rank(const struct plan *plan, enum summary_better better,
                 struct summary_entry *entries) {
  int ranked = 0;
  for (int i = 0; i < plan->label_count; i++)
    ranked += is_ranked(&entries[i]);
  for (int i = 0; i < plan->label_count && ranked > 1; i++) {
    if (!is_ranked(&entries[i]))
      continue;
    entries[i].rank_low = 1;
    entries[i].rank_high = ranked;
    for (int k = 0; k < plan->label_count; k++) {
      if (k == i || !is_ranked(&entries[k]))
        continue;
      entries[i].rank_low += proven_better(better, &entries[k], &entries[i]);
      entries[i].rank_high -= proven_better(better, &entries[i], &entries[k]);
    }
  }
}

static struct summary_entry *entry_at(const struct summary *s, int cell, int metric, int label) {
  return &s->entries[((size_t)cell * (size_t)summary_metric_count + (size_t)metric) *
                         (size_t)s->plan->label_count +
                     (size_t)label];
}

const struct summary_entry *summary_at(const struct summary *summary, int cell, int metric,
                                       int label) {
  return entry_at(summary, cell, metric, label);
}

struct summary *summary_new(const struct plan *plan, const struct rows *rows) {
  struct summary *s = mux_new(1, sizeof *s);
  size_t n = (size_t)plan->cell_count * (size_t)summary_metric_count * (size_t)plan->label_count;
  s->entries = mux_new(n, sizeof *s->entries);
  s->plan = plan;
  struct grid grid = grid_new(plan, rows);
  for (int cell = 0; cell < plan->cell_count; cell++)
    for (int metric = 0; metric < summary_metric_count; metric++) {
      enum column column = summary_metrics[metric].column;
      for (int label = 0; label < plan->label_count; label++) {
        struct summary_entry *entry = entry_at(s, cell, metric, label);
        entry->ratio = entry->ratio_low = entry->ratio_high = entry->p_holm = NAN;
        describe(&grid, cell, label, column, entry);
        if (plan->baseline >= 0 && label != plan->baseline)
          compare(&grid, cell, label, column, entry);
      }
      judge(plan, summary_metrics[metric].better, entry_at(s, cell, metric, 0));
      rank(plan, summary_metrics[metric].better, entry_at(s, cell, metric, 0));
    }
  free(grid.rows);
  return s;
}

void summary_free(struct summary *summary) {
  if (summary == NULL)
    return;
  free(summary->entries);
  free(summary);
}

/* ---- summary.csv ------------------------------------------------------------------------------
 */

static void put_number(FILE *to, double value) {
  char text[32] = "";
  if (isfinite(value))
    snprintf(text, sizeof text, "%.9g", value);
  csv_put(to, text, false);
}

static void put_entry(const struct summary *s, int cell, int metric, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  if (entry->n == 0)
    return;
  csv_put(to, plan->cells[cell].id, true);
  csv_put(to, plan->labels[label].name, false);
  csv_put(to, column_names[summary_metrics[metric].column], false);
  put_number(to, entry->n);
  put_number(to, entry->median);
  put_number(to, entry->low);
  put_number(to, entry->high);
  csv_put(to, plan->baseline >= 0 ? plan->labels[plan->baseline].name : "", false);
  put_number(to, entry->ratio);
  put_number(to, entry->ratio_low);
  put_number(to, entry->ratio_high);
  put_number(to, entry->p_holm);
  csv_put(to, summary_verdict_names[entry->verdict], false);
  put_number(to, entry->delta > 0 ? entry->delta : NAN);
  put_number(to, entry->rank_low > 0 ? (double)entry->rank_low : NAN);
  put_number(to, entry->rank_high > 0 ? (double)entry->rank_high : NAN);
  csv_end_row(to);
}

int summary_write(const struct summary *s, const char *path) {
  struct mux_output out;
  int rc = mux_output_open(&out, path);
  if (rc != 0)
    return rc;
  fputs("cell_id,label,metric,n,median,low,high,baseline,ratio,ratio_low,ratio_high,p_holm,verdict,"
        "noise,rank_low,rank_high\n",
        out.stream);
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int metric = 0; metric < summary_metric_count; metric++)
      for (int label = 0; label < s->plan->label_count; label++)
        put_entry(s, cell, metric, label, out.stream);
  return mux_output_commit(&out);
}
