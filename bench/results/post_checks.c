/* post_checks.c: see post_checks.h. */
#include "bench/results/post_checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/memory.h"

enum { POINTS_MIN = 2, OUTLIER_LAUNCHES_MIN = 5 };
static const double noise_unknown = 0.10;
static const double outlier_distances = 5;

/* One half of a time series. */
struct half {
  double *values; /* of its points */
  int n;
  double sum, span_s;
};

static void add_point(struct half *half, double value, double span_s) {
  if (isnan(value))
    return;
  half->values[half->n++] = value;
  half->sum += value;
  half->span_s += span_s;
}

double post_checks_halves(const json_t *result, const char *key, bool rates) {
  const json_t *timeline = json_object_get(result, "timeline");
  size_t n = json_array_size(timeline);
  double duration_s = rundir_number(result, "duration_s");
  struct half halves[2] = {{.values = mux_new(n, sizeof(double))},
                           {.values = mux_new(n, sizeof(double))}};
  double before_s = 0;
  for (size_t i = 0; i < n; i++) {
    const json_t *point = json_array_get(timeline, i);
    double t_s = rundir_number(point, "t_s");
    double middle_s = (before_s + t_s) / 2;
    if (middle_s <= duration_s) /* the rest is draining */
      add_point(&halves[middle_s > duration_s / 2], rundir_number(point, key), t_s - before_s);
    before_s = t_s;
  }
  double of[2];
  for (int i = 0; i < 2; i++) {
    of[i] = rates ? halves[i].sum / halves[i].span_s : stats_median(halves[i].values, halves[i].n);
    if (halves[i].n < POINTS_MIN)
      of[i] = NAN;
    free(halves[i].values);
  }
  return of[0] > 0 && of[1] > 0 ? log(of[1] / of[0]) : NAN;
}

static void flag_halves(const struct rundir *dir, const struct summary *s,
                        const struct plan_trial *trial, struct row *row) {
  bool closed = strcmp(row_text(row, COL_loop), "closed") == 0;
  int metric = summary_metric_of(closed ? COL_completed_per_s : COL_response_p50_us);
  double noise = summary_at(s, trial->cell, metric, trial->label)->delta;
  char name[64];
  char why[512];
  if (plan_slices(s->plan, &s->plan->cells[trial->cell]))
    return; /* its rounds say more */
  snprintf(name, sizeof name, "logs/%d.load.json", trial->number);
  json_t *result = rundir_read_json(dir, name, why, sizeof why);
  double change = post_checks_halves(result, closed ? "completed" : "response_p50_us", closed);
  json_decref(result);
  if (fabs(change) > (noise > 0 ? noise : noise_unknown))
    row_flag(row, "halves_differ");
}

/* The median distance from the median of a label's launches, NAN if they are few. */
static double usual_distance(const struct summary *s, int cell, int label, int metric) {
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  double distances[STATS_BLOCKS_MAX];
  int n = 0;
  for (int block = 1; block <= s->blocks; block++) {
    const struct row *row = summary_row(s, cell, block, label);
    double value = row != NULL ? row_number(row, summary_metrics[metric].column) : NAN;
    if (!isnan(value))
      distances[n++] = fabs(value - entry->median);
  }
  return n >= OUTLIER_LAUNCHES_MIN ? stats_median(distances, n) : NAN;
}

static void flag_outlier(const struct summary *s, const struct plan_trial *trial, struct row *row) {
  int metric = summary_objective(s->plan);
  const struct summary_entry *entry = summary_at(s, trial->cell, metric, trial->label);
  double noise = entry->delta > 0.02 ? entry->delta : 0.02;
  double usual = fmax(outlier_distances * usual_distance(s, trial->cell, trial->label, metric),
                      noise * fabs(entry->median));
  double distance = fabs(row_number(row, summary_metrics[metric].column) - entry->median);
  if (!isnan(usual_distance(s, trial->cell, trial->label, metric)) && distance > usual)
    row_flag(row, "outlier");
}

void post_checks_flag(const struct rundir *dir, const struct summary *s, struct rows *rows) {
  for (size_t i = 0; i < rows->count; i++) {
    struct plan_trial trial;
    if (!row_has_result(&rows->rows[i]) || !plan_find(s->plan, &rows->rows[i], &trial))
      continue;
    flag_halves(dir, s, &trial, &rows->rows[i]);
    flag_outlier(s, &trial, &rows->rows[i]);
  }
}
