/* power.h: what a number of launches can show, and how many it takes to show something.
 *
 * Differences and half-widths are in ln of the ratio; expm1 makes them relative. */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>

#include "bench/data/family.h"

/* Noise and size of a run that is planned, or is to be continued. */
struct power_plan {
  int rivals;
  int launches;
  int rounds;
  bool precision_stopping;
  double between;      /* variance of d from launch to launch (family_rival.between) */
  double within_round; /* variance of one round's difference (family_rival.within * its rounds) */
};

/* A plan to go on, or to run again, with the noise of a rival that was judged in so many rounds a
 * launch; launches are the rival's. */
struct power_plan power_plan_of(const struct family_rival *rival, int rivals, int rounds,
                                bool precision_stopping);

/* The usual half-width of the simultaneous intervals. NAN below FAMILY_LAUNCHES_MIN. */
double power_half_width(const struct power_plan *plan);

/* The smallest true difference that is claimed (better or worse) in about 80 of 100 runs. NAN
 * below FAMILY_LAUNCHES_MIN launches. power_detected: of a run that is finished. */
double power_detectable(const struct power_plan *plan);
double power_detected(const struct family_rival *rival);

/* The launches that bring the usual half-width down to half_width, at least FAMILY_LAUNCHES_MIN; 0:
 * not even FAMILY_LAUNCHES_MAX do. plan->launches is not looked at. */
int power_launches(const struct power_plan *plan, double half_width);

/* The half-width at which this rival, staying where it is, is decided: either it leaves 1, or the
 * interval fits into the margin, whichever comes first. For power_launches(). */
double power_half_width_to_decide(const struct family_rival *rival, double margin);
/* The same for a gate: the distance from what is allowed. */
double power_half_width_to_gate(const struct family_rival *rival, bool lower_is_better,
                                double allowed);

#endif
