/* test_sock.c: real sockets are made, refused and recognised as sock.h says (common/sock.h). */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"

static const struct mux_sock_options defaults = {.congestion = "cubic"};
static char directory[] = "/tmp/mux-test-sock-XXXXXX";
static char unix_text[64];

static int make_directory(void **state) {
  if (mkdtemp(directory) == NULL)
    return -1;
  snprintf(unix_text, sizeof unix_text, "unix://%s/s", directory);
  return test_seed(state);
}

static int remove_directory(void **state) {
  (void)state;
  unlink(unix_text + strlen("unix://"));
  return rmdir(directory);
}

static struct mux_addr address(const char *text) {
  struct mux_addr addr;
  char why[160];
  assert_int_equal(mux_addr_parse(&addr, text, false, why, sizeof why), 0);
  return addr;
}

static int get_int(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

static void assert_flags(int fd) {
  assert_true(fd >= 0);
  assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void streams_connect_and_carry_bytes(void **state) {
  (void)state;
  const char *const texts[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", unix_text};
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct mux_addr addr = address(texts[i]);
    int listener = mux_sock_listen(&addr, false, 0, &defaults);
    assert_flags(listener);
    assert_true(addr.kind == MUX_ADDR_UNIX || mux_addr_port(&addr) > 0);
    int client = mux_sock_connect_within(&addr, &defaults, MUX_S);
    assert_flags(client);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(send(client, "hello", 5, MSG_NOSIGNAL), 5);
    char got[8];
    assert_int_equal(recv(server, got, sizeof got, 0), 5);
    assert_false(mux_sock_is_self_connected(client));
    assert_int_equal(mux_sock_error(client), 0);
    close(server);
    close(client);
    close(listener);
  }
}

static void a_port_in_use_is_an_error(void **state) {
  (void)state;
  const char *const texts[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", "udp://127.0.0.1:0",
                               "udp://[::1]:0", unix_text};
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct mux_addr addr = address(texts[i]);
    int first = mux_sock_listen(&addr, false, 0, &defaults);
    assert_flags(first);
    struct mux_addr same = addr;
    int second = mux_sock_listen(&same, false, 0, &defaults);
    if (second != -EADDRINUSE)
      fail_msg("a second listener on %s gave %d", texts[i], second);
    close(first);
  }
}

static void workers_share_a_port_when_asked(void **state) {
  (void)state;
  const char *const texts[] = {"tcp://127.0.0.1:0", "udp://127.0.0.1:0"};
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct mux_addr addr = address(texts[i]);
    int first = mux_sock_listen(&addr, true, 0, &defaults);
    int second = mux_sock_listen(&addr, true, 0, &defaults);
    assert_true(first >= 0 && second >= 0);
    int third = mux_sock_listen(&addr, false, 0, &defaults);
    assert_int_equal(third, -EADDRINUSE);
    close(first);
    close(second);
  }
}

