/* test_load_modes.c: every kind of load, with both engines, against a real server: counts add up,
 * schedules are kept, and the interface for runners works as documented. */
#include "tests/support.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "process/control.h"
#include "tests/spawn.h"

static struct test_result result;
static struct test_server server;

static int start(void **state) {
  (void)state;
  test_serve(&server, "--backend epoll-lt");
  return 0;
}

static int stop(void **state) {
  (void)state;
  test_stop(&server);
  return 0;
}

/* Every message of the window is accounted for, once. On a busy machine the load may be late, which
 * is no failure. */
static json_t *load(const char *args) {
  test_command(&result, "load --target %s --json --duration 300ms --warmup 50ms %s", server.target,
               args);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  long long errors = 0;
  const char *key;
  json_t *value;
  json_object_foreach(json_object_get(json, "errors"), key, value) errors +=
      json_integer_value(value);
  if (errors != 0)
    fail_msg("%s: %s", args, result.err);
  assert_int_equal(test_json_int(json, "sent"),
                   test_json_int(json, "completed") + test_json_int(json, "in_flight_end"));
  assert_int_equal(test_json_int(json, "response_us.count"),
                   test_json_int(json, "completed") + test_json_int(json, "in_flight_end") +
                       test_json_int(json, "unsent"));
  if (test_json_int(json, "completed") <= 0)
    fail_msg("%s: nothing completed: %s", args, result.err);
  return json;
}

static void everything_adds_up(void **state) {
  (void)state;
  static const char *const rows[] = {
      "--connections 20 --depth 8",
      "--connections 20 --threads 3",
      "--connections 5 --payload 100KiB --depth 3",
      "--connections 20 --think 5ms",
      "--connections 20 --rate 2000",
      "--connections 20 --rate 2000 --arrival poisson --threads 2",
      "--connections 2 --rate 200 --payload 60KiB",
      "--connections 20 --idle 30",
      "--connections 20 --ramp 500",
      "--connections 3 --mode stream",
      "--connections 3 --mode stream --rate 100",
      "--connections 10 --mode crr",
      "--connections 10 --mode crr --linger0",
      "--connections 10 --mode crr --think 2ms",
      "--connections 10 --mode crr --rate 500",
      "--connections 10 --spin 100us --rate 500",
      "--connections 10 --sources 127.0.0.0/8",
      "--connections 10 --sources 127.3.0.0/30 --mode crr",
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    char args[200];
    json_decref(load(rows[i]));
    snprintf(args, sizeof args, "%s --engine uring", rows[i]);
    json_decref(load(args));
  }
}

/* Every slot is sent, however late: none is dropped, none sent twice. */
static void an_open_loop_sends_its_schedule(void **state) {
  (void)state;
  static const struct {
    const char *args;
    int sent;
  } rows[] = {{"--connections 7 --rate 1000", 300},
              {"--connections 50 --rate 10", 3},
              {"--connections 50 --threads 7 --rate 10", 3},
              {"--connections 3 --threads 3 --rate 9990", 2997},
              {"--connections 2 --rate 20k --engine uring", 6000}};
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    json_t *json = load(rows[i].args);
    if (test_json_int(json, "sent") != rows[i].sent)
      fail_msg("%s: sent %lld", rows[i].args, test_json_int(json, "sent"));
    json_decref(json);
  }
}

static void thinking_bounds_the_rate(void **state) {
  (void)state;
  json_t *json = load("--connections 10 --think 20ms");
  /* Each connection at most once in 20 ms. */
  long long most = 10 * (300 / 20 + 1);
  assert_true(test_json_int(json, "sent") <= most);
  json_decref(json);
}

static void requests_of_crr_connect(void **state) {
  (void)state;
  json_t *json = load("--connections 5 --mode crr");
  assert_int_equal(test_json_int(json, "connect_us.count"), test_json_int(json, "completed"));
  assert_true(test_json_real(json, "response_us.mean") > test_json_real(json, "connect_us.mean"));
  json_decref(json);
}

static void timestamps_split_the_service_time(void **state) {
  (void)state;
  json_t *json = load("--connections 20 --rate 2000 --timestamps 1/2");
  double share = test_json_real(json, "client_wakeup_share");
  assert_true(share > 0 && share < 1);
  json_decref(json);
}

/* Accepts two connections, closes the second after the first message, and echoes on the first. */
static void serve_one_of_two(int listener) {
  char data[4096];
  int active = accept(listener, NULL, NULL);
  int silent = accept(listener, NULL, NULL);
  ssize_t n;
  while ((n = recv(active, data, sizeof data, 0)) > 0 &&
         send(active, data, (size_t)n, MSG_NOSIGNAL) == n) {
    if (silent >= 0)
      close(silent);
    silent = -1;
  }
}

