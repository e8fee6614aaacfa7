/* spread.c: see spread.h. */
#include "bench/data/spread.h"

#include <math.h>

/* Variances of ln ratios below this are rounding: a part in a million. */
static const double rounding = 1e-12;

/* E ln(chi^2(df)/df) and its variance, for whole df: digamma(df/2) - ln(df/2), trigamma(df/2).
 * By recurrence up to an argument where the asymptotic series is good to 1e-9. */
static double log_chi2_mean(int df) {
  double x = df / 2.0;
  double sum = -log(x);
  for (; x < 8; x++)
    sum -= 1 / x;
  double r = 1 / (x * x);
  return sum + log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r / 252));
}

static double log_chi2_variance(double df) {
  double x = df / 2;
  double sum = 0;
  for (; x < 8; x++)
    sum += 1 / (x * x);
  double r = 1 / (x * x);
  return sum + 1 / x + r / 2 + r / x * (1.0 / 6 - r * (1.0 / 30 - r / 42));
}

/* The df at which log_chi2_variance is v, at most limit. */
static double df_of_log_variance(double v, double limit) {
  if (v <= log_chi2_variance(limit))
    return limit;
  double low = 0;
  double high = limit;
  while (high - low > 0.01) {
    double df = (low + high) / 2;
    if (log_chi2_variance(df) > v)
      low = df;
    else
      high = df;
  }
  return low;
}

static double log_excess(const struct spread *s, double between) {
  return log((s->variance + rounding) / (between + s->within + rounding)) -
         log_chi2_mean(s->launches - 1);
}

/* The between that makes the mean log_excess 0, or 0. Newton's method from the left on a convex
 * function: it never overshoots. */
static double common_between(const struct spread *spreads, int count) {
  double between = 0;
  for (int turn = 0; turn < 60; turn++) {
    double excess = 0;
    double slope = 0;
    for (int i = 0; i < count; i++) {
      excess += log_excess(&spreads[i], between);
      slope += 1 / (between + spreads[i].within + rounding);
    }
    double step = excess / slope;
    if (step <= 1e-6 * between + 1e-15)
      break;
    between += step;
  }
  return between;
}

void spread_moderate(struct spread *spreads, int count) {
  double between = common_between(spreads, count);
  double level = 0; /* below 0 where launches scatter less than their rounds say */
  for (int i = 0; i < count; i++)
    level += log_excess(&spreads[i], between) / count;
  double limit = 2.0 * (count - 1);
  double scatter = 0; /* of the logs, beyond what chance explains */
  for (int i = 0; i < count && count > 1; i++) {
    double excess = log_excess(&spreads[i], between) - level;
    scatter += excess * excess / (count - 1) - log_chi2_variance(spreads[i].launches - 1) / count;
  }
  double prior_df = count > 1 ? df_of_log_variance(scatter, limit) : 0;
  for (int i = 0; i < count; i++) {
    struct spread *s = &spreads[i];
    int own_df = s->launches - 1;
    double other_df = fmin(prior_df, 2.0 * own_df);
    s->df = own_df + other_df;
    double usual = (between + s->within) * exp(level);
    double mixed = (other_df * usual + own_df * s->variance) / s->df;
    s->moderated = fmax(fmax(s->variance, mixed), rounding);
  }
}
