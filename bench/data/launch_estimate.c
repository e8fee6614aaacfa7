/* launch_estimate.c: see launch_estimate.h. */
#include "bench/data/launch_estimate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/memory.h"

enum { NEIGHBOURS = 3, PASSES = 3 };
static const double cut_spreads = 4;
static const double spread_of_mad = 1.4826; /* median |residual| to standard deviation, if normal */

/* The measured slices of a launch in time order, and an order that brings those of a label
 * together: slice_of(launch, l, i) is the i-th of label l. */
struct launch {
  int count;
  int labels;
  int *label;       /* [count] */
  int *round;       /* [count] */
  double *y;        /* ln value */
  double *drift;    /* what the neighbours say of the drift, times its coefficient */
  double *residual; /* y less drift and centre, cut */
  double *scratch;  /* [count] */
  int *order;       /* [count] */
  int *first;       /* [labels+1]: where a label begins in order */
  double *centre;   /* [labels]: mean of y less drift, outliers cut */
};

static int measured(const struct launch *launch, int label) {
  return launch->first[label + 1] - launch->first[label];
}

static int slice_of(const struct launch *launch, int label, int i) {
  return launch->order[launch->first[label] + i];
}

static struct launch launch_new(const struct launch_slice *slices, int count, int labels) {
  size_t n = (size_t)count;
  struct launch launch = {
      .labels = labels,
      .label = mux_new(n, sizeof(int)),
      .round = mux_new(n, sizeof(int)),
      .y = mux_new(n, sizeof(double)),
      .drift = mux_new(n, sizeof(double)),
      .residual = mux_new(n, sizeof(double)),
      .scratch = mux_new(n, sizeof(double)),
      .order = mux_new(n, sizeof(int)),
      .first = mux_new((size_t)labels + 1, sizeof(int)),
      .centre = mux_new((size_t)labels, sizeof(double)),
  };
  for (int i = 0; i < count; i++) {
    assert(slices[i].label >= 0 && slices[i].label < labels);
    assert(i == 0 || slices[i].round >= slices[i - 1].round);
    if (!(isfinite(slices[i].value) && slices[i].value > 0))
      continue;
    launch.label[launch.count] = slices[i].label;
    launch.round[launch.count] = slices[i].round;
    launch.y[launch.count++] = log(slices[i].value);
    launch.first[slices[i].label + 1]++;
  }
  for (int l = 0; l < labels; l++)
    launch.first[l + 1] += launch.first[l];
  int *next = mux_new((size_t)labels, sizeof(int));
  for (int i = 0; i < launch.count; i++) {
    int l = launch.label[i];
    launch.order[launch.first[l] + next[l]++] = i;
  }
  free(next);
  return launch;
}

static void launch_free(struct launch *launch) {
  free(launch->label);
  free(launch->round);
  free(launch->y);
  free(launch->drift);
  free(launch->residual);
  free(launch->scratch);
  free(launch->order);
  free(launch->first);
  free(launch->centre);
}

/* Where the passes begin. */
static void centre_on_medians(struct launch *launch) {
  for (int l = 0; l < launch->labels; l++) {
    for (int i = 0; i < measured(launch, l); i++)
      launch->scratch[i] = launch->y[slice_of(launch, l, i)];
    launch->centre[l] = stats_median(launch->scratch, measured(launch, l));
  }
}

/* The robust spread of the noisiest label. */
static double noisiest_spread(struct launch *launch) {
  double spread = 0;
  for (int l = 0; l < launch->labels; l++) {
    for (int i = 0; i < measured(launch, l); i++) {
      int at = slice_of(launch, l, i);
      launch->scratch[i] = fabs(launch->y[at] - launch->drift[at] - launch->centre[l]);
    }
    if (measured(launch, l) > 0)
      spread = fmax(spread, spread_of_mad * stats_median(launch->scratch, measured(launch, l)));
  }
  return spread;
}

/* Step 2: cuts the residuals, and moves the centres to the means of what is left. Returns the
 * threshold; none where most values of every label are the same. */
static double cut_outliers(struct launch *launch) {
  double spread = noisiest_spread(launch);
  double limit = spread > 0 ? cut_spreads * spread : INFINITY;
  for (int l = 0; l < launch->labels; l++) {
    double move = 0;
    for (int i = 0; i < measured(launch, l); i++) {
      int at = slice_of(launch, l, i);
      double residual = launch->y[at] - launch->drift[at] - launch->centre[l];
      launch->residual[at] = fmax(-limit, fmin(limit, residual));
      move += launch->residual[at] / measured(launch, l);
    }
    launch->centre[l] += move;
    for (int i = 0; i < measured(launch, l); i++)
      launch->residual[slice_of(launch, l, i)] -= move;
  }
  return limit;
}

