/* test_max_t.c: quantiles of t and of the largest of several, against published tables, closed
 * forms and drawing. */
#include <math.h>

#include "bench/data/max_t.h"
#include "common/random.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

static double quantile(int rivals, double df, double correlation, int sides,
                       enum max_t_spread spread) {
  struct max_t of = {rivals, df, correlation, sides, spread};
  return max_t_quantile(&of, 0.95);
}

/* Any table of Student's t. */
static void test_student(void **state) {
  (void)state;
  static const struct {
    double df, two_sided, one_sided;
  } table[] = {{1, 12.706, 6.314}, {2, 4.303, 2.920},  {3, 3.182, 2.353},  {5, 2.571, 2.015},
               {9, 2.262, 1.833},  {10, 2.228, 1.812}, {30, 2.042, 1.697}, {120, 1.980, 1.658}};
  for (size_t i = 0; i < TEST_COUNT(table); i++) {
    assert_near(quantile(1, table[i].df, 0, 2, MAX_T_OWN), table[i].two_sided, 2e-3);
    assert_near(quantile(1, table[i].df, 0, 1, MAX_T_OWN), table[i].one_sided, 1e-3);
  }
  struct max_t cauchy = {1, 1, 0, 2, MAX_T_OWN};
  assert_near(max_t_below(&cauchy, 3), 2 / M_PI * atan(3), 1e-4);
  struct max_t normal = {1, MAX_T_NORMAL_DF, 0, 2, MAX_T_OWN};
  assert_near(max_t_quantile(&normal, 0.95), 1.959964, 1e-5);
  assert_near(max_t_quantile(&normal, 0.99), 2.575829, 1e-5);
}

/* Dunnett 1964, table II: two-sided .05, correlation 1/2, 1 to 9 treatments and a control. */
static void test_dunnett_two_sided(void **state) {
  (void)state;
  static const struct {
    double df;
    double d[9];
  } table[] = {
      {5, {2.57, 3.03, 3.29, 3.48, 3.62, 3.73, 3.82, 3.90, 3.97}},
      {6, {2.45, 2.86, 3.10, 3.26, 3.39, 3.49, 3.57, 3.64, 3.71}},
      {7, {2.36, 2.75, 2.97, 3.12, 3.24, 3.33, 3.41, 3.47, 3.53}},
      {8, {2.31, 2.67, 2.88, 3.02, 3.13, 3.22, 3.29, 3.35, 3.41}},
      {9, {2.26, 2.61, 2.81, 2.95, 3.05, 3.14, 3.20, 3.26, 3.32}},
      {10, {2.23, 2.57, 2.76, 2.89, 2.99, 3.07, 3.14, 3.19, 3.24}},
      {20, {2.09, 2.38, 2.54, 2.65, 2.73, 2.80, 2.86, 2.90, 2.95}},
      {60, {2.00, 2.27, 2.41, 2.51, 2.58, 2.64, 2.69, 2.73, 2.77}},
      {MAX_T_NORMAL_DF, {1.96, 2.21, 2.35, 2.44, 2.51, 2.57, 2.61, 2.65, 2.69}},
  };
  for (size_t i = 0; i < TEST_COUNT(table); i++)
    for (int k = 1; k <= 9; k++)
      assert_near(quantile(k, table[i].df, 0.5, 2, MAX_T_SHARED), table[i].d[k - 1], 0.0065);
}

/* Dunnett 1955, table 1a: one-sided .05. */
static void test_dunnett_one_sided(void **state) {
  (void)state;
  static const struct {
    double df;
    double d[9];
  } table[] = {
      {5, {2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30}},
      {10, {1.81, 2.15, 2.34, 2.47, 2.56, 2.64, 2.70, 2.76, 2.81}},
      {20, {1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60}},
      {MAX_T_NORMAL_DF, {1.64, 1.92, 2.06, 2.16, 2.23, 2.29, 2.34, 2.38, 2.42}},
  };
  for (size_t i = 0; i < TEST_COUNT(table); i++)
    for (int k = 1; k <= 9; k++)
      assert_near(quantile(k, table[i].df, 0.5, 1, MAX_T_SHARED), table[i].d[k - 1], 0.0065);
}

