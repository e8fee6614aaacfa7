/* hdr.h: high dynamic range histograms with a single writer, made for the hot path.
 *
 * Values are integers (ns here) from 0 to `highest`, kept to `digits` significant decimal digits in
 * counters whose width grows with the value. The layout is that of HdrHistogram (Gil Tene), so that
 * its tools read what is written here; its Java and JavaScript implementations are the oracles of
 * the tests. `unit_magnitude` is floor(log2 lowest), `sub_bucket_count` the number of counters of
 * the first bucket; each further bucket halves the resolution. */
#ifndef MUX_HDR_H
#define MUX_HDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct mux_hdr {
  int64_t lowest, highest;
  int32_t digits;
  int32_t unit_magnitude;
  int32_t sub_bucket_half_count_magnitude;
  int32_t counts_length;
  int64_t sub_bucket_mask;
  int64_t total; /* values recorded */
  int64_t
      clamped; /* of these, above `highest` and recorded as that; after decoding an upper bound */
  int64_t min, max; /* exact; min is INT64_MAX and max 0 while total is 0 */
  __int128 sum;     /* exact */
  int64_t counts[];
};

/* For latencies: 1 ns to 60 s with 3 digits, 221 KB. */
#define MUX_HDR_LOWEST_NS  INT64_C(1)
#define MUX_HDR_HIGHEST_NS INT64_C(60000000000)
#define MUX_HDR_DIGITS     3

/* NULL: no memory, or arguments out of range (digits 1…5, lowest ≥ 1, highest ≥ 2·lowest). */
struct mux_hdr *mux_hdr_new(int64_t lowest, int64_t highest, int digits);
struct mux_hdr *mux_hdr_new_latency(void);
void mux_hdr_free(struct mux_hdr *h);
void mux_hdr_reset(struct mux_hdr *h);

static inline int32_t mux_hdr_index(const struct mux_hdr *h, int64_t value) {
  int bucket = 64 - __builtin_clzll((uint64_t)(value | h->sub_bucket_mask)) - h->unit_magnitude -
               h->sub_bucket_half_count_magnitude - 1;
  int64_t sub = value >> (bucket + h->unit_magnitude);
  return (int32_t)(((int64_t)(bucket + 1) << h->sub_bucket_half_count_magnitude) + sub -
                   ((int64_t)1 << h->sub_bucket_half_count_magnitude));
}

/* Records a value count times (0: changes nothing). A negative value counts as 0, one above highest
 * as highest, and in `clamped`. */
static inline void mux_hdr_record_n(struct mux_hdr *h, int64_t value, int64_t count) {
  if (count == 0)
    return;
  if (__builtin_expect((uint64_t)value > (uint64_t)h->highest, 0)) {
    h->clamped += value > 0 ? count : 0;
    value = value < 0 ? 0 : h->highest;
  }
  h->counts[mux_hdr_index(h, value)] += count;
  h->total += count;
  h->sum += (__int128)value * count;
  if (value < h->min)
    h->min = value;
  if (value > h->max)
    h->max = value;
}
static inline void mux_hdr_record(struct mux_hdr *h, int64_t value) {
  mux_hdr_record_n(h, value, 1);
}

/* Adds all of `from` to `to`. Returns 0, or an error and `to` is unchanged: -EINVAL the layouts
 * differ, -EOVERFLOW the sum of the counts does not fit. */
int mux_hdr_add(struct mux_hdr *to, const struct mux_hdr *from);

/* The value at rank ceil(p/100·n), at least 1, as in HdrHistogram's Java: the highest value that
 * the counter stands for, but not more than max. 0 when empty. */
int64_t mux_hdr_percentile(const struct mux_hdr *h, double percentile);
/* How many recorded values are beyond the percentile. */
int64_t mux_hdr_beyond(const struct mux_hdr *h, double percentile);

/* How many values are in the counter of this value or beyond it. */
int64_t mux_hdr_from(const struct mux_hdr *h, int64_t value);

/* A percentile is given if it rests on so many values beyond it, */
enum { MUX_HDR_ENOUGH = 10 };
bool mux_hdr_is_known(const struct mux_hdr *h, double percentile);
/* ... and on so many stretches of time that reach it: a single stall delays many messages. A peak
 * is the largest value of a stretch, so that the peaks from the percentile on count the stretches.
 * Each of `recorders` (threads) has peaks of its own: a stall may be among them as many times.
 * h and peaks are of one layout. */
#define MUX_HDR_PEAK_NS INT64_C(10000000)
bool mux_hdr_is_spread(const struct mux_hdr *h, const struct mux_hdr *peaks, int recorders,
                       double percentile);

double mux_hdr_mean(const struct mux_hdr *h); /* 0 when empty */

/* The range a counter stands for. */
int64_t mux_hdr_lowest_at(const struct mux_hdr *h, int32_t index);
int64_t mux_hdr_highest_at(const struct mux_hdr *h, int32_t index);

/* HdrHistogram V2 wire form, zlib-compressed and in base64 ("HISTF…"). Caller frees; NULL: no
 * memory. */
char *mux_hdr_encode(const struct mux_hdr *h);
/* Reads it back. The text is not trusted. NULL with errno EINVAL (malformed) or ENOMEM. The form
 * has counters only: min, max and sum are derived from them, and `clamped` is what the counter of
 * `highest` holds, an upper bound. */
struct mux_hdr *mux_hdr_decode(const char *text, size_t length);

/* Percentile distribution rows: value, percentile, count, 1/(1-p) (.hgrm). value_scale divides. */
int mux_hdr_print_hgrm(const struct mux_hdr *h, FILE *to, int ticks_per_half, double value_scale);

#endif
