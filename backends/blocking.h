/* blocking.h: how blocking models wait for the next connection. */
#ifndef MUX_BLOCKING_H
#define MUX_BLOCKING_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "backends/mux_backend.h"

/* Waits until there may be a connection to accept, or the server has to stop. While accepting is
 * paused, waits only for the stop, and MUX_ACCEPT_PAUSE_NS at most. Returns 0 or -errno. */
static inline int mux_blocking_wait(struct mux_worker *worker, bool paused) {
  struct pollfd fds[] = {{.fd = worker->stop_fd, .events = POLLIN},
                         {.fd = worker->listen_fd, .events = POLLIN}};
  int n = poll(fds, paused ? 1 : 2, paused ? (int)(MUX_ACCEPT_PAUSE_NS / 1000000) : -1);
  if (n < 0 && errno != EINTR)
    return -errno;
  MUX_COUNT(worker, waits, 1);
  MUX_COUNT(worker, events, n > 0 ? n : 0);
  return 0;
}

#endif
