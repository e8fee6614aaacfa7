/* family.c: see family.h. */
#include "bench/data/family.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bench/data/sign_flips.h"
#include "bench/data/spread.h"
#include "bench/data/stats.h"
#include "common/memory.h"

static const double flip_weight = 5; /* of the usual variance, in squares of d (sign_flips.h) */

static double d_of(const struct family *family, int launch, int rival) {
  return family->d[launch * family->rivals + rival];
}

static double variance_of(const struct family *family, int launch, int rival) {
  double v = family->variance == NULL ? NAN : family->variance[launch * family->rivals + rival];
  return isfinite(v) && v > 0 ? v : 0;
}

/* Mean, variance over launches and mean variance within launches of one rival's d. */
static void describe(const struct family *family, int rival, struct family_rival *judged,
                     struct spread *spread) {
  double squares = 0;
  *judged = (struct family_rival){.estimate = 0,
                                  .low = NAN,
                                  .high = NAN,
                                  .p_adjusted = NAN,
                                  .error = NAN,
                                  .df = NAN,
                                  .between = NAN,
                                  .within = 0};
  for (int i = 0; i < family->launches; i++) {
    double d = d_of(family, i, rival);
    if (isnan(d))
      continue;
    double from_mean = d - judged->estimate;
    judged->estimate += from_mean / ++judged->launches;
    squares += from_mean * (d - judged->estimate);
    judged->within += (variance_of(family, i, rival) - judged->within) / judged->launches;
  }
  int n = judged->launches;
  if (n == 0)
    judged->estimate = judged->within = NAN;
  if (n < 2)
    return;
  *spread = (struct spread){.launches = n, .variance = squares / (n - 1), .within = judged->within};
  judged->between = fmax(0, spread->variance - judged->within);
}

/* Mean correlation of the d of two rivals: how much they have in common, which is the baseline. */
static double mean_correlation(const struct family *family, const struct family_rival *judged,
                               const struct spread *spreads) {
  double own = 0; /* sum over launches and rivals of squared standard scores */
  double all = 0; /* sum over launches of the squared sum */
  int members = 0;
  for (int i = 0; i < family->launches; i++) {
    double sum = 0;
    int present = 0;
    for (int l = 0; l < family->rivals; l++) {
      double d = d_of(family, i, l);
      if (isnan(d) || judged[l].launches < FAMILY_LAUNCHES_MIN || !(spreads[l].variance > 0))
        continue;
      double score = (d - judged[l].estimate) / sqrt(spreads[l].variance);
      sum += score;
      own += score * score;
      present++;
    }
    all += sum * sum;
    members = present > members ? present : members;
  }
  return members > 1 && own > 0 ? fmax(0, (all / own - 1) / (members - 1)) : 0;
}

double family_level(int rivals, bool precision_stopping) {
  return 0.95 + (precision_stopping && rivals > 0 ? 0.02 / rivals : 0);
}

void family_intervals(const struct family *family, int sides, struct family_rival *judged) {
  assert(family->launches <= FAMILY_LAUNCHES_MAX && family->rivals <= FAMILY_RIVALS_MAX);
  size_t k = (size_t)family->rivals;
  struct spread *spreads = mux_new(k, sizeof *spreads); /* [rival] */
  struct spread *members = mux_new(k, sizeof *members); /* those with enough launches */
  int count = 0;
  for (int l = 0; l < family->rivals; l++) {
    describe(family, l, &judged[l], &spreads[l]);
    if (judged[l].launches >= FAMILY_LAUNCHES_MIN)
      members[count++] = spreads[l];
  }
  spread_moderate(members, count);
  struct max_t max_t = {.rivals = count,
                        .correlation = mean_correlation(family, judged, spreads),
                        .sides = sides,
                        .spread = MAX_T_OWN};
  double level = family_level(count, family->precision_stopping);
  for (int l = 0, next = 0; l < family->rivals; l++) {
    struct family_rival *rival = &judged[l];
    if (rival->launches < FAMILY_LAUNCHES_MIN)
      continue;
    const struct spread *spread = &members[next++];
    rival->error = sqrt(spread->moderated / rival->launches);
    rival->df = max_t.df = spread->df;
    double half = max_t_quantile_table(&max_t, level) * rival->error;
    rival->low = rival->estimate - half;
    rival->high = rival->estimate + half;
  }
  free(spreads);
  free(members);
}

/* What a launch usually scatters, from sums of squares, which no flip of signs changes: the median
 * over the family of what a rival's rounds do not explain, and its own rounds. Real differences
 * count as scatter here, which costs power but no validity, and not much unless most rivals
 * differ. */
static void usual_variances(const struct family *family, const struct family_rival *judged,
                            const int *members, int count, double *usual) {
  double *excess = mux_new((size_t)count, sizeof *excess);
  for (int m = 0; m < count; m++) {
    double squares = 0;
    for (int i = 0; i < family->launches; i++) {
      double d = d_of(family, i, members[m]);
      squares += isnan(d) ? 0 : d * d;
    }
    excess[m] = squares / judged[members[m]].launches - judged[members[m]].within;
  }
  double between = fmax(0, stats_median(excess, count));
  for (int m = 0; m < count; m++)
    usual[m] = between + judged[members[m]].within;
  free(excess);
}

static void test_by_flips(const struct family *family, uint64_t seed, struct family_rival *judged) {
  size_t k = (size_t)family->rivals;
  int *members = mux_new(k, sizeof *members);
  int count = 0;
  for (int l = 0; l < family->rivals; l++)
    if (judged[l].launches >= FAMILY_LAUNCHES_MIN)
      members[count++] = l;
  double *d = mux_new((size_t)family->launches * k, sizeof *d);
  double *offset = mux_new(k, sizeof *offset);
  double *p = mux_new(k, sizeof *p);
  for (int i = 0; i < family->launches; i++)
    for (int m = 0; m < count; m++)
      d[i * count + m] = d_of(family, i, members[m]);
  usual_variances(family, judged, members, count, offset);
  for (int m = 0; m < count; m++)
    offset[m] *= flip_weight;
  sign_flips_max_t(d, offset, family->launches, count, seed, p);
  for (int m = 0; m < count; m++)
    judged[members[m]].p_adjusted = p[m];
  free(members);
  free(d);
  free(offset);
  free(p);
}

void family_judge(const struct family *family, uint64_t seed, struct family_rival *judged) {
  family_intervals(family, 2, judged);
  test_by_flips(family, seed, judged);
}

double family_half_width(const struct family_rival *judged, int rivals) {
  double widest = rivals > 0 ? 0 : INFINITY;
  for (int l = 0; l < rivals; l++) {
    double half = (judged[l].high - judged[l].low) / 2;
    widest = isnan(half) ? INFINITY : fmax(widest, half);
  }
  return widest;
}
