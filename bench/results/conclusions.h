/* conclusions.h: what a run found, in sentences that can be quoted. */
#ifndef MUX_CONCLUSIONS_H
#define MUX_CONCLUSIONS_H

#include <stdio.h>

#include "bench/results/summary.h"

/* Prints the answer to the experiment's question. Claims nothing that the launches do not carry.
 *   best        per cell, the labels that may be the best, and those that are proved not to be
 *   slope       per label, how the objective grows along an axis, all else equal
 *   capacity    per label, the highest rate that keeps the objective (load.find-rate), with its
 *               interval; then the best per cell
 *   contrast    what an option is worth: the baseline's objective for each value of an axis, per
 *               cell, as medians without a test; then the best per cell */
void conclusions_print(const struct summary *summary, FILE *to);

#endif
