/* test_family.c: intervals and p of a family, the best set, moderated spreads: known answers and
 * properties. How often they are right is test_rates.c's matter. */
#include <math.h>
#include <string.h>

#include "bench/data/best.h"
#include "bench/data/family.h"
#include "bench/data/spread.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

/* Between -1 and 1. */
static double noise(void) {
  return (double)test_random_in(0, 2000000) / 1e6 - 1;
}

/* One rival is the paired t of any textbook: differences 1 to 8, mean 4.5, s.e. .866, t 2.365. */
static void test_one_rival(void **state) {
  (void)state;
  static const double d[] = {1, 2, 3, 4, 5, 6, 7, 8};
  struct family family = {.launches = 8, .rivals = 1, .d = d};
  struct family_rival got;
  family_judge(&family, 1, &got);
  assert_int_equal(got.launches, 8);
  assert_near(got.estimate, 4.5, 1e-12);
  assert_near(got.error, sqrt(6.0 / 8), 1e-12);
  assert_near(got.df, 7, 0);
  assert_near(got.low, 4.5 - 2.36462 * sqrt(0.75), 1e-3);
  assert_near(got.high, 4.5 + 2.36462 * sqrt(0.75), 1e-3);
  assert_near(got.p_adjusted, 1.0 / 128, 1e-12);
  assert_near(got.between, 6, 1e-12);
}

static void test_too_few_launches(void **state) {
  (void)state;
  enum { RIVALS = 3, LAUNCHES = 6 };
  double d[LAUNCHES * RIVALS];
  for (int i = 0; i < LAUNCHES * RIVALS; i++)
    d[i] = noise();
  d[4] = NAN; /* rival 1 has five, rival 2 none */
  for (int i = 0; i < LAUNCHES; i++)
    d[i * RIVALS + 2] = NAN;
  struct family family = {.launches = LAUNCHES, .rivals = RIVALS, .d = d};
  struct family_rival got[RIVALS];
  family_judge(&family, 1, got);
  assert_true(isfinite(got[0].low) && isfinite(got[0].p_adjusted));
  assert_int_equal(got[1].launches, 5);
  assert_true(isfinite(got[1].estimate));
  assert_true(isnan(got[1].low) && isnan(got[1].high) && isnan(got[1].p_adjusted));
  assert_int_equal(got[2].launches, 0);
  assert_true(isnan(got[2].estimate));
  assert_true(isinf(family_half_width(got, RIVALS)));

  /* Those left out do not widen the others' intervals. */
  double alone[LAUNCHES];
  for (int i = 0; i < LAUNCHES; i++)
    alone[i] = d[i * RIVALS];
  struct family one = {.launches = LAUNCHES, .rivals = 1, .d = alone};
  struct family_rival want;
  family_judge(&one, 1, &want);
  assert_near(got[0].low, want.low, 1e-12);
  assert_near(got[0].p_adjusted, want.p_adjusted, 0);
  assert_near(family_half_width(got, 1), (want.high - want.low) / 2, 1e-12);

  family.launches = 0;
  family_judge(&family, 1, got);
  assert_true(isnan(got[0].estimate) && isnan(got[0].low));
  family.rivals = 0;
  family_judge(&family, 1, got);
}

/* Each launch counts once for each rival, whatever the order of either. */
static void test_order_does_not_matter(void **state) {
  (void)state;
  enum { RIVALS = 4, LAUNCHES = 9 };
  double d[LAUNCHES * RIVALS];
  double variance[LAUNCHES * RIVALS];
  double d2[LAUNCHES * RIVALS];
  double variance2[LAUNCHES * RIVALS];
  for (int i = 0; i < LAUNCHES * RIVALS; i++) {
    d[i] = test_random_in(0, 9) == 0 ? NAN : noise();
    variance[i] = 0.01 * (1 + noise());
  }
  for (int i = 0; i < LAUNCHES; i++)
    for (int l = 0; l < RIVALS; l++) {
      d2[(LAUNCHES - 1 - i) * RIVALS + (l + 1) % RIVALS] = d[i * RIVALS + l];
      variance2[(LAUNCHES - 1 - i) * RIVALS + (l + 1) % RIVALS] = variance[i * RIVALS + l];
    }
  struct family family = {.launches = LAUNCHES, .rivals = RIVALS, .d = d, .variance = variance};
  struct family turned = {.launches = LAUNCHES, .rivals = RIVALS, .d = d2, .variance = variance2};
  struct family_rival got[RIVALS];
  struct family_rival again[RIVALS];
  family_judge(&family, 1, got);
  family_judge(&turned, 1, again);
  for (int l = 0; l < RIVALS; l++) {
    const struct family_rival *other = &again[(l + 1) % RIVALS];
    if (got[l].launches < FAMILY_LAUNCHES_MIN)
      continue;
    assert_near(got[l].low, other->low, 1e-9);
    assert_near(got[l].high, other->high, 1e-9);
    assert_near(got[l].p_adjusted, other->p_adjusted, 1e-12);
  }
}