static void a_closed_idle_connection_is_an_error(void **state) {
  (void)state;
  struct mux_addr addr;
  char target[MUX_ADDR_TEXT];
  char why[160];
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  assert_int_equal(mux_addr_parse(&addr, "tcp://127.0.0.1:0", false, why, sizeof why), 0);
  int listener = mux_sock_listen(&addr, false, 0, &options);
  assert_true(listener >= 0);
  fcntl(listener, F_SETFL, 0); /* blocking */
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_one_of_two(listener);
    _exit(0);
  }
  close(listener);
  test_command(&result, "load --target %s --json --connections 1 --idle 1 --duration 300ms",
               mux_addr_print(target, &addr));
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  test_expect(&result, 1);
  json_t *json = test_json(&result);
  assert_int_equal(test_json_int(json, "errors.closed"), 1);
  assert_int_equal(test_json_int(json, "connections_lost"), 1);
  assert_int_equal(test_json_int(json, "idle_established"), 1);
  assert_true(test_json_int(json, "completed") > 0);
  json_decref(json);
}

/* Each order is one slice, its phases are announced in order, at the planned times, and its answer
 * adds up with the report; the end of the orders ends the run. */
static void a_runner_hears_the_phases(void **state) {
  (void)state;
  enum { SLICES = 3 };
  static const char *const names[] = {"warm", "measure", "drain", "slice"};
  const struct mux_order orders[SLICES] = {
      {.warmup_ns = 100 * MUX_MS, .duration_ns = 300 * MUX_MS, .record = true},
      {.warmup_ns = 0, .duration_ns = 50 * MUX_MS, .record = false},
      {.warmup_ns = 20 * MUX_MS, .duration_ns = 100 * MUX_MS, .record = true}};
  int control[2];
  int events[2];
  assert_int_equal(pipe(control), 0);
  assert_int_equal(pipe(events), 0);
  fcntl(control[1], F_SETFD, FD_CLOEXEC);
  char command[300];
  struct test_process process;
  snprintf(command, sizeof command,
           "load --target %s --json --connections 10 --threads 2 --duration 300ms --warmup 100ms "
           "--control %d --events-fd %d",
           server.target, control[0], events[1]);
  test_start(&process, command);
  close(events[1]);
  FILE *lines = fdopen(events[0], "r");
  char line[1024];
  assert_non_null(fgets(line, sizeof line, lines));
  assert_int_equal(strncmp(line, "connected ", 10), 0);
  long long recorded = 0;
  for (int i = 0; i < SLICES; i++) {
    int64_t ordered_ns = mux_now_ns();
    /* Nothing is sent between two slices. */
    assert_int_equal(poll(&(struct pollfd){.fd = events[0], .events = POLLIN}, 1, 20), 0);
    assert_int_equal(mux_order_send(control[1], &orders[i]), 0);
    for (int edge = 0; edge < 4; edge++) {
      char name[32] = "";
      long long at = 0;
      assert_non_null(fgets(line, sizeof line, lines));
      assert_true(sscanf(line, "%31s %lld", name, &at) >= 1);
      assert_string_equal(name, names[edge]);
      if (edge == 1)
        assert_true(at >= ordered_ns + orders[i].warmup_ns);
      if (edge == 2)
        assert_true(at >= ordered_ns + orders[i].warmup_ns + orders[i].duration_ns);
    }
    struct mux_answer answer;
    line[strcspn(line, "\n")] = 0;
    assert_int_equal(mux_answer_parse(line, &answer), 0);
    assert_int_equal(answer.errors, 0);
    assert_int_equal(answer.unanswered, 0);
    assert_true(answer.completed > 0 && answer.all >= answer.completed + 10 * (i != 1));
    assert_true(answer.duration_ns > orders[i].duration_ns / 2); /* may open late */
    assert_true(answer.client_ns > 0 && answer.server_ns > 0);
    if (orders[i].record)
      recorded += answer.completed;
  }
  close(control[1]); /* lets go */
  assert_true(fgets(line, sizeof line, lines) != NULL && strncmp(line, "close ", 6) == 0);
  assert_true(fgets(line, sizeof line, lines) != NULL && strncmp(line, "done ", 5) == 0);
  assert_null(fgets(line, sizeof line, lines));
  test_wait(&process, &result);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  /* One counts by the time of sending, the other by that of the echo: at each edge they differ by
   * what is in flight. */
  assert_true(llabs(test_json_int(json, "completed") - recorded) <= 2 * 10);
  json_decref(json);
  fclose(lines);
  close(control[0]);
}

