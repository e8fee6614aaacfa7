/* test_scale.c: more connections than a table of descriptors or the ports of an address hold. The
 * limit of this program and of all that it starts is lowered, so that a few thousand are enough. */
#include "tests/support.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptors.h"
#include "common/sock.h"
#include "tests/run_experiment.h"
#include "tests/spawn.h"

enum { LIMIT = 1200, CONNECTIONS = 2000 };

static struct test_result result;

static int lower_the_limit(void **state) {
  const struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? test_make_directory(state) : -1;
}

static void load(const char *target, const char *options) {
  test_command(&result,
               "load --target %s --connections %d --duration 300ms --warmup 50ms --json %s", target,
               CONNECTIONS, options);
}

static bool has_three_tables(void *pid) {
  pid_t tasks[8];
  return mux_descriptors_tables(*(const pid_t *)pid, tasks, 8) == 3;
}

/* Every policy, every kind of poller: each worker has its own table, and each load thread. */
static void tables_hold_more_together(void **state) {
  (void)state;
  static const char *const servers[] = {"epoll-lt --workers 3",
                                        "poll --workers 3 --accept shared",
                                        "epoll-et --workers 3 --accept handoff",
                                        "libev --workers 3",
                                        "libevent --workers 3",
                                        "libuv --workers 3",
                                        "epoll-lt --workers 3 --accept exclusive"};
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    struct test_server server;
    test_serve(&server, "--backend %s", servers[i]);
    assert_true(test_wait_until(has_three_tables, &server.process.pid));
    load(server.target, "--threads 3");
    json_t *json = test_json(&result);
    if (test_json_int(json, "established") != CONNECTIONS)
      fail_msg("%s: %s", servers[i], result.out);
    /* Who accepts how many of a shared listener is left to chance: it may be too many for one. */
    if (strstr(servers[i], "shared") == NULL && strstr(servers[i], "exclusive") == NULL &&
        test_json_int(json, "held") != CONNECTIONS)
      fail_msg("%s: held %lld", servers[i], test_json_int(json, "held"));
    json_decref(json);
    test_stop(&server);
  }
}

/* With one table there is one limit, and nothing is in a thread's own. */
static void a_shared_table_is_one(void **state) {
  (void)state;
  struct test_server server;
  pid_t tasks[8];
  test_serve(&server, "--backend epoll-lt --workers 3 --descriptors shared");
  assert_int_equal(mux_descriptors_tables(server.process.pid, tasks, 8), 1);
  load(server.target, "--threads 3 --descriptors shared");
  test_expect(&result, 2);
  assert_non_null(strstr(result.err, "the hard limit is 1200"));
  test_stop(&server);
}

/* A connection that a worker closes ends with a FIN, also one that was there before the workers had
 * their tables: a copy of it in another one would keep it open. */
static void connections_end_in_every_table(void **state) {
  (void)state;
  enum { SERVERS = 20, PEERS = 40 };
  for (int i = 0; i < SERVERS; i++) {
    struct test_server server;
    int fds[PEERS];
    test_serve(&server, "--backend epoll-lt --workers 8"); /* which are only starting now */
    for (int k = 0; k < PEERS; k++) {
      fds[k] = mux_sock_connect_within(&server.addr, &(struct mux_sock_options){0}, MUX_S);
      assert_true(fds[k] >= 0);
      assert_int_equal(shutdown(fds[k], SHUT_WR), 0);
    }
    for (int k = 0; k < PEERS; k++) {
      struct pollfd end = {.fd = fds[k], .events = POLLIN};
      if (poll(&end, 1, 10000) != 1)
        fail_msg("server %d, connection %d: no FIN", i, k);
      close(fds[k]);
    }
    test_stop(&server);
  }
}

static void what_does_not_fit_is_skipped(void **state) {
  (void)state;
  test_write_config("fit", "question = \"?\"; servers = (\"epoll-lt\"); blocks = 1;\n"
                           "load = { connections = 5000; threads = 5; };\n"
                           "serve = { workers = [ 2, 6 ]; };\n");
  test_command(&result, "run %s/fit.cfg --out %s/fit --dry-run", test_directory(),
               test_directory());
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "Skips workers=2, epoll-lt"));
  assert_non_null(strstr(result.out, "serve.workers = "));
  assert_null(strstr(result.out, "Skips workers=6"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_hold_more_together),
      cmocka_unit_test(a_shared_table_is_one),
      cmocka_unit_test(connections_end_in_every_table),
      cmocka_unit_test(what_does_not_fit_is_skipped),
  };
  return cmocka_run_group_tests(tests, lower_the_limit, test_remove_directory);
}
