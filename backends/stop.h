/* stop.h: how a server ends. The first SIGTERM or SIGINT tells its workers to drain. A second one
 * ends the process at once, and so does an alarm when a worker does not end in time. There is one
 * server per process, so there is one of everything here.
 *
 * Invariant: `stopping` is set before the stop's descriptor becomes readable, and neither is ever
 * undone. Forked processes share both. */
#ifndef MUX_STOP_H
#define MUX_STOP_H

#include <stdint.h>

#include "backends/core.h"
#include "common/addr.h"

/* Installs the handlers. name: of the backend, for the message when a worker has not ended two
 * seconds after drain_ns, and one more for every 10,000 connections that counters[workers] have
 * open. Ends the program on error. */
void mux_stop_open(const char *name, int64_t drain_ns, const struct mux_counters *counters,
                   uint32_t workers);
/* Before the listener is closed: see mux_stop_remove_path(). */
void mux_stop_close(void);

const struct mux_shared *mux_stop_shared(void);
int mux_stop_fd(void); /* readable once the server has to stop; never read from it */
/* Stops the server; async-signal-safe. */
void mux_stop_request(void);

/* To be called right after bind(): removes the path of a Unix address when this process ends,
 * unless it is killed, and only if the path still leads to the socket that was bound. */
void mux_stop_remove_path(const struct mux_addr *addr);

#endif
