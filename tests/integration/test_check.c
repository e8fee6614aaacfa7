/* test_check.c: `muxbench check` as a command: verdicts and exit statuses, formats, bad input; and
 * the gate that `run` asks. That the cases find what they are for is proved by tests/mutants. */
#include "tests/support.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/check.h"
#include "common/cpus.h"
#include "tests/spawn.h"

static struct test_result result;

/* The directory above this program's: where the mutant and the shim are built, too. */
static const char *build_directory(void) {
  static char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  for (int i = 0; i < 2; i++)
    *strrchr(self, '/') = 0;
  return self;
}

static const char *mutant(const char *flaw) {
  static char command[PATH_MAX + 64];
  snprintf(command, sizeof command, "%s/mutants/mutant %s {port}", build_directory(), flaw);
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
  assert_non_null(strstr(result.out, "killed by signal 13"));
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
      {"--backend nosuch", "--backend: there is no 'nosuch'"},
      {"--backend poll --options nosuch=1", "--options: "},
      {"--backend iterative --workers 5", "--workers: "},
      {"--backend fork --listen udp://127.0.0.1:0", "--listen: fork does not serve udp"},
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

static void outputs_are_opened_before_anything_runs(void **state) {
  (void)state;
  static const char *const options[] = {"--json", "--tap", "--junit"};
  char first[128];
  snprintf(first, sizeof first, "%s/first", test_directory());
  for (size_t i = 0; i < TEST_COUNT(options); i++) {
    /* idle-then-echo would take 3 s */
    test_command(&result, "check --backend poll --case idle-then-echo %s=%s %s=/nonexistent/x",
                 options[(i + 1) % 3], first, options[i]);
    test_expect_error(&result, 2, options[i]);
    assert_non_null(strstr(result.err, "/nonexistent/x: No such file"));
    assert_int_equal(test_count_files(test_directory()), 0);
  }
}

static void a_library_that_cannot_be_preloaded_is_refused(void **state) {
  (void)state;
  char text[128];
  snprintf(text, sizeof text, "%s/text.so", test_directory());
  FILE *file = fopen(text, "we");
  fputs("no library", file);
  fclose(file);
  const char *const libraries[] = {"/nonexistent.so", "nonexistent.so", text, "/tmp", ""};
  for (size_t i = 0; i < TEST_COUNT(libraries); i++) {
    test_command(&result, "check --backend poll --case half-close-empty --preload '%s'",
                 libraries[i]);
    test_expect_error(&result, 2, "--preload: ");
  }
  unlink(text);
  setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1); /* as shim.sh does */
  test_command(&result, "check --backend poll --case half-close-empty --preload %s/shims/faults.so",
               build_directory());
  unsetenv("ASAN_OPTIONS");
  test_expect(&result, 0);
}

static bool has_children(void *arg) {
  char path[64];
  char text[64] = "";
  pid_t pid = *(pid_t *)arg;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return false;
  (void)!fgets(text, sizeof text, file);
  fclose(file);
  return text[0] != 0;
}

static bool has_files(void *arg) {
  return test_count_files(arg) > 0;
}

/* The result so far is kept, and nothing else. */
static void a_signal_ends_it_with_what_is_known(void **state) {
  (void)state;
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  char command[256];
  char json[128];
  struct test_process check;
  setenv("TMPDIR", test_directory(), 1);
  snprintf(json, sizeof json, "%s/json", test_directory());
  snprintf(command, sizeof command, "check --backend poll --json=%s", json); /* takes minutes */
  for (size_t i = 0; i < TEST_COUNT(signals); i++) {
    test_start(&check, command);
    assert_true(test_wait_until(has_children, &check.pid));
    kill(check.pid, signals[i]);
    test_wait(&check, &result);
    test_expect(&result, 130);
    json_t *root = json_load_file(json, 0, NULL);
    assert_true(json_is_true(json_object_get(root, "interrupted")));
    json_decref(root);
    unlink(json);
    assert_int_equal(test_count_files(test_directory()), 0);
  }
  /* A Unix socket has to have a place. These are over soon, and that may be before the signal. */
  snprintf(command, sizeof command,
           "check --backend poll --case unix-path-removed "
           "--case unix-stale-path --case unix-path-removed");
  for (int i = 0; i < 5; i++) {
    test_start(&check, command);
    assert_true(test_wait_until(has_files, (void *)test_directory()));
    kill(check.pid, SIGHUP);
    test_wait(&check, &result);
    if (result.status != 0)
      test_expect(&result, 130);
    assert_int_equal(test_count_files(test_directory()), 0);
  }
  unsetenv("TMPDIR");
}

