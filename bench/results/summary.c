/* summary.c: see summary.h. Metrics and flags are in metrics.c, summary.csv in summary_csv.c. */
#include "bench/results/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/best.h"
#include "bench/data/family.h"
#include "bench/data/power.h"
#include "bench/data/stats.h"
#include "bench/results/differences.h"
#include "common/memory.h"

static const double busy_share = 0.90;

/* ---- Rows by place ----------------------------------------------------------------------------
 */

static size_t place(const struct summary *s, int cell, int block, int label) {
  return ((size_t)cell * (size_t)s->blocks + (size_t)(block - 1)) * (size_t)s->plan->label_count +
         (size_t)label;
}

const struct row *summary_row(const struct summary *s, int cell, int block, int label) {
  return s->rows[place(s, cell, block, label)];
}

static void place_rows(struct summary *s, const struct rows *rows) {
  struct plan_trial trial;
  for (size_t i = 0; i < rows->count; i++)
    if (row_has_result(&rows->rows[i]) && plan_find(s->plan, &rows->rows[i], &trial) &&
        trial.block > s->blocks)
      s->blocks = trial.block;
  s->rows = mux_new((size_t)s->plan->cell_count * (size_t)s->blocks * (size_t)s->plan->label_count,
                    sizeof *s->rows);
  for (size_t i = 0; i < rows->count; i++)
    if (row_has_result(&rows->rows[i]) && plan_find(s->plan, &rows->rows[i], &trial))
      s->rows[place(s, trial.cell, trial.block, trial.label)] = &rows->rows[i];
}

double summary_value(const struct summary *s, int cell, int block, int label, enum column column) {
  const struct row *row = summary_row(s, cell, block, label);
  return row != NULL ? row_number(row, column) : NAN;
}

/* ---- Regimes ----------------------------------------------------------------------------------
 */

/* Of the launches together: which side had its cores full, and fuller than the other. */
static enum summary_regime regime_of(const struct summary *s, int cell, int label) {
  double server = 0;
  double client = 0;
  int n = 0;
  for (int block = 1; block <= s->blocks; block++) {
    const struct row *row = summary_row(s, cell, block, label);
    if (row == NULL)
      continue;
    double workers = fmax(1, row_number(row, COL_workers));
    server += fmax(0, row_number(row, COL_server_cores_used)) / workers;
    client += fmax(0, row_number(row, COL_client_cores_used)) / row_number(row, COL_threads);
    n++;
  }
  if (client > server && client > busy_share * n)
    return REGIME_CLIENT_BOUND;
  return server > busy_share * n && n > 0 ? REGIME_SERVER_BOUND : REGIME_MIXED;
}

static enum summary_regime regime_at(const struct summary *s, int cell, int label) {
  return s->regimes[cell * s->plan->label_count + label];
}

/* Throughput and latency of a closed loop are the client's own where it is the bottleneck. */
static bool regime_voids(const struct summary *s, int cell, int label, enum column column) {
  bool speed = column == COL_completed_per_s ||
               (column >= COL_response_p50_us && column <= COL_service_p999_us) ||
               column == COL_fairness_jain;
  return speed && regime_at(s, cell, label) == REGIME_CLIENT_BOUND;
}

/* Drops what flags forbid. Returns how many launches of the label had a difference; *left: have one
 * still. */
static int drop_void(const struct summary *s, int cell, int label, enum column column,
                     struct differences *out, int *left) {
  int had = 0;
  *left = 0;
  bool regime =
      regime_voids(s, cell, label, column) || regime_voids(s, cell, s->plan->baseline, column);
  for (int block = 1; block <= s->blocks; block++) {
    size_t at = (size_t)(block - 1) * (size_t)s->plan->label_count + (size_t)label;
    const struct row *a = summary_row(s, cell, block, label);
    const struct row *b = summary_row(s, cell, block, s->plan->baseline);
    if (isnan(out->d[at]))
      continue;
    had++;
    if (regime || a == NULL || b == NULL || summary_is_void(a, column) ||
        summary_is_void(b, column))
      out->d[at] = NAN;
    else
      ++*left;
  }
  return had;
}

/* ---- Verdicts ----------------------------------------------------------------------------------
 */

static struct summary_entry *entry_at(const struct summary *s, int cell, int metric, int label) {
  return &s->entries[((size_t)cell * (size_t)summary_metric_count + (size_t)metric) *
                         (size_t)s->plan->label_count +
                     (size_t)label];
}

