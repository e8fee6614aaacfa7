/* conclusions.c: see conclusions.h. */
#include "bench/results/conclusions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/memory.h"

/* The objective: one of the metrics, or the first of them if it has no verdicts. */
static int objective_of(const struct plan *plan) {
  for (int i = 0; i < summary_metric_count; i++)
    if (strcmp(column_names[summary_metrics[i].column], plan->experiment->objective) == 0)
      return i;
  return 0;
}

/* "10000 connections, rate 20k": the axes that vary, but for one (NULL: all of them). */
static void print_cell(const struct plan *plan, const struct plan_cell *cell,
                       const struct experiment_axis *but, FILE *to) {
  const struct experiment *e = plan->experiment;
  bool first = true;
  for (int i = 0; i < e->axis_count; i++) {
    const struct experiment_axis *axis = &e->axes[i];
    const struct experiment_value *value = &axis->values[cell->choice[i]];
    if (axis->count < 2 || axis == but || plan_is_moot(e, cell, axis))
      continue;
    if (!first)
      fputs(", ", to);
    first = false;
    if (strcmp(axis->option->key, "connections") == 0)
      fprintf(to, "%lld connection%s", (long long)value->number, value->number == 1 ? "" : "s");
    else if (strcmp(axis->option->key, "rate") == 0 && value->number == 0)
      fputs("closed loop", to);
    else
      fprintf(to, "%s %s", axis->option->key, value->text);
  }
  if (first)
    fputs("all", to);
}

static void print_value(const struct summary_metric *metric, double value, FILE *to) {
  int decimals = value >= 1000 ? 0 : value >= 100 ? 1 : 2;
  fprintf(to, "%.*f%s", decimals, value, metric->unit);
}

static void print_spread(const struct summary_metric *metric, const struct summary_entry *entry,
                         FILE *to) {
  print_value(metric, entry->median, to);
  if (!isnan(entry->low)) {
    fputs(" [", to);
    print_value(metric, entry->low, to);
    fputs(" to ", to);
    print_value(metric, entry->high, to);
    fputs("]", to);
  }
}

/* The label with the best median, the twin left out; -1 if nothing was measured. */
static int best_label(const struct summary *s, int cell, int metric) {
  int best = -1;
  double sign = summary_metrics[metric].better == BETTER_LOWER ? 1 : -1;
  for (int i = 0; i < s->plan->label_count; i++) {
    const struct summary_entry *entry = summary_at(s, cell, metric, i);
    if (i == s->plan->twin || entry->n == 0 || isnan(entry->median))
      continue;
    if (best < 0 || sign * entry->median < sign * summary_at(s, cell, metric, best)->median)
      best = i;
  }
  return best;
}

/* How the best one stands against the baseline, and what that is worth. */
static void print_claim(const struct summary *s, int cell, int metric, int best, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry = summary_at(s, cell, metric, best);
  bool compared = plan->baseline >= 0 && best != plan->baseline && !isnan(entry->ratio);
  const char *baseline = plan->baseline >= 0 ? plan->labels[plan->baseline].name : "";
  if (compared) {
    fprintf(to, ", %.2f times %s", entry->ratio, baseline);
    if (!isnan(entry->ratio_low))
      fprintf(to, " [%.2f to %.2f]", entry->ratio_low, entry->ratio_high);
  }
  if (entry->verdict == VERDICT_VOID)
    fprintf(to, " (flagged: no claim)");
  else if (entry->verdict == VERDICT_BETTER)
    fprintf(to, " (n = %d blocks, p = %.2g)", entry->n, entry->p_holm);
  else if (entry->verdict == VERDICT_TIE)
    fprintf(to, ", which proves no difference (~, n = %d blocks)", entry->n);
  else if (entry->n < STATS_BLOCKS_MIN)
    fprintf(to, " (median of %d block%s, too few for an interval)", entry->n,
            entry->n == 1 ? "" : "s");
  else
    fprintf(to, " (n = %d blocks)", entry->n);
}

static void print_best(const struct summary *s, FILE *to) {
  const struct plan *plan = s->plan;
  int m = objective_of(plan);
  const struct summary_metric *metric = &summary_metrics[m];
  for (int cell = 0; cell < plan->cell_count; cell++) {
    int best = best_label(s, cell, m);
    fputs("  ", to);
    print_cell(plan, &plan->cells[cell], NULL, to);
    if (best < 0) {
      fputs(": nothing was measured\n", to);
      continue;
    }
    fprintf(to, ": %s has the %s %s, ", plan->labels[best].name,
            metric->better == BETTER_LOWER ? "lowest" : "highest", metric->what);
    print_spread(metric, summary_at(s, cell, m, best), to);
    print_claim(s, cell, m, best, to);
    fputs(".\n", to);
  }
}

/* The cell that differs from this one by having that value of the axis, or -1. */
static int sibling(const struct plan *plan, int cell, const struct experiment_axis *axis,
                   int value) {
  int at = (int)(axis - plan->experiment->axes);
  struct plan_cell wanted = plan->cells[cell];
  wanted.choice[at] = value;
  for (int i = 0; i < plan->cell_count; i++)
    if (memcmp(plan->cells[i].choice, wanted.choice, sizeof wanted.choice) == 0)
      return i;
  return -1;
}

