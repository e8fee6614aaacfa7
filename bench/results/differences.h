/* differences.h: how the labels of a cell differ from the baseline in each launch, in one metric:
 * ln of the ratio, over the rounds of slices where slices have the metric, of the two rows
 * otherwise. */
#ifndef MUX_DIFFERENCES_H
#define MUX_DIFFERENCES_H

#include "bench/results/summary.h"

/* Tables [block][label] of one cell and metric; the baseline's own column is not used. */
struct differences {
  double *d, *variance; /* NAN: none; variance within the launch, of slices alone */
  int *rounds;
};

/* Made anew in *out; the caller frees it. */
void differences_fill(struct differences *out, const struct summary *summary,
                      const struct slices *slices, int cell, enum column column);
void differences_free(struct differences *differences);

#endif