/* A metric without any scatter (system calls per request) is proved by six equal launches. */
static void test_no_scatter(void **state) {
  (void)state;
  enum { LAUNCHES = 6 };
  double d[LAUNCHES * 2];
  for (int i = 0; i < LAUNCHES; i++) {
    d[2 * i] = 0;
    d[2 * i + 1] = log(2);
  }
  struct family family = {.launches = LAUNCHES, .rivals = 2, .d = d};
  struct family_rival got[2];
  family_judge(&family, 1, got);
  assert_near(got[0].p_adjusted, 1, 0);
  assert_near(got[0].low, 0, 1e-5);
  assert_near(got[1].p_adjusted, 1.0 / 32, 1e-12);
  assert_near(got[1].low, log(2), 1e-5);
  assert_true(got[1].high > got[1].low);
}

static void test_precision_stopping_widens(void **state) {
  (void)state;
  static const double d[] = {1, 2, 3, 4, 5, 6};
  struct family family = {.launches = 6, .rivals = 1, .d = d};
  struct family_rival fixed;
  struct family_rival stopped;
  family_judge(&family, 1, &fixed);
  family.precision_stopping = true;
  family_judge(&family, 1, &stopped);
  assert_near((stopped.high - stopped.low) / (fixed.high - fixed.low), 3.00287 / 2.57058, 1e-3);
  assert_near(family_level(4, true), 0.955, 1e-12);
  assert_near(family_level(4, false), 0.95, 0);
}

/* ---- Spread -----------------------------------------------------------------------------------
 */

static void test_spread_alone(void **state) {
  (void)state;
  struct spread one = {.launches = 6, .variance = 4, .within = 1};
  spread_moderate(&one, 1);
  assert_near(one.moderated, 4, 0);
  assert_near(one.df, 5, 0);
}

/* Rivals that scatter alike lend the one that chance made small their knowledge: two degrees of
 * freedom for each other rival, at most twice its own. Nobody's variance is lowered. */
static void test_spread_borrows(void **state) {
  (void)state;
  for (int count = 2; count <= 20; count++) {
    struct spread spreads[20];
    for (int i = 0; i < count; i++)
      spreads[i] = (struct spread){.launches = 6, .variance = i == 0 ? 0.2 : 1 + 0.1 * (i % 3)};
    spread_moderate(spreads, count);
    assert_true(spreads[0].df > 5 && spreads[0].df <= 5 + 2 * (count - 1));
    assert_true(spreads[0].df <= 15 && spreads[0].moderated > 0.25);
    assert_true(spreads[0].moderated < 1.2);
    for (int i = 1; i < count; i++)
      assert_true(spreads[i].moderated >= spreads[i].variance);
  }
}

/* Rivals that scatter very unequally know little of each other, and one wild rival does not widen
 * all others. */
static void test_spread_of_unlike_rivals(void **state) {
  (void)state;
  struct spread unlike[10];
  for (int i = 0; i < 10; i++)
    unlike[i] = (struct spread){.launches = 10, .variance = exp(i - 5)};
  spread_moderate(unlike, 10);
  assert_true(unlike[0].df < 9 + 2);
  assert_true(unlike[0].moderated < 2 * unlike[9].variance / 20);
  struct spread wild[20];
  for (int i = 0; i < 20; i++)
    wild[i] = (struct spread){.launches = 10, .variance = i == 0 ? 400 : 1};
  spread_moderate(wild, 20);
  assert_true(wild[1].moderated < 1.3);
  assert_near(wild[0].moderated, 400, 0);
}

