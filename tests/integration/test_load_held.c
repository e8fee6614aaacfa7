/* test_load_held.c: a connection that the kernel has made is not one that the server holds. Servers
 * whose queue is full, or that serve some connections only, against the command load. */
#include "tests/support.h"

#include <fcntl.h>
#include <jansson.h>
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

enum { SERVED = 3 };
static const char *const engines[] = {"epoll", "uring"};
static struct test_result result;
struct server {
  pid_t pid; /* 0: nobody accepts */
  int listener;
  char target[MUX_ADDR_TEXT];
};

static void echo(int fd) {
  char data[4096];
  ssize_t n = recv(fd, data, sizeof data, 0);
  if (n > 0)
    send(fd, data, (size_t)n, MSG_NOSIGNAL);
}

/* Serves the first so many connections at the same time; the others wait in the queue. */
static void serve_first(int listener, bool accept_all) {
  struct pollfd fds[SERVED + 1];
  for (int i = 0; i < SERVED; i++)
    fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
  fds[SERVED] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (int accepted = 0;;) {
    if (accepted >= SERVED && !accept_all)
      fds[SERVED].fd = -1;
    poll(fds, SERVED + 1, -1);
    for (int i = 0; i < SERVED; i++)
      if (fds[i].revents != 0)
        echo(fds[i].fd);
    if (fds[SERVED].revents != 0) {
      int fd = accept(listener, NULL, NULL);
      if (accepted < SERVED)
        fds[accepted].fd = fd;
      accepted++;
    }
  }
}

static void leave_others(int listener) {
  serve_first(listener, false);
}
static void ignore_others(int listener) {
  serve_first(listener, true);
}

/* One connection and one message at a time. */
static void serve_requests(int listener) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    echo(fd);
    close(fd);
  }
}

static void start_server(struct server *server, const char *listen_on, int backlog,
                         void (*serve)(int listener)) {
  struct mux_addr addr;
  char why[160];
  assert_int_equal(mux_addr_parse(&addr, listen_on, false, why, sizeof why), 0);
  server->listener = mux_sock_listen(&addr, false, backlog, &MUX_SOCK_DEFAULTS);
  server->pid = 0;
  assert_true(server->listener >= 0);
  mux_addr_print(server->target, &addr);
  if (serve == NULL)
    return;
  fcntl(server->listener, F_SETFL, 0); /* blocking */
  fflush(NULL);
  server->pid = fork();
  assert_true(server->pid >= 0);
  if (server->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(server->listener);
  }
}

static void end_server(struct server *server) {
  close(server->listener);
  if (server->pid == 0)
    return;
  kill(server->pid, SIGKILL);
  waitpid(server->pid, NULL, 0);
}

static char *unix_path(char path[160]) {
  static int number;
  snprintf(path, 160, "unix://%s/%d", test_directory(), number++);
  return path;
}

static bool has_flag(const json_t *json, const char *name) {
  size_t i;
  json_t *flag;
  json_array_foreach(json_object_get(json, "flags"), i, flag) {
    if (strcmp(json_string_value(flag), name) == 0)
      return true;
  }
  return false;
}

static void assert_count(const json_t *json, const char *path, long long want) {
  if (test_json_int(json, path) != want)
    fail_msg("%s: %lld instead of %lld: %s\n%s%s", path, test_json_int(json, path), want,
             result.command, result.out, result.err);
}

/* Nothing is missing but the connections that were lost. */
static void assert_held(int active, int idle, int lost) {
  json_t *json = test_json(&result);
  assert_count(json, "held", active);
  assert_count(json, "idle_held", idle);
  assert_count(json, "connections_lost", lost);
  assert_int_equal(has_flag(json, "short_of_connections"), lost > 0);
  json_decref(json);
}

/* AF_UNIX tells a full queue by EAGAIN (connect(2)), and nobody empties it. */
static void a_queue_that_stays_full_is_given_up(void **state) {
  (void)state;
  static const struct {
    const char *args;
    int connections;
  } rows[] = {{"--connections 10", 10},
              {"--connections 4 --idle 6 --threads 2", 10},
              {"--connections 10 --ramp 1000", 10}};
  for (size_t e = 0; e < TEST_COUNT(engines); e++)
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
      struct server server;
      char path[160];
      start_server(&server, unix_path(path), 2, NULL); /* three fit */
      test_command(&result,
                   "load --target %s --engine %s --timeout 300ms --duration 100ms --warmup 0 "
                   "--json %s",
                   server.target, engines[e], rows[i].args);
      test_expect(&result, 1);
      json_t *json = test_json(&result);
      assert_int_equal(test_json_int(json, "established") + test_json_int(json, "idle_established"),
                       3);
      assert_count(json, "errors.connect", rows[i].connections - 3);
      assert_true(has_flag(json, "short_of_connections"));
      assert_non_null(strstr(result.err, "accept queue"));
      json_decref(json);
      end_server(&server);
    }
}

