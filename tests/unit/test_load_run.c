/* test_load_run.c: load_run as its callers see it, in this process (loadgen/load.h). */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "loadgen/engine.h"
#include "loadgen/load.h"

/* More messages than a thread can number: the first worker cannot be set up, the second is not even
 * tried. */
static void a_set_up_that_fails_closes_only_its_own(void **state) {
  (void)state;
  struct load_config many = {.connections = 2,
                             .threads = 2,
                             .depth = 1,
                             .payload_bytes = 64,
                             .rate_per_s = 100000000,
                             .duration_ns = 100 * MUX_S,
                             .timeout_ns = MUX_S,
                             .interval_ns = MUX_S,
                             .engine = load_engines[0],
                             .events_fd = -1,
                             .control_fd = -1};
  struct load_result result;
  char why[160];
  assert_int_equal(mux_addr_parse(&many.target, "tcp://127.0.0.1:1", false, why, sizeof why), 0);
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
  assert_int_equal(load_run(&many, &result), -EOVERFLOW);
  assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
  assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), input + 1); /* all are closed */
  close(input + 1);
  close(input);
}

/* ---- A thread that cannot work --------------------------------------------------------------- */

static struct load_config config;

static int listen_for(void **state) {
  char why[160];
  config = (struct load_config){.connections = 2,
                                .threads = 2,
                                .depth = 1,
                                .payload_bytes = 64,
                                .duration_ns = 60 * MUX_S,
                                .timeout_ns = 60 * MUX_S,
                                .interval_ns = MUX_S,
                                .engine = load_engines[0],
                                .events_fd = -1,
                                .control_fd = -1};
  assert_int_equal(mux_addr_parse(&config.target, "tcp://127.0.0.1:0", false, why, sizeof why), 0);
  int fd = mux_sock_listen(&config.target, false, 0, &MUX_SOCK_DEFAULTS);
  assert_true(fd >= 0);
  *state = (void *)(intptr_t)fd;
  return 0;
}

static int close_listener(void **state) {
  return close((int)(intptr_t)*state);
}

static void run_on_a_cpu_too_many(void *unused) {
  (void)unused;
  struct load_result result;
  sched_getaffinity(0, sizeof config.cpus, &config.cpus);
  size_t first = 0;
  while (!CPU_ISSET(first, &config.cpus))
    first++;
  CPU_ZERO(&config.cpus);
  CPU_SET(first, &config.cpus);
  CPU_SET(CPU_SETSIZE - 1, &config.cpus); /* of the second thread */
  exit(load_run(&config, &result) == -EINVAL ? 0 : 1);
}

/* The others do not go on for a minute without it. */
static void a_thread_that_cannot_work_ends_the_run(void **state) {
  (void)state;
  char said[500];
  int status = test_in_child(run_on_a_cpu_too_many, NULL, said, sizeof said);
  if (status != 0 || strstr(said, "--cpus: Invalid argument") == NULL)
    fail_msg("status %d: %s", status, said);
}

/* Leaves descriptors for everything but the ring. */
static void run_short_of_descriptors(void *unused) {
  (void)unused;
  struct load_result result;
  struct rlimit limit = {64, 64};
  int last = -1;
  config.connections = config.threads = 1;
  config.engine = &load_engine_uring;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
    last = fd;
  for (int i = 0; i < 3; i++) /* for signals, and two to wake up */
    close(last - i);
  exit(load_run(&config, &result) == -EMFILE ? 0 : 1);
}

static void an_engine_that_cannot_open_says_why(void **state) {
  (void)state;
  char said[500];
  char why[200];
  if (load_engine_uring.probe(why, sizeof why) != 0)
    skip();
  int status = test_in_child(run_short_of_descriptors, NULL, said, sizeof said);
  if (status != 0 || strstr(said, "--engine uring: Too many open files") == NULL)
    fail_msg("status %d: %s", status, said);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_set_up_that_fails_closes_only_its_own),
      cmocka_unit_test_setup_teardown(a_thread_that_cannot_work_ends_the_run, listen_for,
                                      close_listener),
      cmocka_unit_test_setup_teardown(an_engine_that_cannot_open_says_why, listen_for,
                                      close_listener),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
