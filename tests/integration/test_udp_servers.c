/* test_udp_servers.c: every backend that serves UDP, with datagrams that could keep it busy for
 * ever: echoes of echoes (RFC 862 assumes that every sender is a client), and a queue that does not
 * get empty. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/registry.h"
#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

enum { ECHOES = 200 };

/* ---- Clients -------------------------------------------------------------------------------- */

/* Binds a socket to an address such as "udp://127.0.0.1:0". Returns the fd and the real port in
 * addr, or -errno. */
static int bind_client(struct mux_addr *addr, const char *text) {
  char why[160];
  assert_int_equal(mux_addr_parse(addr, text, false, why, sizeof why), 0);
  return mux_sock_listen(addr, false, 0, &MUX_SOCK_DEFAULTS);
}

static void send_to(int fd, const struct mux_addr *to, const char *text) {
  assert_int_equal(sendto(fd, text, strlen(text), 0, &to->socket.any, to->length), strlen(text));
}

/* Round trips of an honest client, one after another. */
static void assert_echoes(const struct mux_addr *server, int count) {
  int fd = mux_sock_connect(server, NULL, &MUX_SOCK_DEFAULTS);
  assert_true(fd >= 0);
  for (int i = 0; i < count; i++) {
    int got = -1;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    assert_int_equal(send(fd, &i, sizeof i, 0), sizeof i);
    assert_int_equal(poll(&wait, 1, TEST_TIMEOUT_S * 1000), 1);
    assert_int_equal(recv(fd, &got, sizeof got, 0), sizeof got);
    assert_int_equal(got, i);
  }
  close(fd);
}

/* ---- Servers -------------------------------------------------------------------------------- */

static void start(struct test_server *server, const char *backend, const char *listen,
                  const char *stats) {
  test_serve(server, "--backend %s --listen %s --stats %s/%s", backend, listen, test_directory(),
             stats);
}

/* Stops a server, which must have received that many datagrams; the kernel must have dropped one.
 */
static void stop(struct test_server *server, const char *stats, long long echoes) {
  char path[128];
  test_stop(server);
  snprintf(path, sizeof path, "%s/%s", test_directory(), stats);
  json_t *json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  if (test_json_int(json, "totals.datagrams") != echoes)
    fail_msg("'%s' took %lld datagrams, %lld were its clients'", server->process.command,
             test_json_int(json, "totals.datagrams"), echoes);
  if (test_json_int(json, "dropped") != 1)
    fail_msg("'%s' let %lld datagrams be dropped", server->process.command,
             test_json_int(json, "dropped"));
  json_decref(json);
}

/* Also signals the workers if they are processes. Once the server is stopped, it forks no more.
 */
static void signal_all(const struct test_server *server, int number) {
  pid_t pid = server->process.pid;
  siginfo_t stopped;
  char path[64];
  kill(pid, number);
  if (number == SIGSTOP)
    assert_int_equal(waitid(P_PID, (id_t)pid, &stopped, WSTOPPED | WNOWAIT), 0);
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
  FILE *children = fopen(path, "re");
  if (children == NULL)
    skip(); /* a kernel without CONFIG_PROC_CHILDREN */
  while (fscanf(children, "%d", &pid) == 1)
    kill(pid, number);
  fclose(children);
}

static void for_each_backend(void (*test)(const char *backend, const char *listen)) {
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  int served = 0;
  for (size_t i = 0; i < count; i++)
    if ((all[i]->transports & MUX_UDP) != 0 && test_has_backend(all[i]->name)) {
      test(all[i]->name, "udp://127.0.0.1:0");
      test(all[i]->name, "udp://[::1]:0");
      served++;
    }
  assert_true(served > 5);
}

/* ---- The tests ------------------------------------------------------------------------------ */

/* A spoofed datagram without privileges: the first server is stopped while a client sends it one,
 * and then the second server takes over the client's address. */
static void assert_no_loop(const char *backend, const char *listen) {
  struct test_server first;
  struct test_server second;
  struct mux_addr addr;
  char text[MUX_ADDR_TEXT];
  start(&first, backend, listen, "first");
  signal_all(&first, SIGSTOP);
  int fd = bind_client(&addr, listen);
  assert_true(fd >= 0);
  send_to(fd, &first.addr, "spoofed");
  close(fd);
  start(&second, backend, mux_addr_print(text, &addr), "second");
  signal_all(&first, SIGCONT);
  assert_echoes(&first.addr, 1);
  assert_echoes(&second.addr, ECHOES);
  test_stop(&first); /* now its echo has reached the second one, whichever worker sent it */
  stop(&second, "second", ECHOES);
}

