/* test_verdict.c: what may be said of a rival, a twin, a gate; what a plan can show. */
#include <math.h>

#include "bench/data/power.h"
#include "bench/data/verdict.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

/* A rival whose ratio has this interval. */
static struct family_rival rival(double low, double high, double p) {
  return (struct family_rival){.launches = 10,
                               .estimate = (log(low) + log(high)) / 2,
                               .low = log(low),
                               .high = log(high),
                               .p_adjusted = p};
}

static void test_verdicts(void **state) {
  (void)state;
  static const struct {
    double low, high, p;
    enum verdict lower, higher; /* lower is better, higher is better */
  } cases[] = {
      {0.80, 0.95, 0.01, VERDICT_BETTER, VERDICT_WORSE},
      {1.10, 1.20, 0.01, VERDICT_WORSE, VERDICT_BETTER},
      {1.01, 1.03, 0.049, VERDICT_WORSE, VERDICT_BETTER}, /* proved, if small */
      {1.01, 1.03, 0.05, VERDICT_EQUIVALENT, VERDICT_EQUIVALENT},
      {1.10, 1.20, 0.05, VERDICT_UNDECIDED, VERDICT_UNDECIDED}, /* both are needed */
      {0.80, 0.90, 0.05, VERDICT_UNDECIDED, VERDICT_UNDECIDED},
      {0.99, 1.20, 0.01, VERDICT_UNDECIDED, VERDICT_UNDECIDED},
      {0.96, 1.04, 0.5, VERDICT_EQUIVALENT, VERDICT_EQUIVALENT},
      {0.96, 1.06, 0.5, VERDICT_UNDECIDED, VERDICT_UNDECIDED},
      {0.94, 1.04, 0.5, VERDICT_UNDECIDED, VERDICT_UNDECIDED},
      {1 / 1.0499, 1.0499, 0.5, VERDICT_EQUIVALENT, VERDICT_EQUIVALENT},
      {NAN, NAN, NAN, VERDICT_NONE, VERDICT_NONE},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct family_rival judged = rival(cases[i].low, cases[i].high, cases[i].p);
    assert_int_equal(verdict_of(&judged, true, 0.05), cases[i].lower);
    assert_int_equal(verdict_of(&judged, false, 0.05), cases[i].higher);
  }
  struct family_rival narrow = rival(1.01, 1.03, 0.01);
  assert_true(verdict_is_equivalent(&narrow, 0.05));
  assert_false(verdict_is_equivalent(&narrow, 0.02));
  assert_string_equal(verdict_names[VERDICT_VOID], "void");
}

/* A twin beside 1 is as far off as its far end, not as its half-width. */
static void test_twin(void **state) {
  (void)state;
  struct family_rival around = rival(0.98, 1.03, 0.5);
  struct family_rival beside = rival(1.02, 1.03, 0.02);
  struct family_rival unknown = rival(NAN, NAN, NAN);
  assert_near(verdict_delta(&around), 0.03, 1e-12);
  assert_near(verdict_delta(&beside), 0.03, 1e-12);
  assert_true(isnan(verdict_delta(&unknown)));
  assert_false(verdict_twin_voids(&around));
  assert_true(verdict_twin_voids(&beside));
  assert_false(verdict_twin_voids(&unknown));
}

static void test_gate(void **state) {
  (void)state;
  struct family_rival fine = rival(0.90, 1.04, 0.5);
  struct family_rival bad = rival(1.06, 1.20, 0.01);
  struct family_rival bad_by_interval = rival(1.06, 1.20, 0.06);
  struct family_rival open = rival(1.00, 1.08, 0.2);
  struct family_rival unknown = rival(NAN, NAN, NAN);
  assert_int_equal(verdict_gate(&fine, 1, true, 0.05), GATE_PASSED);
  assert_int_equal(verdict_gate(&bad, 1, true, 0.05), GATE_FAILED);
  assert_int_equal(verdict_gate(&bad, 1, false, 0.05), GATE_PASSED); /* more is better */
  assert_int_equal(verdict_gate(&fine, 1, false, 0.05), GATE_UNDECIDED);
  assert_int_equal(verdict_gate(&bad_by_interval, 1, true, 0.05), GATE_UNDECIDED);
  assert_int_equal(verdict_gate(&open, 1, true, 0.05), GATE_UNDECIDED);
  assert_int_equal(verdict_gate(&unknown, 1, true, 0.05), GATE_UNDECIDED);
  assert_int_equal(verdict_gate(NULL, 0, true, 0.05), GATE_UNDECIDED);
  struct family_rival mixed[] = {fine, open, bad};
  assert_int_equal(verdict_gate(mixed, 3, true, 0.05), GATE_FAILED);
  assert_int_equal(verdict_gate(mixed, 2, true, 0.05), GATE_UNDECIDED);
  struct family_rival undecided_first[] = {open, fine};
  assert_int_equal(verdict_gate(undecided_first, 2, true, 0.05), GATE_UNDECIDED);
  struct family_rival slower = rival(0.80, 0.90, 0.01); /* of requests per second */
  assert_int_equal(verdict_gate(&slower, 1, false, 0.05), GATE_FAILED);
  mixed[1] = unknown;
  assert_int_equal(verdict_gate(mixed, 2, true, 0.05), GATE_UNDECIDED);
}

/* ---- Power ------------------------------------------------------------------------------------
 */

static struct power_plan plan_of(int rivals, int launches) {
  return (struct power_plan){
      .rivals = rivals, .launches = launches, .rounds = 20, .between = 3e-4, .within_round = 20e-4};
}