const struct summary_entry *summary_at(const struct summary *s, int cell, int metric, int label) {
  return entry_at(s, cell, metric, label);
}

static void take(struct summary_entry *entry, const struct family_rival *rival, bool lower,
                 double margin) {
  entry->launches = rival->launches;
  entry->rival = *rival;
  entry->ratio = exp(rival->estimate);
  entry->ratio_low = exp(rival->low);
  entry->ratio_high = exp(rival->high);
  entry->p_adjusted = rival->p_adjusted;
  entry->detectable = expm1(power_detected(rival));
  entry->verdict = verdict_of(rival, lower, margin);
}

/* The columns of some labels out of the tables, as a family. */
struct picked {
  struct family family;
  double *d, *variance;
  int labels[EXPERIMENT_LABELS];
};

static void pick(struct picked *picked, const struct summary *s, const struct differences *from,
                 const bool *wanted) {
  int labels = s->plan->label_count;
  int n = 0;
  for (int label = 0; label < labels; label++)
    if (wanted[label])
      picked->labels[n++] = label;
  picked->d = mux_new((size_t)s->blocks * (size_t)n, sizeof *picked->d);
  picked->variance = mux_new((size_t)s->blocks * (size_t)n, sizeof *picked->variance);
  for (int block = 0; block < s->blocks; block++)
    for (int i = 0; i < n; i++) {
      int at = block * labels + picked->labels[i];
      picked->d[block * n + i] = from->d[at];
      picked->variance[block * n + i] = from->variance[at];
    }
  picked->family = (struct family){.launches = s->blocks,
                                   .rivals = n,
                                   .d = picked->d,
                                   .variance = picked->variance,
                                   .precision_stopping = s->plan->experiment->precision > 0};
}

static void pick_free(struct picked *picked) {
  free(picked->d);
  free(picked->variance);
}

static uint64_t seed_of(const struct summary *s, int cell, int metric) {
  return (uint64_t)s->plan->experiment->seed + (uint64_t)cell * 1000 + (uint64_t)metric;
}

static void judge_rivals(struct summary *s, int cell, int metric, const struct differences *from,
                         const bool *wanted) {
  bool lower = summary_metrics[metric].better == BETTER_LOWER;
  struct family_rival judged[EXPERIMENT_LABELS];
  bool in_set[EXPERIMENT_LABELS + 1];
  bool known = false;
  struct picked picked;
  pick(&picked, s, from, wanted);
  int n = picked.family.rivals;
  if (n > 0 && s->blocks > 0) {
    family_judge(&picked.family, seed_of(s, cell, metric), judged);
    best_set(&picked.family, lower, in_set);
  }
  for (int i = 0; i < n && s->blocks > 0; i++)
    take(entry_at(s, cell, metric, picked.labels[i]), &judged[i], lower,
         s->plan->experiment->margin);
  for (int i = 0; i <= n && n > 0 && s->blocks > 0; i++)
    known = known || in_set[i];
  for (int i = 0; i <= n && known; i++) {
    struct summary_entry *entry =
        entry_at(s, cell, metric, i == 0 ? s->plan->baseline : picked.labels[i - 1]);
    entry->best = in_set[i];
    entry->has_best = true;
  }
  pick_free(&picked);
}

/* A control is a family of its own. */
static void judge_control(struct summary *s, int cell, int metric, const struct differences *from,
                          int label, struct family_rival *judged) {
  bool wanted[EXPERIMENT_LABELS] = {false};
  struct picked picked;
  wanted[label] = true;
  pick(&picked, s, from, wanted);
  family_judge(&picked.family, seed_of(s, cell, metric), judged);
  pick_free(&picked);
  take(entry_at(s, cell, metric, label), judged, summary_metrics[metric].better == BETTER_LOWER,
       s->plan->experiment->margin);
}

/* The twin, and what it says of the cell. */
static void judge_twin(struct summary *s, int cell, int metric, const struct differences *from) {
  struct family_rival judged;
  if (s->plan->twin < 0 || s->blocks == 0)
    return;
  judge_control(s, cell, metric, from, s->plan->twin, &judged);
  for (int label = 0; label < s->plan->label_count; label++) {
    struct summary_entry *entry = entry_at(s, cell, metric, label);
    entry->delta = verdict_delta(&judged);
    entry->has_best = entry->has_best && !verdict_twin_voids(&judged);
    if (label != s->plan->baseline && verdict_twin_voids(&judged) && entry->verdict != VERDICT_NONE)
      entry->verdict = VERDICT_VOID;
  }
}

