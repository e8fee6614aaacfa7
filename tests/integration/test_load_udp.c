/* test_load_udp.c: the command load over UDP: against every backend that serves it, and against a
 * peer that loses, duplicates, delays and damages datagrams on purpose, and counts what it did. */
#include "tests/support.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "backends/registry.h"
#include "common/clock.h"
#include "common/sock.h"
#include "loadgen/engine.h"
#include "tests/spawn.h"
#include "tests/udp_peer.h"

static struct test_result result;

enum { OUT_MOST = 4 * 32 }; /* messages of a closed loop here */

/* ---- What comes of it ------------------------------------------------------------------------
 */

static void assert_sum(const json_t *json) {
  static const char *const parts[] = {"completed",    "in_flight_end",  "errors.connect",
                                      "errors.reset", "errors.timeout", "errors.mismatch",
                                      "errors.closed"};
  long long sum = 0;
  for (size_t i = 0; i < TEST_COUNT(parts); i++)
    sum += test_json_int(json, parts[i]);
  if (test_json_int(json, "sent") != sum)
    fail_msg("sent is not completed, in flight and errors together: %s", result.out);
}

static void assert_count(const json_t *json, const char *path, long long want) {
  long long seen = test_json_int(json, path);
  if (seen != want)
    fail_msg("%s: %lld instead of %lld in: %s", path, seen, want, result.out);
}

/* Every count is exactly what the peer has done. */
static void assert_counts(const json_t *json, const struct udp_counts *did) {
  const long long *n = did->done;
  /* Messages sent at the very end may be outside the window. */
  long long beyond = did->received - test_json_int(json, "sent");
  if (beyond < 0 || beyond > OUT_MOST)
    fail_msg("%lld messages sent, %lld received", test_json_int(json, "sent"), did->received);
  assert_count(json, "datagrams.lost", n[UDP_LOSE] + n[UDP_DELAY]);
  assert_count(json, "datagrams.late", n[UDP_DELAY]);
  assert_count(json, "datagrams.duplicated", n[UDP_DOUBLE]);
  assert_count(json, "datagrams.reordered", n[UDP_REORDER]);
  assert_count(json, "errors.timeout", n[UDP_LOSE] + n[UDP_DELAY]);
  assert_count(json, "errors.mismatch",
               n[UDP_SHORTEN] + n[UDP_LENGTHEN] + n[UDP_FLIP] + n[UDP_EMPTY]);
  assert_count(json, "errors.reset", 0);
  assert_count(json, "connections_lost", 0);
  assert_count(json, "in_flight_end", 0);
  assert_count(json, "response_us.count", test_json_int(json, "completed"));
  assert_sum(json);
  assert_true(test_json_real(json, "response_us.max") < 1e6); /* losses are no latencies */
}

static json_t *run_against(const struct udp_peer *peer, const char *engine, const char *args,
                           int status) {
  test_command(&result, "load --target %s --engine %s --warmup 0 --timeout 1s --json %s",
               peer->target, engine, args);
  if (status >= 0)
    test_expect(&result, status);
  return test_json(&result);
}

/* When echoes take so long, the host is too busy: some may have taken more than --timeout. */
static bool host_was_too_busy(const json_t *json, const struct udp_counts *did) {
  return test_json_real(json, "response_us.max") > 200e3 ||
         test_json_int(json, "datagrams.lost") > did->done[UDP_LOSE] + did->done[UDP_DELAY];
}

/* Runs load against a peer with this plan, again if the host was too busy; then the counts must be
 * exact. The caller ends the peer. */
static json_t *run_exactly(struct udp_peer **peer, struct udp_plan plan, const char *engine,
                           const char *args) {
  for (int tries = 5;; tries--) {
    *peer = udp_peer_start(plan);
    json_t *json = run_against(*peer, engine, args, -1);
    if (tries == 1 || !host_was_too_busy(json, (*peer)->counts)) {
      assert_counts(json, (*peer)->counts);
      return json;
    }
    json_decref(json);
    udp_peer_end(*peer);
  }
}

/* The i-th engine that works here; NULL: no more. */
static const char *engine_name(int i) {
  char why[160];
  const struct load_engine *engine = load_engines[i];
  if (engine == NULL)
    return NULL;
  if (engine->probe != NULL && engine->probe(why, sizeof why) != 0)
    return engine_name(i + 1);
  return engine->name;
}