static void ignored_signals_are_ignored(void **state) {
  (void)state;
  struct test_process check;
  signal(SIGHUP, SIG_IGN); /* as nohup does */
  test_start(&check, "check --backend poll --case idle-then-echo");
  assert_true(test_wait_until(has_children, &check.pid));
  kill(check.pid, SIGHUP);
  test_wait(&check, &result);
  signal(SIGHUP, SIG_DFL);
  test_expect(&result, 0);
}

static void what_it_prints_is_printable(void **state) {
  (void)state;
  static const char server[] = "/nonexistent/\x1b[2J\n\xc3\xa9\xff## # SKIP <&>";
  static const char shown[] = "/nonexistent/\\x1b[2J\\x0a\xc3\xa9\\xff## # SKIP <&>";
  test_command(&result, "check --exec '%s' --case sizes", server);
  test_expect(&result, 1);
  assert_memory_equal(result.out, shown, sizeof shown - 1);
  test_command(&result, "check --exec '%s' --case sizes --json", server);
  test_expect(&result, 1);
  json_t *root = test_json(&result);
  assert_string_equal(json_string_value(json_object_get(root, "server")), shown);
  json_decref(root);
  test_command(&result, "check --exec '%s' --case sizes --tap", server);
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "\nnot ok 1 - /nonexistent/\\x1b[2J\\x0a\xc3\xa9\\xff"
                                     "\\#\\# \\# SKIP <&>: sizes\n"));
  test_command(&result, "check --exec '%s' --case sizes --junit", server);
  test_expect(&result, 1);
  assert_non_null(strstr(result.out, "<testsuite name=\"/nonexistent/\\x1b[2J\\x0a\xc3\xa9\\xff"
                                     "## # SKIP &lt;&amp;&gt;\""));
}

/* ---- On a busy host: servers that hardly get a turn ------------------------------------------ */

enum { RIVALS = 4 };
static pid_t rivals[RIVALS];
static int contested; /* the CPU */

static int start_rivals(void **state) {
  (void)state;
  cpu_set_t allowed;
  pid_t own = getpid();
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return -1;
  contested = mux_cpus_nth(&allowed, 0);
  for (int i = 0; i < RIVALS; i++) {
    if ((rivals[i] = fork()) != 0)
      continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mux_cpus_pin_nth(&allowed, 0);
    for (atomic_int turns = 0; getppid() == own; turns++)
      ;
    _exit(0);
  }
  return 0;
}

static int end_rivals(void **state) {
  (void)state;
  for (int i = 0; i < RIVALS; i++) {
    kill(rivals[i], SIGKILL);
    waitpid(rivals[i], NULL, 0);
  }
  return 0;
}

static void check_starved(const char *flaw, const char *arguments) {
  test_command(&result, "check --exec 'taskset -c %d nice -n 10 %s' %s", contested, mutant(flaw),
               arguments);
}

/* Timeouts count the time in which the server could run. */
static void a_starved_server_is_not_a_stuck_one(void **state) {
  (void)state;
  check_starved("sound", "--case half-close-empty --case restart-same-port --patience 20ms");
  if (result.status != 0)
    fail_msg("%s", result.out);
}

/* The ground for a flaw is prepared until it is ready, not for a while. */
static void a_starved_server_does_not_hide_its_flaw(void **state) {
  (void)state;
  static const char *const rows[][2] = {{"keeps-reset-reader", "client-vanishes"},
                                        {"exits-on-eintr", "eintr-storm"},
                                        {"drains-without-deadline", "sigterm-with-stuck-peer"}};
  char arguments[128];
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    snprintf(arguments, sizeof arguments, "--case %s --patience 500ms", rows[i][1]);
    check_starved(rows[i][0], arguments);
    test_expect(&result, 1);
    if (strstr(result.out, "does not start") != NULL || strstr(result.out, "not done") != NULL)
      fail_msg("%s: %s", rows[i][0], result.out);
  }
}

/* ---------------------------------------------------------------------------------------------- */

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
      cmocka_unit_test(outputs_are_opened_before_anything_runs),
      cmocka_unit_test(a_library_that_cannot_be_preloaded_is_refused),
      cmocka_unit_test(a_signal_ends_it_with_what_is_known),
      cmocka_unit_test(ignored_signals_are_ignored),
      cmocka_unit_test(what_it_prints_is_printable),
      cmocka_unit_test_setup_teardown(a_starved_server_is_not_a_stuck_one, start_rivals,
                                      end_rivals),
      cmocka_unit_test_setup_teardown(a_starved_server_does_not_hide_its_flaw, start_rivals,
                                      end_rivals),
      cmocka_unit_test(the_gate_lets_sound_servers_pass_only),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
