/* stats.h: the statistics of one sample, and of points. What is said of differences is family.h's.
 */
#ifndef STATS_H
#define STATS_H

enum {
  STATS_BLOCKS_MIN = 6,   /* fewer launches carry no claim (FAMILY_LAUNCHES_MIN) */
  STATS_BLOCKS_MAX = 200, /* more are refused */
};

/* Median; the mean of the middle two for an even n. NAN for n = 0. Leaves x as it is. */
double stats_median(const double *x, int n);

/* Theil-Sen: the median of the slopes between all pairs of points with different x. NAN if there is
 * none. */
double stats_slope(const double *x, const double *y, int n);

/* Mean, and half the width of its 95 % interval by Student's t, n >= 2. */
double stats_mean(const double *x, int n);
double stats_t_half_width(const double *x, int n);

#endif
