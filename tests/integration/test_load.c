/* test_load.c: the command load against a good server, and with bad options. */
#include "tests/support.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

static struct test_result result;

/* What holds for every result against a server that echoes. */
static void assert_sound(const json_t *json, int connections, int64_t payload_bytes) {
  static const char *const errors[] = {"errors.connect", "errors.reset", "errors.timeout",
                                       "errors.mismatch", "errors.closed"};
  assert_int_equal(test_json_int(json, "connections"), connections);
  assert_int_equal(test_json_int(json, "established"), connections);
  for (size_t i = 0; i < TEST_COUNT(errors); i++)
    if (test_json_int(json, errors[i]) != 0)
      fail_msg("%s in: %s", errors[i], result.out);
  long long completed = test_json_int(json, "completed");
  assert_true(completed > 0);
  assert_int_equal(test_json_int(json, "sent"), completed + test_json_int(json, "in_flight_end"));
  assert_true(test_json_int(json, "response_us.count") >= completed);
  assert_true(test_json_real(json, "response_us.min") <= test_json_real(json, "response_us.mean"));
  assert_true(test_json_real(json, "response_us.mean") <= test_json_real(json, "response_us.max"));
  assert_true(test_json_real(json, "response_us.min") > 0);
  double bytes_per_s = test_json_real(json, "completed_per_s") * (double)payload_bytes;
  assert_true(fabs(test_json_real(json, "bytes_per_s") - bytes_per_s) <= bytes_per_s / 1e6);
}

/* One row has more bytes outstanding than both socket buffers hold, and more time. */
static void every_shape_of_load_is_echoed(void **state) {
  (void)state;
  static const struct {
    const char *args;
    int connections;
    int64_t payload_bytes;
  } rows[] = {
      {"", 1, 64},
      {"--connections 50 --threads 2", 50, 64},
      {"--payload 1 --connections 3", 3, 1},
      {"--payload 1 --depth 1000", 1, 1},
      {"--payload 7 --depth 3 --connections 5", 5, 7},
      {"--payload 65537 --connections 2", 2, 65537},
      {"--payload 1MiB --depth 2", 1, 1 << 20},
      {"--payload 1MiB --depth 32 --connections 2 --duration 1s", 2, 1 << 20},
      {"--ramp 100 --connections 20", 20, 64},
      {"--seed 99 --connections 2", 2, 64},
  };
  char local[128];
  snprintf(local, sizeof local, "unix://%s/l", test_directory());
  const char *const listens[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", local};
  for (size_t l = 0; l < TEST_COUNT(listens); l++) {
    struct test_server server;
    test_serve(&server, "--backend epoll-lt --listen %s", listens[l]);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
      test_command(&result, "load --target %s --duration 200ms --warmup 50ms --json %s",
                   server.target, rows[i].args);
      json_t *json = test_json(&result);
      assert_sound(json, rows[i].connections, rows[i].payload_bytes);
      test_expect(&result, 0);
      json_decref(json);
    }
    test_stop(&server);
  }
}

/* Far below capacity, the offered rate comes back. */
static void an_open_loop_keeps_its_rate(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  static const char *const arrivals[] = {"constant", "poisson", "bursty"};
  for (size_t i = 0; i < TEST_COUNT(arrivals); i++) {
    test_command(&result,
                 "load --target %s --rate 2k --arrival %s --connections 10 --duration 1s "
                 "--warmup 100ms --json",
                 server.target, arrivals[i]);
    json_t *json = test_json(&result);
    assert_sound(json, 10, 64);
    assert_true(test_json_real(json, "offered_per_s") == 2000);
    long long sent = test_json_int(json, "sent");
    static const long long slacks[] = {2, 250, 1100}; /* 5.6 standard deviations */
    long long slack = slacks[i];
    if (sent < 2000 - slack || sent > 2000 + slack)
      fail_msg("%s arrivals: sent %lld", arrivals[i], sent);
    json_decref(json);
  }
  test_stop(&server);
}

static void files_are_written_whole(void **state) {
  (void)state;
  struct test_server server;
  char directory[128];
  snprintf(directory, sizeof directory, "%s/files", test_directory());
  assert_int_equal(mkdir(directory, 0700), 0);
  test_serve(&server, "--backend epoll-lt");
  test_command(&result,
               "load --target %s --duration 300ms --warmup 0 --interval 100ms --json=%s/r.json "
               "--hlog %s/r.hlog",
               server.target, directory, directory);
  test_stop(&server);
  assert_int_equal(test_count_files(directory), 2);
  char path[160];
  snprintf(path, sizeof path, "%s/r.json", directory);
  json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  assert_sound(json, 1, 64);
  json_decref(json);
  assert_non_null(strstr(result.out, "completed")); /* text, as JSON went to the file */
  snprintf(path, sizeof path, "%s/r.hlog", directory);
  FILE *hlog = fopen(path, "re");
  assert_non_null(hlog);
  char line[64];
  assert_non_null(fgets(line, sizeof line, hlog));
  assert_string_equal(line, "#[Histogram log format version 1.3]\n");
  fclose(hlog);
}

