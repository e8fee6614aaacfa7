/* test_shown.c: what an experiment shows of servers that differ in kind: of those that serve a few
 * connections at a time, of those that refuse an --accept policy, and of how connections are spread
 * over workers. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/run_experiment.h"

static struct test_result result;

/* Connections that wait in the queue make a trial invalid, for that reason alone: no errors. */
static void who_waits_in_turn_is_shown(void **state) {
  (void)state;
  test_write_config("turn",
                    "servers = ( \"epoll-lt\", \"iterative\", \"pool\", \"prefork\" );\n"
                    "baseline = \"epoll-lt\"; twin = false; blocks = 1; count = 0;\n"
                    "method = \"fresh\";\n"
                    "load = { connections = [ 1, 30 ]; duration = \"1s\"; warmup = \"50ms\";\n"
                    "         timeout = \"40s\"; };\n");
  test_run_experiment(&result, "turn", "turn");
  struct rows rows = test_read_rows("turn");
  static const struct {
    const char *label;
    int at_a_time;
  } expected[] = {{"epoll-lt", 30}, {"iterative", 1}, {"pool", 4}, {"prefork", 4}};
  for (size_t i = 0; i < TEST_COUNT(expected); i++) {
    const struct row *one = test_find_row(&rows, "connections=1", expected[i].label);
    const struct row *many = test_find_row(&rows, "connections=30", expected[i].label);
    assert_false(row_has_flag(one, "in_turn"));
    assert_false(row_has_flag(one, "errors"));
    assert_false(row_has_flag(many, "errors"));
    int waiting = 30 - expected[i].at_a_time;
    assert_int_equal(row_has_flag(many, "in_turn"), waiting > 0);
    assert_true(row_number(many, COL_never_served) == waiting);
    assert_true(row_number(many, COL_errors_timeout) <= waiting);
    if (waiting > 0)
      assert_string_equal(row_text(many, COL_status), "invalid");
    double share = expected[i].at_a_time / 30.0;
    double fairness = row_number(many, COL_fairness_jain);
    if (waiting > 0 && !(fairness > share / 4 && fairness < share * 1.01))
      fail_msg("%s: fairness %g", expected[i].label, fairness);
  }
  rows_free(&rows);
}

/* More than the accept queue holds could not even connect. */
static void more_than_the_queue_holds_is_skipped(void **state) {
  (void)state;
  test_write_config("queue", "servers = ( \"epoll-lt\", \"iterative\", \"pool\" );\n"
                             "baseline = \"\"; blocks = 1; count = 0; serve = { backlog = 20; };\n"
                             "method = \"fresh\";\n"
                             "load = { connections = [ 21, 22, 25 ]; duration = \"300ms\";\n"
                             "         warmup = \"50ms\"; };\n");
  test_run_experiment(&result, "queue", "queue");
  struct rows rows = test_read_rows("queue");
  json_t *run = test_read_run("queue");
  static const struct {
    const char *cell, *label;
    bool skipped;
  } expected[] = {{"connections=21", "iterative", false}, {"connections=22", "iterative", true},
                  {"connections=22", "pool", false},      {"connections=25", "pool", true},
                  {"connections=25", "iterative", true},  {"connections=25", "epoll-lt", false}};
  for (size_t i = 0; i < TEST_COUNT(expected); i++) {
    const struct row *row = test_find_row(&rows, expected[i].cell, expected[i].label);
    const char *reason = test_reason(run, atoi(row_text(row, COL_trial)));
    bool skipped = strcmp(row_text(row, COL_status), "skipped") == 0;
    if (skipped != expected[i].skipped || skipped != (strstr(reason, "20 more can wait") != NULL))
      fail_msg("%s, %s: %s, %s", expected[i].cell, expected[i].label, row_text(row, COL_status),
               reason);
  }
  json_decref(run);
  rows_free(&rows);
}

/* Slices give every server a turn; one that serves a connection until its end has none to give. */
static void slices_leave_out_who_serves_in_turn(void **state) {
  (void)state;
  test_write_config("sliced",
                    "servers = ( \"epoll-lt\", \"iterative\" ); baseline = \"epoll-lt\";\n"
                    "twin = false; blocks = 1; count = 0; budget = \"2s\";\n"
                    "load = { connections = [ 1, 2 ]; };\n");
  test_run_experiment(&result, "sliced", "sliced");
  struct rows rows = test_read_rows("sliced");
  json_t *run = test_read_run("sliced");
  const struct row *two = test_find_row(&rows, "connections=2", "iterative");
  assert_true(row_has_result(test_find_row(&rows, "connections=1", "iterative")));
  assert_string_equal(row_text(two, COL_status), "skipped");
  assert_non_null(strstr(test_reason(run, atoi(row_text(two, COL_trial))), "--set method=fresh"));
  json_decref(run);
  rows_free(&rows);
}

