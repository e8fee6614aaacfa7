/* test_experiments.c: runs that meet bad servers, end by SIGKILL, are compared; doctor and floor.
 * The foreign servers are this program, started again with a role as its first argument. */
#include "tests/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/run_experiment.h"

/* ---- Roles: servers that are good for a while -------------------------------------------------
 */

/* Of a connection: more than the gate sends, less than a trial does. */
#define GOOD_BYTES (INT64_C(12) << 20)

static const char *role;

static void misbehave(unsigned char *data, int64_t echoed) {
  if (echoed < GOOD_BYTES)
    return;
  if (strcmp(role, "dies") == 0) {
    fprintf(stderr, "out of luck\n");
    _exit(4);
  }
  if (strcmp(role, "hangs") == 0)
    for (;;)
      pause();
  if (strcmp(role, "errs") == 0)
    data[0] ^= 1;
}

static void *serve_one(void *arg) {
  int fd = (int)(intptr_t)arg;
  static __thread unsigned char data[65536];
  int64_t echoed = 0;
  ssize_t n;
  while ((n = recv(fd, data, sizeof data, 0)) > 0) {
    misbehave(data, echoed);
    for (ssize_t sent = 0, m; sent < n; sent += m)
      if ((m = send(fd, data + sent, (size_t)(n - sent), MSG_NOSIGNAL)) <= 0)
        break;
    echoed += n;
  }
  close(fd);
  return NULL;
}

static int run_role(const char *port) {
  struct mux_addr addr;
  char why[160];
  char text[64];
  snprintf(text, sizeof text, "tcp://127.0.0.1:%s", port);
  alarm(100);
  if (mux_addr_parse(&addr, text, false, why, sizeof why) != 0)
    return 2;
  struct sockaddr *any = &addr.socket.any;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
      bind(listener, any, addr.length) != 0 || listen(listener, 4096) != 0)
    return 2;
  for (;;) {
    pthread_t thread;
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && strcmp(role, "refuses") == 0)
      close(fd);
    else if (fd >= 0 && pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) == 0)
      pthread_detach(thread);
  }
}

/* ---- Helpers -----------------------------------------------------------------------------------
 */

static struct test_result result;
static char self[256];

/* Processes whose command line contains text, this one left out. */
static int count_processes(const char *text) {
  DIR *proc = opendir("/proc");
  struct dirent *entry;
  int count = 0;
  while ((entry = readdir(proc)) != NULL) {
    char path[300];
    char line[4096];
    snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
    FILE *file =
        atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid() ? fopen(path, "re") : NULL;
    size_t n = file != NULL ? fread(line, 1, sizeof line - 1, file) : 0;
    for (size_t i = 0; i < n; i++)
      line[i] = line[i] == 0 ? ' ' : line[i];
    line[n] = 0;
    count += strstr(line, text) != NULL;
    if (file != NULL)
      fclose(file);
  }
  closedir(proc);
  return count;
}

/* ---- Tests -------------------------------------------------------------------------------------
 */

