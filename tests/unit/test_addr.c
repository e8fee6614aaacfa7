/* test_addr.c: addresses are read, refused and printed as the contract says (common/addr.h). */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/cli.h"

static int parse(const char *text, bool allow_remote, struct mux_addr *addr) {
  char why[160] = "";
  int rc = mux_addr_parse(addr, text, allow_remote, why, sizeof why);
  if (rc != 0 && (why[0] == 0 || strchr(why, '\n') != NULL))
    fail_msg("'%s' is refused without a one-line reason", text);
  return rc;
}

static void good_ones_read_and_print_back(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *transport;
    int port;
    const char *printed; /* NULL: the same */
  } rows[] = {
      {"tcp://127.0.0.1:7007", "tcp4", 7007, NULL},
      {"tcp://127.0.0.1:0", "tcp4", 0, NULL},
      {"tcp://127.255.3.4:65535", "tcp4", 65535, NULL},
      {"tcp://127.0.0.1:007", "tcp4", 7, "tcp://127.0.0.1:7"},
      {"tcp://[::1]:0", "tcp6", 0, NULL},
      {"udp://127.0.0.1:53", "udp4", 53, NULL},
      {"udp://[::1]:53", "udp6", 53, NULL},
      {"tcp://[::ffff:127.0.0.1]:1", "tcp6", 1, NULL},
      {"unix:///tmp/x.sock", "unix", 0, NULL},
      {"unix://x", "unix", 0, NULL},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    struct mux_addr addr;
    char text[MUX_ADDR_TEXT];
    if (parse(rows[i].text, false, &addr) != 0)
      fail_msg("'%s' was refused", rows[i].text);
    assert_string_equal(mux_addr_print(text, &addr),
                        rows[i].printed != NULL ? rows[i].printed : rows[i].text);
    assert_string_equal(mux_addr_transport(&addr), rows[i].transport);
    assert_int_equal(mux_addr_port(&addr), rows[i].port);
  }
}

static void localhost_is_loopback(void **state) {
  (void)state;
  struct mux_addr addr;
  assert_int_equal(parse("tcp://localhost:80", false, &addr), 0);
  assert_int_equal(mux_addr_port(&addr), 80);
}

static void bad_ones_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "tcp://",
                                    "tcp:127.0.0.1:1",
                                    "127.0.0.1:1",
                                    "http://127.0.0.1:1",
                                    "TCP://127.0.0.1:1",
                                    "tcp://127.0.0.1",
                                    "tcp://127.0.0.1:",
                                    "tcp://127.0.0.1:65536",
                                    "tcp://127.0.0.1:-1",
                                    "tcp://127.0.0.1:+1",
                                    "tcp://127.0.0.1: 1",
                                    "tcp://127.0.0.1:1 ",
                                    "tcp://127.0.0.1:1x",
                                    "tcp://127.0.0.1:1/",
                                    "tcp://127.0.0.1:99999999999999999999",
                                    "tcp://:1",
                                    "tcp://::1:1",
                                    "tcp://[::1]",
                                    "tcp://[::1]1",
                                    "tcp://[::1:1",
                                    "tcp://[]:1",
                                    "tcp://[::1]]:1",
                                    "unix://"};
  struct mux_addr addr;
  for (size_t i = 0; i < TEST_COUNT(bad); i++)
    if (parse(bad[i], true, &addr) != -EINVAL)
      fail_msg("'%s' was not refused as malformed", bad[i]);
}

/* None of these is asked of a name server: numbers are not, nor is a label of more than 63 bytes.
 */
static void hosts_that_do_not_exist_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "tcp://127.0.0.256:1",
      "tcp://1.2.3.4.5:1",
      "tcp://[127.0.0.1]:1",
      "tcp://[localhost]:1",
      "tcp://[::1::2]:1",
      "tcp://xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:1"};
  struct mux_addr addr;
  for (size_t i = 0; i < TEST_COUNT(bad); i++)
    if (parse(bad[i], true, &addr) != -ENOENT)
      fail_msg("'%s' was not refused as unknown", bad[i]);
}

static void a_unix_path_has_107_bytes_at_most(void **state) {
  (void)state;
  struct mux_addr addr;
  char text[200] = "unix://";
  memset(text + 7, 'x', 107);
  assert_int_equal(parse(text, false, &addr), 0);
  char printed[MUX_ADDR_TEXT];
  assert_string_equal(mux_addr_print(printed, &addr), text);
  text[7 + 107] = 'x';
  assert_int_equal(parse(text, false, &addr), -EINVAL);
}

