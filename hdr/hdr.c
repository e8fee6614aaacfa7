/* hdr.c: see hdr.h. Layout and percentile rule after HdrHistogram's AbstractHistogram (Gil Tene).
 *
 * Loops over counters stay between those of min and max, as latencies fill a small part of the
 * range, and intervals are merged and cleared while a measurement runs. */
#include "hdr/hdr.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int bits(int64_t value) {
  return 64 - __builtin_clzll((uint64_t)value);
}

struct mux_hdr *mux_hdr_new(int64_t lowest, int64_t highest, int digits) {
  static const int32_t powers[] = {1, 10, 100, 1000, 10000, 100000};
  if (digits < 1 || digits > 5 || lowest < 1 || lowest > INT64_MAX / 2 || highest < 2 * lowest) {
    errno = EINVAL;
    return NULL;
  }
  int unit_magnitude = bits(lowest) - 1;
  int half_magnitude = bits(2 * powers[digits] - 1) - 1;
  if (unit_magnitude + half_magnitude > 61) {
    errno = EINVAL;
    return NULL;
  }
  int64_t sub_buckets = INT64_C(1) << (half_magnitude + 1);
  int64_t untrackable = sub_buckets << unit_magnitude;
  int32_t buckets = 1;
  for (; untrackable <= highest; untrackable *= 2) {
    buckets++;
    if (untrackable > INT64_MAX / 2)
      break;
  }
  int32_t length = (buckets + 1) * (int32_t)(sub_buckets / 2);
  struct mux_hdr *h = calloc(1, sizeof *h + (size_t)length * sizeof h->counts[0]);
  if (h == NULL)
    return NULL;
  h->lowest = lowest;
  h->highest = highest;
  h->digits = digits;
  h->unit_magnitude = unit_magnitude;
  h->sub_bucket_half_count_magnitude = half_magnitude;
  h->sub_bucket_mask = (sub_buckets - 1) << unit_magnitude;
  h->counts_length = length;
  h->min = INT64_MAX;
  return h;
}

struct mux_hdr *mux_hdr_new_latency(void) {
  return mux_hdr_new(MUX_HDR_LOWEST_NS, MUX_HDR_HIGHEST_NS, MUX_HDR_DIGITS);
}

void mux_hdr_free(struct mux_hdr *h) {
  free(h);
}

/* The counters in use, [*from, *to); empty when nothing is recorded. */
static void used_range(const struct mux_hdr *h, int32_t *from, int32_t *to) {
  *from = h->total > 0 ? mux_hdr_index(h, h->min) : 0;
  *to = h->total > 0 ? mux_hdr_index(h, h->max) + 1 : 0;
}

void mux_hdr_reset(struct mux_hdr *h) {
  int32_t from;
  int32_t to;
  used_range(h, &from, &to);
  memset(h->counts + from, 0, (size_t)(to - from) * sizeof h->counts[0]);
  h->total = 0;
  h->clamped = 0;
  h->min = INT64_MAX;
  h->max = 0;
  h->sum = 0;
}

int mux_hdr_add(struct mux_hdr *to, const struct mux_hdr *from) {
  if (to->lowest != from->lowest || to->highest != from->highest || to->digits != from->digits)
    return -EINVAL;
  /* No counter exceeds its total. */
  if (from->total > INT64_MAX - to->total)
    return -EOVERFLOW;
  int32_t first;
  int32_t end;
  used_range(from, &first, &end);
  for (int32_t i = first; i < end; i++)
    to->counts[i] += from->counts[i];
  to->total += from->total;
  to->clamped += from->clamped;
  to->sum += from->sum;
  if (from->min < to->min)
    to->min = from->min;
  if (from->max > to->max)
    to->max = from->max;
  return 0;
}

int64_t mux_hdr_lowest_at(const struct mux_hdr *h, int32_t index) {
  int bucket = (index >> h->sub_bucket_half_count_magnitude) - 1;
  int64_t half = INT64_C(1) << h->sub_bucket_half_count_magnitude;
  int64_t sub = (index & (half - 1)) + half;
  if (bucket < 0) {
    bucket = 0;
    sub -= half;
  }
  return sub << (bucket + h->unit_magnitude);
}

