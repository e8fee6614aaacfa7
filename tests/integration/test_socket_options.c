/* test_socket_options.c: the socket options that `serve` is given are those that the kernel
 * reports. The sockets are the server's own, borrowed with pidfd_getfd(2) and queried with
 * getsockopt(2): of pollers, of libraries and of io_uring, as connections reach each in a different
 * way. */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"
#include "tests/trace.h"

static const char *const servers[] = {
    "epoll-lt",        "sigio",
    "threads",         "libuv",
    "libevent-buffer", "uring --options direct=off", /* a direct descriptor cannot be borrowed */
};

/* ---- A server's sockets --------------------------------------------------------------------- */

struct sockets {
  int listener;
  int connection; /* copies, to be closed; -1: none */
};

static int ask(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

static bool is_of(const struct mux_addr *server, int fd) {
  struct mux_addr own = {.length = sizeof own.socket};
  return getsockname(fd, &own.socket.any, &own.length) == 0 &&
         own.socket.any.sa_family == server->socket.any.sa_family &&
         mux_addr_port(&own) == mux_addr_port(server);
}

static struct sockets borrow(const struct test_server *server) {
  struct sockets found = {-1, -1};
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)server->process.pid);
  DIR *fds = opendir(path);
  assert_non_null(fds);
  int pidfd = (int)syscall(SYS_pidfd_open, server->process.pid, 0);
  const struct dirent *entry;
  while ((entry = readdir(fds)) != NULL) {
    int number = (int)strtol(entry->d_name, NULL, 10);
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
      print_message("cannot borrow a descriptor here: %s\n", strerror(errno));
      skip();
    }
    if (fd < 0 || !is_of(&server->addr, fd)) {
      close(fd);
      continue;
    }
    *(ask(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0 ? &found.listener : &found.connection) = fd;
  }
  closedir(fds);
  close(pidfd);
  return found;
}

/* Starts a server, uses one connection, and borrows both sockets. False if the backend is not
 * available. */
static bool open_server(struct test_server *server, struct sockets *sockets, int *client,
                        const char *backend, const char *options) {
  if (!test_has_backend(backend))
    return false;
  test_serve(server, "--backend %s %s", backend, options);
  struct mux_sock_options defaults = MUX_SOCK_DEFAULTS;
  *client = mux_sock_connect_within(&server->addr, &defaults, 5 * MUX_S);
  assert_true(*client >= 0);
  char bytes[512] = "x";
  assert_int_equal(send(*client, bytes, sizeof bytes, MSG_NOSIGNAL), sizeof bytes);
  struct timeval patience = {.tv_sec = TEST_TIMEOUT_S};
  setsockopt(*client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(fcntl(*client, F_SETFL, 0), 0);
  ssize_t n;
  do /* tearing down the ring of uring's probe interrupts calls */
    n = recv(*client, bytes, sizeof bytes, MSG_WAITALL);
  while (n < 0 && errno == EINTR);
  if (n != sizeof bytes)
    fail_msg("%s: echo of %zd bytes of %zu: %s", backend, n, sizeof bytes, strerror(errno));
  *sockets = borrow(server);
  assert_true(sockets->listener >= 0 && sockets->connection >= 0);
  return true;
}

static void close_server(struct test_server *server, const struct sockets *sockets, int client) {
  close(sockets->listener);
  close(sockets->connection);
  close(client);
  test_stop(server);
}

/* ---- The options ---------------------------------------------------------------------------- */

static void assert_value(const char *server, const char *option, int value, int expected) {
  if (value != expected)
    fail_msg("%s: %s is %d, not %d", server, option, value, expected);
}

/* listen(2)'s backlog, from TCP_INFO of the listening socket. */
static int backlog_of(int fd) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return (int)info.tcpi_sacked;
}

