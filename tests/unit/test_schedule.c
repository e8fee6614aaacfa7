/* test_schedule.c: the schedule of an open loop is exact, repeats with the seed, and is random
 * where it should be (loadgen/schedule.h). */
#include "tests/support.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "loadgen/schedule.h"

static const int64_t start = INT64_C(123456789012345);

/* Slot k of all threads together is at floor(k·10⁹/rate), for awkward rates too. */
static void constant_slots_never_drift(void **state) {
  (void)state;
  static const int64_t rates[] = {1, 3, 7, 10, 999, 1000, 12345, 999983, 3000000, 100000000};
  static const int threads[] = {1, 2, 3, 7};
  for (size_t r = 0; r < TEST_COUNT(rates); r++)
    for (size_t n = 0; n < TEST_COUNT(threads); n++)
      for (int t = 0; t < threads[n]; t++) {
        struct load_schedule s;
        load_schedule_init(&s, LOAD_CONSTANT, rates[r], start, t, threads[n], 1);
        for (int64_t k = t; k < 20000; k += threads[n]) {
          int64_t want = start + (int64_t)((__int128)k * MUX_S / rates[r]);
          if (s.next_ns != want)
            fail_msg("rate %" PRId64 " slot %" PRId64 ": %" PRId64 " ns off", rates[r], k,
                     s.next_ns - want);
          load_schedule_advance(&s);
        }
      }
}

/* A window of whole seconds holds exactly rate·seconds slots, wherever it begins. */
static void a_window_holds_exactly_its_slots(void **state) {
  (void)state;
  static const int64_t rates[] = {1, 10, 333, 10000, 77777};
  for (size_t r = 0; r < TEST_COUNT(rates); r++) {
    int64_t count = 0;
    int64_t from = start + (int64_t)test_random_in(0, 3000000000);
    for (int t = 0; t < 3; t++) {
      struct load_schedule s;
      load_schedule_init(&s, LOAD_CONSTANT, rates[r], start, t, 3, 1);
      for (; s.next_ns < from + 2 * MUX_S; load_schedule_advance(&s))
        count += s.next_ns >= from;
    }
    assert_int_equal(count, 2 * rates[r]);
  }
}

static void poisson_gaps_are_exponential(void **state) {
  (void)state;
  enum { N = 200000 };
  struct load_schedule s;
  load_schedule_init(&s, LOAD_POISSON, 50000, start, 1, 4, test_random());
  const double mean = 4e9 / 50000;
  double sum = 0;
  double squares = 0;
  int beyond = 0; /* gaps above the mean: 1/e of them */
  int64_t last = s.next_ns;
  for (int i = 0; i < N; i++) {
    load_schedule_advance(&s);
    double gap = (double)(s.next_ns - last);
    assert_true(gap >= 0);
    sum += gap;
    squares += gap * gap;
    beyond += gap > mean;
    last = s.next_ns;
  }
  double seen = sum / N;
  double deviation = sqrt(squares / N - seen * seen);
  /* Five standard errors: 1/√N of the mean, √2 of that for the deviation. */
  assert_true(fabs(seen / mean - 1) < 5 / sqrt(N));
  assert_true(fabs(deviation / mean - 1) < 5 * sqrt(2.0 / N));
  assert_true(fabs((double)beyond / N - exp(-1)) < 5 * sqrt(0.25 / N));
}

static void bursts_are_geometric_and_keep_the_rate(void **state) {
  (void)state;
  enum { N = 400000 };
  struct load_schedule s;
  load_schedule_init(&s, LOAD_BURSTY, 50000, start, 1, 4, test_random());
  const double mean = 4e9 / 50000;
  int bursts = 1;
  int single = 0; /* bursts of one slot: 1/LOAD_BURST of them */
  int size = 1;
  int64_t first = s.next_ns;
  int64_t last = first;
  for (int i = 0; i < N; i++) {
    load_schedule_advance(&s);
    assert_true(s.next_ns >= last);
    if (s.next_ns > last) {
      single += size == 1;
      bursts++;
      size = 0;
    }
    size++;
    last = s.next_ns;
  }
  double seen = (double)(last - first) / N;
  double share = (double)single / bursts;
  /* Five standard errors; of the rate: a burst's size has a deviation of about LOAD_BURST. */
  assert_true(fabs(seen / mean - 1) < 5 * sqrt(2.0 * LOAD_BURST / N));
  assert_true(fabs((double)N / bursts / LOAD_BURST - 1) < 5 / sqrt(bursts));
  assert_true(fabs(share - 1.0 / LOAD_BURST) < 5 * sqrt(0.1 / bursts));
}

static void a_seed_repeats_and_threads_differ(void **state) {
  (void)state;
  struct load_schedule a, b, other, seed;
  load_schedule_init(&a, LOAD_POISSON, 1000, start, 0, 2, 5);
  load_schedule_init(&b, LOAD_POISSON, 1000, start, 0, 2, 5);
  load_schedule_init(&other, LOAD_POISSON, 1000, start, 1, 2, 5);
  load_schedule_init(&seed, LOAD_POISSON, 1000, start, 0, 2, 6);
  int same_thread = 0;
  int same_seed = 0;
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(a.next_ns, b.next_ns);
    same_thread += a.next_ns == other.next_ns;
    same_seed += a.next_ns == seed.next_ns;
    load_schedule_advance(&a);
    load_schedule_advance(&b);
    load_schedule_advance(&other);
    load_schedule_advance(&seed);
  }
  assert_true(same_thread < 5 && same_seed < 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(constant_slots_never_drift),
      cmocka_unit_test(a_window_holds_exactly_its_slots),
      cmocka_unit_test(poisson_gaps_are_exponential),
      cmocka_unit_test(bursts_are_geometric_and_keep_the_rate),
      cmocka_unit_test(a_seed_repeats_and_threads_differ),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
