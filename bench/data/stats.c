/* stats.c: see stats.h. */
#include "bench/data/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/max_t.h"
#include "common/memory.h"

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

double stats_median(const double *x, int n) {
  double *sorted = mux_new((size_t)n, sizeof(double));
  memcpy(sorted, x, (size_t)n * sizeof *x);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  double median = n == 0 ? NAN : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  free(sorted);
  return median;
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

double stats_mean(const double *x, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += x[i];
  return n > 0 ? sum / n : NAN;
}

double stats_t_half_width(const double *x, int n) {
  double mean = stats_mean(x, n);
  double squares = 0;
  for (int i = 0; i < n; i++)
    squares += (x[i] - mean) * (x[i] - mean);
  struct max_t t = {.rivals = 1, .df = n - 1, .sides = 2};
  return n < 2 ? NAN : max_t_quantile_table(&t, 0.95) * sqrt(squares / (n - 1) / n);
}
