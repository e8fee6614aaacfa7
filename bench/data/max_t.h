/* max_t.h: Student's t, and the largest of several t that share a baseline.
 *
 * Rivals 1 to k are each compared with one baseline. Their statistics T = z / s have a common part
 * (the baseline), so z_i = sqrt(r) f + sqrt(1-r) e_i with f and all e_i standard normal; r is their
 * correlation. A quantile of the largest T makes intervals that hold for all rivals at once.
 *
 *   MAX_T_OWN     each rival has its own estimate of spread, s_i^2 ~ chi^2(df)/df, independent of
 *                 the others': rivals may be unequally noisy
 *   MAX_T_SHARED  one pooled estimate serves all: Dunnett's table, the multivariate t. With unequal
 *                 noise its quantiles are too small (docs/statistics.md)
 *
 * Sources: C. W. Dunnett, A multiple comparison procedure for comparing several treatments with a
 * control, JASA 50 (1955), and New tables, Biometrics 20 (1964); T. Hothorn, F. Bretz, P. Westfall,
 * Simultaneous inference in general parametric models (2008). */
#ifndef MAX_T_H
#define MAX_T_H

enum max_t_spread { MAX_T_OWN, MAX_T_SHARED };

enum {
  MAX_T_RIVALS_MAX = 255,
  MAX_T_NORMAL_DF = 1000, /* from here on s counts as known: the normal distribution */
};
/* A higher correlation counts as this one, so that the quantile errs on the large side. */
#define MAX_T_CORRELATION_MAX 0.9

struct max_t {
  int rivals;         /* 1 to MAX_T_RIVALS_MAX */
  double df;          /* at least 1 */
  double correlation; /* 0 to 1 */
  int sides;          /* 2: of |T|; 1: of T */
  enum max_t_spread spread;
};

/* The probability that all T (or |T|) are at most c. */
double max_t_below(const struct max_t *of, double c);

/* The c with max_t_below = level, to 3 digits and mostly 5; 0.5 <= level < 1. With one rival this
 * is Student's quantile: level .95 of two sides is the usual 2.571 at 5 degrees of freedom. */
double max_t_quantile(const struct max_t *of, double level);

/* The same to 0.5 %, for many calls: interpolated in 1/df and correlation between values that
 * are computed once. At whole df up to 40 and without correlation it is max_t_quantile. */
double max_t_quantile_table(const struct max_t *of, double level);

/* The standard normal distribution function. */
double normal_below(double x);

#endif