/* Without correlation and with spreads of their own the rivals are independent: the probability is
 * a power of Student's (Sidak). */
static void test_independent_rivals(void **state) {
  (void)state;
  for (int k = 1; k <= 20; k += k < 3 ? 1 : 8)
    for (double df = 5; df < 50; df *= 3)
      for (int sides = 1; sides <= 2; sides++) {
        struct max_t one = {1, df, 0, sides, MAX_T_OWN};
        assert_near(quantile(k, df, 0, sides, MAX_T_OWN), max_t_quantile(&one, pow(0.95, 1.0 / k)),
                    2e-4);
      }
}

static double normal(uint64_t *random) {
  double u = ((double)(mux_random(random) >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
  double v = (double)(mux_random(random) >> 12) / (double)(UINT64_C(1) << 52);
  return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static double chi(int df, uint64_t *random) {
  double squares = 0;
  for (int i = 0; i < df; i++) {
    double z = normal(random);
    squares += z * z;
  }
  return sqrt(squares / df);
}

/* One draw of the largest T. */
static double draw(const struct max_t *of, uint64_t *random) {
  double largest = -INFINITY;
  double common = normal(random);
  double shared = chi((int)of->df, random);
  for (int i = 0; i < of->rivals; i++) {
    double z = sqrt(of->correlation) * common + sqrt(1 - of->correlation) * normal(random);
    double t = z / (of->spread == MAX_T_SHARED ? shared : chi((int)of->df, random));
    largest = fmax(largest, of->sides == 2 ? fabs(t) : t);
  }
  return largest;
}

/* Of 40,000 draws 5 % exceed the quantile, give or take .11 % (standard error). */
static void test_by_drawing(void **state) {
  (void)state;
  static const struct max_t cases[] = {
      {5, 5, 0.3, 2, MAX_T_OWN},  {20, 5, 0.5, 2, MAX_T_OWN},    {3, 9, 0.8, 1, MAX_T_OWN},
      {9, 12, 0.1, 1, MAX_T_OWN}, {20, 5, 0.5, 2, MAX_T_SHARED}, {4, 7, 0.2, 1, MAX_T_SHARED},
  };
  uint64_t random = 1;
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    double limit = max_t_quantile(&cases[i], 0.95);
    int beyond = 0;
    for (int n = 0; n < 40000; n++)
      beyond += draw(&cases[i], &random) > limit;
    assert_near(beyond / 40000.0, 0.05, 0.004);
  }
}

/* The interpolated quantile agrees with the computed one, the first time and when it is
 * remembered. */
static void test_table(void **state) {
  (void)state;
  for (int turn = 0; turn < 2; turn++)
    for (int k = 1; k <= 20; k += 19)
      for (double df = 5; df < 120; df *= 1.37)
        for (double r = 0; r < 1; r += 0.21) {
          struct max_t of = {k, df, r, 2, MAX_T_OWN};
          double exact = max_t_quantile(&of, 0.95);
          assert_near(max_t_quantile_table(&of, 0.95) / exact, 1, 0.005);
        }
  struct max_t whole = {3, 7, 0, 1, MAX_T_OWN};
  assert_near(max_t_quantile_table(&whole, 0.95), max_t_quantile(&whole, 0.95), 0);
  struct max_t many = {3, 1e6, 0.5, 2, MAX_T_OWN};
  assert_near(max_t_quantile_table(&many, 0.95), 2.349, 1e-3); /* Dunnett's last row */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_student),           cmocka_unit_test(test_dunnett_two_sided),
      cmocka_unit_test(test_dunnett_one_sided), cmocka_unit_test(test_independent_rivals),
      cmocka_unit_test(test_by_drawing),        cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
