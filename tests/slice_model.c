/* slice_model.c: see slice_model.h. */
#include "tests/slice_model.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"

struct slice_model slice_model_usual(int rivals, int rounds) {
  struct slice_model model = {
      .rivals = rivals,
      .rounds = rounds,
      .launch_common = 0.05,
      .launch_own = 0.01,
      .drift = 0.10,
      .drift_memory = 0.9,
      .slice_noise = 0.06,
      .burst_rate = 0.004,
      .burst_size = 0.35,
      .burst_slices = 5,
      .missing = 0.01,
  };
  for (int l = 0; l < rivals; l++)
    model.noise[l] = model.unsteady[l] = 1;
  return model;
}

/* In (0, 1). */
static double uniform(uint64_t *random) {
  return ((double)(mux_random(random) >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
}

static double normal(uint64_t *random) {
  return sqrt(-2 * log(uniform(random))) * cos(2 * M_PI * uniform(random));
}

static double student(int df, uint64_t *random) {
  double squares = 0;
  for (int i = 0; i < df; i++) {
    double z = normal(random);
    squares += z * z;
  }
  return normal(random) / sqrt(squares / df);
}

static void shuffle(int *labels, int n, uint64_t *random) {
  for (int i = n - 1; i > 0; i--) {
    int j = (int)mux_random_below(random, (uint64_t)i + 1);
    int kept = labels[i];
    labels[i] = labels[j];
    labels[j] = kept;
  }
}

/* The labels of a round: every rival once in random order, the baseline sqrt(k) times spread evenly
 * from a random start. Returns how many. */
static int order_round(int rivals, uint64_t *random, int *labels) {
  int order[SLICE_MODEL_RIVALS_MAX];
  int baselines = (int)(sqrt(rivals) + 0.5);
  double step = (rivals + 1.0) / baselines;
  double at = uniform(random) * step;
  int n = 0;
  for (int l = 0; l < rivals; l++)
    order[l] = l + 1;
  shuffle(order, rivals, random);
  for (int q = 0; q <= rivals; q++) {
    for (; baselines > 0 && (at < q + 1 || q == rivals); at += step, baselines--)
      labels[n++] = 0;
    if (q < rivals)
      labels[n++] = order[q];
  }
  return n;
}

/* What the host does to a slice, whichever label it is. */
struct host {
  double drift;
  double burst;
  int burst_left;
};

static double host_next(const struct slice_model *model, struct host *host, uint64_t *random) {
  double memory = model->drift_memory;
  host->drift = memory * host->drift + sqrt(1 - memory * memory) * model->drift * normal(random);
  if (host->burst_left > 0)
    host->burst_left--;
  else if (uniform(random) < model->burst_rate) {
    host->burst_left = (int)mux_random_below(random, 2 * (uint64_t)model->burst_slices - 1);
    host->burst = model->burst_size * (0.5 + uniform(random));
  } else
    host->burst = 0;
  return host->drift + host->burst;
}

static void plain_differences(const struct launch_slice *slices, int count, int rivals,
                              double *plain) {
  double sum[SLICE_MODEL_RIVALS_MAX + 1] = {0};
  int n[SLICE_MODEL_RIVALS_MAX + 1] = {0};
  for (int i = 0; i < count; i++)
    if (!isnan(slices[i].value)) {
      sum[slices[i].label] += log(slices[i].value);
      n[slices[i].label]++;
    }
  for (int l = 0; l < rivals; l++)
    plain[l] = sum[l + 1] / n[l + 1] - sum[0] / n[0];
}

void slice_model_launch(const struct slice_model *model, uint64_t *random, double *d,
                        double *variance, double *plain) {
  int labels[3 * SLICE_MODEL_RIVALS_MAX];
  double level[SLICE_MODEL_RIVALS_MAX + 1];
  struct launch_slice *slices =
      mux_new((size_t)model->rounds * 3 * SLICE_MODEL_RIVALS_MAX, sizeof *slices);
  struct host host = {.drift = model->drift * normal(random)};
  double common = model->launch_common * student(3, random);
  level[0] = common + model->launch_own * student(3, random);
  for (int l = 0; l < model->rivals; l++)
    level[l + 1] =
        common + model->effect[l] + model->launch_own * model->unsteady[l] * student(3, random);
  int count = 0;
  for (int round = 0; round < model->rounds; round++) {
    int n = order_round(model->rivals, random, labels);
    for (int i = 0; i < n; i++) {
      int label = labels[i];
      double times = label > 0 ? model->noise[label - 1] : 1;
      double noise = times * model->slice_noise * student(4, random) / M_SQRT2; /* variance 2 */
      double y = level[label] + host_next(model, &host, random) + noise;
      bool missing = uniform(random) < model->missing;
      slices[count++] = (struct launch_slice){label, round, missing ? NAN : exp(y)};
    }
  }
  struct launch_estimate estimates[SLICE_MODEL_RIVALS_MAX + 1];
  launch_estimate(slices, count, model->rivals + 1, 0, estimates);
  for (int l = 0; l < model->rivals; l++) {
    d[l] = estimates[l + 1].d;
    variance[l] = estimates[l + 1].variance;
  }
  if (plain != NULL)
    plain_differences(slices, count, model->rivals, plain);
  free(slices);
}
