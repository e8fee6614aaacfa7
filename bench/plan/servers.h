/* servers.h: which servers an experiment has on this machine, and where they cannot run. */
#ifndef MUX_SERVERS_H
#define MUX_SERVERS_H

#include "bench/plan/plan.h"

/* Turns "available" into names, keeps those in `only` ("a,b"; NULL: all), checks that each backend
 * exists. One that cannot run here is skipped by the plan, unless it is asked for in `only` or is
 * the baseline. Without a baseline nothing is compared, which is said on stderr when `only` leaves
 * it out. Returns 0, or -EINVAL with one line in why. */
int servers_resolve(struct experiment *experiment, const char *only, char *why, size_t why_bytes);

/* How many of the cell's connections this server serves while the others wait in its accept queue
 * for as long as the trial lasts (MUX_ONE_AT_A_TIME; connections of `crr` end by themselves, and
 * datagrams do not wait for a connection). 0: none waits. */
int64_t servers_at_a_time(const struct experiment *experiment, const struct plan_cell *cell,
                          const struct experiment_server *server);

/* How many processes and threads it has for the cell's connections, at most: nobody knows of a
 * command. */
double servers_tasks(const struct experiment *experiment, const struct plan_cell *cell,
                     const struct experiment_server *server);

/* The plan's rule. Trials that are right in themselves and do not fit are skipped: a backend that
 * cannot run here, a transport, number of workers or way to accept that the backend does not do,
 * more connections than this host, the backend (select) or its accept queue can hold. */
char *servers_skip(const struct experiment *experiment, const struct plan_cell *cell,
                   const struct experiment_server *server);

#endif