static void an_interrupt_keeps_the_result(void **state) {
  (void)state;
  struct test_server server;
  struct test_process load;
  char command[300];
  test_serve(&server, "--backend epoll-lt");
  snprintf(command, sizeof command,
           "load --target %s --connections 10 --duration 60s --warmup 0 --json", server.target);
  test_start(&load, command);
  test_await_traffic(&server); /* the load uses CPU also in search of its server */
  kill(load.pid, SIGINT);
  test_wait(&load, &result);
  test_expect(&result, 130);
  json_t *json = test_json(&result);
  assert_true(json_is_true(json_object_get(json, "interrupted")));
  assert_true(test_json_int(json, "completed") > 0);
  assert_true(test_json_real(json, "duration_s") < 60);
  json_decref(json);
  test_stop(&server);
}

/* ---- Bad options ---------------------------------------------------------------------------- */

static void bad_options_are_named(void **state) {
  (void)state;
  static const struct {
    const char *args;
    const char *says;
  } rows[] = {
      {"", "--target: missing"},
      {"--target garbage", "--target: 'garbage'"},
      {"--target tcp://127.0.0.1", "--target: 'tcp://127.0.0.1'"},
      {"--target tcp://192.0.2.1:1", "--allow-remote"},
      {"--target tcp://224.0.0.1:1 --allow-remote", "multicast"},
      {"--target tcp://127.0.0.1:1 --connections 0", "--connections: 0 is out of range"},
      {"--target tcp://127.0.0.1:1 --connections 1M", "descriptors"},
      {"--target tcp://127.0.0.1:1 --connections ten", "--connections: 'ten'"},
      {"--target tcp://127.0.0.1:1 --threads 2", "--threads: 2 threads for 1 connection;"},
      {"--target tcp://127.0.0.1:1 --payload 0", "--payload: 0 is out of range"},
      {"--target tcp://127.0.0.1:1 --payload 1kb", "--payload: '1kb'"},
      {"--target tcp://127.0.0.1:1 --depth 0", "--depth: 0 is out of range"},
      {"--target tcp://127.0.0.1:1 --duration 0", "--duration: 0 is out of range"},
      {"--target tcp://127.0.0.1:1 --duration soon", "--duration: 'soon'"},
      {"--target tcp://127.0.0.1:1 --rate 0", "--rate: 0 is out of range"},
      {"--target tcp://127.0.0.1:1 --rate 1k --depth 2", "--depth: it has no meaning with --rate"},
      {"--target tcp://127.0.0.1:1 --arrival bursts", "--arrival: 'bursts' is not one of"},
      {"--target tcp://127.0.0.1:1 --cpus 1023", "--cpus: '1023'"},
      {"--target tcp://127.0.0.1:1 --cpus 0-", "--cpus: '0-'"},
      {"--target tcp://127.0.0.1:1 --json=/nonesuch/x", "--json: cannot write /nonesuch/x"},
      {"--target tcp://127.0.0.1:1 --json=/tmp", "--json: cannot write /tmp: Is a directory"},
      {"--target tcp://127.0.0.1:1 --hlog /nonesuch/x", "--hlog: cannot write /nonesuch/x"},
      {"--target tcp://127.0.0.1:1 --hlog /proc/x", "--hlog: cannot write /proc/x"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "load %s", rows[i].args);
    test_expect_error(&result, 2, rows[i].says);
  }
}

/* The bad option comes last; those before it must not have left a file. */
static void bad_options_leave_no_file(void **state) {
  (void)state;
  int before = test_count_files(test_directory());
  test_command(&result, "load --target tcp://127.0.0.1:1 --hlog %s/a --json=/nonesuch/b",
               test_directory());
  test_expect_error(&result, 2, "--json");
  test_command(&result, "load --target tcp://127.0.0.1:1 --json=%s/a --hlog /nonesuch/b",
               test_directory());
  test_expect_error(&result, 2, "--hlog");
  assert_int_equal(test_count_files(test_directory()), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_shape_of_load_is_echoed),
      cmocka_unit_test(an_open_loop_keeps_its_rate),
      cmocka_unit_test(files_are_written_whole),
      cmocka_unit_test(an_interrupt_keeps_the_result),
      cmocka_unit_test(bad_options_are_named),
      cmocka_unit_test(bad_options_leave_no_file),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