static void a_port_is_free_again_at_once(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  for (int i = 0; i < 20; i++) { /* the server closes first: its side stays in TIME_WAIT */
    int listener = mux_sock_listen(&addr, false, 0, &defaults);
    assert_true(listener >= 0);
    int client = mux_sock_connect_within(&addr, &defaults, MUX_S);
    assert_true(client >= 0);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    close(accept(listener, NULL, NULL));
    close(listener);
    ready = (struct pollfd){.fd = client, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    close(client);
  }
}

static void a_stale_unix_path_is_replaced(void **state) {
  (void)state;
  struct mux_addr addr = address(unix_text);
  for (int i = 0; i < 3; i++) {
    int listener = mux_sock_listen(&addr, false, 0, &defaults);
    assert_flags(listener);
    close(listener); /* the path stays and nobody listens on it */
  }
}

static void what_is_no_socket_is_left_alone(void **state) {
  (void)state;
  const char *path = unix_text + strlen("unix://");
  unlink(path);
  int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  assert_true(file >= 0);
  close(file);
  struct mux_addr addr = address(unix_text);
  assert_int_equal(mux_sock_listen(&addr, false, 0, &defaults), -EADDRINUSE);
  struct stat status;
  assert_int_equal(lstat(path, &status), 0);
  assert_true(S_ISREG(status.st_mode));
  unlink(path);
  assert_int_equal(symlink("/nowhere", path), 0);
  assert_int_equal(mux_sock_listen(&addr, false, 0, &defaults), -EADDRINUSE);
  assert_int_equal(lstat(path, &status), 0);
  assert_true(S_ISLNK(status.st_mode));
  unlink(path);
}

static void a_closed_port_refuses(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* holds the port, listens not */
  assert_int_equal(bind(bound, &addr.socket.any, addr.length), 0);
  assert_int_equal(mux_sock_name(bound, &addr), 0);
  assert_int_equal(mux_sock_connect_within(&addr, &defaults, MUX_S), -ECONNREFUSED);
  close(bound);
  struct mux_addr gone = address(unix_text);
  assert_int_equal(mux_sock_connect_within(&gone, &defaults, MUX_S), -ENOENT);
}

/* A full accept queue drops the SYN: the connect must end by its own deadline. */
static void a_connect_ends_at_its_deadline(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  int listener = mux_sock_listen(&addr, false, 1, &defaults);
  int clients[8];
  int timed_out = 0;
  for (size_t i = 0; i < TEST_COUNT(clients); i++) {
    int64_t start = mux_now_ns();
    clients[i] = mux_sock_connect_within(&addr, &defaults, 50 * MUX_MS);
    if (clients[i] >= 0)
      continue;
    assert_int_equal(clients[i], -ETIMEDOUT);
    assert_true(mux_now_ns() - start >= 50 * MUX_MS);
    timed_out++;
  }
  assert_true(timed_out >= 1 && timed_out <= 7);
  for (size_t i = 0; i < TEST_COUNT(clients); i++)
    if (clients[i] >= 0)
      close(clients[i]);
  close(listener);
}

static void a_self_connection_is_recognised(void **state) {
  (void)state;
  const char *const texts[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct mux_addr addr = address(texts[i]);
    int bound = mux_sock_listen(&addr, false, 0, &defaults); /* finds a free port */
    close(bound);
    int fd = mux_sock_connect(&addr, &addr, &defaults);
    assert_true(fd >= 0);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&ready, 1, 1000), 1);
    assert_int_equal(mux_sock_error(fd), 0);
    assert_true(mux_sock_is_self_connected(fd));
    close(fd);
  }
  assert_false(mux_sock_is_self_connected(-1));
}

static void a_source_address_is_used(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  struct mux_addr source = address("tcp://127.9.8.7:0");
  int listener = mux_sock_listen(&addr, false, 0, &defaults);
  int fd = mux_sock_connect(&addr, &source, &defaults);
  assert_true(listener >= 0 && fd >= 0);
  assert_int_equal(mux_sock_name(fd, &source), 0);
  char text[MUX_ADDR_TEXT];
  assert_memory_equal(mux_addr_print(text, &source), "tcp://127.9.8.7:", 16);
  assert_true(mux_addr_port(&source) > 0);
  close(fd);
  close(listener);
}

static void options_reach_the_socket(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  struct mux_sock_options options = {
      .congestion = "reno", .sndbuf_bytes = 20000, .rcvbuf_bytes = 30000, .rcvlowat_bytes = 7};
  int fd = mux_sock_listen(&addr, false, 0, &options);
  assert_true(fd >= 0);
  char congestion[16] = "";
  socklen_t length = sizeof congestion;
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &length), 0);
  assert_string_equal(congestion, "reno");
  assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), 40000); /* socket(7): doubled */
  assert_int_equal(get_int(fd, SOL_SOCKET, SO_RCVBUF), 60000);
  assert_int_equal(get_int(fd, SOL_SOCKET, SO_RCVLOWAT), 7);
  assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  close(fd);
  options = (struct mux_sock_options){.nagle = true};
  fd = mux_sock_listen(&addr, false, 0, &options);
  assert_true(fd >= 0);
  assert_int_equal(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  close(fd);
}