static void every_misdeed_is_counted_exactly(void **state) {
  (void)state;
  static const char *const shapes[] = {
      "--connections 1 --depth 32 --payload 64 --duration 2s",
      "--connections 4 --depth 32 --payload 61 --threads 2 --duration 2s",
      "--connections 3 --rate 5k --payload 9 --duration 2s",
  };
  for (int e = 0; engine_name(e) != NULL; e++)
    for (size_t i = 0; i < TEST_COUNT(shapes); i++) {
      struct udp_peer *peer;
      json_t *json = run_exactly(&peer, (struct udp_plan){.misdeed = UDP_MISDEEDS, .every = 20},
                                 engine_name(e), shapes[i]);
      test_expect(&result, 1);
      for (int k = 1; k < UDP_MISDEEDS; k++)
        assert_true(peer->counts->done[k] > 0);
      json_decref(json);
      udp_peer_end(peer);
    }
}

/* Depth 1: every place waits for one message. */
static void a_lost_message_frees_its_place(void **state) {
  (void)state;
  for (int e = 0; engine_name(e) != NULL; e++) {
    struct udp_peer *peer;
    json_t *json = run_exactly(&peer, (struct udp_plan){.misdeed = UDP_LOSE, .every = 50},
                               engine_name(e), "--connections 4 --duration 3s");
    test_expect(&result, 1);
    assert_true(test_json_int(json, "datagrams.lost") >= 8); /* more than once on a connection */
    assert_count(json, "never_served", 0);
    assert_non_null(strstr(result.err, "datagrams_lost"));
    json_decref(json);
    udp_peer_end(peer);
  }
}

static void a_mute_peer_ends_in_time(void **state) {
  (void)state;
  for (int e = 0; engine_name(e) != NULL; e++) {
    struct udp_peer *peer =
        udp_peer_start((struct udp_plan){.misdeed = UDP_LOSE, .every = 1, .always = true});
    int64_t began_ns = mux_now_ns();
    json_t *json = run_against(peer, engine_name(e),
                               "--connections 8 --depth 3 --duration 500ms --timeout 100ms", 1);
    assert_true(mux_now_ns() - began_ns < 5 * MUX_S);
    assert_count(json, "completed", 0);
    assert_count(json, "errors.timeout", test_json_int(json, "sent"));
    assert_count(json, "datagrams.lost", peer->counts->received);
    assert_true(test_json_int(json, "sent") >= 8 * 3 * 2);
    assert_count(json, "never_served", 8);
    json_decref(json);
    test_command(&result, "load --target %s --warmup 0 --duration 200ms --timeout 100ms",
                 peer->target);
    test_expect(&result, 1);
    assert_non_null(strstr(result.out, "datagrams: lost"));
    assert_non_null(strstr(result.out, "(100 %)"));
    udp_peer_end(peer);
  }
}

static void an_open_loop_with_loss_keeps_its_schedule(void **state) {
  (void)state;
  for (int e = 0; engine_name(e) != NULL; e++) {
    struct udp_peer *peer;
    json_t *json =
        run_exactly(&peer, (struct udp_plan){.misdeed = UDP_LOSE, .every = 3, .always = true},
                    engine_name(e), "--connections 5 --rate 2k --duration 1s");
    test_expect(&result, 1);
    assert_count(json, "sent", 2000);
    assert_count(json, "errors.timeout", 2000 / 3);
    json_decref(json);
    udp_peer_end(peer);
  }
}

/* UDP may lose datagrams: one in a thousand is counted, and the run is valid. */
static void a_rare_loss_is_counted_and_forgiven(void **state) {
  (void)state;
  struct udp_peer *peer;
  json_t *json = run_exactly(&peer, (struct udp_plan){.misdeed = UDP_LOSE, .every = 900}, "epoll",
                             "--connections 5 --rate 2k --duration 1s");
  assert_count(json, "datagrams.lost", 1);
  size_t i;
  json_t *flag;
  json_array_foreach(json_object_get(json, "flags"), i, flag)
      assert_string_not_equal(json_string_value(flag), "datagrams_lost");
  assert_true(json_is_true(json_object_get(json, "valid")) ==
              (json_array_size(json_object_get(json, "flags")) == 0));
  json_decref(json);
  udp_peer_end(peer);
}

