/* compare.c: see compare.h. */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stats.h"
#include "common/cli.h"

enum { ENTRIES_MAX = 200000, VALUES = MUX_STATS_BLOCKS_MAX };

static bool has_result(const struct mux_row *row) {
  const char *status = mux_row_text(row, MUX_COL_status);
  return strcmp(status, "ok") == 0 || strcmp(status, "invalid") == 0;
}

static bool is_of(const struct mux_row *row, const char *cell, const char *label) {
  return strcmp(mux_row_text(row, MUX_COL_cell_id), cell) == 0 &&
         strcmp(mux_row_text(row, MUX_COL_label), label) == 0;
}

static const struct mux_row *first_of(const struct mux_rows *rows, const char *cell,
                                      const char *label) {
  for (size_t i = 0; i < rows->count; i++)
    if (has_result(&rows->rows[i]) && is_of(&rows->rows[i], cell, label))
      return &rows->rows[i];
  return NULL;
}

/* ln of the claimable values of one label in one cell. *seen: how many values there are at all. */
static int values_of(const struct mux_rows *rows, const char *cell, const char *label,
                     enum mux_column column, double out[VALUES], int *seen) {
  int n = 0;
  *seen = 0;
  for (size_t i = 0; i < rows->count && n < VALUES; i++) {
    const struct mux_row *row = &rows->rows[i];
    double value = mux_row_number(row, column);
    if (!has_result(row) || !is_of(row, cell, label) || !(value > 0))
      continue;
    ++*seen;
    if (!summary_is_void(row, column))
      out[n++] = log(value);
  }
  return n;
}

/* Half-width of the interval between a label and its twin, if the run has one in this cell. */
static double noise_of(const struct mux_rows *rows, const char *cell, enum mux_column column) {
  for (size_t i = 0; i < rows->count; i++) {
    const char *label = mux_row_text(&rows->rows[i], MUX_COL_label);
    size_t length = strlen(label);
    if (length < 6 || strcmp(label + length - 5, "-twin") != 0 ||
        strcmp(mux_row_text(&rows->rows[i], MUX_COL_cell_id), cell) != 0)
      continue;
    char own[128];
    double x[VALUES];
    double y[VALUES];
    double p;
    int seen;
    snprintf(own, sizeof own, "%.*s", (int)(length - 5), label);
    int n = values_of(rows, cell, own, column, x, &seen);
    int m = values_of(rows, cell, label, column, y, &seen);
    struct mux_estimate estimate = mux_stats_shift(x, n, y, m, &p);
    return estimate.interval ? (exp(estimate.high) - exp(estimate.low)) / 2 : 0;
  }
  return 0;
}

static double median_exp(const double *ln, int n) {
  return n > 0 ? exp(mux_stats_median(ln, n)) : NAN;
}

static void compare_values(const struct mux_rows *a, const struct mux_rows *b,
                           struct compare_entry *entry) {
  double x[VALUES];
  double y[VALUES];
  double p;
  int seen_a;
  int seen_b;
  enum mux_column column = entry->metric->column;
  entry->n_a = values_of(a, entry->cell, entry->label, column, x, &seen_a);
  entry->n_b = values_of(b, entry->cell, entry->label, column, y, &seen_b);
  struct mux_estimate estimate = mux_stats_shift(x, entry->n_a, y, entry->n_b, &p);
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
  mux_stats_holm(p, n);
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
static bool same_setting(const struct mux_row *a, const struct mux_row *b, char *why,
                         size_t why_bytes) {
  static const enum mux_column columns[] = {MUX_COL_backend,       MUX_COL_params,
                                            MUX_COL_transport,     MUX_COL_workers,
                                            MUX_COL_threads,       MUX_COL_mode,
                                            MUX_COL_loop,          MUX_COL_arrival,
                                            MUX_COL_connections,   MUX_COL_idle_connections,
                                            MUX_COL_payload_bytes, MUX_COL_depth,
                                            MUX_COL_offered_per_s};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    char cell[96];
    char one[48];
    char other[48];
    if (strcmp(mux_row_text(a, columns[i]), mux_row_text(b, columns[i])) == 0)
      continue;
    snprintf(why, why_bytes, "%s, %s: %s is %s in one and %s in the other",
             mux_printable(cell, sizeof cell, mux_row_text(a, MUX_COL_cell_id)),
             mux_row_text(a, MUX_COL_label), mux_column_names[columns[i]],
             mux_printable(one, sizeof one, mux_row_text(a, columns[i])),
             mux_printable(other, sizeof other, mux_row_text(b, columns[i])));
    return false;
  }
  return true;
}

static void refuse(struct compare *c, const char *why) {
  c->refused = realloc(c->refused, (size_t)(c->refused_count + 1) * sizeof *c->refused);
  if (c->refused == NULL)
    abort();
  snprintf(c->refused[c->refused_count++], sizeof *c->refused, "%s", why);
}

/* True if an earlier row of the run has the same cell (and label, unless it is NULL). */
static bool is_repeated(const struct mux_rows *rows, size_t at, bool label) {
  const struct mux_row *row = &rows->rows[at];
  for (size_t i = 0; i < at; i++)
    if (has_result(&rows->rows[i]) &&
        strcmp(mux_row_text(&rows->rows[i], MUX_COL_cell_id), mux_row_text(row, MUX_COL_cell_id)) ==
            0 &&
        (!label || strcmp(mux_row_text(&rows->rows[i], MUX_COL_label),
                          mux_row_text(row, MUX_COL_label)) == 0))
      return true;
  return false;
}

/* The labels of a cell that both runs have with the same setting. */
static int labels_of(struct compare *c, const struct mux_rows *a, const struct mux_rows *b,
                     const char *cell, const char *labels[EXPERIMENT_SERVERS + 1]) {
  int n = 0;
  for (size_t i = 0; i < a->count && n <= EXPERIMENT_SERVERS; i++) {
    const struct mux_row *row = &a->rows[i];
    char why[256];
    if (!has_result(row) || strcmp(mux_row_text(row, MUX_COL_cell_id), cell) != 0 ||
        is_repeated(a, i, true))
      continue;
    const char *label = mux_row_text(row, MUX_COL_label);
    const struct mux_row *other = first_of(b, cell, label);
    if (other == NULL)
      continue;
    if (same_setting(row, other, why, sizeof why))
      labels[n++] = label;
    else
      refuse(c, why);
  }
  return n;
}

struct compare *compare_new(const struct mux_rows *a, const struct mux_rows *b,
                            const struct summary_metric *const *metrics, int n) {
  struct compare *c = calloc(1, sizeof *c);
  if (c == NULL)
    abort();
  for (size_t i = 0; i < a->count; i++) {
    const char *cell = mux_row_text(&a->rows[i], MUX_COL_cell_id);
    const char *labels[EXPERIMENT_SERVERS + 1];
    if (!has_result(&a->rows[i]) || is_repeated(a, i, false))
      continue;
    int count = labels_of(c, a, b, cell, labels);
    for (int m = 0; m < n && c->count + count <= ENTRIES_MAX && count > 0; m++) {
      c->entries = realloc(c->entries, (size_t)(c->count + count) * sizeof *c->entries);
      if (c->entries == NULL)
        abort();
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
