/* forest.h: a forest plot in text: each rival's ratio to the baseline with its simultaneous
 * interval, on one log axis, best first. */
#ifndef MUX_FOREST_H
#define MUX_FOREST_H

#include <stdio.h>

#include "bench/results/summary.h"

/* One cell and metric; nothing when no label has a ratio. */
void forest_print(const struct summary *summary, int cell, int metric, FILE *to);

#endif
