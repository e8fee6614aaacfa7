/* servers.h: which servers an experiment has on this machine, and where they cannot run. */
#ifndef MUX_SERVERS_H
#define MUX_SERVERS_H

#include "bench/plan.h"

/* Turns "available" into names, keeps those in `only` ("a,b"; NULL: all), checks that each backend
 * exists and can run here. A baseline that is left out is forgotten. Returns 0, or -EINVAL with one
 * line in why. */
int servers_resolve(struct experiment *experiment, const char *only, char *why, size_t why_bytes);

/* The plan's rule: transports, select's descriptors, one connection at a time. */
char *servers_skip(const struct experiment *experiment, const struct plan_cell *cell,
                   const struct experiment_server *server);

#endif
