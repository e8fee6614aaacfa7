/* test_launch_estimate.c: what the slices of a launch say. Exact where the answer is known; by many
 * simulated launches of a fixed seed where it is a matter of bias and spread. */
#include <math.h>
#include <stdlib.h>

#include "bench/data/launch_estimate.h"
#include "tests/slice_model.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

enum { ROUNDS = 12 };

/* Rounds of labels 1, 0, 2, 0 with the values 12, 10, 20, 10. */
static int steady_slices(struct launch_slice *slices) {
  static const int labels[] = {1, 0, 2, 0};
  static const double values[] = {12, 10, 20, 10};
  int n = 0;
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < 4; i++)
      slices[n++] = (struct launch_slice){labels[i], 100 + round, values[i]};
  return n;
}

static void test_ratio(void **state) {
  (void)state;
  struct launch_slice slices[4 * ROUNDS];
  struct launch_estimate got[3];
  int n = steady_slices(slices);
  launch_estimate(slices, n, 3, 0, got);
  assert_near(got[0].d, 0, 0);
  assert_near(got[1].d, log(1.2), 1e-9);
  assert_near(got[2].d, log(2), 1e-9);
  assert_int_equal(got[1].rounds, ROUNDS);
  launch_estimate(slices, n, 3, 2, got); /* another baseline */
  assert_near(got[0].d, log(0.5), 1e-9);
  assert_near(got[1].d, log(0.6), 1e-9);
  assert_near(got[2].d, 0, 0);
}

/* A round without the rival or without any slice of the baseline is left out; too few are no
 * estimate. */
static void test_missing(void **state) {
  (void)state;
  struct launch_slice slices[4 * ROUNDS];
  struct launch_estimate got[3];
  int n = steady_slices(slices);
  slices[0].value = NAN;                   /* label 1 in round 0 */
  slices[5].value = 0;                     /* one of two slices of the baseline in round 1 */
  slices[9].value = slices[11].value = -1; /* both in round 2 */
  for (int i = 0; i < n; i++)
    if (slices[i].label == 2 && slices[i].round >= 100 + LAUNCH_ROUNDS_MIN - 1)
      slices[i].value = INFINITY;
  launch_estimate(slices, n, 3, 0, got);
  assert_int_equal(got[1].rounds, ROUNDS - 2);
  assert_int_equal(got[2].rounds, LAUNCH_ROUNDS_MIN - 1);
  assert_near(got[1].d, log(1.2), 0.05);
  assert_true(isnan(got[2].d) && isnan(got[2].variance));
  launch_estimate(slices, 0, 3, 0, got);
  assert_true(isnan(got[0].d) && isnan(got[1].d) && got[1].rounds == 0);
}

/* Values that are nearly all the same (system calls per request) are not cut. */
static void test_exact_metric(void **state) {
  (void)state;
  struct launch_slice slices[2 * ROUNDS];
  struct launch_estimate got[2];
  for (int i = 0; i < 2 * ROUNDS; i++)
    slices[i] = (struct launch_slice){i % 2, i / 2, i % 2 == 1 && i < 6 ? 4 : 2};
  launch_estimate(slices, 2 * ROUNDS, 2, 0, got);
  assert_int_equal(got[0].cut + got[1].cut, 0);
  assert_true(got[1].d > 0.1 && got[1].d < 0.2); /* 3 of 12 rounds at ln 2, less what drift takes */
}

/* The variance is that of the mean of the rounds' differences. */
static void test_variance(void **state) {
  (void)state;
  static const double noise[] = {1.00, 1.10, 0.95, 1.02, 0.97, 1.05, 0.90, 1.01, 1.04, 0.98};
  struct launch_slice slices[20];
  struct launch_estimate got[2];
  for (int round = 0; round < 10; round++) {
    slices[2 * round] = (struct launch_slice){0, round, 10 * noise[round]};
    slices[2 * round + 1] = (struct launch_slice){1, round, 10 * noise[9 - round]};
  }
  launch_estimate(slices, 20, 2, 0, got);
  double mean = 0;
  double squares = 0;
  for (int i = 0; i < 10; i++)
    mean += log(noise[9 - i] / noise[i]) / 10;
  for (int i = 0; i < 10; i++)
    squares += pow(log(noise[9 - i] / noise[i]) - mean, 2);
  assert_near(got[1].d, mean, 0.01);
  assert_near(sqrt(got[1].variance), sqrt(squares / 9 / 10), 0.01);
  assert_true(got[1].variance > 0);
}

