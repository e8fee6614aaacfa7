/* test_models.c: does a backend really use the mechanism that it is named after? A wrong fallback
 * would still echo, and be measured under a false name. Counted from outside: system calls per
 * request by tracepoints (the runner's accounting), sleeps and children from /proc. */
#include "tests/support.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/data/csv.h"
#include "common/clock.h"
#include "common/sock.h"
#include "tests/spawn.h"

static struct test_result result;

/* ---- System calls --------------------------------------------------------------------------- */

enum { SERVERS = 5 };
static const struct {
  const char *name;
  /* System calls per request. The servers work on each message for longer than the load takes to
   * send one, so that those of other connections wait for them, and a wait finds many. A tenth of
   * tolerance, as calls and requests are not counted over exactly the same time. */
  double least, most;
} servers[SERVERS] = {
    {"epoll-lt", 1.8, 2.4},        /* recv, send, and a share of a wait */
    {"epoll-et", 1.8, 2.4},        /* as few: no recv that would block */
    {"epoll-oneshot", 2.7, 3.4},   /* and an epoll_ctl to re-arm */
    {"uring", 0.0, 0.4},           /* only waits, which also submit: no recv, no send */
    {"uring-multishot", 0.0, 0.4}, /* the same */
};

static int column(const struct csv *csv, const char *name) {
  for (int i = 0; i < csv->count; i++)
    if (strcmp(csv->fields[i], name) == 0)
      return i;
  fail_msg("no column %s", name);
  return -1;
}

static void write_experiment(const char *path) {
  FILE *out = fopen(path, "we");
  assert_non_null(out);
  fprintf(out, "question = \"How many system calls?\";\nbaseline = \"epoll-lt\";\ntwin = false;\n"
               "blocks = 1;\ncount = \"300ms\";\nservers = [");
  for (int i = 0; i < SERVERS; i++)
    fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", servers[i].name);
  fprintf(out, "];\nload = { connections = 100; duration = \"300ms\"; warmup = \"100ms\"; };\n"
               "serve = { work = \"50us\"; };\n");
  assert_int_equal(fclose(out), 0);
}

static void assert_calls(const char *name, const char *text) {
  for (int i = 0; i < SERVERS; i++)
    if (strcmp(servers[i].name, name) == 0) {
      double calls = strtod(text, NULL);
      if (calls < servers[i].least || calls > servers[i].most)
        fail_msg("%s makes %s system calls per request, not %.1f to %.1f", name, text,
                 servers[i].least, servers[i].most);
    }
}

static void calls_per_request_are_the_mechanisms(void **state) {
  (void)state;
  char path[160];
  snprintf(path, sizeof path, "%s/calls.cfg", test_directory());
  write_experiment(path);
  test_command(&result, "run %s --out %s/results", path, test_directory());
  test_expect(&result, 0);
  snprintf(path, sizeof path, "%s/results/latest/measurements.csv", test_directory());
  struct csv csv = {.from = fopen(path, "re")};
  assert_non_null(csv.from);
  assert_int_equal(csv_next(&csv), 1);
  int label = column(&csv, "label");
  int calls = column(&csv, "syscalls_per_req");
  int status = column(&csv, "status");
  int counted = 0;
  while (csv_next(&csv) == 1) {
    if (strcmp(csv.fields[status], "skipped") == 0 || csv.fields[calls][0] == 0)
      continue; /* no io_uring, or no tracepoints, on this machine */
    assert_calls(csv.fields[label], csv.fields[calls]);
    counted++;
  }
  fclose(csv.from);
  csv_free(&csv);
  if (counted == 0)
    skip();
}

/* ---- Sleeping and processes ------------------------------------------------------------------ */

static long long sleeps_of(pid_t pid) {
  char path[64];
  char line[128];
  long long count = -1;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *from = fopen(path, "re");
  assert_non_null(from);
  while (fgets(line, sizeof line, from) != NULL)
    if (sscanf(line, "voluntary_ctxt_switches: %lld", &count) == 1)
      break;
  fclose(from);
  assert_true(count >= 0);
  return count;
}

struct watched {
  pid_t pid;
  int64_t cpu_ns;
};

static bool has_burnt(void *arg) {
  const struct watched *watched = arg;
  return mux_process_cpu_ns(watched->pid) >= watched->cpu_ns;
}

