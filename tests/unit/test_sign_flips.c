/* test_sign_flips.c: max-T over sign flips against its definition: every pattern by brute force,
 * every step of the step-down on its own subset. */
#include <math.h>
#include <stdlib.h>

#include "bench/data/sign_flips.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

enum { RIVALS_MAX = 6, LAUNCHES_MAX = 16 };

static double statistic(const double *d, double offset, int launches, int rivals, int l,
                        unsigned signs) {
  double sum = 0;
  double squares = offset;
  for (int i = 0; i < launches; i++) {
    double x = d[i * rivals + l];
    if (isnan(x))
      continue;
    sum += signs >> i & 1 ? -x : x;
    squares += x * x;
  }
  return squares > 0 ? fabs(sum) / sqrt(squares) : 0;
}

/* The share of all 2^n patterns whose largest T over the rivals in the set reaches `reach`. */
static double share(const double *d, const double *offset, int launches, int rivals, unsigned set,
                    double reach) {
  long reached = 0;
  for (unsigned signs = 0; signs < 1U << launches; signs++) {
    double largest = 0;
    for (int l = 0; l < rivals; l++)
      if (set >> l & 1)
        largest = fmax(largest, statistic(d, offset[l], launches, rivals, l, signs));
    reached += largest >= reach * (1 - 1e-9);
  }
  return (double)reached / (double)(1U << launches);
}

/* Romano and Wolf: the clearest rival against all, the next one against all but that, and so on;
 * never below an earlier one. */
static void by_definition(const double *d, const double *offset, int launches, int rivals,
                          double *p) {
  unsigned set = (1U << rivals) - 1;
  double before = 0;
  while (set != 0) {
    int clearest = -1;
    double reach = -1;
    for (int l = 0; l < rivals; l++) {
      double t = statistic(d, offset[l], launches, rivals, l, 0);
      if (set >> l & 1 && t > reach) {
        reach = t;
        clearest = l;
      }
    }
    before = fmax(before, share(d, offset, launches, rivals, set, reach));
    p[clearest] = before;
    set &= ~(1U << clearest);
  }
}

static double random_difference(void) {
  double d = (double)test_random_in(0, 2000000) / 1e6 - 1;
  return test_random_in(0, 7) == 0 ? 10 * d : d;
}

static void fill(double *d, double *offset, int launches, int rivals, bool gaps) {
  for (int i = 0; i < launches * rivals; i++)
    d[i] =
        gaps && test_random_in(0, 9) == 0 ? NAN : random_difference() + (i % rivals == 0 ? 0.8 : 0);
  for (int l = 0; l < rivals; l++)
    offset[l] = (double)test_random_in(0, 3) * 0.5;
}

static void test_by_definition(void **state) {
  (void)state;
  for (int turn = 0; turn < 100; turn++) {
    double d[LAUNCHES_MAX * RIVALS_MAX];
    double offset[RIVALS_MAX];
    double got[RIVALS_MAX];
    double want[RIVALS_MAX];
    int launches = (int)test_random_in(1, 9);
    int rivals = (int)test_random_in(1, RIVALS_MAX);
    fill(d, offset, launches, rivals, turn % 2 == 1);
    sign_flips_max_t(d, offset, launches, rivals, 1, got);
    by_definition(d, offset, launches, rivals, want);
    for (int l = 0; l < rivals; l++)
      assert_near(got[l], want[l], 1e-12);
  }
}

/* One rival whose launches are all of one sign: 2/2^n. Ties count. */
static void test_known(void **state) {
  (void)state;
  double none = 0;
  double p;
  sign_flips_max_t((double[]){1, 2, 3, 4, 5, 6}, &none, 6, 1, 1, &p);
  assert_near(p, 1.0 / 32, 1e-12);
  sign_flips_max_t((double[]){1, 1, 1, 1, 1, -1}, &none, 6, 1, 1, &p);
  assert_near(p, 14.0 / 64, 1e-12); /* at most one minus, or one plus */
  sign_flips_max_t((double[]){0, 0, 0, 0, 0, 0}, &none, 6, 1, 1, &p);
  assert_near(p, 1, 0);
  sign_flips_max_t((double[]){3}, &none, 1, 1, 1, &p);
  assert_near(p, 1, 0);
}

/* More rivals do not cost a clear one anything: the least p of six launches is 1/32 with 1 rival
 * and with 40. Holm's would be 40/32. */
static void test_family_does_not_dilute(void **state) {
  (void)state;
  enum { MANY = 40, LAUNCHES = 6 };
  double d[LAUNCHES * MANY];
  double offset[MANY];
  double p[MANY];
  for (int i = 0; i < LAUNCHES * MANY; i++)
    d[i] = random_difference() / 40 + (i % MANY == 7 ? 1 : 0);
  for (int l = 0; l < MANY; l++)
    offset[l] = 0.05;
  sign_flips_max_t(d, offset, LAUNCHES, MANY, 1, p);
  assert_near(p[7], 1.0 / 32, 1e-12);
  for (int l = 0; l < MANY; l++)
    assert_true(p[l] >= 1.0 / 32);
}

/* Random patterns agree with all of them (16 launches: 65,536), follow from the seed, and never
 * give 0. */
static void test_random_patterns(void **state) {
  (void)state;
  enum { LAUNCHES = 16, RIVALS = 3 };
  for (int turn = 0; turn < 5; turn++) {
    double d[LAUNCHES * RIVALS];
    double offset[RIVALS];
    double got[RIVALS];
    double again[RIVALS];
    double want[RIVALS];
    fill(d, offset, LAUNCHES, RIVALS, turn % 2 == 1);
    sign_flips_max_t(d, offset, LAUNCHES, RIVALS, 5, got);
    sign_flips_max_t(d, offset, LAUNCHES, RIVALS, 5, again);
    by_definition(d, offset, LAUNCHES, RIVALS, want);
    for (int l = 0; l < RIVALS; l++) {
      assert_near(got[l], want[l], 5 * sqrt(want[l] * (1 - want[l]) / 999) + 0.0011);
      assert_near(got[l], again[l], 0);
    }
  }
  double all[40];
  double none = 0;
  double p;
  for (int i = 0; i < 40; i++)
    all[i] = 1 + i % 3;
  sign_flips_max_t(all, &none, 40, 1, 5, &p);
  assert_near(p, 0.001, 1e-12); /* itself among 999 others */
}

/* Where 999 patterns leave a doubt about .05, 9,999 are tried: p is in ten-thousandths. */
static void test_doubt_is_settled(void **state) {
  (void)state;
  double d[30];
  double none = 0;
  int finer = 0;
  for (int i = 0; i < 30; i++)
    d[i] = i <= 20 ? 1 : -1; /* 21 of 30, or more, of one sign: .0428 */
  for (uint64_t seed = 1; seed <= 5; seed++) {
    double p;
    sign_flips_max_t(d, &none, 30, 1, seed, &p);
    assert_near(p, 0.0428, 4 * sqrt(0.0428 * 0.957 / 9999));
    assert_near(p * 10000, round(p * 10000), 1e-6);
    finer += fabs(p * 1000 - round(p * 1000)) > 1e-6;
  }
  assert_true(finer > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_definition),          cmocka_unit_test(test_known),
      cmocka_unit_test(test_family_does_not_dilute), cmocka_unit_test(test_random_patterns),
      cmocka_unit_test(test_doubt_is_settled),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
