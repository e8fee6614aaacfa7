/* merge.h: from the state of all workers, after they have ended, to one result. */
#ifndef MUX_MERGE_H
#define MUX_MERGE_H

#include "loadgen/collector.h"

struct load_edges { /* what the coordinator knows */
  double window_s;  /* of all windows, as planned, or less if cut short */
  bool server_known;
};

/* Moves histograms and points out of the collector. Returns 0 or -ENOMEM. */
int load_merge(struct load_result *result, const struct load_config *config,
               const struct load_worker *workers, struct load_collector *collector,
               const struct load_edges *edges);

#endif
