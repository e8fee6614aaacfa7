/* compare.c: see compare.h. */
#include "bench/results/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/family.h"
#include "bench/data/max_t.h"
#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/memory.h"

enum { ENTRIES_MAX = 200000, VALUES = STATS_BLOCKS_MAX };
static const double level = 0.95;

static bool is_of(const struct row *row, const char *cell, const char *label) {
  return strcmp(row_text(row, COL_cell_id), cell) == 0 &&
         strcmp(row_text(row, COL_label), label) == 0;
}

static const struct row *first_of(const struct rows *rows, const char *cell, const char *label) {
  for (size_t i = 0; i < rows->count; i++)
    if (row_has_result(&rows->rows[i]) && is_of(&rows->rows[i], cell, label))
      return &rows->rows[i];
  return NULL;
}

static const struct row *row_of(const struct rows *rows, const char *cell, const char *label,
                                const char *block) {
  for (size_t i = 0; i < rows->count; i++)
    if (row_has_result(&rows->rows[i]) && is_of(&rows->rows[i], cell, label) &&
        strcmp(row_text(&rows->rows[i], COL_block), block) == 0)
      return &rows->rows[i];
  return NULL;
}

/* One run's side of a comparison. */
struct side {
  double ratios[VALUES]; /* ln label ÷ baseline, a launch each */
  int n, seen;           /* that flags do not void; in all */
  double mean, variance; /* variance of the mean */
};

static void fill_side(struct side *side, const struct rows *rows, const char *cell,
                      const char *label, const char *baseline, enum column column) {
  *side = (struct side){0};
  for (size_t i = 0; i < rows->count && side->n < VALUES; i++) {
    const struct row *row = &rows->rows[i];
    if (!row_has_result(row) || !is_of(row, cell, label))
      continue;
    const struct row *base = row_of(rows, cell, baseline, row_text(row, COL_block));
    double value = row_number(row, column);
    double reference = base != NULL ? row_number(base, column) : NAN;
    if (!(value > 0 && reference > 0))
      continue;
    side->seen++;
    if (!summary_is_void(row, column) && !summary_is_void(base, column))
      side->ratios[side->n++] = log(value / reference);
  }
  double half = stats_t_half_width(side->ratios, side->n);
  struct max_t t = {.rivals = 1, .df = side->n - 1, .sides = 2};
  side->mean = stats_mean(side->ratios, side->n);
  if (side->n >= 2)
    side->variance = pow(half / max_t_quantile_table(&t, level), 2);
}

/* Welch's degrees of freedom. */
static double freedom(const struct side *a, const struct side *b) {
  double sum = a->variance + b->variance;
  double parts = a->variance * a->variance / (a->n - 1) + b->variance * b->variance / (b->n - 1);
  return parts > 0 ? sum * sum / parts : fmin(a->n, b->n) - 1;
}

/* family: how many labels of the cell are compared. */
static void compare_values(const struct rows *a, const struct rows *b, const char *baseline,
                           int family, struct compare_entry *entry) {
  struct side x;
  struct side y;
  enum column column = entry->metric->column;
  fill_side(&x, a, entry->cell, entry->label, baseline, column);
  fill_side(&y, b, entry->cell, entry->label, baseline, column);
  entry->n_a = x.n;
  entry->n_b = y.n;
  entry->a = exp(x.mean);
  entry->b = exp(y.mean);
  entry->ratio = exp(y.mean - x.mean);
  entry->low = entry->high = NAN;
  if (2 * x.n < x.seen || 2 * y.n < y.seen) {
    entry->verdict = VERDICT_VOID;
    return;
  }
  if (x.n < FAMILY_LAUNCHES_MIN || y.n < FAMILY_LAUNCHES_MIN)
    return;
  struct max_t t = {.rivals = family, .df = freedom(&x, &y), .correlation = 0.5, .sides = 2};
  double half = max_t_quantile_table(&t, level) * sqrt(x.variance + y.variance);
  entry->low = exp(y.mean - x.mean - half);
  entry->high = exp(y.mean - x.mean + half);
  bool less = entry->high < 1;
  bool more = entry->low > 1;
  bool lower_is_better = entry->metric->better == BETTER_LOWER;
  if (less || more)
    entry->verdict = less == lower_is_better ? VERDICT_BETTER : VERDICT_WORSE;
  else if (entry->low > 1 / (1 + VERDICT_MARGIN) && entry->high < 1 + VERDICT_MARGIN)
    entry->verdict = VERDICT_EQUIVALENT;
  else
    entry->verdict = VERDICT_UNDECIDED;
}

static bool is_twin(const char *label, const char *baseline) {
  size_t length = strlen(baseline);
  return strncmp(label, baseline, length) == 0 && strcmp(label + length, "-twin") == 0;
}

/* One cell and metric. The baseline's ratio to itself is 1 in both runs; if its twin's has changed,
 * the instrument has. */