/* An idle spinner uses CPU time and never sleeps. */
static void spinners_never_sleep(void **state) {
  (void)state;
  static const char *const names[] = {"spin", "epoll-spin"};
  for (size_t i = 0; i < TEST_COUNT(names); i++) {
    struct test_server server;
    test_serve(&server, "--backend %s", names[i]);
    pid_t pid = server.process.pid;
    struct watched watched = {pid, mux_process_cpu_ns(pid) + 20 * MUX_MS};
    assert_true(test_wait_until(has_burnt, &watched));
    long long before = sleeps_of(pid);
    watched.cpu_ns += 100 * MUX_MS;
    assert_true(test_wait_until(has_burnt, &watched));
    assert_int_equal(sleeps_of(pid), before);
    test_stop(&server);
  }
}

/* Sockets among the descriptors of a process; -1: it has ended. */
static int sockets_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *fds = opendir(path);
  if (fds == NULL)
    return -1;
  int count = 0;
  const struct dirent *entry;
  while ((entry = readdir(fds)) != NULL) {
    char link[64] = "";
    ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof link - 1);
    count += n > 0 && strncmp(link, "socket:", 7) == 0;
  }
  closedir(fds);
  return count;
}

struct parent {
  pid_t pid;
  int children; /* wanted */
  int sockets;  /* of all children together */
};

static bool has_children(void *arg) {
  struct parent *parent = arg;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent->pid, (int)parent->pid);
  FILE *from = fopen(path, "re");
  if (from == NULL)
    skip(); /* a kernel without CONFIG_PROC_CHILDREN */
  int pid;
  int count = 0;
  parent->sockets = 0;
  for (; fscanf(from, "%d", &pid) == 1; count++)
    parent->sockets += sockets_of(pid);
  fclose(from);
  return count == parent->children;
}

static bool has_children_with_a_socket_each(void *arg) {
  const struct parent *parent = arg;
  return has_children(arg) && parent->sockets == parent->children;
}

/* An inherited socket would keep another connection open after its end. */
static void fork_has_a_process_per_connection_alone(void **state) {
  (void)state;
  enum { CONNECTIONS = 20 };
  int fds[CONNECTIONS];
  struct test_server server;
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  test_serve(&server, "--backend fork");
  for (int i = 0; i < CONNECTIONS; i++) {
    fds[i] = mux_sock_connect_within(&server.addr, &options, 5 * MUX_S);
    assert_true(fds[i] >= 0);
  }
  struct parent parent = {.pid = server.process.pid, .children = CONNECTIONS};
  if (!test_wait_until(has_children_with_a_socket_each, &parent))
    fail_msg("the children of %d connections hold %d sockets", CONNECTIONS, parent.sockets);
  for (int i = 0; i < CONNECTIONS; i++)
    close(fds[i]);
  parent.children = 0; /* all reaped */
  assert_true(test_wait_until(has_children, &parent));
  test_stop(&server);
}

static void prefork_has_its_processes_beforehand(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend prefork --workers 5");
  struct parent parent = {.pid = server.process.pid, .children = 5};
  assert_true(test_wait_until(has_children, &parent));
  test_stop(&server);
}

/* ---- Accepting ------------------------------------------------------------------------------ */

static void handoff_goes_round_robin(void **state) {
  (void)state;
  char stats[160];
  snprintf(stats, sizeof stats, "%s/stats", test_directory());
  static const char *const names[] = {"epoll-lt", "epoll-et", "poll", "threads", "prefork", "fork"};
  for (size_t i = 0; i < TEST_COUNT(names); i++) {
    struct test_server server;
    test_serve(&server, "--backend %s --workers 3 --accept handoff --stats %s", names[i], stats);
    test_command(&result, "load --target %s --connections 30 --duration 100ms --warmup 0s --json",
                 server.target); /* it may declare its figures void; they do not matter here */
    json_t *load = test_json(&result);
    assert_int_equal(test_json_int(load, "established"), 30);
    json_decref(load);
    test_stop(&server);
    json_t *json = json_load_file(stats, 0, NULL);
    assert_non_null(json);
    size_t each;
    json_t *worker;
    json_array_foreach(json_object_get(json, "workers"), each, worker)
        assert_int_equal(test_json_int(worker, "accepted"), 10);
    assert_int_equal(each, 3);
    json_decref(json);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_per_request_are_the_mechanisms),
      cmocka_unit_test(spinners_never_sleep),
      cmocka_unit_test(fork_has_a_process_per_connection_alone),
      cmocka_unit_test(prefork_has_its_processes_beforehand),
      cmocka_unit_test(handoff_goes_round_robin),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
