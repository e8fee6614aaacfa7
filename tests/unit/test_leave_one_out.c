/* test_leave_one_out.c: which agent's part shifts the p99 of all (loadgen/leave_one_out.h). */
#include "tests/support.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "hdr/hdr.h"
#include "loadgen/leave_one_out.h"

enum { AGENTS = 4, MESSAGES = 5000, TRIALS = 100 };

/* A part's result with response times of an exponential distribution. */
static json_t *part_of(double mean_ns, int messages) {
  struct mux_hdr *h = mux_hdr_new_latency();
  assert_non_null(h);
  for (int i = 0; i < messages; i++) {
    double u = ((double)test_random_in(1, 1000000)) / 1000001;
    mux_hdr_record(h, (int64_t)(-mean_ns * log(u)));
  }
  char *text = mux_hdr_encode(h);
  json_t *result = json_pack("{s:{s:{s:s}}}", "part", "histograms", "response", text);
  assert_non_null(result);
  free(text);
  mux_hdr_free(h);
  return result;
}

/* The slow one's mean is so many times that of the others. Returns a bit for each agent named. */
static unsigned named(int slow, double times, struct load_agent agents[AGENTS]) {
  json_t *results[AGENTS];
  unsigned bits = 0;
  for (int i = 0; i < AGENTS; i++)
    results[i] = part_of(i == slow ? 1e5 * times : 1e5, MESSAGES);
  load_leave_one_out(agents, (const json_t *const *)results, AGENTS);
  for (int i = 0; i < AGENTS; i++) {
    bits |= (unsigned)agents[i].shifts_p99 << i;
    json_decref(results[i]);
  }
  return bits;
}

static void a_slow_one_is_named(void **state) {
  (void)state;
  struct load_agent agents[AGENTS] = {{.late_ns = 0}};
  for (int i = 0; i < TRIALS; i++)
    assert_int_equal(named(2, 3, agents), 1 << 2);
  assert_int_equal(agents[2].completed, MESSAGES);
  assert_true(agents[2].response_p99_us > 1000); /* 3 × 100 us × ln 100 */
  assert_true(agents[2].others_p99_us < 600);    /* 100 us × ln 100 */
}

static void equal_ones_are_not(void **state) {
  (void)state;
  struct load_agent agents[AGENTS];
  int wrong = 0;
  for (int i = 0; i < TRIALS; i++)
    wrong += named(-1, 1, agents) != 0;
  assert_int_equal(wrong, 0);
}

static void a_lost_one_is_left_out(void **state) {
  (void)state;
  struct load_agent agents[3];
  json_t *one = part_of(1e5, MESSAGES);
  json_t *few = part_of(1e5, 10); /* no p99 */
  load_leave_one_out(agents, (const json_t *const[]){one, NULL, few}, 3);
  assert_int_equal(agents[0].completed, MESSAGES);
  assert_int_equal(agents[1].completed, 0);
  assert_true(isnan(agents[1].response_p99_us));
  assert_true(isnan(agents[2].response_p99_us));
  assert_false(agents[0].shifts_p99 || agents[1].shifts_p99 || agents[2].shifts_p99);
  json_decref(one);
  json_decref(few);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_slow_one_is_named),
      cmocka_unit_test(equal_ones_are_not),
      cmocka_unit_test(a_lost_one_is_left_out),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
