/* verdict_text.h: a verdict as a sentence that can be quoted: what, by how much, how sure, over
 * which load, from how many launches; when it is undecided, what it would take. */
#ifndef MUX_VERDICT_TEXT_H
#define MUX_VERDICT_TEXT_H

#include <stdio.h>

#include "bench/results/summary.h"

void verdict_text_print(const struct summary *summary, int cell, int metric, int label, FILE *to);

/* What the twin says of the instrument; nothing without one. */
void verdict_text_print_twin(const struct summary *summary, int cell, int metric, FILE *to);

/* What a gate makes of it. */
void verdict_text_print_gate(const struct summary *summary, int cell, int metric, int label,
                             double allowed, FILE *to);

#endif
