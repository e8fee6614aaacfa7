/* earlier.h: the procedure that families (bench/data/family.h) have replaced, for comparison:
 * per rival the median of Walsh averages with its exact 95 % interval, not adjusted for the
 * number of rivals, and the exact signed-rank p, adjusted by Holm; a claim needs p < .05 and a
 * ratio further from 1 than half the width of the twin's interval. For values without ties. */
#ifndef EARLIER_H
#define EARLIER_H

#include <stdbool.h>

enum { EARLIER_LAUNCHES_MAX = 60 };

struct earlier {
  double low, high; /* ln */
  bool claimed;
};

/* d: [launches][rivals + 1], the last column being the twin. Fills judged[rivals]. */
void earlier_judge(const double *d, int launches, int rivals, struct earlier *judged);

#endif