static void two_servers_do_not_echo_each_other(void **state) {
  (void)state;
  for_each_backend(assert_no_loop);
}

/* On privileged ports echo, chargen, daytime, time and others answer anybody. */
static const char *privileged_port(int *fd, struct mux_addr *addr, const char *listen) {
  static const int ports[] = {7, 19, 13, 17, 37, 1023};
  const char *why = "no privileged port is free";
  bool v6 = strchr(listen, '[') != NULL;
  for (size_t i = 0; i < TEST_COUNT(ports); i++) {
    char text[64];
    snprintf(text, sizeof text, "udp://%s:%d", v6 ? "[::1]" : "127.0.0.1", ports[i]);
    *fd = bind_client(addr, text);
    if (*fd >= 0)
      return NULL;
    if (*fd == -EACCES)
      why = "privileged ports are root's";
  }
  return why;
}

static void assert_small_service_refused(const char *backend, const char *listen) {
  struct test_server server;
  struct mux_addr addr;
  int fd;
  const char *why = privileged_port(&fd, &addr, listen);
  if (why != NULL) {
    print_message("%s\n", why);
    skip();
  }
  start(&server, backend, listen, "stats");
  send_to(fd, &server.addr, "from a small service");
  assert_echoes(&server.addr, ECHOES);
  stop(&server, "stats", ECHOES);
  char byte;
  assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  close(fd);
}

static void small_services_get_no_echo(void **state) {
  (void)state;
  for_each_backend(assert_small_service_refused);
}

/* A datagram whose source is its destination. IPv4 only: there are no raw headers for IPv6. */
static void a_server_does_not_echo_itself(void **state) {
  (void)state;
  struct test_server server;
  int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) {
    print_message("a false source address needs CAP_NET_RAW: %s\n", strerror(errno));
    skip();
  }
  start(&server, "epoll-lt", "udp://127.0.0.1:0", "stats");
  struct {
    struct iphdr ip;
    struct udphdr udp;
    char data[8];
  } spoofed = {.ip = {.version = 4,
                      .ihl = sizeof spoofed.ip / 4,
                      .ttl = 64,
                      .protocol = IPPROTO_UDP,
                      .saddr = htonl(INADDR_LOOPBACK),
                      .daddr = htonl(INADDR_LOOPBACK)},
               .udp = {.source = htons((uint16_t)mux_addr_port(&server.addr)),
                       .dest = htons((uint16_t)mux_addr_port(&server.addr)),
                       .len = htons(sizeof spoofed.udp + sizeof spoofed.data)}};
  struct mux_addr to = server.addr;
  mux_addr_set_port(&to, 0);
  assert_int_equal(sendto(fd, &spoofed, sizeof spoofed, 0, &to.socket.any, to.length),
                   sizeof spoofed);
  close(fd);
  assert_echoes(&server.addr, ECHOES);
  stop(&server, "stats", ECHOES + 1); /* its echo is dropped */
}

/* ---- Many at once --------------------------------------------------------------------------- */

/* More than a worker echoes in one turn (an edge-triggered one gets one event for all of them), and
 * few enough for the receive buffer of an unprivileged server. */
static void assert_queue_is_echoed(const char *backend, const char *listen) {
  enum { WAITING = 250 };
  struct test_server server;
  bool seen[WAITING] = {false};
  test_serve(&server, "--backend %s --listen %s", backend, listen);
  int fd = mux_sock_connect(&server.addr, NULL, &MUX_SOCK_DEFAULTS);
  assert_true(fd >= 0);
  signal_all(&server, SIGSTOP);
  for (int i = 0; i < WAITING; i++)
    assert_int_equal(send(fd, &i, sizeof i, 0), sizeof i);
  signal_all(&server, SIGCONT);
  for (int i = 0; i < WAITING; i++) {
    int got = -1;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, TEST_TIMEOUT_S * 1000) != 1)
      fail_msg("%s echoes %d of %d datagrams that waited", backend, i, WAITING);
    assert_int_equal(recv(fd, &got, sizeof got, 0), sizeof got);
    assert_in_range(got, 0, WAITING - 1);
    assert_false(seen[got]);
    seen[got] = true;
  }
  close(fd);
  test_stop(&server);
}

static void what_waits_longer_than_a_turn_is_echoed(void **state) {
  (void)state;
  for_each_backend(assert_queue_is_echoed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_servers_do_not_echo_each_other),
      cmocka_unit_test(small_services_get_no_echo),
      cmocka_unit_test(a_server_does_not_echo_itself),
      cmocka_unit_test(what_waits_longer_than_a_turn_is_echoed),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
