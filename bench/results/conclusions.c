/* conclusions.c: see conclusions.h. */
#include "bench/results/conclusions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/memory.h"
#include "common/units.h"

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

/* ---- The best ---------------------------------------------------------------------------------
 */

/* The baseline and its rivals. */
static bool is_ranked(const struct summary *s, int cell, int metric, int label) {
  bool control = label != s->plan->baseline && !plan_is_rival(s->plan, label);
  return !control && summary_at(s, cell, metric, label)->n > 0;
}

/* Labels in the order of their ratios; the baseline's is 1. */
static int by_ratio(const struct summary *s, int cell, int metric, int order[]) {
  bool lower = summary_metrics[metric].better == BETTER_LOWER;
  int n = 0;
  for (int label = 0; label < s->plan->label_count; label++) {
    if (!is_ranked(s, cell, metric, label))
      continue;
    int at = n++;
    for (; at > 0; at--) {
      double a = summary_at(s, cell, metric, order[at - 1])->ratio;
      double b = summary_at(s, cell, metric, label)->ratio;
      a = order[at - 1] == s->plan->baseline ? 1 : a;
      b = label == s->plan->baseline ? 1 : b;
      if (lower ? a <= b : a >= b)
        break;
      order[at] = order[at - 1];
    }
    order[at] = label;
  }
  return n;
}

/* What the answer says of a label. REST: it is not in the set of best, which is decided for all
 * pairs at once, but no single one is proved better than it. */
enum place { NOWHERE, BEST, REST, PROVED_WORSE };

static enum place place_of(const struct summary_entry *entry) {
  if (!entry->has_best || entry->rank_low == 0)
    return NOWHERE;
  return entry->best ? BEST : entry->rank_low > 1 ? PROVED_WORSE : REST;
}

/* "a, b 0.91×, c 1.02×". Returns how many. */
static int print_labels(const struct summary *s, int cell, int metric, enum place place, FILE *to) {
  int order[EXPERIMENT_LABELS];
  int n = by_ratio(s, cell, metric, order);
  int printed = 0;
  for (int i = 0; i < n; i++) {
    const struct summary_entry *entry = summary_at(s, cell, metric, order[i]);
    if (place_of(entry) != place)
      continue;
    fprintf(to, "%s%s", printed++ > 0 ? ", " : "", s->plan->labels[order[i]].name);
    if (order[i] != s->plan->baseline)
      fprintf(to, " %.2f×", entry->ratio);
  }
  return printed;
}

static int count_in(const struct summary *s, int cell, int metric, enum place place) {
  int n = 0;
  for (int label = 0; label < s->plan->label_count; label++)
    n += is_ranked(s, cell, metric, label) && place_of(summary_at(s, cell, metric, label)) == place;
  return n;
}

/* The most launches that a label of the cell has. */
static int launches_of(const struct summary *s, int cell, int metric) {
  int most = 0;
  for (int label = 0; label < s->plan->label_count; label++) {
    int n = summary_at(s, cell, metric, label)->n;
    most = n > most ? n : most;
  }
  return most;
}

static bool twin_voids(const struct summary *s, int cell, int metric) {
  return s->plan->twin >= 0 && summary_at(s, cell, metric, s->plan->twin)->verdict == VERDICT_VOID;
}

/* Why there is no set of best. */
static void print_silence(const struct summary *s, int cell, int metric, FILE *to) {
  int launches = launches_of(s, cell, metric);
  if (launches == 0)
    fputs("nothing was measured.\n", to);
  else if (launches < FAMILY_LAUNCHES_MIN)
    fprintf(to, "%d launch%s, too few for a claim: it takes %d.\n", launches,
            launches == 1 ? "" : "es", FAMILY_LAUNCHES_MIN);
  else
    fprintf(to, "fewer than %d launches can be compared: flags forbid it, or too few rounds.\n",
            FAMILY_LAUNCHES_MIN);
}

/* What was added to the baseline's CPU time, on average; NAN: nothing. It is the server's that is
 * known: a load that waits for a slower server sleeps more often, and may cost more, too. */
static double planted(const struct summary *s, int cell) {
  double sum = 0;
  int n = 0;
  for (int block = 1; block <= s->blocks; block++) {
    double work = summary_value(s, cell, block, s->plan->calibration, COL_work_us_per_req);
    double cost = summary_value(s, cell, block, s->plan->baseline, COL_server_cpu_us_per_req);
    if (!(work > 0 && cost > 0))
      continue;
    sum += work / cost;
    n++;
  }
  return n > 0 ? sum / n : NAN;
}

static void print_calibration(const struct summary *s, int cell, FILE *to) {
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  if (s->plan->calibration < 0)
    return;
  const struct summary_entry *entry = summary_at(s, cell, metric, s->plan->calibration);
  double known = planted(s, cell);
  if (isnan(known) || isnan(entry->ratio_low))
    return;
  fprintf(
      to,
      "    Calibration: %.1f %% added to the server's work was measured as %.1f %% [%.1f, %.1f].\n",
      100 * known, 100 * (entry->ratio - 1), 100 * (entry->ratio_low - 1),
      100 * (entry->ratio_high - 1));
}

