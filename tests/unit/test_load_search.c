/* test_load_search.c: the highest rate that holds an objective: what one run says of a rate
 * (loadgen/find_rate.h), and what a search makes of answers that are noisy (loadgen/search.h). */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "loadgen/find_rate.h"
#include "loadgen/search.h"

/* ---- One run -------------------------------------------------------------------------------- */

/* Of 1,000 messages in an open loop, all but 20 with a response time of 200 us, and those 20 with
 * `slowest`. */
static void fill(struct load_result *result, int64_t slowest_response, int64_t slowest_service) {
  *result = (struct load_result){.count.sent = 1000, .count.completed = 1000};
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    result->hdr[kind] = mux_hdr_new_latency();
  mux_hdr_record_n(result->hdr[LOAD_RESPONSE], 200 * MUX_US, 980);
  mux_hdr_record_n(result->hdr[LOAD_SERVICE], 200 * MUX_US, 980);
  mux_hdr_record_n(result->hdr[LOAD_RESPONSE], slowest_response, 20);
  mux_hdr_record_n(result->hdr[LOAD_SERVICE], slowest_service, 20);
}

static void a_run_below_the_limit_has_held(void **state) {
  (void)state;
  static const struct {
    const char *what;
    int64_t response, service;
    unsigned flags;
    uint64_t timeouts, lost, backpressure_ns;
    enum load_verdict verdict;
  } rows[] = {
      {"all is well", 264 * MUX_US, 264 * MUX_US, 0, 0, 0, 0, LOAD_HELD},
      /* Response includes the load's own lateness: below the limit is below the limit. */
      {"late, and below", 264 * MUX_US, 210 * MUX_US, LOAD_SLIP_HIGH, 0, 0, 0, LOAD_HELD},
      {"busy, and below", 264 * MUX_US, 264 * MUX_US, LOAD_CLIENT_BOUND, 0, 0, 0, LOAD_HELD},
      {"above", 3 * MUX_MS, 3 * MUX_MS, 0, 0, 0, 0, LOAD_MISSED},
      {"above, the load late", 3 * MUX_MS, 1 * MUX_MS, LOAD_SLIP_HIGH, 0, 0, 0, LOAD_WAS_LIMIT},
      {"above, the load busy", 3 * MUX_MS, 3 * MUX_MS, LOAD_CLIENT_BOUND, 0, 0, 0, LOAD_WAS_LIMIT},
      /* The server alone was too slow, whatever the load added. */
      {"above, service too", 4 * MUX_MS, 3 * MUX_MS, LOAD_SLIP_HIGH, 0, 0, 0, LOAD_MISSED},
      {"not sent", 264 * MUX_US, 264 * MUX_US, LOAD_RATE_MISSED, 0, 0, 0, LOAD_WAS_LIMIT},
      {"not taken", 264 * MUX_US, 264 * MUX_US, LOAD_RATE_MISSED, 0, 0, 5000, LOAD_MISSED},
      {"not answered", 264 * MUX_US, 264 * MUX_US, LOAD_UNANSWERED, 0, 0, 0, LOAD_MISSED},
      {"errors", 264 * MUX_US, 264 * MUX_US, LOAD_SLIP_HIGH, 1, 0, 0, LOAD_MISSED},
      {"not held", 264 * MUX_US, 264 * MUX_US, LOAD_SHORT_OF_CONNECTIONS, 0, 0, 0, LOAD_MISSED},
      {"a rare datagram lost", 264 * MUX_US, 264 * MUX_US, 0, 1, 1, 0, LOAD_HELD},
      {"datagrams lost", 264 * MUX_US, 264 * MUX_US, LOAD_DATAGRAMS_LOST, 50, 50, 0, LOAD_MISSED},
  };
  const struct load_objective objective = {.percentile = 99, .limit_ns = 2 * MUX_MS};
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    struct load_result result;
    int64_t value;
    fill(&result, rows[i].response, rows[i].service);
    result.flags = rows[i].flags;
    result.count.errors[LOAD_ERR_TIMEOUT] = rows[i].timeouts;
    result.count.datagrams.lost = rows[i].lost;
    mux_hdr_record(result.hdr[LOAD_BACKPRESSURE], (int64_t)rows[i].backpressure_ns);
    enum load_verdict verdict = load_objective_judge(&objective, &result, &value);
    if (verdict != rows[i].verdict)
      fail_msg("%s: verdict %d, not %d", rows[i].what, verdict, rows[i].verdict);
    assert_true(value >= rows[i].response && value <= rows[i].response * 1002 / 1000);
    load_result_free(&result);
  }
}

/* ---- The search ----------------------------------------------------------------------------- */

/* A server that holds the objective up to about `edge` messages per second: of rates near it, some
 * tries hold by luck. */
struct noisy {
  double edge,
      spread;      /* half of the tries at `edge` hold; spread: of the logistic curve, relative */
  double blunders; /* part of the tries that miss for no reason of theirs */
  int tries;
};

static double uniform(void) {
  return (double)(test_random() >> 11) * 0x1p-53;
}

