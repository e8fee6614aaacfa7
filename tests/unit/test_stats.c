/* test_stats.c: the statistics against published tables and worked examples. */
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

/* Ranks of the exact 95 % interval: n=6: 1..21, 7: 3..26, 8: 4..33, 10: 9..47, 12: 14..65; the
 * others from Hollander and Wolfe, table A.4. */
static void test_interval_ranks(void **state) {
  (void)state;
  static const struct {
    int n, low, high;
  } table[] = {{6, 1, 21},   {7, 3, 26},   {8, 4, 33},   {9, 6, 40},   {10, 9, 47},
               {11, 11, 56}, {12, 14, 65}, {15, 26, 95}, {20, 53, 158}};
  for (size_t i = 0; i < TEST_COUNT(table); i++) {
    int rank = stats_walsh_rank(table[i].n);
    assert_int_equal(rank, table[i].low);
    assert_int_equal(table[i].n * (table[i].n + 1) / 2 + 1 - rank, table[i].high);
  }
  for (int n = 0; n < 6; n++)
    assert_int_equal(stats_walsh_rank(n), 0);
}

/* Hollander and Wolfe's example 3.1: Hamilton depression scale factor IV. Estimate and interval as
 * R's wilcox.test(conf.int = TRUE) gives them; p = 0.03906. */
