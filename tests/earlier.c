/* earlier.c: see earlier.h. */
#include "tests/earlier.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/memory.h"

enum { RANKS_MAX = EARLIER_LAUNCHES_MAX * (EARLIER_LAUNCHES_MAX + 1) / 2 };

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* P(signed-rank sum <= most) of n launches without a difference, computed once for each n. */
static double rank_sum_below(int n, int most) {
  static double below[EARLIER_LAUNCHES_MAX + 1][RANKS_MAX + 1];
  double *p = below[n];
  if (p[0] == 0) {
    p[0] = 1;
    for (int rank = 1; rank <= n; rank++)
      for (int sum = rank * (rank + 1) / 2; sum >= 0; sum--)
        p[sum] = (p[sum] + (sum >= rank ? p[sum - rank] : 0)) / 2;
    for (int sum = 1; sum <= RANKS_MAX; sum++)
      p[sum] += p[sum - 1];
  }
  return p[most];
}

/* The interval, its centre, and the two-sided p of one column. */
static void walsh(const double *x, int n, struct earlier *judged, double *centre, double *p) {
  double averages[RANKS_MAX];
  int count = 0;
  int negative = 0;
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++)
      averages[count++] = (x[i] + x[j]) / 2;
  qsort(averages, (size_t)count, sizeof *averages, by_value);
  while (negative < count && averages[negative] < 0)
    negative++; /* as many as the rank sum of the negative launches */
  int extreme = negative < count - negative ? negative : count - negative;
  int rank = 0;
  while (rank_sum_below(n, rank) <= 0.025)
    rank++;
  judged->low = rank > 0 ? averages[rank - 1] : -INFINITY;
  judged->high = rank > 0 ? averages[count - rank] : INFINITY;
  *centre = (averages[(count - 1) / 2] + averages[count / 2]) / 2;
  *p = fmin(1, 2 * rank_sum_below(n, extreme));
}

void earlier_judge(const double *d, int launches, int rivals, struct earlier *judged) {
  assert(launches <= EARLIER_LAUNCHES_MAX);
  double column[EARLIER_LAUNCHES_MAX];
  double *centre = mux_new((size_t)rivals + 1, sizeof *centre);
  double *p = mux_new((size_t)rivals + 1, sizeof *p);
  double noise = 0;
  for (int l = rivals; l >= 0; l--) { /* the twin first */
    struct earlier one;
    for (int i = 0; i < launches; i++)
      column[i] = d[i * (rivals + 1) + l];
    walsh(column, launches, &one, &centre[l], &p[l]);
    if (l == rivals)
      noise = (exp(one.high) - exp(one.low)) / 2;
    else
      judged[l] = one;
  }
  for (int l = 0; l < rivals; l++) { /* Holm: p times those no clearer, the largest so far */
    double adjusted = 0;
    for (int m = 0; m < rivals; m++) {
      int left = 0;
      for (int o = 0; o < rivals; o++)
        left += p[o] > p[m] || (p[o] == p[m] && o >= m);
      if (p[m] < p[l] || (p[m] == p[l] && m <= l))
        adjusted = fmax(adjusted, p[m] * left);
    }
    judged[l].claimed = adjusted < 0.05 && fabs(expm1(centre[l])) > noise;
  }
  free(centre);
  free(p);
}