static double chance(const struct noisy *n, double rate) {
  double x = (rate / n->edge - 1) / n->spread;
  return n->spread == 0 ? rate <= n->edge : 1 / (1 + exp(x));
}

static enum load_verdict try_noisy(void *arg, int64_t rate, const char *step) {
  struct noisy *n = arg;
  (void)step;
  n->tries++;
  if (uniform() < n->blunders)
    return LOAD_MISSED;
  return uniform() < chance(n, (double)rate) ? LOAD_HELD : LOAD_MISSED;
}

static void an_edge_is_found_exactly(void **state) {
  (void)state;
  static const double edges[] = {1, 3, 17, 999, 1000, 1001, 4711, 65536, 3e6, 9e7};
  for (size_t i = 0; i < TEST_COUNT(edges); i++) {
    struct noisy n = {.edge = edges[i]};
    struct load_search search = {.try_rate = try_noisy, .arg = &n};
    assert_int_equal(load_search(&search), LOAD_HELD);
    assert_true((double)search.held <= n.edge && (double)search.missed > n.edge);
    assert_true((double)search.missed <= (double)search.held * 1.03 + 1);
    assert_true(n.tries < 50);
  }
}

static void what_never_holds_is_not_found(void **state) {
  (void)state;
  struct noisy n = {.edge = 0.5};
  struct load_search search = {.try_rate = try_noisy, .arg = &n};
  assert_int_equal(load_search(&search), LOAD_HELD);
  assert_int_equal(search.held, 0);
  assert_int_equal(search.missed, 1);
}

static void what_always_holds_has_no_upper_end(void **state) {
  (void)state;
  struct noisy n = {.edge = 1e12};
  struct load_search search = {.try_rate = try_noisy, .arg = &n};
  assert_int_equal(load_search(&search), LOAD_HELD);
  assert_int_equal(search.held, 100000000);
  assert_int_equal(search.missed, 0);
}

/* Rates of 1,000 and more hold until they are verified. */
static enum load_verdict try_fickle(void *arg, int64_t rate, const char *step) {
  int *tries = arg;
  ++*tries;
  return *step != 'v' || rate < 1000 ? LOAD_HELD : LOAD_WAS_LIMIT;
}

static void verifying_goes_as_far_down_as_it_must(void **state) {
  (void)state;
  int tries = 0;
  struct load_search search = {.try_rate = try_fickle, .arg = &tries};
  assert_int_equal(load_search(&search), LOAD_HELD);
  assert_true(search.held > 0 && search.held < 1000 && search.missed >= 1000);
  assert_true(search.limited);
  assert_true(tries < 80);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Searches of one noisy server. The rate found is one that it holds in most tries, not one at which
 * a try was lucky; and a try that misses for other reasons does not throw the search off. */
static void a_lucky_try_is_not_believed(void **state) {
  (void)state;
  enum { SEARCHES = 2000 };
  static double found[SEARCHES];
  int lucky = 0; /* found where less than half of the tries hold */
  double tries = 0;
  for (int i = 0; i < SEARCHES; i++) {
    struct noisy n = {.edge = 50000, .spread = 0.03, .blunders = 0.02};
    struct load_search search = {.try_rate = try_noisy, .arg = &n};
    assert_int_equal(load_search(&search), LOAD_HELD);
    assert_true(search.missed == 0 || search.missed > search.held);
    found[i] = (double)search.held;
    lucky += chance(&n, found[i]) < 0.5;
    tries += n.tries;
  }
  qsort(found, SEARCHES, sizeof *found, by_value);
  print_message("# median %.0f, 5 %% below %.0f, lucky %.1f %%, %.1f tries\n", found[SEARCHES / 2],
                found[SEARCHES / 20], 100.0 * lucky / SEARCHES, tries / SEARCHES);
  assert_true(lucky < SEARCHES * 5 / 100);
  assert_true(found[SEARCHES / 2] > 45000 && found[SEARCHES / 2] < 50000);
  assert_true(found[SEARCHES / 20] > 42000);
}

static enum load_verdict stop_at_once(void *arg, int64_t rate, const char *step) {
  (void)rate;
  (void)step;
  return *(enum load_verdict *)arg;
}

static void a_search_that_cannot_go_on_ends(void **state) {
  (void)state;
  static enum load_verdict verdicts[] = {LOAD_STOPPED, LOAD_BROKEN};
  for (size_t i = 0; i < TEST_COUNT(verdicts); i++) {
    struct load_search search = {.try_rate = stop_at_once, .arg = &verdicts[i]};
    assert_int_equal(load_search(&search), verdicts[i]);
    assert_int_equal(search.held, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_below_the_limit_has_held),
      cmocka_unit_test(an_edge_is_found_exactly),
      cmocka_unit_test(what_never_holds_is_not_found),
      cmocka_unit_test(what_always_holds_has_no_upper_end),
      cmocka_unit_test(verifying_goes_as_far_down_as_it_must),
      cmocka_unit_test(a_lucky_try_is_not_believed),
      cmocka_unit_test(a_search_that_cannot_go_on_ends),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