static void print_best(const struct summary *s, FILE *to) {
  int metric = summary_objective(s->plan);
  if (s->plan->baseline < 0) {
    fputs("  No baseline is among the labels, so that nothing is compared.\n", to);
    return;
  }
  for (int cell = 0; cell < s->plan->cell_count; cell++) {
    fputs("  ", to);
    if (s->plan->cell_count > 1) {
      print_cell(s->plan, &s->plan->cells[cell], NULL, to);
      fputs(": ", to);
    }
    int best = count_in(s, cell, metric, BEST);
    if (twin_voids(s, cell, metric)) {
      fprintf(to, "void: the baseline differs from itself by %.1f %%; the host is too unsteady.\n",
              100 * summary_at(s, cell, metric, s->plan->twin)->delta);
    } else if (best == 0) {
      print_silence(s, cell, metric, to);
    } else {
      fputs(s->plan->cell_count > 1 ? "take " : "Take ", to);
      fputs(best == 1 ? "" : "one of ", to);
      print_labels(s, cell, metric, BEST, to);
      if (best > 1)
        fputs(" (nothing is proved between them)", to);
      if (count_in(s, cell, metric, REST) > 0) {
        fputs("; not the best: ", to);
        print_labels(s, cell, metric, REST, to);
      }
      if (count_in(s, cell, metric, PROVED_WORSE) > 0) {
        fputs("; proved worse: ", to);
        print_labels(s, cell, metric, PROVED_WORSE, to);
      }
      fputs(".\n", to);
      print_calibration(s, cell, to);
    }
  }
}

/* ---- Along an axis -----------------------------------------------------------------------------
 */

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
  int m = summary_objective(plan);
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

/* How the objective grows along one axis, per label: over the cells that agree in all else. */
static void print_slope(const struct summary *s, int cell, int label,
                        const struct experiment_axis *axis, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_metric *metric = &summary_metrics[summary_objective(plan)];
  double x[EXPERIMENT_VALUES];
  double y[EXPERIMENT_VALUES];
  int n = 0;
  for (int value = 0; value < axis->count; value++) {
    int other = sibling(plan, cell, axis, value);
    const struct summary_entry *entry =
        other >= 0 ? summary_at(s, other, summary_objective(plan), label) : NULL;
    if (entry == NULL || entry->n == 0)
      continue;
    x[n] = (double)axis->values[value].number;
    y[n++] = entry->median;
  }
  double slope = stats_slope(x, y, n);
  if (isnan(slope))
    return;
  fprintf(to, "  %s, ", plan->labels[label].name);
  print_cell(plan, &plan->cells[cell], axis, to);
  fprintf(to, ": %s changes by %+.3g%s per 1000 of %s (Theil-Sen over %d cells, %.4g to %.4g).\n",
          metric->what, slope * 1000, metric->unit, axis->option->key, n, y[0], y[n - 1]);
}

/* For every label and every cell that is the first along the axis. */
static void print_slopes(const struct summary *s, FILE *to) {
  const struct plan *plan = s->plan;
  const struct experiment_axis *axis = experiment_along(plan->experiment);
  for (int label = 0; label < plan->label_count; label++)
    for (int cell = 0; cell < plan->cell_count; cell++)
      if (plan->cells[cell].choice[axis - plan->experiment->axes] == 0)
        print_slope(s, cell, label, axis, to);
}

/* In how many launches was the load the limit? */
static int limited_launches(const struct summary *s, int cell, int label) {
  int n = 0;
  for (int block = 1; block <= s->blocks; block++) {
    const struct row *row = summary_row(s, cell, block, label);
    n += row != NULL && row_has_flag(row, "load_limited");
  }
  return n;
}

/* The highest rate that keeps the cell's objective. */
static void print_capacity(const struct summary *s, int cell, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry =
      summary_at(s, cell, summary_metric_of(COL_capacity_per_s), label);
  const struct experiment_value *objective =
      plan_value(plan, &plan->cells[cell], NULL, OPTION_LOAD, "find-rate");
  char text[3][MUX_UNIT_TEXT];
  if (objective == NULL || entry->n == 0)
    return;
  fprintf(to, "  %s", plan->labels[label].name);
  if (plan->cell_count > 1) {
    fputs(", ", to);
    print_cell(plan, &plan->cells[cell], NULL, to);
  }
  bool limited = 2 * limited_launches(s, cell, label) > entry->n;
  fprintf(to, ": %s%s messages/s", limited ? "at least " : "",
          mux_show_count(text[0], entry->median));
  if (!isnan(entry->low))
    fprintf(to, " [%s, %s]", mux_show_count(text[1], entry->low),
            mux_show_count(text[2], entry->high));
  fprintf(to, " with %s%s.\n", objective->text,
          limited ? "; beyond that the load was the limit" : "");
}

static void print_capacities(const struct summary *s, FILE *to) {
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int label = 0; label < s->plan->label_count; label++)
      print_capacity(s, cell, label, to);
}

void conclusions_print(const struct summary *s, FILE *to) {
  const struct experiment *e = s->plan->experiment;
  mux_put_printable(e->question, to);
  if (*e->question != 0)
    fputc('\n', to);
  if (e->answer == ANSWER_SLOPE)
    print_slopes(s, to);
  if (e->answer == ANSWER_CAPACITY)
    print_capacities(s, to);
  if (e->answer == ANSWER_CONTRAST)
    print_contrast(s, to);
  if (e->answer != ANSWER_SLOPE)
    print_best(s, to);
}