/* A queue that is full now and then makes requests wait; that is no error. */
static void a_request_waits_for_a_place_in_the_queue(void **state) {
  (void)state;
  static const char *const rows[] = {"", "--rate 300", "--linger0 --threads 3"};
  for (size_t e = 0; e < TEST_COUNT(engines); e++)
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
      struct server server;
      char path[160];
      start_server(&server, unix_path(path), 1, serve_requests);
      test_command(&result,
                   "load --target %s --engine %s --mode crr --connections 20 --timeout 20s "
                   "--duration 300ms --warmup 0 --json %s",
                   server.target, engines[e], rows[i]);
      json_t *json = test_json(&result);
      assert_count(json, "errors.connect", 0);
      assert_count(json, "connections_lost", 0);
      assert_count(json, "in_flight_end", 0);
      assert_true(test_json_int(json, "completed") > 0);
      assert_int_equal(test_json_int(json, "completed"), test_json_int(json, "sent"));
      json_decref(json);
      end_server(&server);
    }
}

/* Each slot of a schedule ends in one of these ways, also when its request is still connecting at
 * the end. Three of five places are in the queue. */
static void requests_to_a_full_queue_time_out(void **state) {
  (void)state;
  for (size_t i = 0; i < 2 * TEST_COUNT(engines); i++) {
    struct server server;
    char path[160];
    bool open = i % 2 == 0;
    start_server(&server, unix_path(path), 2, NULL);
    test_command(&result,
                 "load --target %s --engine %s --mode crr --connections 5 --timeout 200ms "
                 "--duration 300ms --warmup 0 --json %s",
                 server.target, engines[i / 2], open ? "--rate 100" : "");
    test_expect(&result, 1);
    json_t *json = test_json(&result);
    long long refused = test_json_int(json, "errors.connect");
    assert_count(json, "completed", 0);
    assert_true(refused >= 2);
    if (open)
      assert_count(json, "unsent", 30 - refused - test_json_int(json, "sent"));
    json_decref(json);
    end_server(&server);
  }
}

/* The kernel has established all; those that echo are held, and no others. */
static void held_is_what_echoes(void **state) {
  (void)state;
  static const struct {
    const char *args;
    int active, idle, held, idle_held;
  } rows[] = {
      {"--connections 8", 8, 0, SERVED, 0},
      {"--connections 8 --rate 1000", 8, 0, SERVED, 0},
      {"--connections 8 --rate 3", 8, 0, SERVED, 0}, /* most are never asked by the schedule */
      {"--connections 1 --idle 7", 1, 7, 1, SERVED - 1},
      {"--connections 3 --idle 3 --payload 100KiB", 3, 3, SERVED, 0},
      {"--connections 2 --mode stream --idle 4", 2, 4, 2, SERVED - 2},
  };
  static void (*const serve[])(int) = {leave_others, ignore_others};
  for (size_t i = 0; i < TEST_COUNT(rows) * TEST_COUNT(serve); i++) {
    struct server server;
    size_t row = i % TEST_COUNT(rows);
    size_t way = i / TEST_COUNT(rows);
    start_server(&server, "tcp://127.0.0.1:0", 100, serve[way]);
    test_command(&result,
                 "load --target %s --engine %s --timeout 400ms --duration 200ms --warmup 0 "
                 "--json %s",
                 server.target, engines[(row + way) % 2], rows[row].args);
    test_expect(&result, 1);
    json_t *json = test_json(&result);
    assert_count(json, "established", rows[row].active);
    assert_count(json, "idle_established", rows[row].idle);
    assert_count(json, "held", rows[row].held);
    assert_count(json, "idle_held", rows[row].idle_held);
    assert_count(json, "errors.mismatch", 0);
    assert_true(has_flag(json, "short_of_connections"));
    char said[64];
    snprintf(said, sizeof said, "held %d of %d connections", rows[row].held + rows[row].idle_held,
             rows[row].active + rows[row].idle);
    if (strstr(result.err, said) == NULL)
      fail_msg("it did not say '%s' but: %s", said, result.err);
    json_decref(json);
    end_server(&server);
  }
}

static void a_good_server_holds_all(void **state) {
  (void)state;
  static const struct {
    const char *args;
    int held, idle_held;
  } rows[] = {
      {"--connections 50 --rate 10 --idle 20 --threads 3", 50, 20},
      {"--connections 1 --idle 300", 1, 300},
      {"--connections 20 --depth 3", 20, 0},
      {"--connections 10 --mode crr --idle 10", 10, 10},
      {"--connections 2 --mode stream --payload 1MiB --idle 10", 2, 10},
  };
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  for (size_t i = 0; i < TEST_COUNT(rows) * TEST_COUNT(engines); i++) {
    size_t row = i % TEST_COUNT(rows);
    test_command(&result, "load --target %s --engine %s --duration 200ms --warmup 10ms --json %s",
                 server.target, engines[i / TEST_COUNT(rows)], rows[row].args);
    assert_held(rows[row].held, rows[row].idle_held, 0);
  }
  /* Of 40 places the schedule comes to two: nothing is missing. */
  test_command(&result,
               "load --target %s --connections 40 --mode crr --rate 10 --duration 200ms --warmup 0 "
               "--json",
               server.target);
  assert_held(2, 0, 0);
  test_stop(&server);
}

