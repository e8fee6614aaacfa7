/* test_plugin.c: a plug-in built from the installed header alone serves like a backend of the tree.
 */
#include "tests/support.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

static void the_skeleton_echoes_and_drains(void **state) {
  (void)state;
  enum { CONNECTIONS = 100 };
  struct test_server server;
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  int fds[CONNECTIONS];
  test_serve(&server, "--backend %s", test_plugin_path("skeleton.so"));
  for (size_t i = 0; i < CONNECTIONS; i++) {
    fds[i] = mux_sock_connect_within(&server.addr, &options, 10 * MUX_S);
    assert_true(fds[i] >= 0);
    assert_int_equal(send(fds[i], &i, sizeof i, MSG_NOSIGNAL), sizeof i);
  }
  for (size_t i = 0; i < CONNECTIONS; i++) {
    struct pollfd wait = {.fd = fds[i], .events = POLLIN};
    size_t echoed = CONNECTIONS;
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(recv(fds[i], &echoed, sizeof echoed, MSG_WAITALL), sizeof echoed);
    assert_int_equal(echoed, i);
  }
  test_stop(&server);
  for (size_t i = 0; i < CONNECTIONS; i++) {
    char byte;
    assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
    close(fds[i]);
  }
}

static void what_is_no_plugin_is_refused(void **state) {
  (void)state;
  static struct test_result result;
  static const struct {
    const char *file;
    const char *says;
  } cases[] = {
      {"nameless.so", "no symbol mux_plugin"},
      {"broken-abi.so", "interface version 2, this program has 1: rebuild"},
      {"broken-bytes.so", "has 24 bytes"},
      {"broken-nameless.so", "it has no name"},
      {"broken-comma.so", "name is not 1 to 31 characters of a-z, 0-9 and '-'"},
      {"broken-neither.so", "neither a poller nor run()"},
      {"broken-both.so", "both a poller and run()"},
      {"broken-option.so", "option 'depth': its fallback is not a value of it"},
      {"broken-unavailable.so", "not available: the moon is full"},
      {"broken-speechless.so", "not available: Operation not permitted"},
      {"broken-undefined.so", "undefined symbol: mux_no_such_function"},
      {"broken-crashes.so", "crashes when it is loaded (Aborted)"},
      {"broken-exits.so", "ends the process when it is loaded (exit status 0)"},
      {"broken-hangs.so", "loading it does not end"},
      {"missing.so", "No such file"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    test_command(&result, "serve --backend %s", test_plugin_path(cases[i].file));
    test_expect_error(&result, 2, cases[i].says);
  }
  test_command(&result, "serve --backend %s", "/proc/self/status");
  test_expect_error(&result, 2, "cannot be loaded");
  test_command(&result, "check --backend %s", test_plugin_path("broken-abi.so"));
  test_expect_error(&result, 2, "interface version");
  test_command(&result, "check --backend %s --listen udp://127.0.0.1:0",
               test_plugin_path("splice.so"));
  test_expect_error(&result, 2, "does not serve udp");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_skeleton_echoes_and_drains),
      cmocka_unit_test(what_is_no_plugin_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