/* One rival, 8 launches, standard deviation 2 %: 2.365 * .02 / sqrt 8. */
static void test_half_width(void **state) {
  (void)state;
  struct power_plan plan = plan_of(1, 8);
  assert_near(power_half_width(&plan), 2.36462 * 0.02 / sqrt(8), 1e-5);
  plan.rounds = 40;
  assert_near(power_half_width(&plan), 2.36462 * sqrt(3.5e-4 / 8), 1e-5);
  plan.launches = 5;
  assert_true(isnan(power_half_width(&plan)) && isnan(power_detectable(&plan)));
}

static void test_more_shows_more(void **state) {
  (void)state;
  for (int rivals = 1; rivals <= 20; rivals += 19)
    for (int launches = 6; launches < 60; launches++) {
      struct power_plan plan = plan_of(rivals, launches);
      struct power_plan more = plan_of(rivals, launches + 1);
      assert_true(power_half_width(&more) < power_half_width(&plan));
      assert_true(power_detectable(&more) < power_detectable(&plan));
      assert_true(power_detectable(&plan) > power_half_width(&plan));
      more = plan;
      more.rivals++;
      assert_true(launches < 8 || power_detectable(&more) >= power_detectable(&plan));
      more = plan;
      more.precision_stopping = true;
      assert_true(power_half_width(&more) > power_half_width(&plan));
    }
}

/* Six launches must agree in sign, which takes more than the interval does: 1.9 deviations of 2 %
 * where (2.57 + 1) / sqrt 6 would be 1.46. */
static void test_few_launches_must_agree(void **state) {
  (void)state;
  struct power_plan plan = plan_of(1, 6);
  assert_near(power_detectable(&plan), 1.9 * 0.02, 1e-9);
  plan.launches = 7;
  assert_near(power_detectable(&plan), 1.45 * 0.02, 1e-9);
  plan.launches = 8;
  assert_near(power_detectable(&plan), 3.36462 * 0.02 / sqrt(8), 1e-5);
}

static void test_launches(void **state) {
  (void)state;
  struct power_plan plan = plan_of(9, 0);
  int n = power_launches(&plan, 0.015);
  plan.launches = n;
  assert_true(power_half_width(&plan) <= 0.015);
  plan.launches = n - 1;
  assert_true(power_half_width(&plan) > 0.015);
  assert_int_equal(power_launches(&plan, 1), FAMILY_LAUNCHES_MIN);
  assert_int_equal(power_launches(&plan, 0.0001), 0);
  assert_int_equal(power_launches(&plan, 0), 0);
}

/* What a finished run could have shown is what a plan with its noise can show. */
static void test_detected(void **state) {
  (void)state;
  for (int launches = 6; launches <= 10; launches++) {
    struct power_plan plan = plan_of(1, launches);
    double half = power_half_width(&plan);
    struct family_rival judged = {
        .launches = launches, .low = -half, .high = half, .error = 0.02 / sqrt(launches)};
    assert_near(power_detected(&judged), power_detectable(&plan), 1e-9);
  }
}

/* A rival's noise, for a plan: its error as the intervals have it, and no more from its rounds than
 * there is; below six launches what they scattered. */
static void test_plan_of_rival(void **state) {
  (void)state;
  struct family_rival judged = {.launches = 9, .error = 0.01, .between = 1, .within = 5e-4};
  struct power_plan plan = power_plan_of(&judged, 3, 20, true);
  assert_true(plan.rivals == 3 && plan.launches == 9 && plan.rounds == 20);
  assert_true(plan.precision_stopping);
  assert_near(plan.between, 4e-4, 1e-12); /* 9 * .01^2 = 9e-4 in all */
  assert_near(plan.within_round, 100e-4, 1e-12);
  judged.within = 2e-3;
  plan = power_plan_of(&judged, 3, 20, false);
  assert_near(plan.between, 0, 1e-12);
  assert_near(plan.within_round / plan.rounds, 9e-4, 1e-12);
  judged = (struct family_rival){.launches = 3, .error = NAN, .between = 2e-4, .within = 5e-4};
  plan = power_plan_of(&judged, 3, 20, false);
  assert_near(plan.between, 2e-4, 1e-12);
  assert_near(plan.within_round, 100e-4, 1e-12);
}

static void test_what_it_would_take(void **state) {
  (void)state;
  struct family_rival judged = rival(0.98, 1.08, 0.3);
  judged.estimate = 0.03;
  assert_near(power_half_width_to_decide(&judged, 0.05), 0.03, 1e-12);
  judged.estimate = -0.01;
  assert_near(power_half_width_to_decide(&judged, 0.05), log(1.05) - 0.01, 1e-12);
  assert_near(power_half_width_to_gate(&judged, true, 0.05), log(1.05) + 0.01, 1e-12);
  assert_near(power_half_width_to_gate(&judged, false, 0.05), log(1.05) - 0.01, 1e-12);
  judged.estimate = 0.09;
  assert_near(power_half_width_to_gate(&judged, true, 0.05), 0.09 - log(1.05), 1e-12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_verdicts),
      cmocka_unit_test(test_twin),
      cmocka_unit_test(test_gate),
      cmocka_unit_test(test_half_width),
      cmocka_unit_test(test_more_shows_more),
      cmocka_unit_test(test_launches),
      cmocka_unit_test(test_few_launches_must_agree),
      cmocka_unit_test(test_detected),
      cmocka_unit_test(test_plan_of_rival),
      cmocka_unit_test(test_what_it_would_take),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
