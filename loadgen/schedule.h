/* schedule.h: intended send times.
 *
 * Each thread has a schedule, a pure function of its parameters: it is fixed before the run and
 * does not depend on replies. Constant arrivals: thread t of n has the slots t, t+n, t+2n, … of one
 * schedule (slot k at start + floor(k·10⁹/rate), in integers, so that it never drifts). Poisson: a
 * process of rate/n; n of them make one of the whole rate. Bursty: bursts come as a Poisson
 * process, and each has slots at the same time, LOAD_BURST on average, their number geometric (a
 * compound Poisson process); the rate is kept. */
#ifndef MUX_SCHEDULE_H
#define MUX_SCHEDULE_H

#include <stdint.h>

#include "loadgen/load.h"

enum { LOAD_BURST = 10 };

struct load_schedule {
  int64_t next_ns;               /* the next slot */
  int64_t gap_ns;                /* constant: between this thread's slots, whole part */
  uint64_t gap_rest, rest, rate; /* ... and fractions of a ns, in 1/rate */
  double mean_gap_ns;            /* Poisson; bursty: between bursts */
  double debt_ns;                /* ... its fractions of a ns */
  uint64_t state;                /* ... its random numbers (splitmix64) */
  enum load_arrival arrival;
};

void load_schedule_init(struct load_schedule *schedule, enum load_arrival arrival,
                        int64_t rate_per_s, int64_t start_ns, int thread, int threads,
                        uint64_t seed);
/* Moves next_ns on by one slot. */
void load_schedule_advance(struct load_schedule *schedule);

#endif
