/* dealer.h: --accept handoff. One thread accepts for all workers and deals the connections out in
 * turn, through a channel to each: a pipe of descriptors if the workers are threads of one process,
 * a socket that carries them (SCM_RIGHTS, unix(7)) if they are processes. A worker waits for its
 * end as it would for a listener, and its accept() takes from it. */
#ifndef MUX_DEALER_H
#define MUX_DEALER_H

#include <stdbool.h>
#include <stdint.h>

struct mux_dealer; /* opaque */

/* Opens the channels. Ends the program if it cannot: it is a part of setting up. listen_fd stays
 * the caller's. */
struct mux_dealer *mux_dealer_open(int listen_fd, int stop_fd, uint32_t workers, bool processes);
/* A worker's end; the worker owns it. */
int mux_dealer_fd(const struct mux_dealer *dealer, uint32_t worker);
/* In the process of that worker: closes what belongs to the dealer and to the others. */
void mux_dealer_leave(struct mux_dealer *dealer, uint32_t worker);
/* Starts dealing, in a thread: after the processes, which must not inherit a connection. It ends
 * with the stop, after those in the queue have been dealt. */
void mux_dealer_start(struct mux_dealer *dealer);
/* Waits for the thread and frees dealer. */
void mux_dealer_close(struct mux_dealer *dealer);

/* A worker's turn: the next connection from its end. draining: waits until it has got or can get no
 * more. Returns the fd, -EAGAIN, or -EMFILE for want of descriptors (the connection is lost). */
int mux_dealer_take(int fd, bool processes, bool draining);

#endif
