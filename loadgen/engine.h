/* engine.h: the seam between a load thread and the way it waits and does its I/O. */
#ifndef MUX_ENGINE_H
#define MUX_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_worker;
struct load_connection;

/* Functions return 0 or -errno, and run on the worker's thread. */
struct load_engine {
  const char *name;
  bool stamps; /* can read kernel timestamps (--timestamps) */
  /* Can it run here? 0, or -errno with the reason in why. NULL: always. */
  int (*probe)(char *why, size_t why_bytes);
  /* On an error the reason may be in why. */
  int (*open)(struct load_worker *worker, char *why, size_t why_bytes);
  void (*close)(struct load_worker *worker);
  /* Watches a connection that has begun to connect: reports load_connection_connected once, then
   * load_connection_received and load_connection_lost. */
  int (*watch)(struct load_worker *worker, struct load_connection *c);
  /* Closes the fd. Nothing more is reported of it. */
  void (*release)(struct load_worker *worker, struct load_connection *c);
  /* Sends what is queued, as far as the socket takes it. May end the connection. */
  void (*flush)(struct load_worker *worker, struct load_connection *c, int64_t now);
  /* Waits for events until the worker's timer is due, a few at least, and handles them. */
  int (*wait)(struct load_worker *worker);
};

/* All that this build knows; NULL-terminated, the first is the default. */
extern const struct load_engine *const load_engines[];
extern const struct load_engine load_engine_epoll, load_engine_uring;

#endif