static void bad_servers_fail_and_the_run_goes_on(void **state) {
  (void)state;
  test_write_config(
      "bad",
      "servers = ( \"epoll-lt\", { name = \"dies\"; command = \"%s dies {port}\"; },\n"
      "  { name = \"hangs\"; command = \"%s hangs {port}\"; },\n"
      "  { name = \"errs\"; command = \"%s errs {port}\"; },\n"
      "  { name = \"refuses\"; command = \"%s refuses {port}\"; },\n"
      "  { name = \"missing\"; command = \"/nonexistent {port}\"; } );\n"
      "blocks = 1; count = 0; baseline = \"epoll-lt\";\n"
      "load = { connections = 2; payload = \"64KiB\"; duration = \"3s\"; depth = 4;\n"
      "         warmup = \"500ms\"; timeout = \"1s\"; };\n",
      self, self, self, self);
  test_command(&result, "run %s/bad.cfg --out %s/bad", test_directory(), test_directory());
  test_expect(&result, 1);
  struct rows rows = test_read_rows("bad");
  json_t *run = test_read_run("bad");
  assert_int_equal(rows.count, 6);
  for (size_t i = 0; i < rows.count; i++) {
    const char *label = row_text(&rows.rows[i], COL_label);
    const char *status = row_text(&rows.rows[i], COL_status);
    const char *reason = test_reason(run, (int)row_number(&rows.rows[i], COL_trial));
    if (strcmp(label, "epoll-lt") == 0) {
      if (!row_has_result(&rows.rows[i]))
        fail_msg("epoll-lt: %s, %s", status, reason);
      continue;
    }
    if (strcmp(status, "failed") != 0 || reason[0] == 0)
      fail_msg("%s: %s, '%s'", label, status, reason);
    const char *says = strcmp(label, "dies") == 0      ? "ended"
                       : strcmp(label, "hangs") == 0   ? "lost"
                       : strcmp(label, "errs") == 0    ? "not the bytes"
                       : strcmp(label, "refuses") == 0 ? "no correct echo server"
                                                       : "cannot execute";
    /* One that is good for a while may be through with that before the measuring begins. */
    bool for_a_while = strchr("dhe", *label) != NULL;
    if (strstr(reason, says) == NULL && !(for_a_while && strstr(reason, "no message") != NULL))
      fail_msg("%s: %s", label, reason);
  }
  json_decref(run);
  rows_free(&rows);
  assert_int_equal(count_processes(self), 0);
}

static bool has_two_rows(void *arg) {
  char path[512];
  char line[8192];
  int lines = 0;
  snprintf(path, sizeof path, "%s/%s/latest/measurements.csv", test_directory(), (char *)arg);
  FILE *in = fopen(path, "re");
  while (in != NULL && fgets(line, sizeof line, in) != NULL)
    lines++;
  if (in != NULL)
    fclose(in);
  return lines >= 3;
}

static bool is_alone(void *arg) {
  return count_processes(arg) == 0;
}

/* What has been measured stays. (Flags may be added at the end of a run.) */
static void assert_kept(const struct rows *before, const struct rows *after) {
  static const enum column kept[] = {COL_trial,     COL_label,           COL_sent,
                                     COL_completed, COL_response_p50_us, COL_server_cpu_us_per_req};
  assert_true(before->count > 0);
  for (size_t i = 0; i < before->count; i++) {
    const struct row *old = &before->rows[i];
    size_t at = 0;
    while (at < after->count &&
           strcmp(row_text(&after->rows[at], COL_trial), row_text(old, COL_trial)) != 0)
      at++;
    assert_true(at < after->count);
    for (size_t k = 0; k < TEST_COUNT(kept); k++)
      assert_string_equal(row_text(&after->rows[at], kept[k]), row_text(old, kept[k]));
  }
}

static void a_killed_run_leaves_nothing_and_is_resumed(void **state) {
  (void)state;
  test_write_config(
      "killed",
      "servers = ( \"epoll-lt\", { name = \"own\"; command = \"%s fine {port}\"; } );\n"
      "blocks = 2; count = 0; seed = 11; baseline = \"epoll-lt\";\n"
      "load = { connections = [ 10, 20 ]; duration = \"600ms\"; warmup = \"50ms\"; };\n",
      self);
  char command[400];
  struct test_process run;
  snprintf(command, sizeof command, "run %s/killed.cfg --out %s/killed", test_directory(),
           test_directory());
  test_start(&run, command);
  assert_true(test_wait_until(has_two_rows, "killed"));
  kill(run.pid, SIGKILL);
  test_wait(&run, &result);
  if (!test_wait_until(is_alone, self))
    fail_msg("a server outlived its runner");
  if (!test_wait_until(is_alone, (void *)test_directory()))
    fail_msg("a load outlived its runner");
  struct rows killed = test_read_rows("killed");
  test_command(&result, "run --resume %s/killed/latest", test_directory());
  bool starved = test_was_starved("killed");
  test_expect(&result, starved ? 1 : 0);
  test_run_experiment(&result, "killed", "whole");
  struct rows resumed = test_read_rows("killed");
  struct rows whole = test_read_rows("whole");
  assert_kept(&killed, &resumed);
  assert_int_equal(resumed.count, 8);
  assert_int_equal(whole.count, 8);
  static const enum column same[] = {COL_trial, COL_cell_id, COL_block, COL_label, COL_connections};
  for (size_t i = 0; i < resumed.count; i++) {
    const struct row *row = &resumed.rows[i];
    const char *status = row_text(row, COL_status);
    for (size_t k = 0; k < TEST_COUNT(same); k++)
      assert_string_equal(row_text(row, same[k]), row_text(&whole.rows[i], same[k]));
    if (!row_has_result(row) && !(starved && strcmp(status, "failed") == 0))
      fail_msg("trial %s is %s", row_text(row, COL_trial), status);
    assert_true(row_number(row, COL_errors_mismatch) == 0);
    assert_int_equal(row_number(row, COL_completed) > 0, row_has_result(row));
  }
  rows_free(&killed);
  rows_free(&resumed);
  rows_free(&whole);
}