int64_t mux_hdr_highest_at(const struct mux_hdr *h, int32_t index) {
  int bucket = (index >> h->sub_bucket_half_count_magnitude) - 1;
  int shift = (bucket < 0 ? 0 : bucket) + h->unit_magnitude;
  return mux_hdr_lowest_at(h, index) + ((INT64_C(1) << shift) - 1);
}

static int64_t rank_of(const struct mux_hdr *h, double percentile) {
  /* One ulp down, so that 99.9 % of 1000 is 999, although 99.9/100·1000 rounds to more. */
  double p = nextafter(percentile, -INFINITY);
  double rank = ceil(p / 100 * (double)h->total);
  return rank < 1 ? 1 : rank >= (double)h->total ? h->total : (int64_t)rank;
}

int64_t mux_hdr_percentile(const struct mux_hdr *h, double percentile) {
  int32_t i;
  int32_t end;
  used_range(h, &i, &end);
  if (end == 0)
    return 0;
  int64_t left = rank_of(h, percentile);
  while (i < end - 1 && (left -= h->counts[i]) > 0)
    i++;
  int64_t value = mux_hdr_highest_at(h, i);
  return value < h->max ? value : h->max;
}

int64_t mux_hdr_beyond(const struct mux_hdr *h, double percentile) {
  return h->total > 0 ? h->total - rank_of(h, percentile) : 0;
}

int64_t mux_hdr_from(const struct mux_hdr *h, int64_t value) {
  int32_t i;
  int32_t end;
  int64_t count = 0;
  used_range(h, &i, &end);
  for (i = mux_hdr_index(h, value); i < end; i++)
    count += h->counts[i];
  return count;
}

bool mux_hdr_is_known(const struct mux_hdr *h, double percentile) {
  return mux_hdr_beyond(h, percentile) >= MUX_HDR_ENOUGH;
}

bool mux_hdr_is_spread(const struct mux_hdr *h, const struct mux_hdr *peaks, int recorders,
                       double percentile) {
  int64_t stretches = mux_hdr_from(peaks, mux_hdr_percentile(h, percentile)) / recorders;
  return mux_hdr_is_known(h, percentile) && stretches >= MUX_HDR_ENOUGH;
}

double mux_hdr_mean(const struct mux_hdr *h) {
  return h->total > 0 ? (double)h->sum / (double)h->total : 0;
}

/* The next level of a distribution with `ticks` rows for each halving of the distance to 100 %. 100
 * when a double can get no closer. */
static double next_level(double level, int ticks) {
  double halvings = floor(log2(100 / (100 - level))) + 1;
  double next = level + 100 / (ticks * exp2(halvings));
  return next > level ? next : 100;
}

int mux_hdr_print_hgrm(const struct mux_hdr *h, FILE *to, int ticks_per_half, double value_scale) {
  fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  int32_t i;
  int32_t end;
  int64_t seen = 0;
  double level = 0;
  used_range(h, &i, &end);
  for (; i < end; i++) {
    seen += h->counts[i];
    if (h->counts[i] == 0 || seen == h->total)
      continue;
    double reached = 100.0 * (double)seen / (double)h->total;
    int64_t value = mux_hdr_highest_at(h, i);
    for (; level <= reached && level < 100; level = next_level(level, ticks_per_half))
      fprintf(to, "%12.3f %2.12f %10lld %14.2f\n", (double)value / value_scale, level / 100,
              (long long)seen, 100 / (100 - level));
  }
  if (h->total > 0)
    fprintf(to, "%12.3f %2.12f %10lld %14s\n", (double)h->max / value_scale, 1.0,
            (long long)h->total, "inf");
  fprintf(to, "#[Mean = %12.3f, Max = %12.3f, Total count = %lld]\n", mux_hdr_mean(h) / value_scale,
          (double)h->max / value_scale, (long long)h->total);
  return ferror(to) ? -EIO : 0;
}