static void options_are_set_as_asked(void **state) {
  (void)state;
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    const char *name = servers[i];
    struct test_server server;
    struct sockets sockets;
    int client;
    if (!open_server(&server, &sockets, &client, name,
                     "--sndbuf 32KiB --rcvbuf 48KiB --rcvlowat 100 --nagle --congestion reno "
                     "--backlog 17 --defer-accept 3s"))
      continue;
    /* The kernel doubles the value, for its bookkeeping (socket(7)). */
    int fd = sockets.connection;
    assert_value(name, "SO_SNDBUF", ask(fd, SOL_SOCKET, SO_SNDBUF), 2 * 32 * 1024);
    assert_value(name, "SO_RCVBUF", ask(fd, SOL_SOCKET, SO_RCVBUF), 2 * 48 * 1024);
    assert_value(name, "SO_RCVLOWAT", ask(fd, SOL_SOCKET, SO_RCVLOWAT), 100);
    assert_value(name, "TCP_NODELAY", ask(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    char congestion[MUX_CONGESTION_TEXT];
    assert_string_equal(mux_sock_congestion(fd, congestion), "reno");
    assert_value(name, "backlog", backlog_of(sockets.listener), 17);
    /* Rounded up to a number of SYN-ACK retransmissions. */
    assert_in_range(ask(sockets.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 3, 7);
    close_server(&server, &sockets, client);
  }
}

static void options_not_asked_for_are_the_systems(void **state) {
  (void)state;
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    const char *name = servers[i];
    struct test_server server;
    struct sockets sockets;
    int client;
    if (!open_server(&server, &sockets, &client, name, ""))
      continue;
    int fd = sockets.connection;
    assert_value(name, "TCP_NODELAY", ask(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_value(name, "SO_RCVLOWAT", ask(fd, SOL_SOCKET, SO_RCVLOWAT), 1);
    assert_value(name, "SO_BUSY_POLL", ask(fd, SOL_SOCKET, SO_BUSY_POLL), 0);
    char congestion[MUX_CONGESTION_TEXT];
    assert_string_equal(mux_sock_congestion(fd, congestion), "cubic");
    assert_value(name, "TCP_DEFER_ACCEPT", ask(sockets.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    close_server(&server, &sockets, client);
  }
}

/* Only root may set more than net.core.busy_poll. */
static void busy_polling_is_set_as_asked(void **state) {
  (void)state;
  if (geteuid() != 0) {
    print_message("SO_BUSY_POLL needs root\n");
    skip();
  }
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    struct test_server server;
    struct sockets sockets;
    int client;
    if (!open_server(&server, &sockets, &client, servers[i], "--busy-poll 70us"))
      continue;
    assert_value(servers[i], "SO_BUSY_POLL", ask(sockets.connection, SOL_SOCKET, SO_BUSY_POLL), 70);
    close_server(&server, &sockets, client);
  }
}

/* Calls of setsockopt() that set TCP_QUICKACK. The kernel changes its value at will (tcp(7)), so
 * getsockopt() would prove nothing. */
static void count_quickacks(void *arg, const struct test_call *call) {
  int *count = arg;
  *count += call->number == SYS_setsockopt && call->args[1] == IPPROTO_TCP &&
            call->args[2] == TCP_QUICKACK && call->result == 0;
}

static void quick_acknowledgements_are_asked_for(void **state) {
  (void)state;
  static struct test_result result;
  static struct test_trace trace;
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    struct test_server server;
    struct test_process loader;
    char command[256];
    int count = 0;
    if (!test_has_backend(servers[i]))
      continue;
    test_serve(&server, "--backend %s --quickack", servers[i]);
    if (!test_trace_begin(&trace, server.process.pid, count_quickacks, &count)) {
      print_message("no ptrace(2) of a child here: nothing can be counted\n");
      test_stop(&server);
      skip();
    }
    snprintf(command, sizeof command, "load --target %s --connections 5 --duration 50ms --json",
             server.target);
    test_start(&loader, command);
    test_trace_until(&trace, loader.pid);
    test_wait(&loader, &result);
    assert_value(servers[i], "connections with TCP_QUICKACK", count, 5);
    test_stop(&server);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_are_set_as_asked),
      cmocka_unit_test(options_not_asked_for_are_the_systems),
      cmocka_unit_test(busy_polling_is_set_as_asked),
      cmocka_unit_test(quick_acknowledgements_are_asked_for),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
