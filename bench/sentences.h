/* sentences.h: what a run found, in sentences that can be quoted. */
#ifndef MUX_SENTENCES_H
#define MUX_SENTENCES_H

#include <stdio.h>

#include "bench/summary.h"

/* Prints the answer to the experiment's question: one line per cell, or per label for a slope or a
 * saturation. Claims nothing that the blocks do not carry. */
void sentences_print(const struct summary *summary, const struct mux_rows *rows, FILE *to);

#endif
