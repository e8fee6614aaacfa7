/* find_rate.h: `load --find-rate 'p99<1ms'`: the highest rate of an open loop that keeps a response
 * percentile below a limit. */
#ifndef MUX_FIND_RATE_H
#define MUX_FIND_RATE_H

#include <stdio.h>

#include "loadgen/load.h"
#include "loadgen/search.h"

/* Reads "p99.9<500us". Returns 0 or -EINVAL. */
int load_objective_parse(struct load_objective *objective, const char *text);

/* Whether a run held the objective. *value gets the percentile of its response times. */
enum load_verdict load_objective_judge(const struct load_objective *objective,
                                       const struct load_result *result, int64_t *value);

/* Searches (search.h); each try is a run. Prints a line per try to `text`, and one object with all
 * of them to `json` (NULL: none). Returns an exit status: 0 a rate was found; 3 none holds; 1 none
 * holds, but because of the load and not the server, or a run failed; 130 interrupted. */
int load_find_rate(const struct load_config *base, FILE *text, FILE *json);

#endif
