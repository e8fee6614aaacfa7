/* stats.c: see stats.h. */
#include "bench/data/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_of_sorted(const double *x, int n) {
  if (n == 0)
    return NAN;
  return n % 2 == 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

double stats_median(const double *x, int n) {
  double *sorted = mux_new((size_t)n, sizeof(double));
  memcpy(sorted, x, (size_t)n * sizeof *x);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  double median = median_of_sorted(sorted, n);
  free(sorted);
  return median;
}

/* How likely each sum of the given positive integer weights is when every weight counts with
 * probability 1/2. Returns an array of total+1 probabilities. */
static double *sum_distribution(const int *weights, int n, int total) {
  double *p = mux_new((size_t)total + 1, sizeof(double));
  int reached = 0;
  p[0] = 1;
  for (int i = 0; i < n; i++) {
    reached += weights[i];
    for (int sum = reached; sum >= 0; sum--) {
      double with = sum >= weights[i] ? p[sum - weights[i]] : 0;
      p[sum] = (p[sum] + with) / 2;
    }
  }
  return p;
}

int stats_walsh_rank(int n) {
  assert(n <= STATS_BLOCKS_MAX);
  if (n < STATS_BLOCKS_MIN)
    return 0;
  int ranks[STATS_BLOCKS_MAX];
  for (int i = 0; i < n; i++)
    ranks[i] = i + 1;
  double *p = sum_distribution(ranks, n, n * (n + 1) / 2);
  double tail = 0;
  int rank = 0;
  while (tail + p[rank] <= 0.025)
    tail += p[rank++];
  free(p);
  return rank;
}

struct estimate stats_walsh(const double *x, int n) {
  assert(n <= STATS_BLOCKS_MAX);
  struct estimate estimate = {.value = NAN, .low = NAN, .high = NAN};
  int count = n * (n + 1) / 2;
  double *averages = mux_new((size_t)count, sizeof(double));
  int at = 0;
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++)
      averages[at++] = (x[i] + x[j]) / 2;
  qsort(averages, (size_t)count, sizeof *averages, by_value);
  estimate.value = median_of_sorted(averages, count);
  int rank = stats_walsh_rank(n);
  if (rank > 0) {
    estimate.low = averages[rank - 1];
    estimate.high = averages[count - rank];
    estimate.interval = true;
  }
  free(averages);
  return estimate;
}

static int by_magnitude(const void *a, const void *b) {
  double x = fabs(*(const double *)a);
  double y = fabs(*(const double *)b);
  return (x > y) - (x < y);
}

double stats_signed_rank_p(const double *x, int n) {
  assert(n <= STATS_BLOCKS_MAX);
  double *sorted = mux_new((size_t)n, sizeof(double));
  int kept = 0;
  for (int i = 0; i < n; i++)
    if (x[i] != 0)
      sorted[kept++] = x[i];
  qsort(sorted, (size_t)kept, sizeof *sorted, by_magnitude);
  int doubled[STATS_BLOCKS_MAX] = {0}; /* twice the mid-rank: whole numbers */
  int total = 0;
  int positive = 0;
  for (int i = 0; i < kept;) {
    int end = i + 1;
    while (end < kept && fabs(sorted[end]) == fabs(sorted[i]))
      end++;
    for (int j = i; j < end; j++) {
      doubled[j] = i + 1 + end;
      total += doubled[j];
      positive += sorted[j] > 0 ? doubled[j] : 0;
    }
    i = end;
  }
  int extreme = positive < total - positive ? positive : total - positive;
  double *p = sum_distribution(doubled, kept, total);
  double tail = 0;
  for (int sum = 0; sum <= extreme; sum++)
    tail += p[sum];
  free(p);
  free(sorted);
  return tail * 2 < 1 ? tail * 2 : 1;
}

void stats_holm(double *p, int n) {
  double *done = mux_new((size_t)n, sizeof(double)); /* 1: adjusted */
  int left = 0;
  for (int i = 0; i < n; i++)
    left += !isnan(p[i]);
  double before = 0;
  for (; left > 0; left--) {
    int least = -1;
    for (int i = 0; i < n; i++)
      if (!isnan(p[i]) && done[i] == 0 && (least < 0 || p[i] < p[least]))
        least = i;
    double adjusted = fmin(1, p[least] * left);
    before = fmax(before, adjusted);
    p[least] = before;
    done[least] = 1;
  }
  free(done);
}

double stats_slope(const double *x, const double *y, int n) {
  double *slopes = mux_new((size_t)n * (size_t)n, sizeof(double));
  int count = 0;
  for (int i = 0; i < n; i++)
    for (int j = i + 1; j < n; j++)
      if (x[i] != x[j])
        slopes[count++] = (y[j] - y[i]) / (x[j] - x[i]);
  double slope = stats_median(slopes, count);
  free(slopes);
  return slope;
}
