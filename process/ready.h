/* ready.h: does a foreign server serve? And which port to give it. */
#ifndef MUX_READY_H
#define MUX_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/* Sets a port in addr that is free now and lies below ip_local_port_range, where no outgoing
 * connection can take it. Returns 0, or -EADDRINUSE when a hundred tries found none. */
int mux_ready_pick_port(struct mux_addr *addr);
/* True if somebody holds the port. */
bool mux_ready_port_taken(const struct mux_addr *addr);

/* One attempt: connects, sends a few bytes nobody can guess, wants them back. Returns 0,
 * -ECONNREFUSED and the like while nobody listens (or the connection is connected to itself),
 * -ETIMEDOUT when nothing comes back, -EPROTO when something else does. */
int mux_ready_echo(const struct mux_addr *addr, int64_t timeout_ns);

#endif
