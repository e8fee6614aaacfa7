/* compare.c: see compare.h. */
#include "bench/results/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/memory.h"

enum { ENTRIES_MAX = 200000, VALUES = STATS_BLOCKS_MAX };

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

/* ln of the claimable values of one label in one cell. *seen: how many values there are at all. */
static int values_of(const struct rows *rows, const char *cell, const char *label,
                     enum column column, double out[VALUES], int *seen) {
  int n = 0;
  *seen = 0;
  for (size_t i = 0; i < rows->count && n < VALUES; i++) {
    const struct row *row = &rows->rows[i];
    double value = row_number(row, column);
    if (!row_has_result(row) || !is_of(row, cell, label) || !(value > 0))
      continue;
    ++*seen;
    if (!summary_is_void(row, column))
      out[n++] = log(value);
  }
  return n;
}

/* Half-width of the interval between a label and its twin, if the run has one in this cell. */
static double noise_of(const struct rows *rows, const char *cell, enum column column) {
  for (size_t i = 0; i < rows->count; i++) {
    const char *label = row_text(&rows->rows[i], COL_label);
    size_t length = strlen(label);
    if (length < 6 || strcmp(label + length - 5, "-twin") != 0 ||
        strcmp(row_text(&rows->rows[i], COL_cell_id), cell) != 0)
      continue;
    char own[128];
    double x[VALUES];
    double y[VALUES];
    double p;
    int seen;
    snprintf(own, sizeof own, "%.*s", (int)(length - 5), label);
    int n = values_of(rows, cell, own, column, x, &seen);
    int m = values_of(rows, cell, label, column, y, &seen);
    struct estimate estimate = stats_shift(x, n, y, m, &p);
    return estimate.interval ? (exp(estimate.high) - exp(estimate.low)) / 2 : 0;
  }
  return 0;
}

static double median_exp(const double *ln, int n) {
  return n > 0 ? exp(stats_median(ln, n)) : NAN;
}

static void compare_values(const struct rows *a, const struct rows *b,
                           struct compare_entry *entry) {
  double x[VALUES];
  double y[VALUES];
  double p;
  int seen_a;
  int seen_b;
  enum column column = entry->metric->column;
  entry->n_a = values_of(a, entry->cell, entry->label, column, x, &seen_a);
  entry->n_b = values_of(b, entry->cell, entry->label, column, y, &seen_b);
  struct estimate estimate = stats_shift(x, entry->n_a, y, entry->n_b, &p);
  entry->a = median_exp(x, entry->n_a);
  entry->b = median_exp(y, entry->n_b);
  entry->ratio = exp(estimate.value);
  entry->low = exp(estimate.low);
  entry->high = exp(estimate.high);
  entry->p_holm = estimate.interval ? p : NAN;
  if (2 * entry->n_a < seen_a || 2 * entry->n_b < seen_b)
    entry->verdict = VERDICT_VOID;
}

/* The labels of one cell and metric: a Holm family. */
static void judge(struct compare_entry *entries, int n, double noise) {
  double p[n > 0 ? n : 1];
  for (int i = 0; i < n; i++)
    p[i] = entries[i].p_holm;
  stats_holm(p, n);
  for (int i = 0; i < n; i++) {
    struct compare_entry *e = &entries[i];
    e->p_holm = p[i];
    e->noise = noise;
    if (isnan(p[i]) || e->verdict == VERDICT_VOID)
      continue;
    bool better = (e->ratio > 1) == (e->metric->better == BETTER_HIGHER);
    if (p[i] < 0.05 && fabs(e->ratio - 1) > noise)
      e->verdict = better ? VERDICT_BETTER : VERDICT_WORSE;
    else
      e->verdict = VERDICT_TIE;
  }
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

/* The labels of a cell that both runs have with the same setting. */
static int labels_of(struct compare *c, const struct rows *a, const struct rows *b,
                     const char *cell, const char *labels[EXPERIMENT_SERVERS + 1]) {
  int n = 0;
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
    if (same_setting(row, other, why, sizeof why))
      labels[n++] = label;
    else
      refuse(c, why);
  }
  return n;
}

struct compare *compare_new(const struct rows *a, const struct rows *b,
                            const struct summary_metric *const *metrics, int n) {
  struct compare *c = mux_new(1, sizeof *c);
  for (size_t i = 0; i < a->count; i++) {
    const char *cell = row_text(&a->rows[i], COL_cell_id);
    const char *labels[EXPERIMENT_SERVERS + 1];
    if (!row_has_result(&a->rows[i]) || is_repeated(a, i, false))
      continue;
    int count = labels_of(c, a, b, cell, labels);
    for (int m = 0; m < n && c->count + count <= ENTRIES_MAX && count > 0; m++) {
      c->entries = mux_resize(c->entries, (size_t)(c->count + count), sizeof *c->entries);
      struct compare_entry *family = &c->entries[c->count];
      for (int l = 0; l < count; l++) {
        family[l] = (struct compare_entry){.cell = cell, .label = labels[l], .metric = metrics[m]};
        compare_values(a, b, &family[l]);
      }
      judge(family, count,
            fmax(noise_of(a, cell, metrics[m]->column), noise_of(b, cell, metrics[m]->column)));
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
  double worse = entry->metric->better == BETTER_LOWER ? entry->ratio : 1 / entry->ratio;
  return entry->verdict == VERDICT_WORSE && worse > 1 + threshold;
}
