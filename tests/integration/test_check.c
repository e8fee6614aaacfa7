/* test_check.c: `muxbench check` as a command: verdicts and exit statuses, formats, bad input; and
 * the gate that `run` asks. That the cases find what they are for is proved by tests/mutants. */
#include "tests/support.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "tests/spawn.h"

static struct test_result result;

/* tests/mutants/mutant beside this program's directory, absolute. */
static const char *mutant(const char *flaw) {
  static char command[PATH_MAX + 64];
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  for (int i = 0; i < 2; i++)
    *strrchr(self, '/') = 0;
  snprintf(command, sizeof command, "%s/mutants/mutant %s {port}", self, flaw);
  return command;
}

static void verdicts_reach_the_exit_status(void **state) {
  (void)state;
  test_command(&result, "check --exec '%s' --case half-close", mutant("sound"));
  test_expect(&result, 0);
  test_command(&result, "check --exec '%s' --case half-close", mutant("eof-drops-rest"));
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "FAIL"));
  assert_non_null(strstr(result.out, "connection 0: "));
}

static void a_server_that_dies_is_named_with_its_signal(void **state) {
  (void)state;
  test_command(&result, "check --exec '%s' --case send-after-close", mutant("sigpipe-kills"));
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "died of signal 13"));
}

static void every_format_says_the_same(void **state) {
  (void)state;
  const char *command = mutant("sigpipe-kills");
  const char *cases = "--case send-after-close --case sizes --case udp-largest";
  test_command(&result, "check --exec '%s' %s --seed 7 --json", command, cases);
  test_expect(&result, 1);
  json_t *root = json_loads(result.out, 0, NULL);
  assert_non_null(root);
  assert_int_equal(json_integer_value(json_object_get(root, "seed")), 7);
  assert_int_equal(json_integer_value(json_object_get(root, "passed")), 1);
  assert_int_equal(json_integer_value(json_object_get(root, "failed")), 1);
  assert_int_equal(json_integer_value(json_object_get(root, "skipped")), 1);
  assert_int_equal(json_array_size(json_object_get(root, "cases")), 3);
  json_decref(root);
  test_command(&result, "check --exec '%s' %s --tap", command, cases);
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "1..3\n"));
  assert_non_null(strstr(result.out, "\nnot ok 2 - "));
  assert_non_null(strstr(result.out, "# SKIP needs udp"));
  test_command(&result, "check --exec '%s' %s --junit", command, cases);
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""));
}

static void bad_input_is_one_line_and_exit_2(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *blames;
  } rows[] = {
      {"", "exactly one of"},
      {"--backend epoll-lt --target tcp://127.0.0.1:1", "exactly one of"},
      {"--backend nosuch", "--backend nosuch"},
      {"--backend epoll-lt --case nosuch", "--case"},
      {"--target tcp://192.0.2.1:7", "--target"},
      {"--target garbage", "--target"},
      {"--backend epoll-lt --listen tcp://0.0.0.0:0", "--listen"},
      {"--target tcp://127.0.0.1:1 --listen tcp://127.0.0.1:0", "--listen"},
      {"--exec true --options a=b", "--options"},
      {"--backend epoll-lt --seed x", "--seed"},
      {"--backend epoll-lt --patience 0", "--patience"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "check %s", rows[i].arguments);
    test_expect_error(&result, 2, rows[i].blames);
  }
}

static void a_server_that_cannot_start_fails_with_the_reason(void **state) {
  (void)state;
  test_command(&result, "check --exec '/nonexistent/server {port}' --case sizes");
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "the server does not start: cannot execute it"));
}

static void the_gate_lets_sound_servers_pass_only(void **state) {
  (void)state;
  char why[300] = "";
  struct mux_server_spec own = {.backend = "epoll-lt", .program = getenv("MUXBENCH")};
  assert_int_equal(mux_check_quick(&own, why, sizeof why), 0);
  struct mux_server_spec flawed = {.command = mutant("eof-drops-rest")};
  assert_int_equal(mux_check_quick(&flawed, why, sizeof why), 1);
  assert_non_null(strstr(why, "half-close: "));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verdicts_reach_the_exit_status),
      cmocka_unit_test(a_server_that_dies_is_named_with_its_signal),
      cmocka_unit_test(every_format_says_the_same),
      cmocka_unit_test(bad_input_is_one_line_and_exit_2),
      cmocka_unit_test(a_server_that_cannot_start_fails_with_the_reason),
      cmocka_unit_test(the_gate_lets_sound_servers_pass_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
