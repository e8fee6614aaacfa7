/* stats_shift.c: two independent samples, see stats.h. Source: Hollander, Wolfe, Chicken,
 * Nonparametric Statistical Methods (3rd ed.), chapter 4. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "bench/data/stats.h"
#include "common/memory.h"

enum { EXACT_MAX = 60, VALUES_MAX = 2 * STATS_BLOCKS_MAX };

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* How likely each sum of `chosen` of the `count` whole weights is when every choice is equally
 * likely. Returns an array of total+1 probabilities. */
static double *subset_distribution(const int *weights, int count, int chosen, int total) {
  size_t width = (size_t)total + 1;
  double *ways = mux_new((size_t)(chosen + 1) * width, sizeof(double)); /* [how many][sum] */
  ways[0] = 1;
  for (int i = 0; i < count; i++)
    for (int k = i < chosen ? i + 1 : chosen; k >= 1; k--)
      for (int sum = total; sum >= weights[i]; sum--)
        ways[(size_t)k * width + (size_t)sum] +=
            ways[(size_t)(k - 1) * width + (size_t)(sum - weights[i])];
  double all = 0;
  double *p = mux_new(width, sizeof(double));
  for (int sum = 0; sum <= total; sum++)
    all += ways[(size_t)chosen * width + (size_t)sum];
  for (int sum = 0; sum <= total; sum++)
    p[sum] = ways[(size_t)chosen * width + (size_t)sum] / all;
  free(ways);
  return p;
}

/* Twice the mid-ranks of all values; returns the sum of those of the first n. *ties: the sum of
 * t^3-t over groups of equal values. */
static int doubled_ranks(const double *values, int n, int count, int *ranks, double *ties) {
  int sum = 0;
  *ties = 0;
  for (int i = 0; i < count; i++) {
    int below = 0;
    int equal = 0;
    for (int j = 0; j < count; j++) {
      below += values[j] < values[i];
      equal += values[j] == values[i];
    }
    ranks[i] = 2 * below + equal + 1;
    sum += i < n ? ranks[i] : 0;
    *ties += (double)equal * equal - 1; /* each of the `equal` members adds its share */
  }
  return sum;
}

static double rank_sum_p(const double *values, int n, int count) {
  int ranks[VALUES_MAX];
  double ties;
  int observed = doubled_ranks(values, n, count, ranks, &ties);
  int m = count - n;
  double centre = (double)n * (count + 1); /* of twice the rank sum */
  if (count > EXACT_MAX) {
    double variance = (double)n * m / 3 * (count + 1 - ties / ((double)count * (count - 1)));
    double z = (fabs(observed - centre) - 1) / sqrt(variance);
    return z > 0 ? erfc(z / sqrt(2)) : 1;
  }
  int total = count * (count + 1);
  double *p = subset_distribution(ranks, count, n, total);
  double distance = fabs(observed - centre);
  double tail = 0;
  for (int sum = 0; sum <= total; sum++)
    tail += fabs(sum - centre) >= distance - 1e-9 ? p[sum] : 0;
  free(p);
  return tail < 1 ? tail : 1;
}

/* Which of the n*m ordered differences bound the 95 % interval, from either end; 0: none. */
static int shift_rank(int n, int m) {
  int count = n + m;
  if (n < STATS_BLOCKS_MIN || m < STATS_BLOCKS_MIN)
    return 0;
  if (count > EXACT_MAX)
    return (int)floor((double)n * m / 2 - 1.96 * sqrt((double)n * m * (count + 1) / 12));
  int ranks[EXACT_MAX];
  for (int i = 0; i < count; i++)
    ranks[i] = i + 1;
  int least = n * (n + 1) / 2;
  double *p = subset_distribution(ranks, count, n, count * (count + 1) / 2);
  double tail = 0;
  int rank = 0;
  while (tail + p[least + rank] <= 0.025)
    tail += p[least + rank++];
  free(p);
  return rank;
}

struct estimate stats_shift(const double *x, int n, const double *y, int m, double *p) {
  assert(n <= STATS_BLOCKS_MAX && m <= STATS_BLOCKS_MAX);
  struct estimate estimate = {.value = NAN, .low = NAN, .high = NAN};
  double values[VALUES_MAX];
  int count = n * m;
  *p = 1;
  if (count == 0)
    return estimate;
  double *differences = mux_new((size_t)count, sizeof(double));
  for (int i = 0; i < n; i++)
    for (int j = 0; j < m; j++)
      differences[i * m + j] = y[j] - x[i];
  qsort(differences, (size_t)count, sizeof *differences, by_value);
  estimate.value = stats_median(differences, count);
  int rank = shift_rank(n, m);
  if (rank > 0) {
    estimate.low = differences[rank - 1];
    estimate.high = differences[count - rank];
    estimate.interval = true;
  }
  free(differences);
  for (int i = 0; i < n; i++)
    values[i] = x[i];
  for (int j = 0; j < m; j++)
    values[n + j] = y[j];
  *p = rank_sum_p(values, n, n + m);
  return estimate;
}
