/* test_stats.c: the statistics against worked examples. */
#include <errno.h>
#include <math.h>

#include "bench/data/stats.h"
#include "tests/support.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance))
    fail_msg("got %.9g, want %.9g", got, want);
}

static void test_median(void **state) {
  (void)state;
  assert_near(stats_median((double[]){3, 1, 2}, 3), 2, 0);
  assert_near(stats_median((double[]){4, 1, 2, 3}, 4), 2.5, 0);
  assert_true(isnan(stats_median((double[]){0}, 0)));
}

static void test_slope(void **state) {
  (void)state;
  static const double x[] = {0, 10, 100, 1000};
  static const double y[] = {5, 25, 205, 2005};
  assert_near(stats_slope(x, y, 4), 2, 1e-12);
  static const double outlier[] = {5, 25, 999, 2005};
  assert_near(stats_slope(x, outlier, 4), 2, 0.5);
  assert_true(isnan(stats_slope(x, y, 1)));
}

/* Gosset's sleep data (Student 1908): mean 1.58, s 1.230, n 10, and t(9) = 2.262. */
static void test_t_half_width(void **state) {
  (void)state;
  static const double hours[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};
  assert_near(stats_mean(hours, 10), 1.58, 1e-12);
  assert_near(stats_t_half_width(hours, 10), 2.262157 * 1.229995 / sqrt(10), 1e-4);
  assert_true(isnan(stats_t_half_width(hours, 1)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_median),
      cmocka_unit_test(test_slope),
      cmocka_unit_test(test_t_half_width),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
