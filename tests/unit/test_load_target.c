/* test_load_target.c: whose CPU time is the target's? Of several servers on one port, it is that of
 * those the kernel would connect us with (loadgen/target.h). The servers are real: processes that
 * answer with their number, so that the kernel itself is the oracle. */
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "loadgen/target.h"

enum { SERVERS_MOST = 3, PORT_TRIES = 50, ASKS = 8 };

struct server {
  const char *address; /* NULL: no more */
  bool v6only, reuseport;
};

static pid_t pids[SERVERS_MOST];
static int servers;

static void end_servers(void) {
  for (; servers > 0; servers--) {
    kill(pids[servers - 1], SIGKILL);
    waitpid(pids[servers - 1], NULL, 0);
  }
}

static void parse(struct mux_addr *addr, bool udp, const char *address, int port) {
  char text[100];
  char why[160];
  snprintf(text, sizeof text, "%s://%s:%d", udp ? "udp" : "tcp", address, port);
  if (mux_addr_parse(addr, text, true, why, sizeof why) != 0)
    fail_msg("%s: %s", text, why);
}

static int open_server(const struct mux_addr *addr, const struct server *server) {
  bool udp = addr->kind == MUX_ADDR_UDP;
  int fd = socket(addr->socket.any.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  int on = 1;
  int v6only = server->v6only;
  if (addr->socket.any.sa_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
  if (server->reuseport)
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, &addr->socket.any, addr->length) == 0 && (udp || listen(fd, 8) == 0))
    return fd;
  close(fd);
  return -1;
}

/* Answers everybody with its number. */
static void answer(int fd, bool udp, char number) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    char byte;
    if (udp) {
      if (recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &length) >= 0)
        sendto(fd, &number, 1, 0, (struct sockaddr *)&from, length);
      continue;
    }
    int connection = accept(fd, NULL, NULL);
    send(connection, &number, 1, MSG_NOSIGNAL);
    close(connection);
  }
}

/* addr gets the real port. */
static bool add_server(struct mux_addr *addr, const struct server *server) {
  int fd = open_server(addr, server);
  if (fd < 0)
    return false;
  assert_int_equal(mux_sock_name(fd, addr), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    answer(fd, addr->kind == MUX_ADDR_UDP, (char)servers);
  close(fd);
  pids[servers++] = pid;
  return true;
}

/* All on one port, which the kernel has given to the first. */
static int start_servers(const struct server *list, bool udp) {
  for (int tries = 0; tries < PORT_TRIES; tries++) {
    struct mux_addr addr;
    int port = 0;
    bool all = true;
    for (int i = 0; all && i < SERVERS_MOST && list[i].address != NULL; i++) {
      parse(&addr, udp, list[i].address, port);
      all = add_server(&addr, &list[i]);
      port = mux_addr_port(&addr);
    }
    if (all)
      return port;
    end_servers();
  }
  fail_msg("no port is free");
  return 0;
}

/* The number of the one that the kernel connects us with. Over UDP the answer may come from another
 * address, that of the route back: the socket is not connected. */
static int ask(const struct mux_addr *target) {
  char byte = 0;
  bool udp = target->kind == MUX_ADDR_UDP;
  int fd = udp ? socket(target->socket.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
               : mux_sock_connect_within(target, &MUX_SOCK_DEFAULTS, 5 * MUX_S);
  assert_true(fd >= 0);
  if (udp)
    assert_int_equal(sendto(fd, &byte, 1, 0, &target->socket.any, target->length), 1);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  assert_int_equal(poll(&wait, 1, 5000), 1);
  assert_int_equal(recv(fd, &byte, 1, 0), 1);
  close(fd);
  return byte;
}

/* A bit for each server that is found. */
static unsigned find(const struct mux_addr *target) {
  struct load_target found;
  unsigned bits = 0;
  load_target_find(&found, target, 0);
  for (int i = 0; i < found.count; i++)
    for (int k = 0; k < servers; k++)
      bits |= found.pids[i] == pids[k] ? 1u << k : 0;
  return bits;
}

static const struct {
  struct server servers[SERVERS_MOST];
  const char *target;
  unsigned found;
} rows[] = {
    {{{"127.0.0.1"}, {"127.0.0.2"}}, "127.0.0.1", 1},
    {{{"127.0.0.1"}, {"127.0.0.2"}}, "127.0.0.2", 2},
    {{{"127.0.0.1"}, {"[::1]"}}, "127.0.0.1", 1},
    {{{"127.0.0.1"}, {"[::1]"}}, "[::1]", 2},
    {{{"127.0.0.1"}, {"[::1]"}}, "[::ffff:127.0.0.1]", 1},
    {{{"0.0.0.0"}}, "127.0.0.3", 1},
    {{{"0.0.0.0"}, {"[::]", .v6only = true}}, "127.0.0.1", 1},
    {{{"0.0.0.0"}, {"[::]", .v6only = true}}, "[::1]", 2},
    {{{"[::]"}}, "127.0.0.1", 1},
    {{{"[::]"}}, "[::1]", 1},
    {{{"[::ffff:127.0.0.1]"}, {"127.0.0.2"}}, "127.0.0.1", 1},
    {{{"[::ffff:127.0.0.1]"}, {"127.0.0.2"}}, "127.0.0.2", 2},
    {{{"0.0.0.0", .reuseport = true}, {"127.0.0.1", .reuseport = true}}, "127.0.0.1", 2},
    {{{"0.0.0.0", .reuseport = true}, {"127.0.0.1", .reuseport = true}}, "127.0.0.2", 1},
    {{{"0.0.0.0", .reuseport = true}, {"[::]", .reuseport = true}}, "127.0.0.1", 1},
    {{{"127.0.0.1", .reuseport = true}, {"127.0.0.1", .reuseport = true}, {"127.0.0.2"}},
     "127.0.0.1",
     3},
};

static void the_servers_that_answer_are_found(bool udp) {
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    struct mux_addr target;
    int port = start_servers(rows[i].servers, udp);
    parse(&target, udp, rows[i].target, port);
    unsigned found = find(&target);
    if (found != rows[i].found)
      fail_msg("row %zu: found %x, not %x, on %s", i, found, rows[i].found, rows[i].target);
    for (int n = 0; n < ASKS; n++)
      assert_true(found & 1u << ask(&target));
    end_servers();
  }
}

/* Makes many UDP sockets come and go. */
static void churn(void) {
  enum { SOCKETS = 800 };
  int fds[SOCKETS];
  const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    for (int i = 0; i < SOCKETS; i++) {
      fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
      bind(fds[i], (const struct sockaddr *)&any, sizeof any);
    }
    for (int i = 0; i < SOCKETS; i++)
      close(fds[i]);
  }
}

