/* find_rate.h: `load --find-rate 'p99<1ms'`: the highest rate of an open loop that keeps a response
 * percentile below a limit. */
#ifndef MUX_FIND_RATE_H
#define MUX_FIND_RATE_H

#include <stdio.h>

#include "loadgen/load.h"
#include "loadgen/search.h"

struct load_objective {
  double percentile; /* of response */
  int64_t limit_ns;
};

/* Reads "p99.9<500us". Returns 0 or -EINVAL. */
int load_objective_parse(struct load_objective *objective, const char *text);

/* What a run at one rate says of the objective; *value gets its percentile of response. */
enum load_verdict load_objective_judge(const struct load_objective *objective,
                                       const struct load_result *result, int64_t *value);

/* Searches (search.h) with a run for each try. Every try is a line on `text`; the whole path goes
 * into one object on `json` (NULL: none). Returns an exit status: 0 if a rate was found, 3 if not
 * even the lowest holds, 1 if that was the load's fault and not the server's. */
int load_find_rate(const struct load_config *base, const struct load_objective *objective,
                   FILE *text, FILE *json);

#endif
