/* best.c: see best.h. */
#include "bench/data/best.h"

#include <math.h>
#include <stdlib.h>

#include "common/memory.h"

/* Label 0 is the baseline, label l is rival l-1. Values are relative to the baseline. */
static double value_of(const double *table, const struct family *family, int launch, int label) {
  if (label == 0)
    return 0;
  return table == NULL ? NAN : table[launch * family->rivals + label - 1];
}

/* The others against one candidate, which takes the baseline's place. The baseline's own noise is
 * in both variances, so that their sum is on the large side. */
static void against(const struct family *family, const int *labels, int count, int candidate,
                    double *d, double *variance) {
  int k = count - 1;
  for (int i = 0; i < family->launches; i++)
    for (int c = 0, m = 0; c < count; c++) {
      if (c == candidate)
        continue;
      d[i * k + m] = value_of(family->d, family, i, labels[c]) -
                     value_of(family->d, family, i, labels[candidate]);
      variance[i * k + m] = value_of(family->variance, family, i, labels[c]) +
                            value_of(family->variance, family, i, labels[candidate]);
      m++;
    }
}

static bool is_beaten(const struct family_rival *others, int count, bool lower_is_better) {
  for (int i = 0; i < count; i++)
    if (lower_is_better ? others[i].high < 0 : others[i].low > 0)
      return true;
  return false;
}

static int launches_of(const struct family *family, int label) {
  int n = 0;
  for (int i = 0; i < family->launches; i++)
    n += !isnan(value_of(family->d, family, i, label));
  return n;
}

void best_set(const struct family *family, bool lower_is_better, bool *in_set) {
  size_t labels = (size_t)family->rivals + 1;
  size_t cells = (size_t)family->launches * labels;
  int *candidates = mux_new(labels, sizeof *candidates);
  double *d = mux_new(cells, sizeof *d);
  double *variance = mux_new(cells, sizeof *variance);
  struct family_rival *others = mux_new(labels, sizeof *others);
  int count = 0;
  for (int l = 0; l < (int)labels; l++) {
    in_set[l] = false;
    if (launches_of(family, l) >= FAMILY_LAUNCHES_MIN)
      candidates[count++] = l;
  }
  for (int c = 0; c < count && count > 1; c++) {
    against(family, candidates, count, c, d, variance);
    struct family versus = {family->launches, count - 1, d, variance, family->precision_stopping};
    family_intervals(&versus, 1, others);
    in_set[candidates[c]] = !is_beaten(others, count - 1, lower_is_better);
  }
  free(candidates);
  free(d);
  free(variance);
  free(others);
}