static void test_cut_is_counted(void **state) {
  (void)state;
  struct launch_slice slices[4 * ROUNDS];
  struct launch_estimate got[3];
  int n = steady_slices(slices);
  for (int i = 0; i < n; i++)
    slices[i].value *= 1 + 0.01 * (i * 7 % 5);
  launch_estimate(slices, n, 3, 0, got);
  double before = got[2].d;
  assert_int_equal(got[2].cut, 0);
  slices[4 * 5 + 2].value *= 30;
  launch_estimate(slices, n, 3, 0, got);
  assert_int_equal(got[2].cut, 1);
  assert_near(got[2].d, before, 0.08); /* uncut: ln 30 / 12 = .28 */
}

/* ---- Bias and spread --------------------------------------------------------------------------
 */

struct moments {
  double bias;
  double deviation;
};

/* Over launches of a model, for one rival: of d, or of the difference of plain means. */
static struct moments of_launches(const struct slice_model *model, int rival, bool plain) {
  enum { LAUNCHES = 3000 };
  uint64_t random = 4;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < LAUNCHES; i++) {
    double d[SLICE_MODEL_RIVALS_MAX];
    double variance[SLICE_MODEL_RIVALS_MAX];
    double means[SLICE_MODEL_RIVALS_MAX];
    slice_model_launch(model, &random, d, variance, means);
    double error = (plain ? means : d)[rival] - model->effect[rival];
    sum += error;
    squares += error * error;
  }
  double mean = sum / LAUNCHES;
  return (struct moments){mean, sqrt(squares / LAUNCHES - mean * mean)};
}

static struct slice_model within_launches(int rivals) {
  struct slice_model model = slice_model_usual(rivals, 20);
  model.launch_own = 0;
  return model;
}

/* On a drifting host with bursts the estimate scatters less than plain means: the more
 * labels there are, the further apart are the slices of two of them. */
static void test_drift_is_removed(void **state) {
  (void)state;
  static const struct {
    int rivals;
    double at_most;
  } cases[] = {{1, 0.97}, {9, 0.85}, {20, 0.79}};
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct slice_model model = within_launches(cases[i].rivals);
    double ours = of_launches(&model, 0, false).deviation;
    double plain = of_launches(&model, 0, true).deviation;
    assert_true(ours < cases[i].at_most * plain);
  }
}

/* On a calm host there is nothing to remove, and looking for it costs nothing. */
static void test_calm_host(void **state) {
  (void)state;
  struct slice_model model = within_launches(20);
  model.drift = model.burst_rate = 0;
  double ours = of_launches(&model, 0, false).deviation;
  double plain = of_launches(&model, 0, true).deviation;
  assert_true(ours < plain);
}

/* Bursts that hit all labels alike, heavy tails, and a label three times as noisy: no bias. Cutting
 * each label by its own spread would be wrong by half a per cent. */
static void test_no_bias(void **state) {
  (void)state;
  struct slice_model model = within_launches(9);
  model.noise[0] = 3;
  model.burst_rate = 0.03;
  model.burst_slices = 1;
  model.burst_size = 0.5;
  model.effect[1] = 0.10;
  assert_near(of_launches(&model, 0, false).bias, 0, 0.002);
  assert_near(of_launches(&model, 1, false).bias, 0, 0.002);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ratio),          cmocka_unit_test(test_missing),
      cmocka_unit_test(test_exact_metric),   cmocka_unit_test(test_variance),
      cmocka_unit_test(test_cut_is_counted), cmocka_unit_test(test_drift_is_removed),
      cmocka_unit_test(test_calm_host),      cmocka_unit_test(test_no_bias),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
