/* verdict.c: see verdict.h. */
#include "bench/data/verdict.h"

#include <math.h>

const char *const verdict_names[] = {"",           "baseline",  "better", "worse",
                                     "equivalent", "undecided", "void"};

bool verdict_is_equivalent(const struct family_rival *rival, double margin) {
  return rival->low >= -log1p(margin) && rival->high <= log1p(margin);
}

enum verdict verdict_of(const struct family_rival *rival, bool lower_is_better, double margin) {
  if (isnan(rival->low))
    return VERDICT_NONE;
  if (rival->p_adjusted < VERDICT_P && rival->high < 0)
    return lower_is_better ? VERDICT_BETTER : VERDICT_WORSE;
  if (rival->p_adjusted < VERDICT_P && rival->low > 0)
    return lower_is_better ? VERDICT_WORSE : VERDICT_BETTER;
  return verdict_is_equivalent(rival, margin) ? VERDICT_EQUIVALENT : VERDICT_UNDECIDED;
}

double verdict_delta(const struct family_rival *twin) {
  return fmax(fabs(expm1(twin->low)), fabs(expm1(twin->high)));
}

bool verdict_twin_voids(const struct family_rival *twin) {
  return twin->low > 0 || twin->high < 0;
}

enum gate verdict_gate(const struct family_rival *judged, int rivals, bool lower_is_better,
                       double allowed) {
  double limit = log1p(allowed);
  bool all_passed = true;
  for (int i = 0; i < rivals; i++) {
    const struct family_rival *rival = &judged[i];
    double least = lower_is_better ? rival->low : -rival->high; /* worse by so much, and at most */
    double most = lower_is_better ? rival->high : -rival->low;
    if (least > limit && verdict_of(rival, lower_is_better, VERDICT_MARGIN) == VERDICT_WORSE)
      return GATE_FAILED;
    all_passed = all_passed && most <= limit;
  }
  return all_passed && rivals > 0 ? GATE_PASSED : GATE_UNDECIDED;
}
