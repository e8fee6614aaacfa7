/* schedule.c: see schedule.h. */
#include "loadgen/schedule.h"

#include <math.h>
#include <stdbool.h>

#include "common/clock.h"
#include "common/random.h"

/* In (0, 1]. */
static double uniform(struct load_schedule *s) {
  return (double)((mux_random(&s->state) >> 11) + 1) * 0x1p-53;
}

/* An exponential gap. */
static void add_gap(struct load_schedule *s) {
  double gap = s->debt_ns - log(uniform(s)) * s->mean_gap_ns;
  double whole = floor(gap);
  s->debt_ns = gap - whole;
  s->next_ns += (int64_t)whole;
}

void load_schedule_init(struct load_schedule *s, enum load_arrival arrival, int64_t rate_per_s,
                        int64_t start_ns, int thread, int threads, uint64_t seed) {
  uint64_t rate = (uint64_t)rate_per_s;
  uint64_t gap = (uint64_t)threads * (uint64_t)MUX_S;
  uint64_t first = (uint64_t)thread * (uint64_t)MUX_S;
  *s = (struct load_schedule){
      .next_ns = start_ns + (int64_t)(first / rate),
      .gap_ns = (int64_t)(gap / rate),
      .gap_rest = gap % rate,
      .rest = first % rate,
      .rate = rate,
      .mean_gap_ns = (double)gap / (double)rate,
      .state = seed ^ (uint64_t)(thread + 1) * UINT64_C(0xd1342543de82ef95),
      .arrival = arrival,
  };
  if (arrival == LOAD_BURSTY)
    s->mean_gap_ns *= LOAD_BURST;
  if (arrival != LOAD_CONSTANT) {
    s->next_ns = start_ns;
    add_gap(s);
  }
}

void load_schedule_advance(struct load_schedule *s) {
  if (s->arrival != LOAD_CONSTANT) {
    bool goes_on = s->arrival == LOAD_BURSTY && uniform(s) * LOAD_BURST > 1;
    if (!goes_on)
      add_gap(s);
    return;
  }
  s->next_ns += s->gap_ns;
  s->rest += s->gap_rest;
  if (s->rest >= s->rate) {
    s->rest -= s->rate;
    s->next_ns++;
  }
}
