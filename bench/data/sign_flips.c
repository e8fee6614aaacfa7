/* sign_flips.c: see sign_flips.h. */
#include "bench/data/sign_flips.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/random.h"

enum {
  CHUNK = 4, /* launches per table of signed sums */
  PATTERNS = 1 << CHUNK,
  FIRST_LOOK = 999, /* random patterns, mostly enough */
};
/* Sums that differ by less are the same sum, added up in another order. */
static const double same = 1e-9;

struct rank {
  double t;
  int rival;
};

static int by_falling_t(const void *a, const void *b) {
  double x = ((const struct rank *)a)->t;
  double y = ((const struct rank *)b)->t;
  return (x < y) - (x > y);
}

/* The rivals in the order of their T, and d divided by T's denominator: [launch][rank]. */
struct flips {
  int launches;
  int rivals;
  struct rank *ranks;
  double *x;
  double *reach; /* [rank]: the observed T, all but rounding */
  double *sums;  /* [rank], of one pattern */
  long *reached; /* [rank]: by how many patterns */
};

static struct flips flips_new(const double *d, const double *offset, int launches, int rivals) {
  size_t k = (size_t)rivals;
  struct flips flips = {launches,
                        rivals,
                        mux_new(k, sizeof(struct rank)),
                        mux_new((size_t)launches * k, sizeof(double)),
                        mux_new(k, sizeof(double)),
                        mux_new(k, sizeof(double)),
                        mux_new(k, sizeof(long))};
  double *root = mux_new(k, sizeof(double));
  for (int l = 0; l < rivals; l++) {
    double sum = 0;
    double squares = offset[l];
    for (int i = 0; i < launches; i++) {
      double x = d[i * rivals + l];
      sum += isnan(x) ? 0 : x;
      squares += isnan(x) ? 0 : x * x;
    }
    root[l] = sqrt(squares);
    flips.ranks[l] = (struct rank){squares > 0 ? fabs(sum) / root[l] : 0, l};
  }
  qsort(flips.ranks, k, sizeof *flips.ranks, by_falling_t);
  for (int q = 0; q < rivals; q++)
    flips.reach[q] = flips.ranks[q].t * (1 - same);
  for (int i = 0; i < launches; i++)
    for (int q = 0; q < rivals; q++) {
      int l = flips.ranks[q].rival;
      double x = d[i * rivals + l];
      flips.x[i * rivals + q] = isnan(x) || root[l] == 0 ? 0 : x / root[l];
    }
  free(root);
  return flips;
}

/* Counts the pattern for each rival whose T is reached by the largest of its own and later ranks.
 */
static void count_pattern(struct flips *flips) {
  double largest = 0;
  for (int q = flips->rivals - 1; q >= 0; q--) {
    double t = fabs(flips->sums[q]);
    largest = t > largest ? t : largest;
    flips->reached[q] += largest >= flips->reach[q];
  }
}

/* All patterns with the last launch's sign kept, in Gray code's order: one sign turns at a time. */
static long try_all(struct flips *flips) {
  int k = flips->rivals;
  long patterns = 1L << (flips->launches - 1);
  for (int i = 0; i < flips->launches; i++)
    for (int q = 0; q < k; q++)
      flips->sums[q] += flips->x[i * k + q];
  count_pattern(flips);
  for (long pattern = 1; pattern < patterns; pattern++) {
    int turned = __builtin_ctzl((unsigned long)pattern);
    bool minus = ((pattern ^ pattern >> 1) >> turned & 1) != 0;
    const double *x = &flips->x[turned * k];
    for (int q = 0; q < k; q++)
      flips->sums[q] += minus ? -2 * x[q] : 2 * x[q];
    count_pattern(flips);
  }
  return patterns;
}

/* Is every p so far from .05 after that many patterns that more would decide nothing? .01 and .10
 * are at least five standard errors away after FIRST_LOOK. */
static bool is_settled(const struct flips *flips, long patterns) {
  for (int q = 0; q < flips->rivals; q++)
    if (flips->reached[q] * 100 > patterns && flips->reached[q] * 10 < patterns)
      return false;
  return true;
}

/* Random patterns, and the observed one. Signed sums of four launches at a time are looked up. */
static long try_random(struct flips *flips, uint64_t seed) {
  size_t k = (size_t)flips->rivals;
  size_t chunks = ((size_t)flips->launches + CHUNK - 1) / CHUNK;
  double *table = mux_new(chunks * PATTERNS * k, sizeof(double)); /* [chunk][pattern][rank] */
  for (int i = 0; i < flips->launches; i++)
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
      double *row = &table[((size_t)(i / CHUNK) * PATTERNS + (size_t)pattern) * k];
      double sign = pattern >> i % CHUNK & 1 ? -1 : 1;
      for (size_t q = 0; q < k; q++)
        row[q] += sign * flips->x[(size_t)i * k + q];
    }
  for (size_t q = 0; q < k; q++)
    flips->reached[q] = 1;
  long patterns = 1;
  while (patterns <= SIGN_FLIPS_RANDOM &&
         !(patterns == FIRST_LOOK + 1 && is_settled(flips, patterns))) {
    uint64_t bits = 0;
    memset(flips->sums, 0, k * sizeof *flips->sums);
    for (size_t chunk = 0; chunk < chunks; chunk++, bits >>= CHUNK) {
      if (chunk % (64 / CHUNK) == 0)
        bits = mux_random(&seed);
      const double *row = &table[(chunk * PATTERNS + bits % PATTERNS) * k];
      for (size_t q = 0; q < k; q++)
        flips->sums[q] += row[q];
    }
    count_pattern(flips);
    patterns++;
  }
  free(table);
  return patterns;
}

void sign_flips_max_t(const double *d, const double *offset, int launches, int rivals,
                      uint64_t seed, double *p) {
  if (launches < 1 || rivals < 1)
    return;
  struct flips flips = flips_new(d, offset, launches, rivals);
  long patterns =
      launches <= SIGN_FLIPS_EXACT_LAUNCHES ? try_all(&flips) : try_random(&flips, seed);
  double before = 0;
  for (int q = 0; q < rivals; q++) {
    before = fmax(before, (double)flips.reached[q] / (double)patterns);
    p[flips.ranks[q].rival] = before;
  }
  free(flips.ranks);
  free(flips.x);
  free(flips.reach);
  free(flips.sums);
  free(flips.reached);
}
