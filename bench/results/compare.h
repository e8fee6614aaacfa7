/* compare.h: the same cells of two runs: two commits, two machines, two kernels.
 *
 * Between two runs a host differs by more than most differences that one looks for. So nothing is
 * compared but ratios to a baseline that is the same in both: what has changed for all of them is
 * in both sides of the ratio. A launch gives one ratio; the two runs' mean ratios differ by
 * Welch's t, with intervals that hold for all labels of a cell and metric at once (max_t.h). If
 * even the twin's ratio has changed, the cell is void. To compare two servers, `versus` runs them
 * together. */
#ifndef MUX_COMPARE_H
#define MUX_COMPARE_H

#include "bench/data/rows.h"
#include "bench/results/summary.h"

struct compare_entry {
  const char *cell, *label; /* of the first run's rows */
  const struct summary_metric *metric;
  int n_a, n_b;            /* launches */
  double a, b;             /* ratios to the baseline; NAN: none */
  double ratio, low, high; /* b ÷ a; NAN: none */
  enum verdict verdict;    /* of b */
};

struct compare {
  struct compare_entry *entries;
  int count;
  char (*refused)[256]; /* one line each */
  int refused_count;
};

/* metrics: columns of measurements.csv, n of them. baseline: a label of both runs. */
struct compare *compare_new(const struct rows *a, const struct rows *b, const char *baseline,
                            const struct summary_metric *const *metrics, int n);
void compare_free(struct compare *compare);

/* Proved to be worse by more than `threshold` (0.05 for 5 %). */
bool compare_is_regression(const struct compare_entry *entry, double threshold);

#endif
