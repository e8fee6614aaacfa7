/* leave_one_out.h: does one of several agents alone shift the p99 of all? */
#ifndef MUX_LEAVE_ONE_OUT_H
#define MUX_LEAVE_ONE_OUT_H

#include <jansson.h>

#include "loadgen/load.h"

/* Fills in completed, response_p99_us, others_p99_us and shifts_p99 of each agent from the results
 * of their parts; NULL: there is none.
 *
 * The one without which the p99 changes most shifts it, if it changes by more than a tenth, and the
 * p99 of all lies outside of what counting alone makes of the others' p99: their order statistics
 * at 99 % ± 3.3 √(p(1−p)/n), Conover, Practical Nonparametric Statistics, 3.2. */
void load_leave_one_out(struct load_agent *agents, const json_t *const *results, int count);

#endif