/* The mean of what is left of a slice's neighbours, weighted by 1/distance. */
static double mean_near(const double *left, int count, int i) {
  double sum = 0;
  double weights = 0;
  for (int j = i - NEIGHBOURS; j <= i + NEIGHBOURS; j++)
    if (j != i && j >= 0 && j < count) {
      double weight = 1.0 / abs(j - i);
      sum += weight * left[j];
      weights += weight;
    }
  return weights > 0 ? sum / weights : 0;
}

/* Step 1: regresses what is left of the slices, drift put back, on their neighbours, within
 * labels. */
static void estimate_drift(struct launch *launch) {
  double *left = launch->scratch;
  for (int i = 0; i < launch->count; i++)
    left[i] = launch->residual[i] + launch->drift[i];
  double product = 0;
  double square = 0;
  for (int i = 0; i < launch->count; i++)
    launch->drift[i] = mean_near(left, launch->count, i);
  for (int l = 0; l < launch->labels; l++) {
    double mean = 0;
    for (int i = 0; i < measured(launch, l); i++)
      mean += launch->drift[slice_of(launch, l, i)] / measured(launch, l);
    for (int i = 0; i < measured(launch, l); i++) {
      int at = slice_of(launch, l, i);
      product += (launch->drift[at] - mean) * left[at];
      square += (launch->drift[at] - mean) * (launch->drift[at] - mean);
    }
  }
  double coefficient = square > 0 ? fmax(0, fmin(1, product / square)) : 0;
  for (int i = 0; i < launch->count; i++) {
    launch->drift[i] *= coefficient;
    int l = launch->label[i];
    launch->centre[l] += (left[i] - launch->drift[i]) / measured(launch, l);
  }
}

/* The mean of a label's slices in the round of its slice number *i, less drift and cut; *i moves on
 * to the next round. */
static double round_mean(const struct launch *launch, int label, int *i) {
  int round = launch->round[slice_of(launch, label, *i)];
  double sum = 0;
  int n = 0;
  for (; *i < measured(launch, label); n++, ++*i) {
    int at = slice_of(launch, label, *i);
    if (launch->round[at] != round)
      break;
    sum += launch->centre[label] + launch->residual[at];
  }
  return sum / n;
}

/* Step 3. */
static void compare_rounds(const struct launch *launch, int rival, int base,
                           struct launch_estimate *estimate) {
  double mean = 0;
  double squares = 0; /* about the mean (Welford) */
  int n = 0;
  for (int i = 0, j = 0; i < measured(launch, rival) && j < measured(launch, base);) {
    int ahead =
        launch->round[slice_of(launch, rival, i)] - launch->round[slice_of(launch, base, j)];
    double y = ahead <= 0 ? round_mean(launch, rival, &i) : 0;
    double x = ahead >= 0 ? round_mean(launch, base, &j) : 0;
    if (ahead != 0)
      continue;
    double from_mean = y - x - mean;
    mean += from_mean / ++n;
    squares += from_mean * (y - x - mean);
  }
  estimate->rounds = n;
  estimate->d = n >= LAUNCH_ROUNDS_MIN ? mean : NAN;
  estimate->variance = n >= LAUNCH_ROUNDS_MIN ? squares / (n - 1) / n : NAN;
}

void launch_estimate(const struct launch_slice *slices, int count, int labels, int baseline,
                     struct launch_estimate *estimates) {
  struct launch launch = launch_new(slices, count, labels);
  centre_on_medians(&launch);
  double limit = cut_outliers(&launch);
  for (int pass = 1; pass < PASSES; pass++) {
    estimate_drift(&launch);
    limit = cut_outliers(&launch);
  }
  for (int l = 0; l < labels; l++) {
    estimates[l] = (struct launch_estimate){0};
    compare_rounds(&launch, l, baseline, &estimates[l]);
    for (int i = 0; i < measured(&launch, l); i++) {
      int at = slice_of(&launch, l, i);
      double residual = launch.y[at] - launch.drift[at] - launch.centre[l];
      estimates[l].cut += fabs(residual) > limit;
    }
  }
  launch_free(&launch);
}
