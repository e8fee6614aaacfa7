/* serve.h: a server: listeners, workers in threads, signals, counters. */
#ifndef MUX_SERVE_H
#define MUX_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/backend_options.h"
#include "backends/mux_backend.h"
#include "common/addr.h"
#include "common/cpus.h"
#include "common/descriptors.h"
#include "common/sock.h"

struct mux_serve_config {
  const struct mux_backend *backend; /* valid and available */
  int64_t options[MUX_MAX_OPTIONS];
  struct mux_addr listen;
  struct mux_sock_options sock_options;
  bool congestion_asked; /* given on the command line: an error if it cannot be set */
  int backlog;           /* 0: somaxconn */
  uint32_t workers;
  enum mux_accept accept;           /* resolved: never MUX_ACCEPT_DEFAULT */
  enum mux_descriptors descriptors; /* of several workers that are threads */
  cpu_set_t cpus; /* one worker may use all of them, of several each has one; empty: inherited */
  int64_t drain_ns;
  int64_t work_ns;
  uint32_t buffer_bytes;
  const char *stats_path; /* or NULL */
  int counters_fd;        /* of a memory file, which is grown and mapped; -1: private memory */
};

/* Serves until SIGTERM or SIGINT; prints "listening ADDR" on stdout. Returns an exit status, after
 * saying why on stderr unless it is 0. To be called once, in the main thread. */
int mux_serve(const struct mux_serve_config *config);

#endif
