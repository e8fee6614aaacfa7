/* test_versus.c: muxbench versus, the front door: verdicts as exit statuses, exports, bad input. */
#include "tests/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/data/rows.h"
#include "tests/spawn.h"

static struct test_result result;

static char *output(char path[200], const char *name) {
  snprintf(path, 200, "%s/%s", test_directory(), name);
  return path;
}

static void versus(const char *args) {
  test_command(&result, "versus --out %s/runs %s", test_directory(), args);
}

static char *contents(const char *name) {
  char path[200];
  static char text[64 << 10];
  FILE *file = fopen(output(path, name), "re");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  return text;
}

/* The first result of a label is that of the objective. */
static const json_t *find_result(const json_t *json, const char *label) {
  size_t i;
  json_t *one;
  json_array_foreach(json_object_get(json, "results"), i, one) {
    if (strcmp(json_string_value(json_object_get(one, "label")), label) == 0)
      return one;
  }
  fail_msg("there is no %s", label);
  return NULL;
}

/* Many times the cost shows on any host: a gate of 5 % fails, and every format says why. */
static void a_dear_server_fails_the_gate(void **state) {
  (void)state;
  const char *t = test_directory();
  test_command(&result,
               "versus --out %s/runs epoll-lt 'epoll-lt --work 100us' -c 10 --budget 50s "
               "--precision 50%% --fail-if-worse 5%% --export json=%s/e.json "
               "--export markdown=%s/e.md --export junit=%s/e.xml --export benchfmt=%s/e.txt "
               "--export openmetrics=%s/e.om",
               t, t, t, t, t, t);
  test_expect(&result, 3);
  assert_non_null(strstr(result.out, "times epoll-lt's host CPU per request"));
  assert_non_null(strstr(result.err, "gate failed: epoll-lt-work-100us is more than 5 % worse"));
  json_t *json = json_loads(contents("e.json"), JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  const json_t *one = find_result(json, "epoll-lt-work-100us");
  double ratio = json_number_value(json_object_get(one, "ratio"));
  assert_true(ratio > 1.5);
  assert_string_equal(json_string_value(json_object_get(one, "verdict")), "worse");
  char shown[32];
  snprintf(shown, sizeof shown, "%.3f", ratio);
  json_decref(json);
  assert_non_null(strstr(contents("e.md"), shown));
  assert_non_null(strstr(contents("e.md"), "| verdict |"));
  assert_non_null(strstr(contents("e.xml"), "<testsuite "));
  assert_non_null(strstr(contents("e.xml"), "<failure "));
  assert_non_null(strstr(contents("e.txt"), "BenchmarkEcho"));
  const char *metrics = contents("e.om");
  assert_string_equal(metrics + strlen(metrics) - 6, "# EOF\n");
}

/* What is proved to cost less passes. */
static void a_cheap_server_passes_the_gate(void **state) {
  (void)state;
  versus("'epoll-lt --work 100us' epoll-lt -c 10 --budget 50s --precision 90% --fail-if-worse 5%");
  test_expect(&result, 0);
  assert_non_null(strstr(result.err, "gate passed: "));
}

/* Fewer than six launches: nothing is proved, either way. */
static void too_little_time_decides_nothing(void **state) {
  (void)state;
  versus("epoll-lt poll select epoll-et -c 400 --budget 5s --fail-if-worse 5%");
  test_expect(&result, 4);
  assert_non_null(strstr(result.err, "gate undecided: "));
}

/* The others go on, and the reason is one line. */
static void a_server_that_is_none_fails_alone(void **state) {
  (void)state;
  test_command(&result,
               "versus --out %s/none epoll-lt poll '/nonesuch {port}' -c 10 --budget 50s "
               "--precision 90%%",
               test_directory());
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "poll: "));
  assert_non_null(strstr(result.err, "nonesuch: failed: not measured"));
  char path[200];
  char why[256];
  struct rows rows = {0};
  assert_int_equal(rows_read(&rows, output(path, "none/latest/measurements.csv"), why, sizeof why),
                   0);
  for (size_t i = 0; i < rows.count; i++) {
    const char *label = row_text(&rows.rows[i], COL_label);
    assert_int_equal(row_has_result(&rows.rows[i]), strcmp(label, "nonesuch") != 0);
  }
  rows_free(&rows);
}

static void bad_input_is_named_and_leaves_nothing(void **state) {
  (void)state;
  static const struct {
    const char *args, *says;
  } rows[] = {
      {"", "name two servers"},
      {"epoll-lt", "name two servers"},
      {"epoll-lt nonesuch", "'nonesuch' is no backend"},
      {"epoll-lt 'node echo.js {prot}'", "{port}"},
      {"epoll-lt './nonesuch.so'", "nonesuch.so"},
      {"epoll-lt 'poll --nonsense 3'", "--nonsense"},
      {"epoll-lt 'poll --workers x'", "workers"},
      {"epoll-lt 'poll \"open'", "open quote"},
      {"epoll-lt poll --connections 0", "--connections"},
      {"epoll-lt poll --connections 1,2", "--connections"},
      {"epoll-lt poll --rate x", "--rate"},
      {"epoll-lt poll --depth 1000000", "--depth"},
      {"epoll-lt poll --arrival bursts --rate 1k", "--arrival"},
      {"epoll-lt poll --budget 1s", "--budget"},
      {"epoll-lt poll --precision 0x", "--precision"},
      {"epoll-lt poll --fail-if-worse=-1%", "--fail-if-worse"},
      {"epoll-lt poll --metric colour", "--metric"},
      {"epoll-lt poll --transport quic", "--transport"},
      {"epoll-lt poll --export yaml", "--export"},
      {"epoll-lt poll --export json=/nonesuch/x", "--export"},
      {"epoll-lt tcp://192.0.2.1:7", "192.0.2.1"},
      {"epoll-lt poll --out /proc/nonesuch", "--out"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "versus --out %s/never %s", test_directory(), rows[i].args);
    test_expect_error(&result, 2, rows[i].says);
    assert_int_equal(test_count_files(output((char[200]){0}, "never")), -1);
  }
}

static void a_dry_run_says_what_it_could_show(void **state) {
  (void)state;
  versus("epoll-lt poll -c 100 --dry-run");
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "shows differences from "));
  versus("epoll-lt poll select -c 10000 --budget 5s --dry-run");
  assert_non_null(strstr(result.out, "no claim"));
}

int main(void) {
  alarm(280);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_dear_server_fails_the_gate),
      cmocka_unit_test(a_cheap_server_passes_the_gate),
      cmocka_unit_test(too_little_time_decides_nothing),
      cmocka_unit_test(a_server_that_is_none_fails_alone),
      cmocka_unit_test(bad_input_is_named_and_leaves_nothing),
      cmocka_unit_test(a_dry_run_says_what_it_could_show),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
