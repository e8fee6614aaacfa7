/* test_server.c: servers as processes: readiness, stopping, and that none outlives its runner. The
 * servers are this program itself, started again with a role as its first argument. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/sock.h"
#include "process/server.h"
#include "process/supervisor.h"

/* ---- Roles: the servers --------------------------------------------------------------------- */

static void echo_forever(int listener, unsigned char damage) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    unsigned char data[256];
    ssize_t n;
    while (fd >= 0 && (n = recv(fd, data, sizeof data, 0)) > 0) {
      data[0] = (unsigned char)(data[0] ^ damage);
      if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
        break;
    }
    if (fd >= 0)
      close(fd);
    else if (errno == EAGAIN)
      poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, -1);
  }
}

static void quit(int signal) {
  (void)signal;
  _exit(7);
}

static int run_role(const char *role, const char *port) {
  struct mux_addr addr;
  char why[160];
  char text[64];
  snprintf(text, sizeof text, "tcp://127.0.0.1:%s", port);
  alarm(60);
  if (strcmp(role, "die") == 0) {
    fprintf(stderr, "first line\nsomething is missing\n");
    return 3;
  }
  if (strcmp(role, "deaf") == 0)
    for (;;)
      pause();
  if (mux_addr_parse(&addr, text, false, why, sizeof why) != 0)
    return 2;
  if (strcmp(role, "late") == 0)
    poll(NULL, 0, 700);
  if (strcmp(role, "talks") == 0) /* more than pipes hold, on both */
    for (int i = 0; i < 40000; i++)
      if (printf("all work and no play\n") < 0 || fprintf(stderr, "makes a dull server\n") < 0)
        return 3;
  pid_t first = getpid();
  if (strcmp(role, "background") == 0 && fork() != 0)
    return 0;
  while (strcmp(role, "background") == 0 && kill(first, 0) == 0)
    poll(NULL, 0, 20); /* until its end has been taken note of */
  if (strchr(role, ' ') != NULL && strcmp(role, "3 $HOME; *") != 0)
    return 4;
  int listener = mux_sock_listen(&addr, false, 0, &MUX_SOCK_DEFAULTS);
  if (listener < 0)
    return 2;
  signal(SIGTERM, strcmp(role, "stubborn") == 0 ? SIG_IGN : quit);
  if (strcmp(role, "daemon") == 0 && fork() == 0 && setsid() > 0 && fork() != 0)
    _exit(0); /* leaves a grandchild in a session of its own */
  echo_forever(listener, strcmp(role, "wrong") == 0 ? 1 : 0);
  return 0;
}