static void remote_needs_allow_remote(void **state) {
  (void)state;
  static const char *const remote[] = {"tcp://192.0.2.1:1",    "tcp://0.0.0.0:1",
                                       "tcp://[::]:1",         "tcp://[2001:db8::1]:1",
                                       "udp://198.51.100.7:1", "tcp://[::ffff:192.0.2.1]:1",
                                       "tcp://128.0.0.1:1",    "tcp://126.255.255.255:1"};
  struct mux_addr addr;
  for (size_t i = 0; i < TEST_COUNT(remote); i++) {
    assert_int_equal(parse(remote[i], false, &addr), -EPERM);
    assert_int_equal(parse(remote[i], true, &addr), 0);
  }
}

static void multicast_and_broadcast_are_always_refused(void **state) {
  (void)state;
  static const char *const groups[] = {
      "udp://224.0.0.1:1", "udp://239.255.255.255:1",    "udp://255.255.255.255:1",
      "udp://[ff02::1]:1", "udp://[::ffff:224.0.0.1]:1", "udp://[::ffff:255.255.255.255]:1",
      "tcp://224.0.0.1:1"};
  struct mux_addr addr;
  for (size_t i = 0; i < TEST_COUNT(groups); i++)
    if (parse(groups[i], true, &addr) != -EPERM)
      fail_msg("'%s' was let through", groups[i]);
}

static void set_port_changes_the_port_alone(void **state) {
  (void)state;
  static const char *const texts[] = {"tcp://127.0.0.1:1", "udp://[::1]:1"};
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct mux_addr addr;
    assert_int_equal(parse(texts[i], false, &addr), 0);
    for (int port = 0; port < 65536; port += 257) {
      mux_addr_set_port(&addr, port);
      assert_int_equal(mux_addr_port(&addr), port);
    }
  }
}

/* Random bytes and random edits of good addresses: refused with a reason or read as an address that
 * prints and reads back the same. Numbers only, so that no name is looked up. */
static void random_text_is_refused_or_reads_back(void **state) {
  (void)state;
  static const char *const seeds[] = {"tcp://127.0.0.1:7007", "tcp://[::1]:0", "unix:///tmp/x"};
  for (int i = 0; i < 20000; i++) {
    char text[64];
    strcpy(text, seeds[test_random_in(0, TEST_COUNT(seeds) - 1)]);
    for (uint64_t edits = test_random_in(1, 4); edits > 0; edits--)
      text[test_random_in(0, strlen(text) - 1)] =
          "0123456789.:[]/tu\x01\xff"[test_random_in(0, 18)];
    const char *host = strstr(text, "://");
    if (host == NULL || strpbrk(host + 3, "tu\x01\xff") != NULL)
      continue;
    struct mux_addr addr;
    struct mux_addr again;
    char printed[MUX_ADDR_TEXT];
    char twice[MUX_ADDR_TEXT];
    if (parse(text, true, &addr) != 0)
      continue;
    assert_int_equal(parse(mux_addr_print(printed, &addr), true, &again), 0);
    assert_string_equal(mux_addr_print(twice, &again), printed);
  }
}

static void option_addr_bad(void *text) {
  struct mux_addr addr;
  mux_option_addr(&addr, "--listen", text, false);
}

static void a_bad_option_ends_with_one_line(void **state) {
  (void)state;
  char errors[512];
  char text[] = "tcp://\x1b[31m\n";
  assert_int_equal(test_in_child(option_addr_bad, text, errors, sizeof errors), MUX_EXIT_USAGE);
  assert_non_null(strstr(errors, "muxbench: --listen: 'tcp://\\x1b[31m\\x0a'"));
  assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
  char remote[] = "tcp://192.0.2.1:1";
  assert_int_equal(test_in_child(option_addr_bad, remote, errors, sizeof errors), MUX_EXIT_USAGE);
  assert_non_null(strstr(errors, "--allow-remote"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_ones_read_and_print_back),
      cmocka_unit_test(localhost_is_loopback),
      cmocka_unit_test(bad_ones_are_refused),
      cmocka_unit_test(hosts_that_do_not_exist_are_refused),
      cmocka_unit_test(a_unix_path_has_107_bytes_at_most),
      cmocka_unit_test(remote_needs_allow_remote),
      cmocka_unit_test(multicast_and_broadcast_are_always_refused),
      cmocka_unit_test(set_port_changes_the_port_alone),
      cmocka_unit_test(random_text_is_refused_or_reads_back),
      cmocka_unit_test(a_bad_option_ends_with_one_line),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
