/* conclusions.h: what a run found, in sentences that can be quoted. */
#ifndef MUX_CONCLUSIONS_H
#define MUX_CONCLUSIONS_H

#include <stdio.h>

#include "bench/results/summary.h"

/* Prints the answer to the experiment's question. Claims nothing that the blocks do not carry.
 *   best        per cell, the label with the best objective
 *   slope       per label, how the objective grows along an axis
 *   saturation  per label, up to which rate it keeps up
 *   contrast    what an option is worth: the baseline's objective for each value of an axis, per
 *               cell, as medians without a test; then the best per cell */
void conclusions_print(const struct summary *summary, const struct rows *rows, FILE *to);

#endif
