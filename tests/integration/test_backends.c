/* test_backends.c: every available backend under 10,000 connections that all carry traffic, or as
 * many as it can hold, as seen by `load`. `muxbench check` tests single properties. */
#include "tests/support.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/spawn.h"

static struct test_result result;
static json_t *backends;

static int list_backends(void **state) {
  test_make_directory(state);
  test_command(&result, "list --json");
  backends = test_json(&result);
  return json_is_array(backends) ? 0 : -1;
}

static int forget_backends(void **state) {
  json_decref(backends);
  return test_remove_directory(state);
}

/* Loads a server. Returns what `load` prints, which it does even when it fails. */
static json_t *load(const struct test_server *server, int connections) {
  test_command(&result,
               "load --target %s --connections %d --duration 200ms --warmup 0 --timeout 30s --json",
               server->target, connections);
  return test_json(&result);
}

/* Every connection is established and no error occurs. That each is served is not asserted: a
 * thread per connection may have to wait for the scheduler for seconds. */
static void assert_all_served(const char *name, const json_t *json, int connections) {
  static const char *const errors[] = {"errors.connect", "errors.reset", "errors.timeout",
                                       "errors.mismatch", "errors.closed"};
  if (test_json_int(json, "established") != connections)
    fail_msg("%s: established %lld of %d: %s", name, test_json_int(json, "established"),
             connections, result.err);
  for (size_t i = 0; i < TEST_COUNT(errors); i++)
    if (test_json_int(json, errors[i]) != 0)
      fail_msg("%s with %d connections: %s %lld", name, connections, errors[i],
               test_json_int(json, errors[i]));
  /* Every connection sends a message at the start, and those are waited for. */
  if (test_json_int(json, "completed") == 0)
    fail_msg("%s with %d connections: not one echo", name, connections);
}

/* The descriptor limit of a backend, 0 if it has none. */
static int limit_of(const json_t *backend) {
  return (int)json_integer_value(json_object_get(backend, "fd_limit"));
}

/* Some serve one connection at a time, and declare an exemption for it. */
static bool serves_many(const json_t *backend) {
  return json_is_true(json_object_get(backend, "available")) &&
         json_object_get(json_object_get(backend, "exemptions"), "ten-thousand-idle") == NULL;
}

static bool serves(const json_t *backend, const char *transport) {
  size_t i;
  json_t *offered;
  json_array_foreach(json_object_get(backend, "transports"), i, offered) {
    if (strcmp(json_string_value(offered), transport) == 0)
      return true;
  }
  return false;
}

static void all_serve(int connections, const char *listen) {
  size_t i;
  json_t *backend;
  json_array_foreach(backends, i, backend) {
    const char *name = json_string_value(json_object_get(backend, "name"));
    if (!serves_many(backend))
      continue;
    int limit = limit_of(backend) > 0 ? limit_of(backend) - 100 : connections;
    int most = connections < limit ? connections : limit;
    struct test_server server;
    test_serve(&server, "--backend %s --drain 20s --listen %s", name, listen); /* 10,000 threads */
    json_t *json = load(&server, most);
    assert_all_served(name, json, most);
    json_decref(json);
    test_stop(&server);
  }
}

static void ten_thousand_connections(void **state) {
  (void)state;
  all_serve(test_connections(10000), "tcp://127.0.0.1:0");
}

static void ten_thousand_connections_over_ipv6(void **state) {
  (void)state;
  all_serve(test_connections(10000), "tcp://[::1]:0");
}

static void ten_thousand_connections_over_unix(void **state) {
  (void)state;
  char listen[128];
  snprintf(listen, sizeof listen, "unix://%s/s", test_directory());
  all_serve(test_connections(10000), listen);
}

/* At a rate that a receive buffer can take. A busy machine may still lose datagrams, which is not
 * an error of the server; damaged and duplicate datagrams and ICMP errors are. */
