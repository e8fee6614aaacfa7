/* compare.h: the same cells of two runs: two commits, two machines, two kernels.
 *
 * The blocks of two runs are no pairs, so this is the rank-sum test of ln values, Holm within one
 * cell and metric, and nothing is claimed within the noise that either run's A/A twin shows. */
#ifndef MUX_COMPARE_H
#define MUX_COMPARE_H

#include "bench/data/rows.h"
#include "bench/results/summary.h"

struct compare_entry {
  const char *cell, *label; /* of the first run's rows */
  const struct summary_metric *metric;
  int n_a, n_b;
  double a, b;             /* medians */
  double ratio, low, high; /* b ÷ a; NAN: not to be had */
  double p_holm;
  double noise;
  enum summary_verdict verdict; /* of b */
};

struct compare {
  struct compare_entry *entries;
  int count;
  char (*refused)[256]; /* one line each */
  int refused_count;
};

/* metrics: columns of measurements.csv, n of them. */
struct compare *compare_new(const struct rows *a, const struct rows *b,
                            const struct summary_metric *const *metrics, int n);
void compare_free(struct compare *compare);

/* A claimed worsening of more than `threshold` (0.05 for 5 %). */
bool compare_is_regression(const struct compare_entry *entry, double threshold);

#endif
