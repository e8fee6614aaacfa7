/* test_rates.c: how often the statistics are right, by a short simulation of whole runs of slices
 * with a fixed seed; `make simulate` is the long one. The bounds leave room for the chance of this
 * few runs only: a family that is not treated as one breaks them. */
#include <math.h>

#include "bench/data/power.h"
#include "bench/data/verdict.h"
#include "common/random.h"
#include "bench/data/launch_estimate.h"
#include "tests/rates.h"
#include "tests/support.h"

static double share(long of, long all) {
  return (double)of / (double)all;
}

static void assert_between(const char *what, double got, double low, double high) {
  print_message("%s: %.3f\n", what, got);
  if (!(got >= low && got <= high))
    fail_msg("%s: %.3f, want %.3f to %.3f", what, got, low, high);
}

/* A third of the rivals three times as noisy, a fifth with three times the launch effect. */
static struct rates_case unequal(int rivals, int launches, int runs) {
  struct rates_case simulated = {.model = slice_model_usual(rivals + 1, 10),
                                 .effect_count = 1,
                                 .launches = launches,
                                 .allowed = 0.05,
                                 .runs = runs,
                                 .seed = 11};
  for (int l = 0; l < rivals; l++) {
    simulated.model.noise[l] = l % 3 == 2 ? 3 : 1;
    simulated.model.unsteady[l] = l % 5 == 4 ? 3 : 1;
  }
  return simulated;
}

/* Nine rivals that equal the baseline. The p alone keeps the family's error rate, and uses it; so
 * do the intervals, which the earlier ones did not. */
static void test_equal_rivals(void **state) {
  (void)state;
  struct rates_case simulated = unequal(9, 8, 2500);
  struct rates rates = rates_of(&simulated);
  assert_between("wrong by p", share(rates.wrong_by_p, rates.runs), 0.02, 0.065);
  assert_between("missed", share(rates.missed, rates.runs), 0.005, 0.055);
  assert_between("wrong", share(rates.wrong, rates.runs), 0, 0.05);
  assert_between("missed earlier", share(rates.missed_earlier, rates.runs), 0.2, 0.5);
  assert_between("best lost", share(rates.best_lost, rates.runs), 0, 0.055);
  assert_between("voided", share(rates.voided, rates.runs), 0.025, 0.075);
}

/* Six launches of nine rivals, some different: claims where the earlier procedure had none. */
static void test_differences_are_found(void **state) {
  (void)state;
  struct rates_case simulated = unequal(9, 6, 1000);
  static const double effects[] = {0, 0, 0.05, 0.10, 0.40};
  simulated.effect_count = TEST_COUNT(effects);
  simulated.signs = true;
  for (size_t i = 0; i < TEST_COUNT(effects); i++)
    simulated.effects[i] = log1p(effects[i]);
  struct rates rates = rates_of(&simulated);
  const struct rates_effect *ten = &rates.effects[3];
  const struct rates_effect *forty = &rates.effects[4];
  assert_between("wrong", share(rates.wrong, rates.runs), 0, 0.05);
  assert_between("missed", share(rates.missed, rates.runs), 0.005, 0.055);
  assert_between("found of 10 %", share(ten->claimed, ten->rivals), 0.68, 1);
  assert_between("found of 40 %", share(forty->claimed, forty->rivals), 0.97, 1);
  assert_between("earlier", share(forty->claimed_earlier, forty->rivals), 0, 0.01);
}

/* The fewest rounds of a launch: what they tell is less, not wrong. */
static void test_two_rounds(void **state) {
  (void)state;
  struct rates_case simulated = {.model = slice_model_usual(10, LAUNCH_ROUNDS_MIN),
                                 .effect_count = 1,
                                 .launches = 6,
                                 .allowed = 0.05,
                                 .runs = 2000,
                                 .seed = 14};
  struct rates rates = rates_of(&simulated);
  assert_between("wrong", share(rates.wrong, rates.runs), 0, 0.05);
  assert_between("missed", share(rates.missed, rates.runs), 0.005, 0.055);
}

/* Launches until the interval is narrow: it still holds the truth. */
static void test_precision_stopping(void **state) {
  (void)state;
  struct rates_case simulated = {.model = slice_model_usual(2, 10),
                                 .effect_count = 1,
                                 .launches = 40,
                                 .precision = 0.025,
                                 .allowed = 0.05,
                                 .runs = 4000,
                                 .seed = 12};
  struct rates rates = rates_of(&simulated);
  assert_between("missed", share(rates.missed, rates.runs), 0.02, 0.052);
  assert_between("wrong", share(rates.wrong, rates.runs), 0.01, 0.05);
  assert_between("launches", rates.launches / (double)rates.runs, 7, 39);
  assert_between("precise", share(rates.precise, rates.runs), 0.8, 1);
}

/* A rival exactly as much worse as is allowed: either exit is wrong. */
static void test_gate(void **state) {
  (void)state;
  struct rates_case simulated = {.model = slice_model_usual(2, 10),
                                 .effects = {log1p(0.05)},
                                 .effect_count = 1,
                                 .launches = 8,
                                 .allowed = 0.05,
                                 .runs = 4000,
                                 .seed = 13};
  struct rates rates = rates_of(&simulated);
  assert_between("passed", share(rates.gates[0], rates.runs), 0.005, 0.04);
  assert_between("failed", share(rates.gates[3], rates.runs), 0.005, 0.04);
  assert_between("undecided", share(rates.gates[4], rates.runs), 0.92, 0.99);
}

static double normal(uint64_t *random) {
  double u = ((double)(mux_random(random) >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
  double v = (double)(mux_random(random) >> 12) / (double)(UINT64_C(1) << 52);
  return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Of the difference that a plan is said to show, about 80 of 100 are claimed. */
static void test_detectable(void **state) {
  (void)state;
  enum { RUNS = 1000, RIVALS_MAX = 9, LAUNCHES_MAX = 14 };
  uint64_t random = 14;
  for (int rivals = 1; rivals <= RIVALS_MAX; rivals += 8)
    for (int launches = 6; launches <= LAUNCHES_MAX; launches += launches < 8 ? 1 : 6) {
      struct power_plan plan = {
          .rivals = rivals, .launches = launches, .rounds = 1, .between = 2 * 0.02 * 0.02};
      double truth = power_detectable(&plan);
      long found = 0;
      for (int run = 0; run < RUNS; run++) {
        double d[LAUNCHES_MAX * RIVALS_MAX];
        struct family_rival judged[RIVALS_MAX];
        for (int i = 0; i < launches; i++) {
          double baseline = 0.02 * normal(&random);
          for (int l = 0; l < rivals; l++)
            d[i * rivals + l] = (l == 0 ? truth : 0) + 0.02 * normal(&random) - baseline;
        }
        struct family family = {.launches = launches, .rivals = rivals, .d = d};
        family_judge(&family, 1, judged);
        found += verdict_of(&judged[0], true, VERDICT_MARGIN) == VERDICT_WORSE;
      }
      assert_between("found", share(found, RUNS), 0.72, 0.88);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equal_rivals), cmocka_unit_test(test_differences_are_found),
      cmocka_unit_test(test_two_rounds),   cmocka_unit_test(test_precision_stopping),
      cmocka_unit_test(test_gate),         cmocka_unit_test(test_detectable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