static void write_compared(const char *name, const char *work) {
  test_write_config(name,
                    "servers = ( { name = \"poll\"; backend = \"poll\"; },\n"
                    "            { name = \"lt\"; backend = \"epoll-lt\"; work = \"%s\"; } );\n"
                    "baseline = \"poll\"; blocks = 6; rounds = 3; count = 0; twin = false;\n"
                    "load = { connections = 10; };\n",
                    work);
}

/* One label that costs far more than the common baseline in one of two runs. */
static void compare_finds_a_regression(void **state) {
  (void)state;
  write_compared("compared", "0s");
  write_compared("slower", "30us");
  const char *t = test_directory();
  test_run_experiment(&result, "compared", "a");
  test_run_experiment(&result, "slower", "b");
  test_command(&result,
               "compare --metrics server_cpu_us_per_req --threshold 5%% %s/a/latest "
               "%s/b/latest",
               t, t);
  test_expect(&result, 3);
  assert_non_null(strstr(result.err, "regression: all, lt: server CPU per request"));
  test_command(&result,
               "compare --metrics server_cpu_us_per_req --threshold 5%% %s/b/latest "
               "%s/a/latest",
               t, t);
  test_expect(&result, 0);
  test_command(&result, "compare --json %s/a/latest %s/a/latest", t, t);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  const json_t *first = json_array_get(json_object_get(json, "comparisons"), 0);
  assert_true(test_json_real(first, "ratio") == 1);
  json_decref(json);
}

/* What moves from one run to the next is the host as well: only ratios to one baseline remain. */
static void compare_refuses_runs_without_a_common_baseline(void **state) {
  (void)state;
  const char *t = test_directory();
  test_write_config("alone", "servers = ( { name = \"lt\"; backend = \"epoll-lt\"; } );\n"
                             "blocks = 2; rounds = 2; count = 0; twin = false;\n"
                             "load = { connections = 10; };\n");
  test_run_experiment(&result, "alone", "alone");
  test_command(&result, "compare %s/alone/latest %s/a/latest", t, t);
  test_expect_error(&result, 2, "has no baseline");
  assert_non_null(strstr(result.err, "muxbench versus"));
}

