/* test_serve.c: the commands serve and list from the outside. That the bytes are right is for
 * `muxbench check` to test. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

static struct test_result result;

/* Sends a few bytes and gets them back. */
static void assert_echo(const struct mux_addr *addr) {
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  int fd = mux_sock_connect_within(addr, &options, MUX_S);
  assert_true(fd >= 0);
  char got[16];
  size_t have = 0;
  assert_int_equal(send(fd, "0123456789abcdef", 16, MSG_NOSIGNAL), 16);
  while (have < sizeof got) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    ssize_t n = recv(fd, got + have, sizeof got - have, 0);
    assert_true(n > 0);
    have += (size_t)n;
  }
  assert_memory_equal(got, "0123456789abcdef", 16);
  close(fd);
}

static json_t *load_list(void) {
  test_command(&result, "list --json");
  test_expect(&result, 0);
  json_t *list = json_loads(result.out, 0, NULL);
  assert_true(json_is_array(list) && json_array_size(list) >= 2);
  return list;
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  if (text == NULL)
    fail_msg("a backend in the list has no %s", key);
  return text;
}

static void list_describes_every_backend(void **state) {
  (void)state;
  json_t *list = load_list();
  test_command(&result, "list");
  test_expect(&result, 0);
  size_t i;
  json_t *backend;
  json_array_foreach(list, i, backend) {
    assert_non_null(strstr(result.out, text_of(backend, "name")));
    assert_true(strlen(text_of(backend, "summary")) > 0);
    assert_non_null(strstr(result.out, text_of(backend, "summary")));
    bool many = json_integer_value(json_object_get(backend, "max_workers")) != 1;
    assert_true((json_array_size(json_object_get(backend, "accept")) > 0) == many);
    assert_true(strlen(text_of(backend, "model")) > 0);
    assert_true(json_array_size(json_object_get(backend, "transports")) > 0);
    bool available = json_is_true(json_object_get(backend, "available"));
    assert_true(available == json_is_null(json_object_get(backend, "reason")));
    if (i > 0) /* in order, each once */
      assert_true(strcmp(text_of(json_array_get(list, i - 1), "name"), text_of(backend, "name")) <
                  0);
  }
  json_decref(list);
}

static void list_writes_its_json_to_a_file(void **state) {
  (void)state;
  test_command(&result, "list --json=%s/list.json", test_directory());
  test_expect(&result, 0);
  char path[128];
  snprintf(path, sizeof path, "%s/list.json", test_directory());
  json_t *list = json_load_file(path, 0, NULL);
  assert_true(json_is_array(list));
  json_decref(list);
}

/* Every backend, on every transport it claims: says where it listens in one line, echoes, exits
 * with 0 on SIGTERM, and can be started again on the same address at once. */
static void every_backend_serves_what_it_claims(void **state) {
  (void)state;
  json_t *list = load_list();
  size_t i;
  json_t *backend;
  json_array_foreach(list, i, backend) {
    if (!json_is_true(json_object_get(backend, "available")))
      continue;
    size_t t;
    json_t *transport;
    json_array_foreach(json_object_get(backend, "transports"), t, transport) {
      const char *kind = json_string_value(transport);
      char local[128];
      snprintf(local, sizeof local, "unix://%s/s", test_directory());
      const char *addresses[] = {"127.0.0.1:0", "[::1]:0"};
      bool is_unix = strcmp(kind, "unix") == 0;
      for (size_t a = 0; a < (is_unix ? 1 : TEST_COUNT(addresses)); a++) {
        char listen[160];
        snprintf(listen, sizeof listen, "%s%s%s", is_unix ? local : kind, is_unix ? "" : "://",
                 is_unix ? "" : addresses[a]);
        struct test_server server;
        test_serve(&server, "--backend %s --listen %s", text_of(backend, "name"), listen);
        assert_echo(&server.addr);
        assert_true(is_unix || mux_addr_port(&server.addr) > 0);
        snprintf(listen, sizeof listen, "%s", server.target);
        test_stop(&server);
        test_serve(&server, "--backend %s --listen %s", text_of(backend, "name"), listen);
        assert_string_equal(server.target, listen);
        assert_echo(&server.addr);
        test_stop(&server);
      }
    }
  }
  json_decref(list);
}

static void stdout_is_one_line(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  assert_echo(&server.addr);
  kill(server.process.pid, SIGINT);
  test_wait(&server.process, &result);
  test_expect(&result, 0);
  char expected[MUX_ADDR_TEXT + 16];
  snprintf(expected, sizeof expected, "listening %s\n", server.target);
  assert_string_equal(result.out, expected);
}

