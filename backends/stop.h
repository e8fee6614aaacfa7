/* stop.h: how a server ends. The first SIGTERM or SIGINT asks its workers to drain, a second one
 * ends the process at once, and so does an alarm when a worker does not end in time. There is one
 * server per process, so this state is the process's.
 *
 * Invariant: `stopping` is set before the stop's descriptor becomes readable, and neither is ever
 * undone. Processes that are forked share both. */
#ifndef MUX_STOP_H
#define MUX_STOP_H

#include <stdint.h>

#include "backends/core.h"
#include "common/addr.h"

/* Installs the handlers. name: the backend, for the message when a worker does not end within
 * drain_ns and two seconds. Ends the program if it cannot. */
void mux_stop_open(const char *name, int64_t drain_ns);
/* Before the listener is closed: see mux_stop_remove_path(). */
void mux_stop_close(void);

const struct mux_shared *mux_stop_shared(void);
int mux_stop_fd(void); /* readable once the server has to stop; never read from it */
/* Stops the server; async-signal-safe. */
void mux_stop_request(void);

/* To be called right after bind(): removes the path of a Unix address when this process ends, in
 * whatever way it can still act, if what lies there is still the socket that was bound. */
void mux_stop_remove_path(const struct mux_addr *addr);

#endif
