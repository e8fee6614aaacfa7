/* dealer.h: --accept handoff. One thread accepts for all workers and deals the connections out in
 * turn, through a pipe of descriptors to each. A worker waits for its end of the pipe as it would
 * for a listener, and its accept() reads from it. */
#ifndef MUX_DEALER_H
#define MUX_DEALER_H

#include <stdint.h>

struct mux_dealer; /* opaque */

/* Opens the pipes. Ends the program if it cannot: it is a part of setting up. listen_fd stays the
 * caller's. */
struct mux_dealer *mux_dealer_open(int listen_fd, int stop_fd, uint32_t workers);
/* A worker's end; the worker owns it. */
int mux_dealer_fd(const struct mux_dealer *dealer, uint32_t worker);
/* Starts dealing, in a thread. It ends with the stop, after those in the queue have been dealt. */
void mux_dealer_start(struct mux_dealer *dealer);
/* Waits for the thread and frees dealer. */
void mux_dealer_close(struct mux_dealer *dealer);

/* A worker's turn: the next connection from its end. draining: waits until it has got or can get no
 * more. Returns the fd or -EAGAIN. */
int mux_dealer_take(int pipe_fd, int draining);

#endif