static void judge(struct compare_entry *entries, int n, const char *baseline) {
  bool changed = false;
  for (int i = 0; i < n; i++)
    changed =
        changed || (is_twin(entries[i].label, baseline) &&
                    (entries[i].verdict == VERDICT_BETTER || entries[i].verdict == VERDICT_WORSE));
  for (int i = 0; i < n && changed; i++)
    if (entries[i].verdict != VERDICT_NONE)
      entries[i].verdict = VERDICT_VOID;
}

/* Cells may differ in nothing that the experiment sets. */
static bool same_setting(const struct row *a, const struct row *b, char *why, size_t why_bytes) {
  static const enum column columns[] = {
      COL_backend,       COL_params, COL_transport,    COL_workers,     COL_threads,
      COL_mode,          COL_loop,   COL_arrival,      COL_connections, COL_idle_connections,
      COL_payload_bytes, COL_depth,  COL_offered_per_s};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    char cell[96];
    char one[48];
    char other[48];
    if (strcmp(row_text(a, columns[i]), row_text(b, columns[i])) == 0)
      continue;
    snprintf(why, why_bytes, "%s, %s: %s is %s in one and %s in the other",
             mux_printable(cell, sizeof cell, row_text(a, COL_cell_id)), row_text(a, COL_label),
             column_names[columns[i]], mux_printable(one, sizeof one, row_text(a, columns[i])),
             mux_printable(other, sizeof other, row_text(b, columns[i])));
    return false;
  }
  return true;
}

static void refuse(struct compare *c, const char *why) {
  c->refused = mux_resize(c->refused, (size_t)c->refused_count + 1, sizeof *c->refused);
  snprintf(c->refused[c->refused_count++], sizeof *c->refused, "%s", why);
}

/* True if an earlier row of the run has the same cell (and label, unless it is NULL). */
static bool is_repeated(const struct rows *rows, size_t at, bool label) {
  const struct row *row = &rows->rows[at];
  for (size_t i = 0; i < at; i++)
    if (row_has_result(&rows->rows[i]) &&
        strcmp(row_text(&rows->rows[i], COL_cell_id), row_text(row, COL_cell_id)) == 0 &&
        (!label || strcmp(row_text(&rows->rows[i], COL_label), row_text(row, COL_label)) == 0))
      return true;
  return false;
}

/* The labels of a cell that both runs have with the same setting, the baseline left out. 0 when the
 * baseline is not the same. */
static int labels_of(struct compare *c, const struct rows *a, const struct rows *b,
                     const char *baseline, const char *cell,
                     const char *labels[EXPERIMENT_LABELS]) {
  int n = 0;
  bool has_baseline = false;
  for (size_t i = 0; i < a->count && n <= EXPERIMENT_SERVERS; i++) {
    const struct row *row = &a->rows[i];
    char why[256];
    if (!row_has_result(row) || strcmp(row_text(row, COL_cell_id), cell) != 0 ||
        is_repeated(a, i, true))
      continue;
    const char *label = row_text(row, COL_label);
    const struct row *other = first_of(b, cell, label);
    if (other == NULL)
      continue;
    if (!same_setting(row, other, why, sizeof why))
      refuse(c, why);
    else if (strcmp(label, baseline) == 0)
      has_baseline = true;
    else
      labels[n++] = label;
  }
  return has_baseline ? n : 0;
}

struct compare *compare_new(const struct rows *a, const struct rows *b, const char *baseline,
                            const struct summary_metric *const *metrics, int n) {
  struct compare *c = mux_new(1, sizeof *c);
  for (size_t i = 0; i < a->count; i++) {
    const char *cell = row_text(&a->rows[i], COL_cell_id);
    const char *labels[EXPERIMENT_LABELS];
    if (!row_has_result(&a->rows[i]) || is_repeated(a, i, false))
      continue;
    int count = labels_of(c, a, b, baseline, cell, labels);
    for (int m = 0; m < n && c->count + count <= ENTRIES_MAX && count > 0; m++) {
      c->entries = mux_resize(c->entries, (size_t)(c->count + count), sizeof *c->entries);
      struct compare_entry *family = &c->entries[c->count];
      for (int l = 0; l < count; l++) {
        family[l] = (struct compare_entry){.cell = cell, .label = labels[l], .metric = metrics[m]};
        compare_values(a, b, baseline, count, &family[l]);
      }
      judge(family, count, baseline);
      c->count += count;
    }
  }
  return c;
}

void compare_free(struct compare *c) {
  free(c->entries);
  free(c->refused);
  free(c);
}

bool compare_is_regression(const struct compare_entry *entry, double threshold) {
  double least = entry->metric->better == BETTER_LOWER ? entry->low : 1 / entry->high;
  return entry->verdict == VERDICT_WORSE && least > 1 + threshold;
}
