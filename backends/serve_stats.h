/* serve_stats.h: --stats, the counters of a running server as JSON in a file. A thread replaces the
 * file four times a second. */
#ifndef MUX_SERVE_STATS_H
#define MUX_SERVE_STATS_H

#include <pthread.h>
#include <stdint.h>

#include "backends/serve.h"

struct mux_stats {
  const struct mux_serve_config *config;
  const struct mux_addr *addr;         /* with the real port */
  const char *congestion;              /* the control in force, "" for none */
  const struct mux_counters *counters; /* [config->workers] */
  const int *listeners;
  uint32_t listener_count;
  int64_t started_ns;

  int end_fd; /* eventfd: tells the thread to end */
  pthread_t thread;
};

/* Each returns 0 or -errno. */
int mux_stats_write(const struct mux_stats *stats);
int mux_stats_start(struct mux_stats *stats);
/* Ends the thread and writes one last time. */
int mux_stats_end(struct mux_stats *stats);

#endif
