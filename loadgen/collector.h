/* collector.h: merges the interval histograms of all workers into the totals and the time series,
 * and writes the .hlog. It runs on the coordinator's thread: load threads never encode, write or
 * wait for it. */
#ifndef MUX_COLLECTOR_H
#define MUX_COLLECTOR_H

#include "loadgen/worker.h"

struct load_collector {
  const struct load_config *config;
  struct load_worker *workers;
  int64_t start_ns; /* zero of the .hlog's times */
  int64_t zero_ns;  /* of the time series: when the first window opened */
  struct load_interval merged;
  struct mux_hdr *total[LOAD_KINDS];
  struct load_point *points;
  int points_count, points_capacity;
  int64_t progress_ns;         /* when to show it next */
  uint64_t progress_completed; /* when it was shown last */
  double p99_us;               /* of the last interval; NaN: too few */
  int error;                   /* -errno of the first failure */
};

/* Returns 0 or -errno. */
int load_collector_init(struct load_collector *collector, const struct load_config *config,
                        struct load_worker *workers, int64_t now);
/* Takes the intervals that all workers have ended. */
void load_collector_gather(struct load_collector *collector);
/* Shows on stderr how far the load is, under its label. Sets progress_ns. */
void load_collector_show(struct load_collector *collector, const char *phase, int64_t now);
/* Takes the rest, after the workers have been joined. */
void load_collector_finish(struct load_collector *collector);
void load_collector_free(struct load_collector *collector);

#endif