/* One connection at a time: the others are not held, and the run ends within --timeout. */
static void a_server_of_one_at_a_time_holds_one(void **state) {
  (void)state;
  static const char *const rows[] = {"--connections 5", "--connections 2 --idle 3",
                                     "--connections 1 --idle 4", "--connections 5 --rate 3"};
  struct test_server server;
  test_serve(&server, "--backend iterative");
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    int64_t began_ns = mux_now_ns();
    test_command(&result, "load --target %s --timeout 500ms --duration 300ms --warmup 0 --json %s",
                 server.target, rows[i]);
    assert_true(mux_now_ns() - began_ns < 10 * MUX_S);
    json_t *json = test_json(&result);
    assert_count(json, "held", 1);
    assert_count(json, "idle_held", 0);
    assert_count(json, "errors.closed", 0);
    assert_count(json, "connections_lost", test_json_int(json, "never_served"));
    json_decref(json);
  }
  test_stop(&server);
}

static bool has_bytes(int fd) {
  return recv(fd, (char[1]){0}, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Silent connections stay silent until the runner has read the accounts of the measured phase and
 * lets go. The test is the server. */
static void idle_connections_are_asked_last(void **state) {
  (void)state;
  int control[2];
  int events[2];
  char command[300];
  struct server server;
  struct test_process process;
  const struct mux_order order = {
      .warmup_ns = 50 * MUX_MS, .duration_ns = 200 * MUX_MS, .record = true};
  assert_int_equal(pipe(control), 0);
  assert_int_equal(pipe(events), 0);
  fcntl(control[1], F_SETFD, FD_CLOEXEC);
  start_server(&server, "tcp://127.0.0.1:0", 10, NULL);
  snprintf(command, sizeof command,
           "load --target %s --idle 1 --rate 1 --duration 200ms --warmup 50ms --json --control %d "
           "--events-fd %d",
           server.target, control[0], events[1]);
  test_start(&process, command);
  close(events[1]);
  fcntl(server.listener, F_SETFL, 0);
  int active = accept(server.listener, NULL, NULL);
  int idle = accept(server.listener, NULL, NULL);
  FILE *lines = fdopen(events[0], "r");
  char line[64] = "";
  while (strncmp(line, "drain", 5) != 0) {
    assert_non_null(fgets(line, sizeof line, lines));
    if (strncmp(line, "connected", 9) == 0)
      assert_int_equal(mux_order_send(control[1], &order), 0);
    if (strncmp(line, "warm", 4) == 0)
      echo(active); /* its only message */
  }
  assert_false(has_bytes(idle));
  close(control[1]);
  echo(idle);                      /* waits for the byte */
  assert_false(has_bytes(active)); /* it has echoed before */
  test_wait(&process, &result);
  assert_held(1, 1, 0);
  fclose(lines);
  close(control[0]);
  close(active);
  close(idle);
  end_server(&server);
}

/* A wrong proof of life is a mismatch. */
static void an_idle_connection_that_echoes_wrongly_is_found_out(void **state) {
  (void)state;
  struct server server;
  struct test_process process;
  char command[300];
  start_server(&server, "tcp://127.0.0.1:0", 10, NULL);
  snprintf(command, sizeof command,
           "load --target %s --idle 1 --rate 1 --duration 100ms --warmup 0 --json", server.target);
  test_start(&process, command);
  fcntl(server.listener, F_SETFL, 0);
  int active = accept(server.listener, NULL, NULL);
  int idle = accept(server.listener, NULL, NULL);
  unsigned char byte;
  echo(active);
  assert_int_equal(recv(idle, &byte, 1, 0), 1);
  byte ^= 1;
  assert_int_equal(send(idle, &byte, 1, MSG_NOSIGNAL), 1);
  test_wait(&process, &result);
  test_expect(&result, 1);
  json_t *json = test_json(&result);
  assert_count(json, "idle_held", 0);
  assert_count(json, "errors.mismatch", 1);
  assert_non_null(strstr(result.err, "wrong echo on connection 1"));
  json_decref(json);
  close(active);
  close(idle);
  end_server(&server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_queue_that_stays_full_is_given_up),
      cmocka_unit_test(a_request_waits_for_a_place_in_the_queue),
      cmocka_unit_test(requests_to_a_full_queue_time_out),
      cmocka_unit_test(held_is_what_echoes),
      cmocka_unit_test(a_good_server_holds_all),
      cmocka_unit_test(a_server_of_one_at_a_time_holds_one),
      cmocka_unit_test(idle_connections_are_asked_last),
      cmocka_unit_test(an_idle_connection_that_echoes_wrongly_is_found_out),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