/* One line: what the label's objective is for each value of the axis. */
static void print_contrast_of(const struct summary *s, int cell, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct experiment_axis *axis = experiment_along(plan->experiment);
  int m = objective_of(plan);
  const struct summary_metric *metric = &summary_metrics[m];
  double first = summary_at(s, cell, m, label)->median;
  fprintf(to, "  %s, ", plan->labels[label].name);
  print_cell(plan, &plan->cells[cell], axis, to);
  fprintf(to, ": in the median trial %s is ", metric->what);
  for (int value = 0; value < axis->count; value++) {
    int other = sibling(plan, cell, axis, value);
    double median = other >= 0 ? summary_at(s, other, m, label)->median : NAN;
    fputs(value > 0 ? ", " : "", to);
    if (isnan(median))
      fputs("not measured", to);
    else
      print_value(metric, median, to);
    if (value > 0 && median > 0 && first > 0)
      fprintf(to, " (%.2f times)", median / first);
    fprintf(to, " with %s %s", axis->option->key, axis->values[value].text);
  }
  fputs(".\n", to);
}

static void print_contrast(const struct summary *s, FILE *to) {
  const struct plan *plan = s->plan;
  const struct experiment_axis *axis = experiment_along(plan->experiment);
  for (int label = 0; label < plan->label_count; label++)
    for (int cell = 0; cell < plan->cell_count; cell++)
      if ((plan->baseline < 0 || label == plan->baseline) &&
          plan->cells[cell].choice[axis - plan->experiment->axes] == 0 &&
          !plan_is_moot(plan->experiment, &plan->cells[cell], axis))
        print_contrast_of(s, cell, label, to);
}

/* How the objective grows along one axis, per label. */
static void print_slopes(const struct summary *s, FILE *to) {
  const struct plan *plan = s->plan;
  int m = objective_of(plan);
  double *x = mux_new((size_t)plan->cell_count, sizeof *x);
  double *y = mux_new((size_t)plan->cell_count, sizeof *y);
  for (int label = 0; label < plan->label_count; label++) {
    int n = 0;
    for (int cell = 0; cell < plan->cell_count; cell++) {
      const struct summary_entry *entry = summary_at(s, cell, m, label);
      if (entry->n == 0)
        continue;
      x[n] =
          (double)plan_value(plan, &plan->cells[cell], NULL, OPTION_LOAD, plan->experiment->along)
              ->number;
      y[n++] = entry->median;
    }
    double slope = stats_slope(x, y, n);
    if (isnan(slope))
      continue;
    fprintf(to,
            "  %s: %s changes by %+.3g%s per 1000 of %s (Theil-Sen over %d cells, %.4g to %.4g)",
            plan->labels[label].name, summary_metrics[m].what, slope * 1000,
            summary_metrics[m].unit, plan->experiment->along, n, y[0], y[n - 1]);
    fputs(".\n", to);
  }
  free(x);
  free(y);
}

/* Did the label keep up with what this cell offered, in every trial? */
static bool keeps_up(const struct summary *s, const struct rows *rows, int cell, int label) {
  int seen = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const struct row *row = &rows->rows[i];
    double number = row_number(row, COL_trial);
    if (!(number >= 1 && number <= s->plan->trial_count))
      continue;
    const struct plan_trial *trial = &s->plan->trials[(int)number - 1];
    if (trial->cell != cell || trial->label != label)
      continue;
    seen++;
    double done = row_number(row, COL_completed_per_s);
    double offered = row_number(row, COL_offered_per_s);
    if (!(done >= 0.99 * offered) || row_has_flag(row, "rate_missed") ||
        row_has_flag(row, "unanswered"))
      return false;
  }
  return seen > 0;
}

static void print_saturation(const struct summary *s, const struct rows *rows, FILE *to) {
  const struct plan *plan = s->plan;
  int p99 = 0;
  while (summary_metrics[p99].column != COL_response_p99_us)
    p99++;
  for (int label = 0; label < plan->label_count; label++) {
    int kept = -1;
    int lost = -1;
    int64_t kept_rate = 0;
    int64_t lost_rate = 0;
    for (int cell = 0; cell < plan->cell_count; cell++) {
      int64_t rate = plan_value(plan, &plan->cells[cell], NULL, OPTION_LOAD, "rate")->number;
      if (rate == 0 || summary_at(s, cell, 0, label)->n == 0)
        continue;
      if (!keeps_up(s, rows, cell, label)) {
        if (lost < 0 || rate < lost_rate)
          lost = cell, lost_rate = rate;
      } else if (kept < 0 || rate > kept_rate) {
        kept = cell, kept_rate = rate;
      }
    }
    if (kept < 0 && lost < 0)
      continue;
    fprintf(to, "  %s: ", plan->labels[label].name);
    if (kept < 0) {
      fprintf(to, "does not keep up with the lowest rate, %lld/s.\n", (long long)lost_rate);
      continue;
    }
    fprintf(to, "keeps up with %lld messages/s (p99 response time %.0f µs there)",
            (long long)kept_rate, summary_at(s, kept, p99, label)->median);
    if (lost >= 0)
      fprintf(to, ", not with %lld/s.\n", (long long)lost_rate);
    else
      fputs(", the highest rate offered.\n", to);
  }
}

void conclusions_print(const struct summary *s, const struct rows *rows, FILE *to) {
  const struct experiment *e = s->plan->experiment;
  if (*e->question != 0)
    fprintf(to, "%s\n", e->question);
  if (e->answer == ANSWER_SLOPE)
    print_slopes(s, to);
  else if (e->answer == ANSWER_SATURATION)
    print_saturation(s, rows, to);
  if (e->answer == ANSWER_CONTRAST)
    print_contrast(s, to);
  if (e->answer == ANSWER_BEST || e->answer == ANSWER_CONTRAST)
    print_best(s, to);
}
