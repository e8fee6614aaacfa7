/* stats.h: the statistics of paired comparisons, exact for the small numbers of blocks that
 * benchmarks have. Sources: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods (3rd ed.),
 * chapter 3; S. Holm, A simple sequentially rejective multiple test procedure (1979). */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>

enum {
  STATS_BLOCKS_MIN = 6,   /* fewer pairs give no 95 % interval */
  STATS_BLOCKS_MAX = 200, /* more is refused: the exact distribution is cheap up to there */
};

/* Median; the mean of the middle two for an even n. NAN for n = 0. Leaves x as it is. */
double stats_median(const double *x, int n);

/* Hodges-Lehmann: the median of the n(n+1)/2 averages (x[i]+x[j])/2, i ≤ j (Walsh averages), and
 * the exact 95 % interval from their order statistics, which belongs to the signed-rank test. */
struct estimate {
  double value; /* NAN for n = 0 */
  double low, high;
  bool interval; /* false below STATS_BLOCKS_MIN, low and high are NAN then */
};
struct estimate stats_walsh(const double *x, int n);

/* Which order statistics bound that interval: number `rank` from either end of the n(n+1)/2; 0 if
 * n is too small. */
int stats_walsh_rank(int n);

/* Two-sided exact p of Wilcoxon's signed-rank test that x is symmetric about 0. Zeros are left out,
 * ties get mid-ranks and the exact distribution of those. 1 when nothing is left. */
double stats_signed_rank_p(const double *x, int n);

/* Two independent samples: the shift from x to y. value is the median of all differences
 * y[j]-x[i] (Hodges-Lehmann), with the interval that belongs to the rank-sum test (Wilcoxon, Mann
 * and Whitney), exact up to 60 values together, by the normal distribution beyond. No interval
 * when either sample is below STATS_BLOCKS_MIN. *p is two-sided; ties get mid-ranks. */
struct estimate stats_shift(const double *x, int n, const double *y, int m, double *p);

/* Replaces n p-values by Holm's adjusted ones. NANs are no part of the family and stay. */
void stats_holm(double *p, int n);

/* Theil-Sen: the median of the slopes between all pairs of points with different x. NAN if there is
 * none. */
double stats_slope(const double *x, const double *y, int n);

#endif