/* What reads /proc/net meanwhile misses some that stay. */
static void sockets_that_come_and_go_hide_no_server(void **state) {
  (void)state;
  const struct server list[SERVERS_MOST] = {{"127.0.0.1"}};
  struct mux_addr target;
  int port = start_servers(list, true);
  parse(&target, true, "127.0.0.1", port);
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0)
    churn();
  unsigned all = 1;
  for (int i = 0; i < 20; i++)
    all &= find(&target);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  assert_int_equal(all, 1);
}

static void over_tcp_those_that_answer_are_found(void **state) {
  (void)state;
  the_servers_that_answer_are_found(false);
}

static void over_udp_those_that_answer_are_found(void **state) {
  (void)state;
  the_servers_that_answer_are_found(true);
}

/* One path begins like the other, and has a space. */
static void unix_paths_are_told_apart(void **state) {
  (void)state;
  char paths[2][80];
  struct mux_addr addr[2];
  const struct server plain = {0};
  snprintf(paths[0], sizeof paths[0], "unix:///tmp/mux-target-%d", (int)getpid());
  snprintf(paths[1], sizeof paths[1], "unix:///tmp/mux-target-%d b", (int)getpid());
  for (int i = 0; i < 2; i++) {
    char why[160];
    assert_int_equal(mux_addr_parse(&addr[i], paths[i], false, why, sizeof why), 0);
    assert_true(add_server(&addr[i], &plain));
  }
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(ask(&addr[i]), i);
    assert_int_equal(find(&addr[i]), 1u << i);
  }
  end_servers();
  for (int i = 0; i < 2; i++)
    unlink(((const struct sockaddr_un *)&addr[i].socket.storage)->sun_path);
}

/* The path is the last one's; the other server lives on, and nobody can reach it. */
static void the_path_belongs_to_the_last_one(void **state) {
  (void)state;
  char text[80];
  char why[160];
  struct mux_addr addr;
  const struct server plain = {0};
  snprintf(text, sizeof text, "unix:///tmp/mux-target-%d", (int)getpid());
  assert_int_equal(mux_addr_parse(&addr, text, false, why, sizeof why), 0);
  const char *path = ((const struct sockaddr_un *)&addr.socket.storage)->sun_path;
  for (unsigned i = 0; i < SERVERS_MOST; i++) {
    assert_true(add_server(&addr, &plain));
    assert_int_equal(ask(&addr), i);
    assert_int_equal(find(&addr), 1u << i);
    assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(find(&addr), 0);
  end_servers();
}

static int end_all(void **state) {
  (void)state;
  end_servers();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(over_tcp_those_that_answer_are_found, end_all),
      cmocka_unit_test_teardown(over_udp_those_that_answer_are_found, end_all),
      cmocka_unit_test_teardown(sockets_that_come_and_go_hide_no_server, end_all),
      cmocka_unit_test_teardown(unix_paths_are_told_apart, end_all),
      cmocka_unit_test_teardown(the_path_belongs_to_the_last_one, end_all),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