static struct mux_server_spec role(const char *command) {
  return (struct mux_server_spec){.command = command, .drain_ns = 10 * MUX_MS};
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void test_echo_server_starts_and_stops(void **state) {
  (void)state;
  struct mux_server *server;
  char why[256] = "";
  struct mux_server_spec spec = role("/proc/self/exe echo {port}");
  int rc = mux_server_start(&server, &spec, why, sizeof why);
  if (rc != 0)
    fail_msg("%d: %s", rc, why);
  int port = mux_addr_port(mux_server_addr(server));
  assert_in_range(port, 10000, 32767);
  assert_true(mux_server_alive(server));
  int fd = mux_sock_connect_within(mux_server_addr(server), &MUX_SOCK_DEFAULTS, MUX_S);
  assert_true(fd >= 0);
  close(fd);
  pid_t pid = mux_server_pid(server);
  assert_int_equal(mux_server_stop(server), 7);
  assert_int_equal(kill(pid, 0), -1);
}

static void test_slow_and_talkative_servers_serve(void **state) {
  (void)state;
  /* Words are split as by a shell, and nothing is expanded but {port} and {workers}. */
  static const char *const commands[] = {"/proc/self/exe late {port}",
                                         "/proc/self/exe talks {port}",
                                         "/proc/self/exe \"{workers} \"'$HOME; *' {port}"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    char log[] = "/tmp/test_server.XXXXXX";
    char why[256] = "";
    struct mux_server *server;
    struct mux_server_spec spec = role(commands[i]);
    close(mkstemp(log));
    spec.workers = 3;
    spec.stderr_path = log;
    int rc = mux_server_start(&server, &spec, why, sizeof why);
    unlink(log);
    if (rc != 0)
      fail_msg("%s: %d, %s", commands[i], rc, why);
    assert_int_equal(mux_server_stop(server), 7);
  }
}

static void test_failures_say_why(void **state) {
  (void)state;
  static const struct {
    const char *command;
    int error;
    const char *says;
  } cases[] = {
      {"/proc/self/exe die {port}", -ECHILD, "exit status 3) before it served: something is miss"},
      {"/nonexistent/server", -ENOENT, "cannot execute it: No such file"},
      {"/proc/self/exe background {port}", -ECHILD, "0) before it served: it has to stay in the"},
      {"/proc/self/exe wrong {port}", -EPROTO, "not with the bytes it was sent"},
      {"/proc/self/exe deaf {port}", -ETIMEDOUT, "nothing listens"},
      {"open 'quote", -EINVAL, "open quote"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char log[] = "/tmp/test_server.XXXXXX";
    char why[256] = "";
    struct mux_server *server;
    close(mkstemp(log));
    struct mux_server_spec spec = role(cases[i].command);
    spec.ready_timeout_ns = 300 * MUX_MS;
    if (cases[i].error != -ETIMEDOUT)
      spec.ready_timeout_ns = 0;
    spec.stderr_path = log;
    int rc = mux_server_start(&server, &spec, why, sizeof why);
    unlink(log);
    if (rc != cases[i].error || strstr(why, cases[i].says) == NULL)
      fail_msg("%s: got %d, '%s'", cases[i].command, rc, why);
  }
}

static void test_own_death_is_noticed(void **state) {
  (void)state;
  struct mux_server *server;
  char why[256] = "";
  struct mux_server_spec spec = role("/proc/self/exe echo {port}");
  assert_int_equal(mux_server_start(&server, &spec, why, sizeof why), 0);
  kill(mux_server_pid(server), SIGKILL);
  struct pollfd wait = {.fd = mux_server_watch_fd(server), .events = POLLIN};
  assert_int_equal(poll(&wait, 1, 5000), 1);
  assert_false(mux_server_alive(server));
  assert_int_equal(mux_server_stop(server), 128 + SIGKILL);
}

/* The supervisor waits on the server's core: it must cost nothing. */
static void test_supervisor_sleeps(void **state) {
  (void)state;
  struct mux_server *server;
  char why[256] = "";
  struct mux_server_spec spec = role("/proc/self/exe echo {port}");
  assert_int_equal(mux_server_start(&server, &spec, why, sizeof why), 0);
  int64_t before_ns = mux_process_cpu_ns(mux_server_root(server));
  poll(NULL, 0, 300);
  int64_t used_ns = mux_process_cpu_ns(mux_server_root(server)) - before_ns;
  assert_int_equal(mux_server_stop(server), 7);
  assert_true(before_ns > 0);
  assert_in_range(used_ns, 0, 3 * MUX_MS);
}

static void test_stubborn_server_is_killed(void **state) {
  (void)state;
  struct mux_server *server;
  char why[256] = "";
  struct mux_server_spec spec = role("/proc/self/exe stubborn {port}");
  assert_int_equal(mux_server_start(&server, &spec, why, sizeof why), 0);
  pid_t pid = mux_server_pid(server);
  assert_int_equal(mux_server_stop(server), -ETIMEDOUT);
  assert_int_equal(kill(pid, 0), -1);
}

/* A server that daemonises a child; its runner dies by SIGKILL; nothing may listen afterwards. */
static void test_nothing_outlives_a_killed_runner(void **state) {
  (void)state;
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  pid_t runner = fork();
  if (runner == 0) {
    struct mux_server *server;
    char why[256];
    struct mux_server_spec spec = role("/proc/self/exe daemon {port}");
    int port = 0;
    if (mux_server_start(&server, &spec, why, sizeof why) == 0)
      port = mux_addr_port(mux_server_addr(server));
    (void)!write(pipe_fds[1], &port, sizeof port);
    pause();
    _exit(0);
  }
  int port = 0;
  assert_int_equal(read(pipe_fds[0], &port, sizeof port), sizeof port);
  assert_true(port > 0);
  kill(runner, SIGKILL);
  waitpid(runner, NULL, 0);
  struct mux_addr addr;
  char text[64];
  char why[160];
  snprintf(text, sizeof text, "tcp://127.0.0.1:%d", port);
  assert_int_equal(mux_addr_parse(&addr, text, false, why, sizeof why), 0);
  int64_t deadline = mux_now_ns() + 5 * MUX_S;
  int fd;
  while ((fd = mux_sock_connect_within(&addr, &MUX_SOCK_DEFAULTS, MUX_S)) >= 0) {
    close(fd);
    if (mux_now_ns() > deadline)
      fail_msg("a server still listens on port %d", port);
    poll(NULL, 0, 5);
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

int main(int argc, char **argv) {
  if (argc == 3)
    return run_role(argv[1], argv[2]);
  alarm(60);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo_server_starts_and_stops),
      cmocka_unit_test(test_slow_and_talkative_servers_serve),
      cmocka_unit_test(test_failures_say_why),
      cmocka_unit_test(test_own_death_is_noticed),
      cmocka_unit_test(test_supervisor_sleeps),
      cmocka_unit_test(test_stubborn_server_is_killed),
      cmocka_unit_test(test_nothing_outlives_a_killed_runner),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