/* Nothing has the port: ICMP says so, and each message counts once. */
static void a_closed_port_is_reset(void **state) {
  (void)state;
  struct mux_addr addr;
  char why[160];
  char target[MUX_ADDR_TEXT];
  assert_int_equal(mux_addr_parse(&addr, "udp://127.0.0.1:0", false, why, sizeof why), 0);
  int fd = mux_sock_listen(&addr, false, 0, &MUX_SOCK_DEFAULTS);
  assert_true(fd >= 0);
  close(fd);
  mux_addr_print(target, &addr);
  for (int e = 0; engine_name(e) != NULL; e++) {
    test_command(&result,
                 "load --target %s --engine %s --connections 4 --depth 2 --warmup 0 --duration "
                 "300ms --timeout 100ms --json",
                 target, engine_name(e));
    test_expect(&result, 1);
    assert_non_null(strstr(result.err, "nothing listens"));
    json_t *json = test_json(&result);
    assert_count(json, "errors.reset", test_json_int(json, "sent"));
    assert_true(test_json_int(json, "sent") >= 8);
    assert_sum(json);
    json_decref(json);
  }
}

/* ---- Good servers ---------------------------------------------------------------------------- */

static void serve_and_load(const struct mux_backend *backend, const char *engine,
                           const char *listen, const char *args) {
  struct test_server server;
  test_serve(&server, "--backend %s --listen %s", backend->name, listen);
  test_command(&result, "load --target %s --engine %s --duration 200ms --warmup 0 --json %s",
               server.target, engine, args);
  json_t *json = test_json(&result);
  if (test_json_int(json, "errors.mismatch") != 0 || test_json_int(json, "completed") == 0)
    fail_msg("%s over %s: %s", backend->name, server.target, result.out);
  assert_count(json, "errors.reset", 0);
  assert_count(json, "datagrams.duplicated", 0);
  assert_sum(json);
  json_decref(json);
  test_stop(&server);
}

static void every_backend_echoes_datagrams(void **state) {
  (void)state;
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  char many[64];
  char why[200];
  snprintf(many, sizeof many, "--connections %d", test_connections(1000));
  int served = 0;
  for (size_t i = 0; i < count; i++) {
    if (!(all[i]->transports & MUX_UDP) || mux_backend_probe(all[i], why, sizeof why) != 0)
      continue;
    int engines = engine_name(1) != NULL ? 2 : 1;
    serve_and_load(all[i], engine_name(served % engines), "udp://127.0.0.1:0", many);
    serve_and_load(all[i], engine_name(served % engines), "udp://[::1]:0",
                   "--payload 65507 --depth 2");
    served++;
  }
  assert_true(served > 5);
}

/* Other options of load. */
static void every_shape_of_load_is_echoed(void **state) {
  (void)state;
  static const char *const shapes[] = {
      "--payload 8 --depth 100",      "--payload 9 --connections 7 --threads 3",
      "--think 5ms --connections 50", "--idle 20 --connections 2",
      "--sources 127.0.0.0/8",        "--ramp 200 --connections 20",
      "--rate 3k --arrival poisson",
  };
  const struct mux_backend *backend = mux_registry_find("epoll-lt");
  for (int e = 0; engine_name(e) != NULL; e++)
    for (size_t i = 0; i < TEST_COUNT(shapes); i++)
      serve_and_load(backend, engine_name(e), "udp://127.0.0.1:0", shapes[i]);
  struct test_server server;
  test_serve(&server, "--backend epoll-lt --listen udp://127.0.0.1:0");
  test_command(&result, "load --target %s --duration 200ms --warmup 0 --timestamps 1/1 --json",
               server.target);
  json_t *json = test_json(&result);
  assert_true(test_json_int(json, "wakeup_us.count") > 0);
  json_decref(json);
  test_stop(&server);
}

static void what_udp_cannot_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *args, *says;
  } rows[] = {
      {"--payload 7", "--payload"},
      {"--payload 65508", "--payload"},
      {"--mode crr", "--mode: crr needs"},
      {"--mode stream", "--mode: stream needs"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "load --target udp://127.0.0.1:7 %s", rows[i].args);
    test_expect_error(&result, 2, rows[i].says);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_misdeed_is_counted_exactly),
      cmocka_unit_test(a_lost_message_frees_its_place),
      cmocka_unit_test(a_mute_peer_ends_in_time),
      cmocka_unit_test(an_open_loop_with_loss_keeps_its_schedule),
      cmocka_unit_test(a_rare_loss_is_counted_and_forgiven),
      cmocka_unit_test(a_closed_port_is_reset),
      cmocka_unit_test(every_backend_echoes_datagrams),
      cmocka_unit_test(every_shape_of_load_is_echoed),
      cmocka_unit_test(what_udp_cannot_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