static void test_worked_example(void **state) {
  (void)state;
  static const double x[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  static const double y[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  double d[9];
  for (int i = 0; i < 9; i++)
    d[i] = y[i] - x[i];
  assert_near(stats_signed_rank_p(d, 9), 0.0390625, 1e-12);
  struct estimate estimate = stats_walsh(d, 9);
  assert_near(estimate.value, -0.46, 1e-9);
  assert_near(estimate.low, -0.786, 1e-9);
  assert_near(estimate.high, -0.010, 1e-9);
  assert_true(estimate.interval);
}

static void test_signed_rank_extremes(void **state) {
  (void)state;
  /* All of one sign: 2/2^n. */
  static const double all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  assert_near(stats_signed_rank_p(all, 10), 2.0 / 1024, 1e-15);
  assert_near(stats_signed_rank_p(all, 6), 2.0 / 64, 1e-15);
  assert_near(stats_signed_rank_p((double[]){0, 0, 0}, 3), 1, 0);
  assert_near(stats_signed_rank_p((double[]){1, -1, 2, -2}, 4), 1, 0);
  /* With ties: {1,1,1,-1} has mid-ranks 2.5 each; P(W+ <= 2.5 or >= 7.5) = 2·(1+4)/16. */
  assert_near(stats_signed_rank_p((double[]){1, 1, 1, -1}, 4), 10.0 / 16, 1e-15);
}

/* By enumeration of all 2^n signs, for random values without ties and with. */
static void test_signed_rank_by_enumeration(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    int n = (int)test_random_in(1, 10);
    double x[10];
    double rank[10];
    double observed = 0;
    double total = 0;
    for (int i = 0; i < n; i++)
      x[i] = ((double)test_random_in(1, 8)) * (test_random() % 2 ? 1 : -1);
    for (int i = 0; i < n; i++) {
      double below = 0;
      double equal = 0;
      for (int j = 0; j < n; j++) {
        below += fabs(x[j]) < fabs(x[i]);
        equal += fabs(x[j]) == fabs(x[i]);
      }
      rank[i] = below + (equal + 1) / 2;
      total += rank[i];
      observed += x[i] > 0 ? rank[i] : 0;
    }
    double distance = fabs(observed - total / 2);
    int as_extreme = 0;
    for (int signs = 0; signs < 1 << n; signs++) {
      double sum = 0;
      for (int i = 0; i < n; i++)
        sum += signs >> i & 1 ? rank[i] : 0;
      as_extreme += fabs(sum - total / 2) >= distance - 1e-9;
    }
    assert_near(stats_signed_rank_p(x, n), (double)as_extreme / (1 << n), 1e-12);
  }
}

static void test_few_blocks_have_no_interval(void **state) {
  (void)state;
  struct estimate estimate = stats_walsh((double[]){1, 2, 4, 8, 16}, 5);
  assert_false(estimate.interval);
  assert_true(isnan(estimate.low) && isnan(estimate.high));
  assert_near(estimate.value, 5, 1e-12); /* of 15 averages the eighth */
}

static void test_holm(void **state) {
  (void)state;
  double p[] = {0.01, 0.04, 0.03, 0.005, NAN}; /* R: p.adjust(c(.01,.04,.03,.005), "holm") */
  stats_holm(p, 5);
  assert_near(p[0], 0.03, 1e-15);
  assert_near(p[1], 0.06, 1e-15);
  assert_near(p[2], 0.06, 1e-15);
  assert_near(p[3], 0.02, 1e-15);
  assert_true(isnan(p[4]));
  double large[] = {0.9, 0.8};
  stats_holm(large, 2);
  assert_near(large[0], 1, 0);
  assert_near(large[1], 1, 0);
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

/* Hollander and Wolfe's example 4.1 (permeability of membranes); p as R's wilcox.test gives it. */
static void test_shift_example(void **state) {
  (void)state;
  static const double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  static const double y[] = {1.15, 0.88, 0.90, 0.74, 1.21};
  double p;
  struct estimate estimate = stats_shift(y, 5, x, 10, &p);
  assert_near(estimate.value, 0.305, 1e-9);
  assert_near(p, 0.2544122544, 1e-9);
  assert_false(estimate.interval); /* five are too few */
}

/* Critical values of U, two-sided 5 %, from published tables: the interval begins one further. */
static void test_shift_intervals(void **state) {
  (void)state;
  static const struct {
    int n, m, critical;
  } table[] = {{6, 6, 5},    {6, 10, 11},  {7, 7, 8},    {8, 8, 13},
               {10, 10, 23}, {12, 12, 37}, {10, 20, 55}, {20, 20, 127}};
  for (size_t i = 0; i < TEST_COUNT(table); i++) {
    double x[20];
    double y[20];
    double p;
    for (int j = 0; j < 20; j++) {
      x[j] = -(double)j;
      y[j] = 100.0 * j; /* all differences distinct and sorted by (j, i) */
    }
    struct estimate estimate = stats_shift(x, table[i].n, y, table[i].m, &p);
    double rank = estimate.low / 100 >= 0
                      ? floor(estimate.low / 100) * table[i].n + fmod(estimate.low, 100) + 1
                      : 0;
    assert_near(rank, table[i].critical + 1, 0);
  }
}

static void test_shift_extremes(void **state) {
  (void)state;
  double p;
  static const double x[] = {1, 2, 3, 4, 5, 6};
  static const double y[] = {11, 12, 13, 14, 15, 16};
  struct estimate estimate = stats_shift(x, 6, y, 6, &p);
  assert_near(p, 2.0 / 924, 1e-12);
  assert_near(estimate.value, 10, 1e-12);
  assert_true(estimate.interval && estimate.low > 0);
  stats_shift(x, 6, x, 6, &p);
  assert_near(p, 1, 1e-12);
  static const double same[] = {3, 3, 3, 3, 3, 3};
  stats_shift(same, 6, same, 6, &p);
  assert_near(p, 1, 1e-12);
}

/* Beyond 60 values the normal distribution takes over: it must agree with the exact one there. */
static void test_shift_normal_meets_exact(void **state) {
  (void)state;
  double x[31];
  double y[31];
  double exact;
  double normal;
  for (int i = 0; i < 31; i++) {
    x[i] = (double)i;
    y[i] = (double)i + 7.5;
  }
  stats_shift(x, 30, y, 30, &exact);
  stats_shift(x, 31, y, 31, &normal);
  assert_in_range(exact * 1000, 1, 30);
  assert_near(log(normal / exact), 0, 0.25);
}

/* The same trials under two names: with α = 5 % and the A/A distance δ on top, at most 1 of 20
 * runs may call them different. 2,000 simulated runs of 10 blocks. */
static void test_twins_are_rarely_called_different(void **state) {
  (void)state;
  int called = 0;
  enum { RUNS = 2000, BLOCKS = 10 };
  for (int run = 0; run < RUNS; run++) {
    double d[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
      double sum = 0; /* nearly normal, block noise cancels in the ratio */
      for (int j = 0; j < 12; j++)
        sum += (double)(test_random() >> 11) / 9007199254740992.0;
      d[i] = (sum - 6) * 0.03;
    }
    called += stats_signed_rank_p(d, BLOCKS) < 0.05;
  }
  assert_in_range(called, 1, RUNS / 20 + 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_median),
      cmocka_unit_test(test_interval_ranks),
      cmocka_unit_test(test_worked_example),
      cmocka_unit_test(test_signed_rank_extremes),
      cmocka_unit_test(test_signed_rank_by_enumeration),
      cmocka_unit_test(test_few_blocks_have_no_interval),
      cmocka_unit_test(test_holm),
      cmocka_unit_test(test_slope),
      cmocka_unit_test(test_shift_example),
      cmocka_unit_test(test_shift_intervals),
      cmocka_unit_test(test_shift_extremes),
      cmocka_unit_test(test_shift_normal_meets_exact),
      cmocka_unit_test(test_twins_are_rarely_called_different),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
