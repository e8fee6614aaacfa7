/* slice_model.h: slices of a host that does not exist, to learn how often the statistics are right.
 *
 * ln value = label's true value + launch effects (common and of the label) + drift of the host
 * (AR(1) from slice to slice) + bursts (whatever label they hit) + noise of the slice. The
 * magnitudes of slice_model_usual are those of slices recorded on a shared two-core host
 * (docs/statistics.md). Everything follows from the seed. */
#ifndef SLICE_MODEL_H
#define SLICE_MODEL_H

#include <stdint.h>

#include "bench/data/launch_estimate.h"

enum { SLICE_MODEL_RIVALS_MAX = 32 };

/* Label 0 is the baseline, rival l is label l+1. Fractions are of the value: .05 is 5 %. */
struct slice_model {
  int rivals;
  int rounds;
  double effect[SLICE_MODEL_RIVALS_MAX];   /* true ln ratio to the baseline */
  double noise[SLICE_MODEL_RIVALS_MAX];    /* slice noise, as a multiple of the baseline's */
  double unsteady[SLICE_MODEL_RIVALS_MAX]; /* launch effect, as a multiple of the baseline's */
  double launch_common;                    /* scale of the t3 launch effect of all labels */
  double launch_own;                       /* scale of the t3 launch effect of each label */
  double drift;                            /* standard deviation */
  double drift_memory;                     /* correlation from one slice to the next */
  double slice_noise;                      /* standard deviation (t4) of the baseline's slices */
  double burst_rate;                       /* bursts per slice */
  double burst_size;                       /* mean height */
  int burst_slices;                        /* mean length */
  double missing;                          /* share of slices that have no value */
};

/* No effect, equal noise. */
struct slice_model slice_model_usual(int rivals, int rounds);

/* One launch of every label. d, variance: [rivals], by launch_estimate(); plain: [rivals], or NULL:
 * the difference of plain means of ln value, of one trial each, so to speak. */
void slice_model_launch(const struct slice_model *model, uint64_t *random, double *d,
                        double *variance, double *plain);

#endif