static void a_unix_path_goes_with_its_server(void **state) {
  (void)state;
  struct test_server server;
  struct stat status;
  test_serve(&server, "--backend epoll-lt --listen unix://%s/gone", test_directory());
  assert_int_equal(stat(server.target + strlen("unix://"), &status), 0);
  test_stop(&server);
  assert_int_equal(stat(server.target + strlen("unix://"), &status), -1);
}

/* A server removes the path that it bound, not whatever is there when it ends. */
static void a_path_that_is_no_longer_its_own_stays(void **state) {
  (void)state;
  struct test_server first;
  struct test_server second;
  char path[128];
  snprintf(path, sizeof path, "%s/taken", test_directory());
  test_serve(&first, "--backend epoll-lt --listen unix://%s", path);
  assert_int_equal(unlink(path), 0);
  FILE *file = fopen(path, "wxe");
  assert_non_null(file);
  assert_int_equal(fclose(file), 0);
  test_stop(&first);
  assert_int_equal(access(path, F_OK), 0);
  assert_int_equal(unlink(path), 0);

  test_serve(&first, "--backend epoll-lt --listen unix://%s", path);
  assert_int_equal(unlink(path), 0);
  test_serve(&second, "--backend epoll-lt --listen unix://%s", path);
  test_stop(&first);
  assert_echo(&second.addr);
  test_stop(&second);
}

static void a_port_in_use_is_an_error(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  test_command(&result, "serve --backend epoll-et --listen %s", server.target);
  test_expect_error(&result, 2, "Address already in use");
  assert_non_null(strstr(result.err, server.target));
  test_command(&result, "serve --backend epoll-et --workers 2 --listen %s", server.target);
  test_expect_error(&result, 2, "Address already in use");
  assert_echo(&server.addr);
  test_stop(&server);
}

static void workers_share_the_load(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt --workers 3 --stats %s/workers", test_directory());
  for (int i = 0; i < 60; i++)
    assert_echo(&server.addr);
  test_stop(&server);
  char path[128];
  snprintf(path, sizeof path, "%s/workers", test_directory());
  json_t *stats = json_load_file(path, 0, NULL);
  assert_non_null(stats);
  json_t *workers = json_object_get(stats, "workers");
  assert_int_equal(json_array_size(workers), 3);
  json_int_t accepted = 0;
  size_t i;
  json_t *worker;
  json_array_foreach(workers, i, worker) {
    json_int_t own = json_integer_value(json_object_get(worker, "accepted"));
    assert_true(own > 0 && own < 60); /* by chance: once in 10^10 runs */
    accepted += own;
  }
  assert_int_equal(accepted, 60);
  json_decref(stats);
}

/* Reads one line of /proc/PID/FILE that begins with `key`. */
static void proc_line(pid_t pid, const char *file, const char *key, char out[256]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  FILE *in = fopen(path, "re");
  assert_non_null(in);
  while (fgets(out, 256, in) != NULL)
    if (strncmp(out, key, strlen(key)) == 0) {
      fclose(in);
      return;
    }
  fail_msg("%s has no line '%s'", path, key);
}

static void the_soft_fd_limit_is_raised(void **state) {
  (void)state;
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  struct rlimit low = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  char line[256];
  proc_line(server.process.pid, "limits", "Max open files", line);
  unsigned long soft;
  unsigned long hard;
  assert_int_equal(sscanf(line, "Max open files %lu %lu", &soft, &hard), 2);
  assert_true(soft == hard && hard == limit.rlim_max);
  test_stop(&server);
}

