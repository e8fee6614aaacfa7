/* library.h: what the backends of event libraries share beside the core: accepting in batches, the
 * count of what a wait brought, and what is left of them where the library is not installed. Their
 * loops and how they move bytes are each library's own. */
#ifndef MUX_LIBRARY_H
#define MUX_LIBRARY_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "backends/mux_backend.h"

/* Connections accepted before the others get a turn, and by a server that stops. */
enum { MUX_LIBRARY_BATCH = 256, MUX_LIBRARY_LAST_BATCH = 1 << 16 };

/* Accepts what waits, and gives each to add(). Returns 0; -EMFILE if accepting has to pause (not
 * when draining: there will be no more); or -errno, and the listener is broken. */
static inline int mux_library_accept(struct mux_worker *worker, bool draining,
                                     void (*add)(void *server, int fd), void *server) {
  int left = draining ? MUX_LIBRARY_LAST_BATCH : MUX_LIBRARY_BATCH;
  int fd = 0;
  for (; fd >= 0 && left > 0; left--) {
    fd = worker->host->accept(worker, SOCK_NONBLOCK);
    if (fd >= 0)
      add(server, fd);
  }
  return fd >= 0 || fd == -EAGAIN || (fd == -EMFILE && draining) ? 0 : fd;
}

/* After a turn of the loop: *events callbacks, which begin anew. */
static inline void mux_library_count(struct mux_worker *worker, uint64_t *events) {
  MUX_COUNT(worker, waits, 1);
  MUX_COUNT(worker, events, *events);
  *events = 0;
}

/* The probe and run() of a backend that was built without its library. */
#define MUX_LIBRARY_MISSING(library, package)                                                      \
  static int missing(char *why, size_t why_bytes) {                                                \
    snprintf(why, why_bytes, "built without " library " (install " package ", then make)");        \
    return -ENOSYS;                                                                                \
  }                                                                                                \
  static int run(struct mux_worker *worker) {                                                      \
    (void)worker;                                                                                  \
    return -ENOSYS;                                                                                \
  }

#endif
