/* test_staircase.c: the rate that a staircase finds (bench/data/staircase.h), against servers whose
 * capacity is known. */
#include "tests/support.h"

#include <math.h>

#include "bench/data/staircase.h"
#include "common/random.h"

enum { TESTS = 30, RUNS = 400 };

/* A server that holds up to its capacity, which varies by `noise` from test to test; some tests are
 * spoilt by the host. */
struct server {
  double capacity, noise, spoilt;
};

static double normal(uint64_t *state) {
  double sum = 0;
  for (int i = 0; i < 12; i++)
    sum += (double)(mux_random(state) >> 11) * 0x1p-53;
  return sum - 6;
}

static double find(const struct server *server, uint64_t *state) {
  struct staircase s;
  staircase_begin(&s, 20000, 10, 2e6);
  for (int i = 0; i < TESTS; i++) {
    double capacity = server->capacity * exp(server->noise * normal(state));
    bool spoilt = (double)(mux_random(state) >> 11) * 0x1p-53 < server->spoilt;
    staircase_tell(&s, !spoilt && staircase_level(&s) < capacity);
  }
  return staircase_estimate(&s);
}

static void the_capacity_is_found(void **state) {
  (void)state;
  static const struct {
    struct server server;
    double bias, spread;
  } rows[] = {
      {{154000, 0, 0}, .02, .02},     /* exact */
      {{154000, .03, 0}, .02, .02},   /* noisy */
      {{23000, .03, 0}, .02, .02},    /* near the first level */
      {{700000, .03, 0}, .02, .02},   /* far from it */
      {{154000, .03, .10}, .02, .03}, /* one in ten is spoilt */
  };
  uint64_t random = 1;
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    double sum = 0;
    double squares = 0;
    int found = 0;
    for (int k = 0; k < RUNS; k++) {
      double off = log(find(&rows[i].server, &random) / rows[i].server.capacity);
      if (!isfinite(off))
        continue;
      found++;
      sum += off;
      squares += off * off;
    }
    double bias = sum / found;
    double spread = sqrt(squares / found - bias * bias);
    if (found < 0.98 * RUNS || fabs(bias) > rows[i].bias || spread > rows[i].spread)
      fail_msg("row %zu: %d of %d found, bias %.4f, spread %.4f", i, found, RUNS, bias, spread);
  }
}

static void what_is_out_of_reach_ends_at_the_edge(void **state) {
  (void)state;
  uint64_t random = 1;
  double low = find(&(struct server){.capacity = 1}, &random);
  double high = find(&(struct server){.capacity = 1e12}, &random);
  assert_true(isnan(low) || low < 10.5);
  assert_true(isnan(high) || high > 1.9e6);
}

static void few_tests_give_no_estimate(void **state) {
  (void)state;
  struct staircase s;
  staircase_begin(&s, 20000, 10, 2e6);
  assert_true(fabs(staircase_level(&s) / 20000 - 1) < 1e-9);
  for (int i = 0; i < STAIRCASE_LEVELS_MIN; i++) {
    assert_true(isnan(staircase_estimate(&s)));
    staircase_tell(&s, i % 2 == 0);
  }
  assert_true(isnan(staircase_estimate(&s)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_capacity_is_found),
      cmocka_unit_test(what_is_out_of_reach_ends_at_the_edge),
      cmocka_unit_test(few_tests_give_no_estimate),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