static int mean_rounds(const struct summary *s, const struct differences *from, int label) {
  int sum = 0;
  int n = 0;
  for (int block = 0; block < s->blocks; block++) {
    int rounds = from->rounds[block * s->plan->label_count + label];
    sum += rounds;
    n += rounds > 0;
  }
  return n > 0 ? (sum + n / 2) / n : 0;
}

/* One cell and one metric: a family. */
static void judge(struct summary *s, const struct slices *slices, int cell, int metric) {
  const struct plan *plan = s->plan;
  enum column column = summary_metrics[metric].column;
  struct differences all;
  bool wanted[EXPERIMENT_LABELS] = {false};
  bool is_void[EXPERIMENT_LABELS] = {false};
  differences_fill(&all, s, slices, cell, column);
  for (int label = 0; label < plan->label_count; label++) {
    int left;
    int had = drop_void(s, cell, label, column, &all, &left);
    is_void[label] = label != plan->baseline && had > 0 && left * 2 < had;
    wanted[label] = plan_is_rival(plan, label) && left > 0 && !is_void[label];
  }
  judge_rivals(s, cell, metric, &all, wanted);
  struct family_rival calibration;
  if (plan->calibration >= 0 && s->blocks > 0)
    judge_control(s, cell, metric, &all, plan->calibration, &calibration);
  judge_twin(s, cell, metric, &all);
  for (int label = 0; label < plan->label_count; label++)
    entry_at(s, cell, metric, label)->rounds = mean_rounds(s, &all, label);
  for (int label = 0; label < plan->label_count; label++)
    if (is_void[label])
      entry_at(s, cell, metric, label)->verdict = VERDICT_VOID;
  entry_at(s, cell, metric, plan->baseline)->verdict = VERDICT_BASELINE;
  differences_free(&all);
}

/* Centre and spread of one label's own values. */
static void describe(const struct summary *s, int cell, int metric, int label) {
  struct summary_entry *entry = entry_at(s, cell, metric, label);
  double values[STATS_BLOCKS_MAX];
  double logs[STATS_BLOCKS_MAX];
  int positive = 0;
  *entry = (struct summary_entry){.ratio = NAN,
                                  .ratio_low = NAN,
                                  .ratio_high = NAN,
                                  .p_adjusted = NAN,
                                  .detectable = NAN,
                                  .delta = NAN,
                                  .low = NAN,
                                  .high = NAN};
  for (int block = 1; block <= s->blocks; block++) {
    double value = summary_value(s, cell, block, label, summary_metrics[metric].column);
    if (isnan(value))
      continue;
    values[entry->n++] = value;
    if (value > 0)
      logs[positive++] = log(value);
  }
  entry->median = stats_median(values, entry->n);
  if (positive == entry->n && positive >= FAMILY_LAUNCHES_MIN) {
    double half = stats_t_half_width(logs, positive);
    double mean = stats_mean(logs, positive);
    entry->low = exp(mean - half);
    entry->high = exp(mean + half);
  }
}

struct summary *summary_new(const struct plan *plan, const struct rows *rows,
                            const struct slices *slices) {
  struct summary *s = mux_new(1, sizeof *s);
  s->plan = plan;
  place_rows(s, rows);
  s->entries =
      mux_new((size_t)plan->cell_count * (size_t)summary_metric_count * (size_t)plan->label_count,
              sizeof *s->entries);
  s->regimes = mux_new((size_t)plan->cell_count * (size_t)plan->label_count, sizeof *s->regimes);
  for (int cell = 0; cell < plan->cell_count; cell++) {
    for (int label = 0; label < plan->label_count; label++)
      s->regimes[cell * plan->label_count + label] = regime_of(s, cell, label);
    for (int metric = 0; metric < summary_metric_count; metric++) {
      for (int label = 0; label < plan->label_count; label++)
        describe(s, cell, metric, label);
      if (plan->baseline >= 0)
        judge(s, slices, cell, metric);
      summary_rank(entry_at(s, cell, metric, 0), plan->label_count,
                   summary_metrics[metric].better == BETTER_LOWER);
    }
  }
  return s;
}

void summary_free(struct summary *summary) {
  if (summary == NULL)
    return;
  free(summary->rows);
  free(summary->entries);
  free(summary->regimes);
  free(summary);
}