static void ten_thousand_peers_over_udp(void **state) {
  (void)state;
  static const char *const wrong[] = {"errors.connect", "errors.reset", "errors.mismatch",
                                      "errors.closed", "datagrams.duplicated"};
  size_t i;
  json_t *backend;
  int peers = test_connections(10000);
  json_array_foreach(backends, i, backend) {
    const char *name = json_string_value(json_object_get(backend, "name"));
    if (!json_is_true(json_object_get(backend, "available")) || !serves(backend, "udp"))
      continue;
    struct test_server server;
    test_serve(&server, "--backend %s --listen udp://127.0.0.1:0", name);
    test_command(&result,
                 "load --target %s --connections %d --rate 10k --duration 300ms --warmup 100ms "
                 "--timeout 3s --sources 127.0.0.0/8 --json", /* other tests need ports, too */
                 server.target, peers);
    json_t *json = test_json(&result);
    if (test_json_int(json, "established") != peers)
      fail_msg("%s: established %lld of %d", name, test_json_int(json, "established"), peers);
    for (size_t k = 0; k < TEST_COUNT(wrong); k++)
      if (test_json_int(json, wrong[k]) != 0)
        fail_msg("%s with %d peers: %s %lld", name, peers, wrong[k], test_json_int(json, wrong[k]));
    long long sent = test_json_int(json, "sent");
    long long completed = test_json_int(json, "completed");
    if (completed * 2 <= sent)
      fail_msg("%s: %lld of %lld datagrams come back", name, completed, sent);
    json_decref(json);
    test_stop(&server);
  }
}

static long long refused(const char *path) {
  json_t *stats = json_load_file(path, 0, NULL);
  assert_non_null(stats);
  long long count = test_json_int(stats, "totals.refused");
  json_decref(stats);
  return count;
}

/* A backend with a limit closes the connections that it cannot hold, says so once, counts them all,
 * and serves the others as usual. */
static void assert_refuses_beyond(int limit, const char *backend) {
  char stats[128];
  struct test_server server;
  snprintf(stats, sizeof stats, "%s/stats", test_directory());
  test_serve(&server, "--backend %s --stats %s", backend, stats);
  json_t *json = load(&server, limit + 500);
  test_expect(&result, 1);
  long long lost = test_json_int(json, "connections_lost");
  assert_in_range(lost, 500, 600);
  assert_int_equal(test_json_int(json, "errors.mismatch"), 0);
  assert_true(test_json_int(json, "completed") > 0);
  json_decref(json);

  json = load(&server, limit - 100); /* it goes on serving */
  assert_all_served(backend, json, limit - 100);
  json_decref(json);

  kill(server.process.pid, SIGTERM);
  test_wait(&server.process, &result);
  test_expect(&result, 0);
  assert_int_equal(refused(stats), lost);
  char says[64];
  snprintf(says, sizeof says, "descriptors from %d on", limit);
  assert_non_null(strstr(result.err, says));
  assert_ptr_equal(strchr(result.err, '\n'), result.err + strlen(result.err) - 1);
}

static void beyond_its_limit_a_backend_refuses(void **state) {
  (void)state;
  size_t i;
  json_t *backend;
  json_array_foreach(backends, i, backend) {
    const char *name = json_string_value(json_object_get(backend, "name"));
    if (!serves_many(backend))
      continue;
    if (limit_of(backend) > 0)
      assert_refuses_beyond(limit_of(backend), name);
    size_t j;
    json_t *option;
    json_array_foreach(json_object_get(backend, "options"), j, option) {
      const char *key = json_string_value(json_object_get(option, "key"));
      const char *choice;
      json_t *limit;
      json_object_foreach(json_object_get(option, "fd_limits"), choice, limit) {
        char with[128];
        snprintf(with, sizeof with, "%s --options %s=%s", name, key, choice);
        assert_refuses_beyond((int)json_integer_value(limit), with);
      }
    }
  }
}

/* Libraries that can wait with select: libev beyond 1,024 descriptors, libevent up to that. */
static void libraries_wait_as_they_are_told(void **state) {
  (void)state;
  static const char *const names[] = {"libev", "libevent"};
  static const char *const methods[] = {"epoll", "poll", "select"};
  for (size_t i = 0; i < TEST_COUNT(names); i++)
    for (size_t j = 0; j < TEST_COUNT(methods); j++) {
      int connections = i == 0 ? test_connections(3000) : 900;
      struct test_server server;
      test_serve(&server, "--backend %s --options backend=%s", names[i], methods[j]);
      json_t *json = load(&server, connections);
      assert_all_served(names[i], json, connections);
      json_decref(json);
      test_stop(&server);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_connections),
      cmocka_unit_test(ten_thousand_connections_over_ipv6),
      cmocka_unit_test(ten_thousand_connections_over_unix),
      cmocka_unit_test(ten_thousand_peers_over_udp),
      cmocka_unit_test(beyond_its_limit_a_backend_refuses),
      cmocka_unit_test(libraries_wait_as_they_are_told),
  };
  return cmocka_run_group_tests(tests, list_backends, forget_backends);
}
