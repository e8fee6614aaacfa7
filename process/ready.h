/* ready.h: whether a foreign server serves yet, and which port to give it. */
#ifndef MUX_READY_H
#define MUX_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/* Sets a port in addr that is free now and below ip_local_port_range, where no outgoing connection
 * takes it. Returns 0, or -EADDRINUSE if a hundred tries have found none. */
int mux_ready_pick_port(struct mux_addr *addr);
/* True if the port is in use. */
bool mux_ready_port_taken(const struct mux_addr *addr);

/* Tries once: connects, sends a few random bytes and expects them back. Returns 0; -ECONNREFUSED
 * and the like while nobody listens (or the connection is connected to itself); -ETIMEDOUT if
 * nothing comes back; -EPROTO if something else does. */
int mux_ready_echo(const struct mux_addr *addr, int64_t timeout_ns);

#endif
