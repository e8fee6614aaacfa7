/* post_checks.c: see post_checks.h. */
#include "bench/results/post_checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"

enum { POINTS_MIN = 4, POINTS_MAX = 4096, OUTLIER_BLOCKS_MIN = 5 };
static const double noise_unknown = 0.10;
static const double outlier_distances = 5;

double post_checks_halves(const json_t *result, const char *key, bool rates) {
  const json_t *timeline = json_object_get(result, "timeline");
  size_t n = json_array_size(timeline);
  double values[POINTS_MAX];
  if (n < POINTS_MIN || n > POINTS_MAX)
    return NAN;
  for (size_t i = 0; i < n; i++)
    values[i] = rundir_number(json_array_get(timeline, i), key);
  int half = (int)n / 2; /* the middle one of an odd number is left out */
  const double *second = values + n - half;
  double a = 0;
  double b = 0;
  if (!rates) {
    a = stats_median(values, half);
    b = stats_median(second, half);
  }
  for (int i = 0; rates && i < half; i++) {
    a += values[i];
    b += second[i];
  }
  return a > 0 && b > 0 ? log(b / a) : NAN;
}

static int metric_of(enum column column) {
  for (int i = 0; i < summary_metric_count; i++)
    if (summary_metrics[i].column == column)
      return i;
  return 0;
}

static void flag_halves(const struct rundir *dir, const struct summary *s,
                        const struct plan_trial *trial, struct row *row) {
  bool closed = strcmp(row_text(row, COL_loop), "closed") == 0;
  int metric = metric_of(closed ? COL_completed_per_s : COL_response_p50_us);
  double noise = summary_at(s, trial->cell, metric, trial->label)->delta;
  char name[64];
  char why[512];
  snprintf(name, sizeof name, "logs/%d.load.json", trial->number);
  json_t *result = rundir_read_json(dir, name, why, sizeof why);
  double change = post_checks_halves(result, closed ? "completed" : "response_p50_us", closed);
  json_decref(result);
  if (fabs(change) > (noise > 0 ? noise : noise_unknown))
    row_flag(row, "halves_differ");
}

/* The rows of one label in one cell. */
static void flag_outliers(const struct summary *s, struct rows *rows, int cell, int label) {
  const struct summary_metric *objective = summary_metric_find(s->plan->experiment->objective);
  if (objective == NULL)
    return;
  const struct summary_entry *entry =
      summary_at(s, cell, (int)(objective - summary_metrics), label);
  double distances[STATS_BLOCKS_MAX];
  struct row *of[STATS_BLOCKS_MAX];
  int n = 0;
  for (size_t i = 0; i < rows->count && n < STATS_BLOCKS_MAX; i++) {
    double number = row_number(&rows->rows[i], COL_trial);
    double value = row_number(&rows->rows[i], objective->column);
    if (!(number >= 1 && number <= s->plan->trial_count) || isnan(value))
      continue;
    const struct plan_trial *trial = &s->plan->trials[(int)number - 1];
    if (trial->cell != cell || trial->label != label)
      continue;
    of[n] = &rows->rows[i];
    distances[n++] = fabs(value - entry->median);
  }
  if (n < OUTLIER_BLOCKS_MIN)
    return;
  double usual = fmax(outlier_distances * stats_median(distances, n),
                      fmax(entry->delta, 0.02) * fabs(entry->median));
  for (int i = 0; i < n; i++)
    if (distances[i] > usual)
      row_flag(of[i], "outlier");
}

void post_checks_flag(const struct rundir *dir, const struct summary *s, struct rows *rows) {
  const struct plan *plan = s->plan;
  for (size_t i = 0; i < rows->count; i++) {
    double number = row_number(&rows->rows[i], COL_trial);
    if (number >= 1 && number <= plan->trial_count && row_has_result(&rows->rows[i]))
      flag_halves(dir, s, &plan->trials[(int)number - 1], &rows->rows[i]);
  }
  for (int cell = 0; cell < plan->cell_count; cell++)
    for (int label = 0; label < plan->label_count; label++)
      flag_outliers(s, rows, cell, label);
}