/* Also one that spun in its slice. */
static void a_load_rests_between_slices(void **state) {
  (void)state;
  static const char *const engines[] = {"epoll", "uring"};
  const struct mux_order order = {.warmup_ns = 10 * MUX_MS,
                                  .duration_ns = 50 * MUX_MS,
                                  .spin_ns = 3600 * MUX_S,
                                  .rate_per_s = 500,
                                  .record = true};
  for (size_t i = 0; i < TEST_COUNT(engines); i++) {
    int control[2];
    int events[2];
    assert_int_equal(pipe(control) + pipe(events), 0);
    fcntl(control[1], F_SETFD, FD_CLOEXEC);
    char command[300];
    char line[1024] = "";
    struct test_process process;
    struct mux_answer answer;
    snprintf(command, sizeof command,
             "load --target %s --json --connections 10 --rate 1k --duration 300ms --warmup 100ms "
             "--engine %s --control %d --events-fd %d",
             server.target, engines[i], control[0], events[1]);
    test_start(&process, command);
    close(events[1]);
    FILE *lines = fdopen(events[0], "r");
    if (fgets(line, sizeof line, lines) != NULL) { /* else there is no such engine here */
      assert_int_equal(mux_order_send(control[1], &order), 0);
      while (strncmp(line, "slice ", 6) != 0)
        assert_non_null(fgets(line, sizeof line, lines));
      line[strcspn(line, "\n")] = 0;
      assert_int_equal(mux_answer_parse(line, &answer), 0);
      assert_true(answer.completed < 60);
      int64_t before_ns = mux_process_cpu_ns(process.pid);
      nanosleep(&(struct timespec){.tv_nsec = 200 * MUX_MS}, NULL);
      int64_t used_ns = mux_process_cpu_ns(process.pid) - before_ns;
      if (used_ns > 50 * MUX_MS)
        fail_msg("%s: %lld ns in a pause of 200 ms", engines[i], (long long)used_ns);
    }
    close(control[1]);
    test_wait(&process, &result);
    fclose(lines);
    close(control[0]);
  }
}

/* If the reader of the phases has gone, the load goes on. */
static void a_runner_may_stop_listening(void **state) {
  (void)state;
  int events[2];
  assert_int_equal(pipe2(events, O_CLOEXEC), 0);
  assert_int_equal(fcntl(events[1], F_SETFD, 0), 0);
  char command[300];
  struct test_process process;
  snprintf(command, sizeof command,
           "load --target %s --json --duration 100ms --warmup 0 --events-fd %d", server.target,
           events[1]);
  close(events[0]);
  test_start(&process, command);
  close(events[1]);
  test_wait(&process, &result);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  assert_true(test_json_int(json, "completed") > 0);
  json_decref(json);
}

/* As in wrk. */
static void short_options_and_a_bare_target_do(void **state) {
  (void)state;
  test_command(&result, "load %s -c 3 -t 2 -d 200ms -R 300 --warmup 0ms --json", server.target);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  assert_int_equal(test_json_int(json, "connections"), 3);
  assert_int_equal(test_json_int(json, "threads"), 2);
  assert_true(json_number_value(json_object_get(json, "offered_per_s")) == 300);
  json_decref(json);
  test_command(&result, "load %s %s", server.target, server.target);
  test_expect_error(&result, 2, "unexpected argument");
}

static void the_highest_rate_is_found(void **state) {
  (void)state;
  test_command(&result,
               "load --target %s --json --connections 4 --duration 100ms --warmup 10ms "
               "--find-rate p50<2s",
               server.target);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  json_t *path = json_object_get(json, "path");
  long long found = test_json_int(json, "rate_per_s");
  assert_true(found > 0 && json_array_size(path) >= 6);
  assert_true(test_json_int(json, "missed_per_s") > found);
  for (size_t i = json_array_size(path) - 4; i < json_array_size(path); i++) {
    json_t *last = json_array_get(path, i);
    assert_string_equal(json_string_value(json_object_get(last, "step")), "verify");
    assert_string_equal(json_string_value(json_object_get(last, "verdict")), "held");
    assert_int_equal(test_json_int(last, "rate_per_s"), found);
  }
  json_decref(json);

  test_command(&result, "load --target %s --connections 4 --duration 20ms --find-rate p50<1ns",
               server.target);
  test_expect(&result, 3);
  assert_non_null(strstr(result.out, "No rate was found"));
  assert_non_null(strstr(result.out, "1 message per second missed it"));
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *args;
    const char *says;
  } rows[] = {
      {"--rate 10 --think 1ms", "--think"},
      {"--rate 10 --depth 2", "--depth"},
      {"--mode crr --depth 2", "--depth"},
      {"--mode bulk", "--mode"},
      {"--sources 127.0.0.1", "--sources"},
      {"--sources ::1/128", "--sources"},
      {"--timestamps 10", "--timestamps"},
      {"--timestamps 1/10 --engine uring", "--timestamps"},
      {"--engine kqueue", "--engine"},
      {"--find-rate fast", "--find-rate"},
      {"--find-rate p99<1ms --rate 5", "--find-rate"},
      {"--rate 100M --duration 24s --warmup 60min", "--rate"},
      {"--selftest=slow", "--selftest"},
      {"--hgrm /nonexistent/x", "--hgrm"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "load --target %s %s", server.target, rows[i].args);
    test_expect_error(&result, 2, rows[i].says);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_adds_up),
      cmocka_unit_test(an_open_loop_sends_its_schedule),
      cmocka_unit_test(thinking_bounds_the_rate),
      cmocka_unit_test(requests_of_crr_connect),
      cmocka_unit_test(timestamps_split_the_service_time),
      cmocka_unit_test(a_closed_idle_connection_is_an_error),
      cmocka_unit_test(a_runner_hears_the_phases),
      cmocka_unit_test(a_load_rests_between_slices),
      cmocka_unit_test(a_runner_may_stop_listening),
      cmocka_unit_test(short_options_and_a_bare_target_do),
      cmocka_unit_test(the_highest_rate_is_found),
      cmocka_unit_test(what_makes_no_sense_is_refused),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
