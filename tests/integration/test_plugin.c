/* test_plugin.c: a plug-in built with only the installed header serves like a backend in the tree.
 */
#include "tests/support.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

static void assert_serves(const char *plugin) {
  enum { CONNECTIONS = 500 };
  struct test_server server;
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  int fds[CONNECTIONS];
  test_serve(&server, "--backend %s", test_plugin_path(plugin));
  for (size_t i = 0; i < CONNECTIONS; i++) {
    fds[i] = mux_sock_connect_within(&server.addr, &options, 10 * MUX_S);
    assert_true(fds[i] >= 0);
  }
  kill(server.process.pid, SIGSTOP); /* so that one wait returns many events */
  for (size_t i = 0; i < CONNECTIONS; i++) {
    assert_int_equal(send(fds[i], &i, sizeof i, MSG_NOSIGNAL), sizeof i);
  }
  kill(server.process.pid, SIGCONT);
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

static void the_skeleton_echoes_and_drains(void **state) {
  (void)state;
  assert_serves("skeleton.so");
}

/* Built with the header of a later minor version, in which every struct has fields that this
 * program does not know: also the rows of tables and the events of a wait. */
static void a_later_minor_version_serves(void **state) {
  (void)state;
  static struct test_result result;
  const char *grown = test_plugin_path("grown.so");
  test_command(&result, "serve --backend %s --options watches=1", grown);
  test_expect_error(&result, 2, "'1' is not a value of watches, which takes COUNT, 64 to 1M");
  assert_serves("grown.so");
}

static void what_is_no_plugin_is_refused(void **state) {
  (void)state;
  static struct test_result result;
  static const struct {
    const char *file;
    const char *says;
  } cases[] = {
      {"nameless.so", "no symbol mux_plugin"},
      {"broken-function.so", "its mux_plugin is not a variable that holds a pointer"},
      {"broken-small.so", "its mux_plugin is not a variable that holds a pointer"},
      {"broken-null.so", "its mux_plugin points nowhere"},
      {"broken-abi.so", "was built for plug-in ABI 3, this muxbench has 2"},
      {"broken-abi1.so", "was built for plug-in ABI 1, this muxbench has 2: rebuild it with its "
                         "mux_backend.h"},
      {"broken-bytes.so", "struct mux_backend has 24 bytes"},
      {"broken-stride.so", "struct mux_option has 3 bytes"},
      {"broken-nameless.so", "it has no name"},
      {"broken-comma.so", "name is not 1 to 31 characters of a-z, 0-9 and '-'"},
      {"broken-escape.so", "summary is not a line of printable text"},
      {"broken-neither.so", "neither a poller nor run()"},
      {"broken-both.so", "both a poller and run()"},
      {"broken-data.so", "run() is not a function"},
      {"broken-option.so", "option 'depth': its fallback is not one of its values"},
      {"broken-nowhere.so", "it crashes when its tables are read (Segmentation fault)"},
      {"broken-choices.so", "it crashes when its tables are read (Segmentation fault)"},
      {"broken-endless.so", "its table of options does not end within 32 rows"},
      {"broken-exempt.so", "its table of exemptions does not end within 128 rows"},
      {"broken-unavailable.so", "not available: the moon is full"},
      {"broken-speechless.so", "not available: Operation not permitted"},
      {"broken-undefined.so", "undefined symbol: mux_no_such_function"},
      {"broken-crashes.so", "it crashes when it is loaded (Aborted)"},
      {"broken-exits.so", "it ends the process when it is loaded (exit status 0)"},
      {"broken-hangs.so", "it hangs when it is loaded"},
      {"broken-limit_crashes.so", "it crashes in fd_limit_with() (Floating point exception)"},
      {"broken-probe_crashes.so", "it crashes in probe() (Segmentation fault)"},
      {"broken-probe_exits.so", "it ends the process in probe() (exit status 0)"},
      {"broken-probe_hangs.so", "it hangs in probe()"},
      {"missing.so", "No such file"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    test_command(&result, "serve --backend %s", test_plugin_path(cases[i].file));
    test_expect_error(&result, 2, cases[i].says);
  }
  test_command(&result, "serve --backend %s", "/proc/self/status");
  test_expect_error(&result, 2, "cannot be loaded");
  static const char *const quiet[] = {"broken-abi.so", "broken-probe_exits.so",
                                      "broken-probe_crashes.so"};
  for (size_t i = 0; i < TEST_COUNT(quiet); i++) {
    test_command(&result, "check --quick --backend %s", test_plugin_path(quiet[i]));
    test_expect_error(&result, 2, quiet[i]);
  }
  test_command(&result, "check --backend %s --listen udp://127.0.0.1:0",
               test_plugin_path("splice.so"));
  test_expect_error(&result, 2, "does not serve udp");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_skeleton_echoes_and_drains),
      cmocka_unit_test(a_later_minor_version_serves),
      cmocka_unit_test(what_is_no_plugin_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
