/* dispatcher.h: --accept handoff. One thread accepts for all workers and hands the connections out
 * round-robin, through a channel to each worker: a pipe of descriptors if the workers share the
 * dispatcher's table of them, a socket that carries them (SCM_RIGHTS, unix(7)) if they are apart:
 * processes, or threads with a table of their own. A worker waits for its end as it would for a
 * listener, and its accept() takes from it. */
#ifndef MUX_DISPATCHER_H
#define MUX_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

struct mux_dispatcher; /* opaque */

/* Opens the channels. Ends the program on error, as it is part of the set-up. listen_fd stays the
 * caller's. */
struct mux_dispatcher *mux_dispatcher_open(int listen_fd, int stop_fd, uint32_t workers,
                                           bool apart);
/* A worker's end; the worker owns it. */
int mux_dispatcher_fd(const struct mux_dispatcher *dispatcher, uint32_t worker);
/* In the table of a worker that is apart: closes what belongs to the dispatcher and to other
 * workers.
 */
void mux_dispatcher_leave(struct mux_dispatcher *dispatcher, uint32_t worker);
/* Starts the thread; call it after workers that are apart have their table, which must not inherit
 * a connection. The thread ends after the stop, when the connections in the queue have been handed
 * out. */
void mux_dispatcher_start(struct mux_dispatcher *dispatcher);
/* Waits for the thread and frees dispatcher. */
void mux_dispatcher_close(struct mux_dispatcher *dispatcher);

/* In a worker: the next connection from its end. draining: waits until there is one or there will
 * be none. Returns the fd, -EAGAIN, or -EMFILE when out of descriptors (the connection is lost). */
int mux_dispatcher_take(int fd, bool apart, bool draining);

#endif