static void an_option_the_kernel_lacks_is_an_error(void **state) {
  (void)state;
  struct mux_addr addr = address("tcp://127.0.0.1:0");
  struct mux_sock_options options = {.congestion = "nonesuch"};
  assert_true(mux_sock_listen(&addr, false, 0, &options) < 0);
  assert_true(mux_sock_connect(&addr, NULL, &options) < 0);
  struct mux_addr local = address(unix_text); /* a kind without congestion control */
  int fd = mux_sock_listen(&local, false, 0, &options);
  assert_true(fd >= 0);
  close(fd);
}

static void raise_in_child(void *arg) {
  (void)arg;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 64;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    _exit(1);
  if (mux_raise_nofile() != (long)limit.rlim_max)
    _exit(2);
  getrlimit(RLIMIT_NOFILE, &limit);
  _exit(limit.rlim_cur == limit.rlim_max ? 0 : 3);
}

static void the_soft_fd_limit_is_raised(void **state) {
  (void)state;
  char errors[256];
  assert_int_equal(test_in_child(raise_in_child, NULL, errors, sizeof errors), 0);
}

/* Nothing above leaks a descriptor, on failing paths least of all. */
static void no_descriptor_is_left(void **state) {
  (void)state;
  struct mux_addr used = address("tcp://127.0.0.1:0");
  int listener = mux_sock_listen(&used, false, 0, &defaults);
  int before = dup(listener);
  struct mux_sock_options bad = {.congestion = "nonesuch"};
  for (int i = 0; i < 50; i++) {
    struct mux_addr same = used;
    assert_true(mux_sock_listen(&same, false, 0, &defaults) < 0);
    assert_true(mux_sock_connect(&same, NULL, &bad) < 0);
    assert_true(mux_sock_connect(&same, &used, &defaults) < 0);
  }
  close(before);
  int after = dup(listener);
  assert_int_equal(before, after);
  close(after);
  close(listener);
}

/* In a child, as the filter stays: listen(2) fails after bind(2) has made the path. */
static void listen_where_it_is_forbidden(void *arg) {
  struct mux_addr *addr = arg;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_listen, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = TEST_COUNT(filter), .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    _exit(77);
  _exit(mux_sock_listen(addr, false, 0, &defaults) == -EACCES ? 0 : 1);
}

static void a_failed_listen_leaves_no_path(void **state) {
  (void)state;
  char errors[256];
  struct mux_addr addr = address(unix_text);
  int status = test_in_child(listen_where_it_is_forbidden, &addr, errors, sizeof errors);
  if (status == 77)
    skip();
  assert_int_equal(status, 0);
  assert_int_equal(access(unix_text + strlen("unix://"), F_OK), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_connect_and_carry_bytes),
      cmocka_unit_test(a_port_in_use_is_an_error),
      cmocka_unit_test(workers_share_a_port_when_asked),
      cmocka_unit_test(a_port_is_free_again_at_once),
      cmocka_unit_test(a_stale_unix_path_is_replaced),
      cmocka_unit_test(what_is_no_socket_is_left_alone),
      cmocka_unit_test(a_closed_port_refuses),
      cmocka_unit_test(a_connect_ends_at_its_deadline),
      cmocka_unit_test(a_self_connection_is_recognised),
      cmocka_unit_test(a_source_address_is_used),
      cmocka_unit_test(options_reach_the_socket),
      cmocka_unit_test(an_option_the_kernel_lacks_is_an_error),
      cmocka_unit_test(the_soft_fd_limit_is_raised),
      cmocka_unit_test(no_descriptor_is_left),
      cmocka_unit_test(a_failed_listen_leaves_no_path),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
