/* test_load_result.c: what a result says of itself, in JSON and in words (loadgen/load.h). */
#include "tests/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/engine.h"
#include "loadgen/load.h"

static struct load_config config;
static struct load_result result;

/* One connection in a closed loop of a second: all went well. */
static int begin(void **state) {
  (void)state;
  char why[160];
  config = (struct load_config){.connections = 1,
                                .threads = 1,
                                .depth = 1,
                                .payload_bytes = 64,
                                .duration_ns = MUX_S,
                                .timeout_ns = 5 * MUX_S,
                                .engine = load_engines[0]};
  assert_int_equal(mux_addr_parse(&config.target, "tcp://127.0.0.1:7007", false, why, sizeof why),
                   0);
  result = (struct load_result){.established = 1, .threads = 1, .duration_s = 1, .server_cpus = 1};
  result.thread_share = calloc(1, sizeof *result.thread_share);
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    result.hdr[kind] = mux_hdr_new_latency();
  return 0;
}

static int end(void **state) {
  (void)state;
  load_result_free(&result);
  return 0;
}

static json_t *as_json(void) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  assert_int_equal(load_result_json(&config, &result, to), 0);
  fclose(to);
  json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(root);
  free(text);
  return root;
}

static void explain(void *unused) {
  (void)unused;
  load_judge(&config, &result);
  load_explain(&config, &result);
}

static void clamped_values_are_reported(void **state) {
  (void)state;
  char said[2000];
  mux_hdr_record(result.hdr[LOAD_RESPONSE], MUX_S);
  json_t *root = as_json();
  json_t *response = json_object_get(root, "response_us");
  assert_true(json_is_integer(json_object_get(response, "clamped")));
  assert_int_equal(json_integer_value(json_object_get(response, "clamped")), 0);
  json_decref(root);
  assert_int_equal(test_in_child(explain, NULL, said, sizeof said), 0);
  assert_null(strstr(said, "count as that"));

  mux_hdr_record_n(result.hdr[LOAD_RESPONSE], 100 * MUX_S, 3);
  root = as_json();
  response = json_object_get(root, "response_us");
  assert_int_equal(json_integer_value(json_object_get(response, "clamped")), 3);
  json_decref(root);
  assert_int_equal(test_in_child(explain, NULL, said, sizeof said), 0);
  assert_non_null(strstr(said, "3 of 4 response times were above 1.00 min and count as that"));
}

/* A run fails by what happened in it, not by what its figures are good for. */
static void warnings_are_no_failure(void **state) {
  (void)state;
  static const struct {
    unsigned flags;
    uint64_t timeouts, lost;
    bool failed;
  } rows[] = {
      {0, 0, 0, false},
      {LOAD_CLIENT_BOUND, 0, 0, false},
      {LOAD_SLIP_HIGH | LOAD_RATE_MISSED, 0, 0, false},
      {LOAD_SHORT_OF_CONNECTIONS, 0, 0, true},
      {LOAD_UNANSWERED, 0, 0, true},
      {LOAD_DATAGRAMS_LOST, 20, 20, true},
      {0, 1, 0, true},
      {0, 1, 1, false}, /* over UDP one may be lost */
      {LOAD_CLIENT_BOUND, 1, 0, true},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    result.flags = rows[i].flags;
    result.count.errors[LOAD_ERR_TIMEOUT] = rows[i].timeouts;
    result.count.datagrams.lost = rows[i].lost;
    if (load_failed(&result) != rows[i].failed)
      fail_msg("row %zu: failed is %d", i, !rows[i].failed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(clamped_values_are_reported, begin, end),
      cmocka_unit_test_setup_teardown(warnings_are_no_failure, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
