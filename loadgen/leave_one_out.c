/* leave_one_out.c: see leave_one_out.h. */
#include "loadgen/leave_one_out.h"

#include <math.h>

#include "loadgen/parts.h"

enum { LEAST = 3 }; /* of two, neither is the odd one */
#define P99      99.0
#define QUANTILE 3.3 /* of the normal distribution: 0.1 % on both sides */
#define SHIFT    0.1

static struct mux_hdr *sum_without(struct mux_hdr *const *parts, int count, int left_out) {
  struct mux_hdr *sum = mux_hdr_new_latency();
  for (int i = 0; i < count && sum != NULL; i++)
    if (i != left_out && parts[i] != NULL)
      mux_hdr_add(sum, parts[i]);
  return sum;
}

static double p99_us(const struct mux_hdr *h) {
  return h != NULL && mux_hdr_is_known(h, P99) ? (double)mux_hdr_percentile(h, P99) / 1e3 : NAN;
}

/* As a logarithm. */
static double shift_of(double all_us, double others_us) {
  return isnan(all_us) || isnan(others_us) ? 0 : fabs(log(all_us / others_us));
}

static bool is_beyond_chance(const struct mux_hdr *others, double all_us) {
  double half = QUANTILE * sqrt(P99 * (100 - P99) / (double)others->total);
  double low = (double)mux_hdr_percentile(others, P99 - half) / 1e3;
  double high = (double)mux_hdr_percentile(others, fmin(P99 + half, 100)) / 1e3;
  return all_us < low || all_us > high;
}

void load_leave_one_out(struct load_agent *agents, const json_t *const *results, int count) {
  struct mux_hdr *parts[count];
  for (int i = 0; i < count; i++)
    parts[i] = load_part_histogram(results[i], LOAD_RESPONSE);
  struct mux_hdr *all = sum_without(parts, count, -1);
  double all_us = p99_us(all);
  double most = log(1 + SHIFT);
  int there = 0;
  for (int i = 0; i < count; i++)
    there += parts[i] != NULL;
  int odd = -1;
  for (int i = 0; i < count; i++) {
    struct mux_hdr *others = sum_without(parts, count, i);
    agents[i].completed = parts[i] != NULL ? (uint64_t)parts[i]->total : 0;
    agents[i].response_p99_us = p99_us(parts[i]);
    agents[i].others_p99_us = p99_us(others);
    agents[i].shifts_p99 = false;
    double shift = shift_of(all_us, agents[i].others_p99_us);
    if (there >= LEAST && shift > most && is_beyond_chance(others, all_us)) {
      most = shift;
      odd = i;
    }
    mux_hdr_free(others);
  }
  if (odd >= 0)
    agents[odd].shifts_p99 = true;
  for (int i = 0; i < count; i++)
    mux_hdr_free(parts[i]);
  mux_hdr_free(all);
}