/* What rounds explain differs between a noisy and a quiet rival and is no reason to raise the
 * quiet one. */
static void test_spread_knows_rounds(void **state) {
  (void)state;
  struct spread spreads[8];
  for (int i = 0; i < 8; i++)
    spreads[i] = (struct spread){.launches = 8, .variance = i < 4 ? 1 : 9, .within = i < 4 ? 1 : 9};
  spread_moderate(spreads, 8);
  assert_true(spreads[0].moderated < 1.4);
  assert_true(spreads[7].moderated > 8.9 && spreads[7].moderated < 9.5);
  assert_near(spreads[0].df, 7 + 14, 0);
}

/* ---- Best set ---------------------------------------------------------------------------------
 */

/* Rivals at ln ratios -.20, -.19, 0, +.30 with a scatter of .02: two are the lowest, whatever is
 * meant by best is at the other end for a metric where higher is better. */
static void test_best_set(void **state) {
  (void)state;
  enum { RIVALS = 5, LAUNCHES = 8 };
  static const double at[RIVALS] = {-0.20, -0.19, 0, 0.30, -5};
  double d[LAUNCHES * RIVALS];
  for (int i = 0; i < LAUNCHES; i++)
    for (int l = 0; l < RIVALS; l++)
      d[i * RIVALS + l] = l == 4 && i > 4 ? NAN : at[l] + 0.007 * ((i * 5 + l * 3) % 7 - 3);
  struct family family = {.launches = LAUNCHES, .rivals = RIVALS, .d = d};
  bool in_set[RIVALS + 1];
  best_set(&family, true, in_set);
  static const bool lowest[RIVALS + 1] = {false, true, true, false, false, false};
  assert_memory_equal(in_set, lowest, sizeof lowest); /* the last has five launches only */
  best_set(&family, false, in_set);
  static const bool highest[RIVALS + 1] = {false, false, false, false, true, false};
  assert_memory_equal(in_set, highest, sizeof highest);
}

static void test_best_set_undecided(void **state) {
  (void)state;
  enum { RIVALS = 2, LAUNCHES = 6 };
  double d[LAUNCHES * RIVALS];
  for (int i = 0; i < LAUNCHES; i++)
    for (int l = 0; l < RIVALS; l++)
      d[i * RIVALS + l] = (i + l) % 2 == 0 ? 0.1 : -0.1;
  struct family family = {.launches = LAUNCHES, .rivals = RIVALS, .d = d};
  bool in_set[RIVALS + 1];
  best_set(&family, true, in_set);
  assert_true(in_set[0] && in_set[1] && in_set[2]);
  family.launches = 5;
  best_set(&family, true, in_set);
  assert_false(in_set[0] || in_set[1] || in_set[2]);
}

/* The comparison with the best is one-sided: t = 2.3 of six launches (2.015 would do) puts the
 * baseline out, although the two-sided interval (2.571) still holds 1. */
static void test_best_set_is_one_sided(void **state) {
  (void)state;
  static const double scores[] = {-1, 1, -1, 1, -1, 1}; /* s.e. sqrt(1.2 / 6) */
  double d[6];
  for (int i = 0; i < 6; i++)
    d[i] = 2.3 * sqrt(0.2) + scores[i];
  struct family family = {.launches = 6, .rivals = 1, .d = d};
  struct family_rival judged;
  bool in_set[2];
  family_judge(&family, 1, &judged);
  assert_true(judged.low < 0);
  best_set(&family, false, in_set);
  assert_true(!in_set[0] && in_set[1]);
  best_set(&family, true, in_set);
  assert_true(in_set[0] && !in_set[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_rival),
      cmocka_unit_test(test_too_few_launches),
      cmocka_unit_test(test_order_does_not_matter),
      cmocka_unit_test(test_no_scatter),
      cmocka_unit_test(test_precision_stopping_widens),
      cmocka_unit_test(test_spread_alone),
      cmocka_unit_test(test_spread_borrows),
      cmocka_unit_test(test_spread_of_unlike_rivals),
      cmocka_unit_test(test_spread_knows_rounds),
      cmocka_unit_test(test_best_set),
      cmocka_unit_test(test_best_set_undecided),
      cmocka_unit_test(test_best_set_is_one_sided),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