/* Bad input: one line that names what is wrong, exit 2, nothing left behind. */
static void bad_options_are_named(void **state) {
  (void)state;
  static const struct {
    const char *args;
    const char *says;
  } rows[] = {
      {"", "--backend: missing; there are: "},
      {"--backend nonesuch", "--backend: there is no 'nonesuch'; there are: "},
      {"--backend ''", "--backend: there is no ''"},
      {"--backend '\x1b[2J'", "'\\x1b[2J'"},
      {"--backend ./nonesuch.so", "nonesuch.so"},
      {"--backend /etc/passwd", "/etc/passwd"},
      {"--backend epoll-lt --listen garbage", "--listen: 'garbage'"},
      {"--backend epoll-lt --listen tcp://127.0.0.1", "--listen: 'tcp://127.0.0.1'"},
      {"--backend epoll-lt --listen tcp://127.0.0.1:65536", "port"},
      {"--backend epoll-lt --listen tcp://0.0.0.0:0", "--allow-remote"},
      {"--backend epoll-lt --listen tcp://192.0.2.1:0 --allow-remote", "192.0.2.1"},
      {"--backend epoll-lt --listen unix:///nonesuch/s", "/nonesuch/s"},
      {"--backend epoll-lt --workers 0", "--workers: 0 is out of range"},
      {"--backend epoll-lt --workers -1", "--workers: '-1'"},
      {"--backend epoll-lt --workers 1.5", "--workers: '1.5'"},
      {"--backend epoll-lt --workers many", "--workers: 'many'"},
      {"--backend epoll-lt --cpus x", "--cpus: 'x'"},
      {"--backend epoll-lt --cpus 1023", "--cpus: '1023'"},
      {"--backend epoll-lt --drain 1h", "--drain: '1h'"},
      {"--backend epoll-lt --work soon", "--work: 'soon'"},
      {"--backend epoll-lt --options nonesuch=1", "--options: "},
      {"--backend epoll-lt --congestion nonesuch", "--congestion: "},
      {"--backend epoll-lt --stats /nonesuch/x", "--stats: "},
      {"--backend epoll-lt --stats /tmp", "--stats: "},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "serve %s", rows[i].args);
    test_expect_error(&result, 2, rows[i].says);
  }
}

static void a_failed_start_leaves_no_unix_path(void **state) {
  (void)state;
  char path[128];
  snprintf(path, sizeof path, "%s/left", test_directory());
  test_command(&result, "serve --backend epoll-lt --listen unix://%s --stats /nonesuch/x", path);
  test_expect_error(&result, 2, "--stats: ");
  assert_int_equal(access(path, F_OK), -1);

  /* The listener gets a descriptor that select cannot hold: an error after bind(). */
  enum { INHERITED = 1100 };
  static int fds[INHERITED];
  assert_true(mux_raise_nofile() > INHERITED + 100);
  for (int i = 0; i < INHERITED; i++)
    fds[i] = dup(STDERR_FILENO);
  test_command(&result, "serve --backend select --listen unix://%s", path);
  for (int i = 0; i < INHERITED; i++)
    close(fds[i]);
  test_expect_error(&result, 2, "descriptors below 1024");
  assert_int_equal(access(path, F_OK), -1);
}

static void unknown_words_end_with_2(void **state) {
  (void)state;
  static const struct {
    const char *line;
    const char *says;
  } rows[] = {{"serve --nonesuch", "--nonesuch"},
              {"serve stray", "'stray' is one argument too many"},
              {"list stray", "'stray' is one argument too many"},
              {"list --nonesuch", "--nonesuch"},
              {"nonesuch", "'nonesuch'"},
              {"--nonesuch", "'--nonesuch'"}};
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "%s", rows[i].line);
    test_expect_error(&result, 2, rows[i].says);
  }
}

static void help_and_version_go_to_stdout(void **state) {
  (void)state;
  static const char *const lines[] = {"--help", "help", "--version", "serve --help", "list --help"};
  for (size_t i = 0; i < TEST_COUNT(lines); i++) {
    test_command(&result, "%s", lines[i]);
    test_expect(&result, 0);
    assert_true(strlen(result.out) > 20);
    assert_string_equal(result.err, "");
  }
  test_command(&result, "serve --help");
  assert_non_null(strstr(result.out, "Example: muxbench serve"));
  test_command(&result, "--version");
  assert_memory_equal(result.out, "muxbench ", 9);
  assert_non_null(strstr(result.out, "-O"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(list_describes_every_backend),
      cmocka_unit_test(list_writes_its_json_to_a_file),
      cmocka_unit_test(every_backend_serves_what_it_claims),
      cmocka_unit_test(stdout_is_one_line),
      cmocka_unit_test(a_unix_path_goes_with_its_server),
      cmocka_unit_test(a_path_that_is_no_longer_its_own_stays),
      cmocka_unit_test(a_port_in_use_is_an_error),
      cmocka_unit_test(workers_share_the_load),
      cmocka_unit_test(the_soft_fd_limit_is_raised),
      cmocka_unit_test(bad_options_are_named),
      cmocka_unit_test(a_failed_start_leaves_no_unix_path),
      cmocka_unit_test(unknown_words_end_with_2),
      cmocka_unit_test(help_and_version_go_to_stdout),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
