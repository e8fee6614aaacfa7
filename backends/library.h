/* library.h: what workers on an event library have in common: accepting in batches, pausing when
 * descriptors run out, draining, counting. A backend supplies the library's calls, runs its loop,
 * and moves the bytes its own way.
 *
 * A backend's server begins with a struct mux_library, its connection with a struct
 * mux_library_connection; its callbacks hand them to the functions below. Everything belongs to the
 * worker's thread. */
#ifndef MUX_LIBRARY_H
#define MUX_LIBRARY_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "backends/mux_backend.h"

struct mux_library {
  struct mux_worker *worker;
  const struct mux_library_calls *calls;
  LIST_HEAD(, mux_library_connection) connections;
  uint64_t events; /* callbacks since the last wait */
  int error;       /* of the listener; ends the server */
  bool paused;     /* not accepting until a connection ends or the timer fires */
  bool draining;
  bool expired; /* the drain's deadline has passed */
};

struct mux_library_connection {
  struct mux_library *library;
  LIST_ENTRY(mux_library_connection) link;
};

/* What a backend supplies. */
struct mux_library_calls {
  /* Starts or stops watching worker->listen_fd: on_listener() while it is readable. */
  void (*listen)(struct mux_library *library, bool on);
  /* Calls on_timer() once, after that time. Replaces an earlier timer. */
  void (*set_timer)(struct mux_library *library, int64_t ns);
  /* Serves an accepted connection and says so with added(), or refuses it. */
  void (*add)(struct mux_library *library, int fd);
  /* The server stops: the connection is to end once what its receive queue holds is echoed. */
  void (*drain)(struct mux_library_connection *connection);
  /* Ends the connection, with ended() before it is freed. error: 0 or -errno. */
  void (*end)(struct mux_library_connection *connection, int error);
};

/* For the library's callbacks: the listener is readable, the timer has fired, stop_fd is readable.
 * The last is called once, and sets the timer to the drain's deadline. */
void mux_library_on_listener(struct mux_library *library);
void mux_library_on_timer(struct mux_library *library);
void mux_library_on_stop(struct mux_library *library);

/* A connection has been added or has ended. */
void mux_library_added(struct mux_library *library, struct mux_library_connection *connection);
void mux_library_ended(struct mux_library_connection *connection);
/* Ends all remaining connections. */
void mux_library_end_all(struct mux_library *library, int error);

/* False once the server has nothing left to do. */
static inline bool mux_library_runs(const struct mux_library *library) {
  return library->error == 0 && !library->expired &&
         !(library->draining && LIST_EMPTY(&library->connections));
}

/* After each turn of the loop: counts it and its events. */
static inline void mux_library_count(struct mux_library *library) {
  MUX_COUNT(library->worker, waits, 1);
  MUX_COUNT(library->worker, events, library->events);
  library->events = 0;
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
