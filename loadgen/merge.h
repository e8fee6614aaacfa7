/* merge.h: from the state of all workers, after they have ended, to one result. */
#ifndef MUX_MERGE_H
#define MUX_MERGE_H

#include "loadgen/collector.h"

struct load_edges { /* the coordinator's readings at the edges of the window */
  double window_s;  /* planned length, or less if cut short */
  /* CPU time of the server (NaN: unknown) and time between the readings. */
  double server_cpu_s, wall_s;
};

/* Moves histograms and points out of the collector. Returns 0 or -ENOMEM. */
int load_merge(struct load_result *result, const struct load_config *config,
               const struct load_worker *workers, struct load_collector *collector,
               const struct load_edges *edges);

#endif
