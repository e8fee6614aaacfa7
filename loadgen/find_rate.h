/* find_rate.h: `load --find-rate 'p99<1ms'`: the highest rate of an open loop that keeps a response
 * percentile below a limit. */
#ifndef MUX_FIND_RATE_H
#define MUX_FIND_RATE_H

#include <stdio.h>

#include "loadgen/load.h"

struct load_objective {
  double percentile; /* of response */
  int64_t limit_ns;
};

/* Reads "p99.9<500us". Returns 0 or -EINVAL. */
int load_objective_parse(struct load_objective *objective, const char *text);

/* Doubles or halves the rate until it is bracketed, bisects, and verifies with a run of twice the
 * length. Every step is a line on `text`; the whole path goes into one object on `json` (NULL:
 * none). Returns an exit status: 3 if not even the lowest rate holds, 1 if the load was the limit
 * and not the server. */
int load_find_rate(const struct load_config *base, const struct load_objective *objective,
                   FILE *text, FILE *json);

#endif