/* Every short connection gets its turn: nothing to flag. */
static void turns_come_to_short_connections(void **state) {
  (void)state;
  test_write_config("short",
                    "servers = ( \"iterative\" ); baseline = \"\"; blocks = 1; count = 0;\n"
                    "load = { connections = 5; mode = \"crr\"; duration = \"400ms\";\n"
                    "         warmup = \"50ms\"; linger0 = \"yes\"; };\n");
  test_run_experiment(&result, "short", "short");
  struct rows rows = test_read_rows("short");
  const struct row *row = test_find_row(&rows, "all", "iterative");
  assert_false(row_has_flag(row, "in_turn"));
  assert_false(row_has_flag(row, "errors"));
  assert_true(row_number(row, COL_completed) > 5);
  rows_free(&rows);
}

/* One cell with one worker, one per policy with two; what a backend refuses is skipped, with the
 * reason. */
static void workers_and_policies_span_a_matrix(void **state) {
  (void)state;
  test_write_config(
      "workers",
      "servers = ( \"epoll-lt\", \"poll\", \"iterative\", \"prefork\" );\n"
      "baseline = \"\"; blocks = 1; count = 0;\n"
      "answer = \"contrast\"; along = \"accept\";\n"
      "columns = [ \"connections_per_worker\", \"worker_balance_jain\" ];\n"
      "load = { connections = 6; mode = \"crr\"; duration = \"400ms\";\n"
      "         warmup = \"50ms\"; linger0 = \"yes\"; };\n"
      "serve = { workers = [ 1, 2 ];\n"
      "          accept = [ \"reuseport\", \"shared\", \"exclusive\", \"handoff\" ]; };\n");
  test_run_experiment(&result, "workers", "workers");
  assert_non_null(strstr(result.out, "connections_per_worker"));
  assert_non_null(
      strstr(result.out, "  poll, workers 2: in the median trial host CPU per request"));
  assert_non_null(strstr(result.out, " with accept handoff.\n"));
  assert_null(strstr(result.out, "workers 1: in the median"));
  struct rows rows = test_read_rows("workers");
  json_t *run = test_read_run("workers");
  assert_int_equal(rows.count, 5 * 4);
  int measured = 0; /* with two workers */
  for (size_t i = 0; i < rows.count; i++) {
    const struct row *row = &rows.rows[i];
    const char *cell = row_text(row, COL_cell_id);
    const char *label = row_text(row, COL_label);
    const char *reason = test_reason(run, atoi(row_text(row, COL_trial)));
    bool one = strcmp(cell, "workers=1") == 0;
    bool exclusive = strstr(cell, "exclusive") != NULL;
    const char *says = strcmp(label, "iterative") == 0 && !one       ? "at most 1 worker"
                       : strcmp(label, "epoll-lt") != 0 && exclusive ? "only epoll"
                                                                     : NULL;
    bool skipped = strcmp(row_text(row, COL_status), "skipped") == 0;
    if (skipped != (says != NULL) || (says != NULL && strstr(reason, says) == NULL))
      fail_msg("%s, %s: %s, %s", cell, label, row_text(row, COL_status), reason);
    unsigned accepted[2] = {0, 0};
    int workers =
        sscanf(row_text(row, COL_connections_per_worker), "%u/%u", &accepted[0], &accepted[1]);
    double balance = row_number(row, COL_worker_balance_jain);
    if (one || skipped) {
      assert_int_equal(workers, EOF);
      continue;
    }
    measured++;
    if (workers != 2)
      fail_msg("%s, %s: %s, %s", cell, label, row_text(row, COL_status), reason);
    assert_true(accepted[0] + accepted[1] >= row_number(row, COL_completed));
    assert_true(balance >= 0.5 && balance <= 1);
    if (strstr(cell, "handoff") != NULL && !(balance > 0.99))
      fail_msg("%s: handed off in turn, but %u and %u", label, accepted[0], accepted[1]);
  }
  assert_int_equal(measured, 10);
  json_decref(run);
  rows_free(&rows);
}

int main(void) {
  alarm(280);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_waits_in_turn_is_shown),
      cmocka_unit_test(more_than_the_queue_holds_is_skipped),
      cmocka_unit_test(slices_leave_out_who_serves_in_turn),
      cmocka_unit_test(turns_come_to_short_connections),
      cmocka_unit_test(workers_and_policies_span_a_matrix),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
