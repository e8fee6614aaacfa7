/* test_load_bad.c: the command load against servers that do one thing wrong, all real. */
#include "tests/support.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sock.h"
#include "tests/spawn.h"

static struct test_result result;

/* Serves one accepted, blocking connection to its end. */
typedef void (*serve_fn)(int fd);

static void reset(int fd) {
  struct linger linger = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* A regular end: FIN, and no RST on account of unread bytes. */
static void close_at_once(int fd) {
  char data[4096];
  shutdown(fd, SHUT_WR);
  while (recv(fd, data, sizeof data, 0) > 0)
    ;
}

static void reset_at_once(int fd) {
  reset(fd);
}

static void close_after_a_message(int fd) {
  char data[64];
  ssize_t n = recv(fd, data, sizeof data, MSG_WAITALL);
  if (n > 0)
    send(fd, data, (size_t)n, MSG_NOSIGNAL);
  close_at_once(fd);
}

static void reset_in_a_message(int fd) {
  char data[64];
  if (recv(fd, data, sizeof data, MSG_WAITALL) == sizeof data)
    send(fd, data, 10, MSG_NOSIGNAL);
  reset(fd);
}

static void never_answer(int fd) {
  char data[4096];
  while (recv(fd, data, sizeof data, 0) > 0)
    ;
}

/* Echoes messages of 64 bytes, the fourth of them changed. */
static void echo_wrongly(int fd, void (*change)(char *data)) {
  char data[64];
  for (int n = 0; recv(fd, data, sizeof data, MSG_WAITALL) == sizeof data; n++) {
    if (n == 3)
      change(data);
    if (send(fd, data, sizeof data, MSG_NOSIGNAL) < 0)
      return;
  }
}

static void flip_a_bit(char *data) {
  data[63] ^= 1;
}
static void clear(char *data) {
  memset(data, 0, 64);
}
static void shift(char *data) {
  memmove(data, data + 1, 63);
}
static void echo_with_a_flipped_bit(int fd) {
  echo_wrongly(fd, flip_a_bit);
}
static void echo_zeroes(int fd) {
  echo_wrongly(fd, clear);
}
static void echo_a_byte_less(int fd) {
  echo_wrongly(fd, shift);
}
static void echo_the_last_again(int fd) {
  char data[64];
  char last[64] = "";
  for (int n = 0; recv(fd, data, sizeof data, MSG_WAITALL) == sizeof data; n++) {
    if (send(fd, n == 3 ? last : data, sizeof data, MSG_NOSIGNAL) < 0)
      return;
    memcpy(last, data, sizeof last);
  }
}
/* Sends what nobody asked for. */
static void echo_twice(int fd) {
  char data[64];
  while (recv(fd, data, sizeof data, MSG_WAITALL) == sizeof data)
    for (int i = 0; i < 2; i++)
      if (send(fd, data, sizeof data, MSG_NOSIGNAL) < 0)
        return;
}

/* Starts a process that serves each connection in a process of its own. */
static pid_t start_server(serve_fn serve, char target[MUX_ADDR_TEXT]) {
  struct mux_addr addr;
  char why[160];
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  assert_int_equal(mux_addr_parse(&addr, "tcp://127.0.0.1:0", false, why, sizeof why), 0);
  int listener = mux_sock_listen(&addr, false, 0, &options);
  assert_true(listener >= 0);
  mux_addr_print(target, &addr);
  fcntl(listener, F_SETFL, 0); /* blocking, and so are the connections */
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) {
    close(listener);
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(fd);
      close(fd);
      _exit(0);
    }
    close(fd);
  }
}

static void end_server(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

static void bad_servers_are_found_out(void **state) {
  (void)state;
  static const struct {
    const char *name;
    serve_fn serve;
    const char *counter; /* has at least one error */
    const char *says;
  } rows[] = {
      {"closes at once", close_at_once, "errors.closed", "closed by the target"},
      {"resets at once", reset_at_once, "errors.reset", "reset by the target"},
      {"closes after a message", close_after_a_message, "errors.closed", "closed by the target"},
      {"resets in a message", reset_in_a_message, "errors.reset", "reset by the target"},
      {"never answers", never_answer, "errors.timeout", "not echoed in time"},
      {"flips a bit", echo_with_a_flipped_bit, "errors.mismatch", "wrong bytes"},
      {"echoes zeroes", echo_zeroes, "errors.mismatch", "wrong bytes"},
      {"leaves a byte out", echo_a_byte_less, "errors.mismatch", "wrong bytes"},
      {"repeats a message", echo_the_last_again, "errors.mismatch", "wrong bytes"},
      {"echoes twice", echo_twice, "errors.mismatch", "wrong bytes"},
  };
  static const char *const warmups[] = {"0", "100ms"};
  for (size_t i = 0; i < TEST_COUNT(rows) * TEST_COUNT(warmups); i++) {
    size_t row = i / TEST_COUNT(warmups);
    char target[MUX_ADDR_TEXT];
    pid_t server = start_server(rows[row].serve, target);
    test_command(&result,
                 "load --target %s --connections %d --depth 4 --duration 300ms --timeout %s "
                 "--warmup %s --json",
                 target, /* four messages go out whatever the host does */
                 rows[row].serve == reset_at_once ? 200 : 3, /* some before we look */
                 rows[row].serve == never_answer ? "200ms" : "10s",
                 warmups[i % TEST_COUNT(warmups)]);
    end_server(server);
    if (result.status != 1 || strstr(result.err, rows[row].says) == NULL)
      fail_msg("a server that %s: exit %d, and it wrote: %s", rows[row].name, result.status,
               result.err);
    json_t *json = test_json(&result);
    if (test_json_int(json, rows[row].counter) < 1 || test_json_int(json, "errors.connect") != 0 ||
        json_is_true(json_object_get(json, "valid")))
      fail_msg("a server that %s: %s", rows[row].name, result.out);
    json_decref(json);
  }
}

static void a_refused_target_is_said_once(void **state) {
  (void)state;
  struct mux_addr addr;
  char why[160];
  char target[MUX_ADDR_TEXT];
  assert_int_equal(mux_addr_parse(&addr, "tcp://127.0.0.1:0", false, why, sizeof why), 0);
  int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, and never listens */
  assert_int_equal(bind(held, &addr.socket.any, addr.length), 0);
  assert_int_equal(mux_sock_name(held, &addr), 0);
  mux_addr_print(target, &addr);
  test_command(&result, "load --target %s --connections 20 --json=%s/refused", target,
               test_directory());
  test_expect(&result, 1);
  const char *line = strstr(result.err, "established 0 of 20 connections");
  assert_non_null(line);
  assert_non_null(strstr(line, "Connection refused"));
  assert_int_equal(strchr(result.err, '\n') - result.err, strlen(result.err) - 1);
  close(held);
  test_command(&result, "load --target unix://%s/nobody --json", test_directory());
  test_expect(&result, 1);
  json_t *json = test_json(&result); /* also when the exit is 1 */
  assert_int_equal(test_json_int(json, "established"), 0);
  assert_int_equal(test_json_int(json, "errors.connect"), 1);
  json_decref(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_servers_are_found_out),
      cmocka_unit_test(a_refused_target_is_said_once),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
