/* test_parts.c: one load in several processes (load --part K/N), and what muxbench merge makes of
 * their results. */
#include "tests/support.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "hdr/hdr.h"
#include "tests/spawn.h"

enum { PARTS = 4, CONNECTIONS = 10, IDLE = 6 };

static struct test_result result;

static const char *path_of(int part) {
  static char path[PARTS + 1][200];
  snprintf(path[part], sizeof path[part], "%s/part%d.json", test_directory(), part);
  return path[part];
}

/* All at the same time, as an open loop. */
static void run_parts(const char *target, const char *options) {
  struct test_process loads[PARTS];
  char command[600];
  for (int i = 0; i < PARTS; i++) {
    snprintf(command, sizeof command,
             "load --target %s --part %d/%d --connections %d --idle %d --rate 2k --duration 400ms "
             "--warmup 100ms --seed 7 --json=%.150s %.50s",
             target, i + 1, PARTS, CONNECTIONS, IDLE, path_of(i), options);
    test_start(&loads[i], command);
  }
  for (int i = 0; i < PARTS; i++) {
    test_wait(&loads[i], &result);
    test_expect(&result, 0);
  }
}

static json_t *read_part(int part) {
  json_t *json = json_load_file(path_of(part), 0, NULL);
  assert_non_null(json);
  return json;
}

static struct mux_hdr *histogram(const json_t *part, const char *kind) {
  const json_t *text =
      json_object_get(json_object_get(json_object_get(part, "part"), "histograms"), kind);
  assert_true(json_is_string(text));
  struct mux_hdr *h = mux_hdr_decode(json_string_value(text), json_string_length(text));
  assert_non_null(h);
  return h;
}

static void merge(const char *more) {
  test_command(&result, "merge %s %s %s %s --json %s", path_of(2), path_of(0), path_of(3),
               path_of(1), more);
}

/* Sums of the parts, to the last count. */
static void the_whole_is_the_sum(void **state) {
  (void)state;
  static const char *const sums[] = {"connections", "established",      "held",
                                     "threads",     "idle_connections", "idle_held",
                                     "sent",        "completed",        "errors.reset"};
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  run_parts(server.target, "");
  merge("");
  test_expect(&result, 0);
  json_t *whole = test_json(&result);
  long long sum[TEST_COUNT(sums)] = {0};
  struct mux_hdr *response = mux_hdr_new_latency();
  for (int i = 0; i < PARTS; i++) {
    json_t *part = read_part(i);
    struct mux_hdr *h = histogram(part, "response");
    for (size_t k = 0; k < TEST_COUNT(sums); k++)
      sum[k] += test_json_int(part, sums[k]);
    assert_int_equal(h->total, test_json_int(part, "completed"));
    assert_int_equal(mux_hdr_add(response, h), 0);
    mux_hdr_free(h);
    json_decref(part);
  }
  for (size_t k = 0; k < TEST_COUNT(sums); k++)
    if (test_json_int(whole, sums[k]) != sum[k])
      fail_msg("%s: %lld, not %lld", sums[k], test_json_int(whole, sums[k]), sum[k]);
  assert_int_equal(test_json_int(whole, "connections"), CONNECTIONS);
  assert_int_equal(test_json_int(whole, "idle_held"), IDLE);
  assert_int_equal(test_json_int(whole, "response_us.count"), response->total);
  assert_true(test_json_real(whole, "response_us.p50") ==
              (double)mux_hdr_percentile(response, 50) / 1e3);
  assert_true(test_json_real(whole, "offered_per_s") == 2000);
  /* The slots of all parts are those of one schedule. */
  assert_true(test_json_int(whole, "sent") >= 780 && test_json_int(whole, "sent") <= 820);
  mux_hdr_free(response);
  json_decref(whole);
  test_stop(&server);
}

static void what_does_not_belong_is_named(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  run_parts(server.target, "");
  test_command(&result, "merge %s %s %s", path_of(0), path_of(1), path_of(3));
  test_expect(&result, 1);
  assert_non_null(strstr(result.err, "of 4 parts, missing: 3"));
  test_command(&result, "merge %s %s", path_of(0), path_of(0));
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "part 1 of 4 is there twice"));
  test_command(&result,
               "load --target %s --part 2/4 --connections 10 --rate 2k --duration 400ms "
               "--warmup 0s --seed 8 --json=%s",
               server.target, path_of(1));
  merge("");
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "other options than the parts before it"));
  test_command(&result, "load --target %s --duration 50ms --warmup 0s --json=%s", server.target,
               path_of(1));
  merge("");
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "not the JSON result of a load with --part"));
  test_command(&result, "merge /dev/null");
  test_expect(&result, 2);
  test_command(&result, "merge");
  test_expect(&result, 2);
  test_command(&result, "load --target %s --part 5/4", server.target);
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "'5/4' is not a part such as 2/4"));
  test_stop(&server);
}

/* A result that somebody has changed does no harm. */
static void damaged_parts_do_no_harm(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  run_parts(server.target, "");
  FILE *in = fopen(path_of(0), "re");
  static char text[1 << 20];
  size_t n = fread(text, 1, sizeof text, in);
  fclose(in);
  for (int i = 0; i < 30; i++) {
    size_t at = (size_t)(test_random() % n);
    char before = text[at];
    text[at] = (char)(test_random() % 96 + 32);
    FILE *out = fopen(path_of(0), "we");
    fwrite(text, 1, n, out);
    fclose(out);
    text[at] = before;
    merge("");
    if (result.status > 2)
      fail_msg("byte %zu: exit %d, %s", at, result.status, result.err);
  }
  test_stop(&server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_whole_is_the_sum),
      cmocka_unit_test(what_does_not_belong_is_named),
      cmocka_unit_test(damaged_parts_do_no_harm),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
