/* power.c: see power.h. */
#include "bench/data/power.h"

#include <math.h>

/* Standard errors beyond the interval's end that make about 80 of 100 estimates exceed it. */
static const double beyond = 1;
/* Six launches claim only if all six agree in sign, seven only if all but the least do: the
 * difference, in standard deviations of a launch, at which about 80 of 100 runs do. */
static const double agree_of_6 = 1.9;
static const double agree_of_7 = 1.45;

struct power_plan power_plan_of(const struct family_rival *rival, int rivals, int rounds,
                                bool precision_stopping) {
  double variance = rival->error * rival->error * rival->launches; /* of one launch */
  if (isnan(variance))
    variance = rival->between + rival->within;
  double within = fmin(rival->within, variance);
  return (struct power_plan){.rivals = rivals,
                             .launches = rival->launches,
                             .rounds = rounds,
                             .precision_stopping = precision_stopping,
                             .between = variance - within,
                             .within_round = within * rounds};
}

static double planned_variance(const struct power_plan *plan) {
  return plan->between + plan->within_round / plan->rounds;
}

double power_half_width(const struct power_plan *plan) {
  if (plan->launches < FAMILY_LAUNCHES_MIN)
    return NAN;
  int own = plan->launches - 1;
  int others = plan->rivals - 1;
  struct max_t max_t = {
      .rivals = plan->rivals,
      .df = own + 2.0 * (others < own ? others : own), /* spread.h, if rivals are alike */
      .correlation = 0,
      .sides = 2,
      .spread = MAX_T_OWN,
  };
  double error = sqrt(planned_variance(plan) / plan->launches);
  double level = family_level(plan->rivals, plan->precision_stopping);
  return max_t_quantile_table(&max_t, level) * error;
}

static double detectable(double half_width, double error, int launches) {
  if (isnan(half_width))
    return NAN;
  double deviation = error * sqrt(launches);
  double agree = launches == 6 ? agree_of_6 : launches == 7 ? agree_of_7 : 0;
  return fmax(half_width + beyond * error, agree * deviation);
}

double power_detectable(const struct power_plan *plan) {
  double error = sqrt(planned_variance(plan) / plan->launches);
  return detectable(power_half_width(plan), error, plan->launches);
}

double power_detected(const struct family_rival *rival) {
  return detectable((rival->high - rival->low) / 2, rival->error, rival->launches);
}

int power_launches(const struct power_plan *plan, double half_width) {
  struct power_plan with = *plan;
  for (with.launches = FAMILY_LAUNCHES_MIN; with.launches <= FAMILY_LAUNCHES_MAX; with.launches++)
    if (power_half_width(&with) <= half_width)
      return with.launches;
  return 0;
}

double power_half_width_to_decide(const struct family_rival *rival, double margin) {
  return fmax(fabs(rival->estimate), log1p(margin) - fabs(rival->estimate));
}

double power_half_width_to_gate(const struct family_rival *rival, bool lower_is_better,
                                double allowed) {
  double worse = lower_is_better ? rival->estimate : -rival->estimate;
  return fabs(log1p(allowed) - worse);
}