static void compare_refuses_what_differs_or_is_broken(void **state) {
  (void)state;
  const char *t = test_directory();
  test_write_config("other",
                    "servers = ( { name = \"poll\"; backend = \"poll\"; },\n"
                    "            { name = \"lt\"; backend = \"select\"; } );\n"
                    "baseline = \"poll\"; blocks = 2; rounds = 2; count = 0; twin = false;\n"
                    "load = { connections = 10; };\n");
  test_run_experiment(&result, "other", "c");
  test_command(&result, "compare %s/a/latest %s/c/latest", t, t);
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "refused: all, lt: backend is epoll-lt in one and select"));
  test_command(&result, "compare %s/a/latest %s/nonesuch", t, t);
  test_expect_error(&result, 2, "No such file");
  test_command(&result, "compare %s/a/latest", t);
  test_expect_error(&result, 2, "two run directories");
  test_command(&result, "compare --threshold x %s/a/latest %s/a/latest", t, t);
  test_expect_error(&result, 2, "--threshold");
  char path[512];
  snprintf(path, sizeof path, "%s/c/latest/measurements.csv", t);
  struct stat status;
  assert_int_equal(stat(path, &status), 0);
  /* A last line that is not whole is what a crash leaves, and does not count. */
  assert_int_equal(truncate(path, status.st_size - 20), 0);
  test_command(&result, "compare %s/a/latest %s/c/latest", t, t);
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "refused: all, lt"));
  /* Any other is an error. */
  int file = open(path, O_WRONLY);
  assert_int_equal(pwrite(file, "\n", 1, status.st_size - 200), 1);
  close(file);
  test_command(&result, "compare %s/a/latest %s/c/latest", t, t);
  test_expect_error(&result, 2, "measurements.csv:");
  test_command(&result, "run --resume %s/c/latest", t);
  test_expect_error(&result, 2, "measurements.csv:");
  assert_int_equal(truncate(path, 0), 0);
  test_command(&result, "compare %s/c/latest %s/a/latest", t, t);
  test_expect_error(&result, 2, "empty");
}

static void the_doctor_examines(void **state) {
  (void)state;
  test_command(&result, "doctor");
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "descriptors"));
  test_command(&result, "doctor --json");
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  size_t i;
  json_t *finding;
  assert_in_range(json_array_size(json_object_get(json, "findings")), 14, 24);
  json_array_foreach(json_object_get(json, "findings"), i, finding) {
    const char *level = json_string_value(json_object_get(finding, "level"));
    const char *fix = json_string_value(json_object_get(finding, "fix"));
    if ((strcmp(level, "fine") == 0) != (fix[0] == 0))
      fail_msg("%s is %s, and its fix '%s'", json_string_value(json_object_get(finding, "name")),
               level, fix);
  }
  json_decref(json);
}

static void the_floor_is_measured(void **state) {
  (void)state;
  static const char *const args[] = {"--connections 1", "--connections 300",
                                     "--connections 20 --payload 64KiB",
                                     "--connections 300 --listen udp://127.0.0.1:0",
                                     "--connections 20 --listen udp://[::1]:0 --payload 60000"};
  for (size_t i = 0; i < TEST_COUNT(args); i++) {
    test_command(&result, "floor --json --duration 20ms %s", args[i]);
    test_expect(&result, 0);
    json_t *json = test_json(&result);
    double us = test_json_real(json, "floor_us");
    if (!(us > 0.2 && us < 1000))
      fail_msg("%s: %g us", args[i], us);
    json_decref(json);
  }
  test_command(&result, "floor --listen unix://%s/floor.sock --duration 20ms", test_directory());
  test_expect(&result, 0);
  assert_int_equal(access(test_directory(), F_OK), 0);
  test_command(&result, "floor --listen udp://127.0.0.1:0 --connections 9000 --payload 60000");
  test_expect_error(&result, 1, "not supported"); /* more than a receive queue holds */
  test_command(&result, "floor --payload 1MiB");
  test_expect_error(&result, 2, "--payload");
}

int main(int argc, char **argv) {
  if (argc == 3) {
    role = argv[1];
    return run_role(argv[2]);
  }
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0)
    return 1;
  self[n] = 0;
  alarm(280);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_servers_fail_and_the_run_goes_on),
      cmocka_unit_test(a_killed_run_leaves_nothing_and_is_resumed),
      cmocka_unit_test(compare_finds_a_regression),
      cmocka_unit_test(compare_refuses_runs_without_a_common_baseline),
      cmocka_unit_test(compare_refuses_what_differs_or_is_broken),
      cmocka_unit_test(the_doctor_examines),
      cmocka_unit_test(the_floor_is_measured),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
