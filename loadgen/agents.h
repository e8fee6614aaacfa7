/* agents.h: one load by several agents (agent.h), on this host or on others: their coordinator.
 * Each is one part (parts.h). They hold still until all are connected, begin every slice at one
 * time, and what they have counted is added up. It generates no load itself. It says
 * connected and slice on --events-fd, no other lines. */
#ifndef MUX_AGENTS_H
#define MUX_AGENTS_H

#include "loadgen/load_options.h"

/* Whether the other options make sense with options->agents. Returns 0, or -EINVAL with *error
 * filled. */
int load_agents_check(const struct load_options *options, struct mux_option_error *error);

/* As load_run, by options->agents: command prefixes with commas between them. If one is lost on the
 * way, the result is that of the others, short of its connections, and result->agents says why.
 * config: as asked for, with the threads of all. */
int load_agents_run(const struct load_options *options, struct load_config *config,
                    struct load_result *result);

#endif
