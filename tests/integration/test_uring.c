/* test_uring.c: do the io_uring backends submit what they are named after? Seen from outside: the
 * requests that went into the ring (proc(5), fdinfo of its descriptor), the descriptors, and who is
 * charged for the CPU time of the kernel's own thread. Skipped without io_uring. */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/registry.h"
#include "bench/run/accounting.h"
#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

enum { MESSAGE_BYTES = 64, MESSAGES = 500, PATIENCE_S = 20 };

static void need_uring(void) {
  char why[200];
  const struct mux_backend *backend = mux_registry_find("uring-multishot");
  assert_non_null(backend);
  if (mux_backend_probe(backend, why, sizeof why) < 0) {
    print_message("skipped: %s\n", why);
    skip();
  }
}

static int connect_to(const struct test_server *server) {
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  int fd = mux_sock_connect_within(&server->addr, &options, PATIENCE_S * MUX_S);
  assert_true(fd >= 0);
  assert_int_equal(fcntl(fd, F_SETFL, 0), 0); /* blocking */
  struct timeval patience = {.tv_sec = PATIENCE_S};
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  return fd;
}

static void echo(int fd) {
  char message[MESSAGE_BYTES] = "message";
  assert_int_equal(send(fd, message, sizeof message, MSG_NOSIGNAL), sizeof message);
  ssize_t n = TEMP_FAILURE_RETRY(recv(fd, message, sizeof message, MSG_WAITALL));
  if (n != sizeof message)
    fail_msg("no echo: %s", n < 0 ? strerror(errno) : "short");
}

/* Requests that the server has put into its ring so far. */
static long long requests_of(pid_t pid) {
  char path[64];
  char line[128];
  long long tail = -1;
  for (int fd = 0; fd < 1024 && tail < 0; fd++) {
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    FILE *from = fopen(path, "re");
    while (from != NULL && fgets(line, sizeof line, from) != NULL)
      if (sscanf(line, "SqTail: %lld", &tail) == 1)
        break;
    if (from != NULL)
      fclose(from);
  }
  assert_true(tail >= 0);
  return tail;
}

static void requests_per_message_are_the_models(void **state) {
  (void)state;
  need_uring();
  static const struct {
    const char *name;
    int requests;
  } servers[] = {{"uring", 2}, {"uring-multishot", 1}};
  for (size_t i = 0; i < TEST_COUNT(servers); i++) {
    struct test_server server;
    test_serve(&server, "--backend %s", servers[i].name);
    int fd = connect_to(&server);
    echo(fd);
    long long before = requests_of(server.process.pid);
    for (int k = 0; k < MESSAGES; k++)
      echo(fd);
    long long made = requests_of(server.process.pid) - before;
    close(fd);
    test_stop(&server);
    /* The requests that follow the first or the last message may not be in the ring yet. */
    if (llabs(made - (long long)servers[i].requests * MESSAGES) > 1)
      fail_msg("%s makes %lld requests for %d messages", servers[i].name, made, MESSAGES);
  }
}

static int descriptors_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  return test_count_files(path);
}

static void direct_connections_have_no_descriptor(void **state) {
  (void)state;
  need_uring();
  enum { CONNECTIONS = 20 };
  static const char *const names[] = {"uring", "uring-multishot"};
  for (size_t i = 0; i < 2 * TEST_COUNT(names); i++) {
    bool direct = i % 2 == 0;
    int fds[CONNECTIONS];
    struct test_server server;
    test_serve(&server, "--backend %s --options direct=%s", names[i / 2], direct ? "on" : "off");
    int before = 0;
    for (int k = 0; k < CONNECTIONS; k++) {
      fds[k] = connect_to(&server);
      echo(fds[k]);
      if (k == 0) /* now the server has opened all its own descriptors */
        before = descriptors_of(server.process.pid);
    }
    assert_int_equal(descriptors_of(server.process.pid), before + (direct ? 0 : CONNECTIONS - 1));
    for (int k = 0; k < CONNECTIONS; k++)
      close(fds[k]);
    test_stop(&server);
  }
}

/* CPU time of the server's thread whose name begins with `prefix`; 0 if there is none. */
static int64_t thread_cpu_ns(pid_t pid, const char *prefix) {
  char path[320];
  char name[32];
  long long cpu_ns = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *tasks = opendir(path);
  assert_non_null(tasks);
  for (struct dirent *entry; cpu_ns == 0 && (entry = readdir(tasks)) != NULL;) {
    snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
    FILE *from = fopen(path, "re");
    bool named = from != NULL && fgets(name, sizeof name, from) != NULL &&
                 strncmp(name, prefix, strlen(prefix)) == 0;
    if (from != NULL)
      fclose(from);
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
    from = named ? fopen(path, "re") : NULL;
    if (from != NULL) {
      assert_int_equal(fscanf(from, "%lld", &cpu_ns), 1);
      fclose(from);
    }
  }
  closedir(tasks);
  return cpu_ns;
}

/* The thread spins for a while after every message, while the server itself sleeps. */
static void polling_thread_is_in_the_account(void **state) {
  (void)state;
  need_uring();
  struct test_server server;
  test_serve(&server, "--backend uring-multishot --options sqpoll=on");
  pid_t pid = server.process.pid;
  int fd = connect_to(&server);
  echo(fd);
  int64_t thread_before_ns = thread_cpu_ns(pid, "iou-sqp-");
  struct mux_tree tree = {.root = getpid()};
  struct mux_tree_cpu before, after;
  assert_int_equal(mux_tree_cpu(&tree, &before), 0);
  int64_t thread_ns = 0;
  int64_t end_ns = mux_now_ns() + PATIENCE_S * MUX_S;
  while (thread_ns < 50 * MUX_MS && mux_now_ns() < end_ns) {
    echo(fd);
    thread_ns = thread_cpu_ns(pid, "iou-sqp-") - thread_before_ns;
  }
  assert_int_equal(mux_tree_cpu(&tree, &after), 0);
  mux_tree_free(&tree);
  close(fd);
  test_stop(&server);
  assert_true(thread_ns >= 50 * MUX_MS);
  /* schedstat is only updated by the tick */
  assert_true(after.total_ns - before.total_ns >= thread_ns - 20 * MUX_MS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_per_message_are_the_models),
      cmocka_unit_test(direct_connections_have_no_descriptor),
      cmocka_unit_test(polling_thread_is_in_the_account),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
