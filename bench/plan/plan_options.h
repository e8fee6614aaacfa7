/* plan_options.h: a cell as load and serve would get it: the same options, read by the same tables
 * and checked by the same rules, so that a plan holds nothing that these commands refuse. */
#ifndef MUX_PLAN_OPTIONS_H
#define MUX_PLAN_OPTIONS_H

#include "backends/serve_options.h"
#include "bench/plan/plan.h"
#include "loadgen/load_options.h"

/* True for a backend or a plug-in, false for a command or a target. */
bool plan_is_own(const struct experiment_server *server);

/* The load of a cell, complete but for its target. */
void plan_load_options(const struct experiment *experiment, const struct plan_cell *cell,
                       struct load_options *options);

/* A server in a cell; result and *error as of mux_serve_options_resolve. It must be one of our own,
 * and its backend is there (servers_resolve). */
int plan_serve_options(const struct experiment *experiment, const struct plan_cell *cell,
                       const struct experiment_server *server, struct mux_serve_options *options,
                       struct mux_option_error *error);

/* Whether load and serve take what every cell holds for every server. What does not fit a backend
 * or this host is no mistake: such trials are skipped (servers.h). Returns 0, or -EINVAL with one
 * line in why that names the file and line, or the --set, and the option. */
int plan_check(const struct plan *plan, char *why, size_t why_bytes);

#endif
