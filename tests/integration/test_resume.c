/* test_resume.c: runs that are interrupted, at any moment, and what --resume makes of them: it goes
 * on with the run as it was planned, or refuses. */
#include "tests/support.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/run_experiment.h"

static struct test_result result;

static char *in_directory(char path[300], const char *format, const char *name) {
  char tail[200];
  snprintf(tail, sizeof tail, format, name);
  snprintf(path, 300, "%s/%s", test_directory(), tail);
  return path;
}

static bool exists(void *path) {
  return access(path, F_OK) == 0;
}

static int data_rows(const char *out) {
  char path[300];
  char line[8192];
  int lines = 0;
  FILE *in = fopen(in_directory(path, "%s/latest/measurements.csv", out), "re");
  while (in != NULL && fgets(line, sizeof line, in) != NULL)
    lines++;
  if (in != NULL)
    fclose(in);
  return lines > 0 ? lines - 1 : 0;
}

static bool has_rows(void *out) {
  return data_rows(out) > 0;
}

static const char *status_of(const char *out) {
  static char status[32];
  json_t *run = test_read_run(out);
  snprintf(status, sizeof status, "%s", json_string_value(json_object_get(run, "status")));
  json_decref(run);
  return status;
}

static void write_run(const char *name) {
  test_write_config(name, "servers = ( \"epoll-lt\", \"poll\" ); baseline = \"epoll-lt\";\n"
                          "twin = false; blocks = 3; count = 0; seed = 5;\n"
                          "load = { connections = 5; };\n");
}

static void start_run(struct test_process *run, const char *name) {
  char command[400];
  write_run(name);
  snprintf(command, sizeof command, "run %s/%s.cfg --out %s/%s", test_directory(), name,
           test_directory(), name);
  test_start(run, command);
}

static void resume(const char *out) {
  test_command(&result, "run --resume %s/%s/latest", test_directory(), out);
}

/* A gate that a signal cuts short has no verdict: nothing is recorded, and all is resumed. */
static void a_signal_in_the_gate_is_no_verdict(void **state) {
  (void)state;
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < TEST_COUNT(signals); i++) {
    char name[32];
    char path[300];
    struct test_process run;
    snprintf(name, sizeof name, "gate%zu", i);
    start_run(&run, name);
    assert_true(test_wait_until(
        exists, in_directory(path, "%s/latest/logs/gate.epoll-lt.server.log", name)));
    kill(run.pid, signals[i]);
    test_wait(&run, &result);
    test_expect(&result, 130);
    if (strstr(result.err, "no correct echo server") != NULL)
      fail_msg("a good server was blamed: %s", result.err);
    assert_string_equal(status_of(name), "interrupted");
    assert_int_equal(data_rows(name), 0);
  }
  resume("gate0");
  test_expect(&result, 0);
  assert_string_equal(status_of("gate0"), "finished");
  assert_int_equal(data_rows("gate0"), 6);
}

/* Wherever it comes: rows are of whole launches, and the rest is made up for. */
static void a_signal_at_any_moment_leaves_whole_launches(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    char name[32];
    char path[300];
    struct test_process run;
    snprintf(name, sizeof name, "moment%d", i);
    start_run(&run, name);
    assert_true(test_wait_until(exists, in_directory(path, "%s/latest/run.json", name)));
    usleep((useconds_t)(test_random() % 1500000)); /* the moment is the matter */
    kill(run.pid, i % 2 == 0 ? SIGINT : SIGKILL);
    test_wait(&run, &result);
    if (result.status == 0)
      continue; /* it had finished */
    if (i % 2 == 0)
      test_expect(&result, 130);
    assert_int_equal(data_rows(name) % 2, 0);
    resume(name);
    test_expect(&result, 0);
    assert_int_equal(data_rows(name), 6);
  }
}

/* Medians and ratios are of the same launches, then. */
static void a_budget_ends_after_a_whole_launch(void **state) {
  (void)state;
  test_write_config("budget", "servers = ( \"epoll-lt\", \"poll\", \"select\" ); blocks = 200;\n"
                              "baseline = \"epoll-lt\"; twin = false; count = 0; budget = \"6s\";\n"
                              "load = { connections = [ 5, 50 ]; };\n");
  test_run_experiment(&result, "budget", "budget");
  struct rows rows = test_read_rows("budget");
  assert_in_range(rows.count, 6, 3 * 2 * 199);
  for (size_t i = 0; i < rows.count; i++) {
    int same = 0;
    for (size_t k = 0; k < rows.count; k++)
      same +=
          strcmp(row_text(&rows.rows[k], COL_cell_id), row_text(&rows.rows[i], COL_cell_id)) == 0 &&
          strcmp(row_text(&rows.rows[k], COL_block), row_text(&rows.rows[i], COL_block)) == 0;
    assert_int_equal(same, 3);
  }
  rows_free(&rows);
}

