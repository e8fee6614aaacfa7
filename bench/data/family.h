/* family.h: one metric of one cell over all launches: how each rival differs from the baseline.
 *
 * The unit is the launch: one difference d per rival, ln rival - ln baseline (launch_estimate.h).
 * All rivals of a cell and metric are one family, and what is said of them holds for all at once:
 *
 *   intervals   95 % simultaneous: estimate -+ quantile * error, the error from moderated
 *               variances (spread.h), the quantile of the largest of so many t (max_t.h)
 *   p_adjusted  max-T over sign flips, stepwise (sign_flips.h)
 *
 * A claim needs both (verdict.h). The interval says how much and rests on near-normal means; the p
 * rests on symmetry alone. The twin (A/A) is never in the family: it is a family of its own. */
#ifndef FAMILY_H
#define FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/data/max_t.h"

enum {
  FAMILY_LAUNCHES_MIN = 6, /* fewer allow no claim: the least p of 5 launches is 1/16 */
  FAMILY_LAUNCHES_MAX = 200,
  FAMILY_RIVALS_MAX = MAX_T_RIVALS_MAX,
};

/* Two tables [launches][rivals]. NAN in d: the rival has no estimate in that launch. */
struct family {
  int launches;
  int rivals;
  const double *d;
  const double *variance; /* of d within its launch; NAN or all NULL where it is not known */
  /* The run adds launches until the intervals are narrow enough, and so ends when chance has made
   * them narrow. They are a little wider for that, whether or not it came to that end. */
  bool precision_stopping;
};

struct family_rival {
  int launches;      /* that have a d */
  double estimate;   /* mean d; NAN without launches */
  double low, high;  /* simultaneous interval of the mean d; NAN below FAMILY_LAUNCHES_MIN */
  double p_adjusted; /* NAN as these */
  double error;      /* standard error of the estimate */
  double df;         /* of the error: more than launches-1 where the family has helped */
  double between;    /* variance of d over launches that its rounds do not explain, at least 0 */
  double within;     /* variance of d within a launch */
};

/* Fills judged[rivals]. Rivals with too few launches are left out of the family. seed: of the
 * random patterns of many launches. */
void family_judge(const struct family *family, uint64_t seed, struct family_rival *judged);

/* The largest half-width (ln) of the family's intervals; INFINITY while a rival has none. Precision
 * stopping: launches are added until this is at most log1p(the precision asked for). */
double family_half_width(const struct family_rival *judged, int rivals);

/* ---- Parts that best.c and power.c share ------------------------------------------------------
 */

/* The nominal level of the intervals that makes 95 % true ones: .95, but .95 + .02/rivals under
 * precision stopping (by simulation: docs/statistics.md). */
double family_level(int rivals, bool precision_stopping);

/* Fills judged[rivals] but for p_adjusted. sides 2: low and high; 1: low alone and high alone are
 * simultaneous bounds, each to be used without the other. */
void family_intervals(const struct family *family, int sides, struct family_rival *judged);

#endif