static void interrupted_run(const char *name) {
  struct test_process run;
  start_run(&run, name);
  assert_true(test_wait_until(has_rows, (void *)name));
  kill(run.pid, SIGINT);
  test_wait(&run, &result);
}

static void what_was_planned_is_not_changed(void **state) {
  (void)state;
  static const char *const options[] = {"--dry-run", "--set connections=6", "--backends poll",
                                        "--blocks 4", "--out x"};
  interrupted_run("planned");
  for (size_t i = 0; i < TEST_COUNT(options); i++) {
    test_command(&result, "run --resume %s/planned/latest %s", test_directory(), options[i]);
    test_expect_error(&result, 2, "--resume goes on with a run as it was planned");
  }
}

static void edit(const char *path, const char *from, char to) {
  char text[16384];
  int fd = open(path, O_RDWR);
  ssize_t n = read(fd, text, sizeof text - 1);
  assert_true(n > 0);
  text[n] = 0;
  char *at = strstr(text, from);
  assert_non_null(at);
  assert_int_equal(pwrite(fd, &to, 1, at - text + (off_t)strlen(from)), 1);
  close(fd);
}

/* What is measured must be what was measured. */
static void another_experiment_or_server_is_refused(void **state) {
  (void)state;
  char path[300];
  interrupted_run("edited");
  edit(in_directory(path, "%s/latest/effective.json", "edited"), "\"seed\": ", '6');
  int before = data_rows("edited");
  resume("edited");
  test_expect_error(&result, 2, "effective.json is not what it was");
  assert_int_equal(data_rows("edited"), before);

  char server[300];
  struct test_process run;
  char command[500];
  FILE *script = fopen(in_directory(server, "%s", "server.sh"), "we");
  const char *muxbench = getenv("MUXBENCH");
  fprintf(script, "#!/bin/sh\nexec %s serve --backend poll --listen tcp://127.0.0.1:$1 # 1\n",
          muxbench != NULL ? muxbench : "build/muxbench");
  fclose(script);
  assert_int_equal(chmod(server, 0700), 0);
  test_write_config("swapped",
                    "servers = ( \"epoll-lt\", { name = \"own\"; command = \"%s {port}\"; } );\n"
                    "baseline = \"epoll-lt\"; twin = false; blocks = 3; count = 0;\n"
                    "load = { connections = 5; };\n",
                    server);
  snprintf(command, sizeof command, "run %s/swapped.cfg --out %s/swapped", test_directory(),
           test_directory());
  test_start(&run, command);
  assert_true(test_wait_until(has_rows, "swapped"));
  kill(run.pid, SIGKILL);
  test_wait(&run, &result);
  edit(server, "$1 # ", '2');
  resume("swapped");
  test_expect_error(&result, 2, "own, word 1 is not what it was");
  edit(server, "$1 # ", '1');
  resume("swapped");
  test_expect(&result, 0);
  assert_int_equal(data_rows("swapped"), 6);
}

static void a_run_has_one_runner(void **state) {
  (void)state;
  struct test_process run;
  start_run(&run, "live");
  assert_true(test_wait_until(has_rows, "live"));
  kill(run.pid, SIGSTOP); /* so that it is alive when the other one comes */
  resume("live");
  kill(run.pid, SIGCONT);
  struct test_result refused = result;
  test_wait(&run, &result);
  test_expect_error(&refused, 2, "--resume");
  test_expect(&result, 0);
  assert_int_equal(data_rows("live"), 6);
  resume("live"); /* there is nothing left to do */
  test_expect(&result, 0);
  assert_int_equal(data_rows("live"), 6);
}

int main(void) {
  alarm(280);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_signal_in_the_gate_is_no_verdict),
      cmocka_unit_test(a_signal_at_any_moment_leaves_whole_launches),
      cmocka_unit_test(a_budget_ends_after_a_whole_launch),
      cmocka_unit_test(what_was_planned_is_not_changed),
      cmocka_unit_test(another_experiment_or_server_is_refused),
      cmocka_unit_test(a_run_has_one_runner),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
