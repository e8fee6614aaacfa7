/* test_delay.c: who waits for a CPU, and who sleeps (process/delay.h). The threads are real, and
 * share one CPU. */
#include "tests/support.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "process/delay.h"

enum kind { SPINS, SLEEPS, STARVES };

/* A process below another one, which only waits, on the first CPU that we may use. Returns the
 * upper one: the root of a tree. */
static pid_t start_tree(enum kind kind) {
  pid_t test = getpid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t root = fork();
  assert_true(root >= 0);
  if (root > 0)
    return root;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test)
    _exit(1);
  pid_t own = getpid();
  if (fork() != 0)
    for (;;)
      pause();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != own)
    _exit(1);
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  mux_cpus_pin_nth(&allowed, 0);
  if (kind == STARVES && sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}) != 0)
    _exit(1);
  for (atomic_int turns = 0;; turns++)
    if (kind == SLEEPS)
      pause();
}

/* The lower one dies with it, becomes our child, and may have to wait for a CPU to end. */
static void end_tree(pid_t root) {
  kill(root, SIGKILL);
  waitpid(root, NULL, 0);
  waitpid(-1, NULL, 0);
}

/* What a tree of this kind does on a CPU that it shares with one that spins, once both run. */
static struct mux_delay_since observe(enum kind kind, int64_t ns) {
  struct mux_delay delay;
  struct mux_delay_since since;
  pid_t rival = start_tree(SPINS);
  pid_t root = start_tree(kind);
  int64_t deadline = mux_now_ns() + 20 * MUX_S;
  for (;;) {
    assert_int_equal(mux_delay_begin(&delay, root), 0);
    if (delay.count == 2)
      break;
    mux_delay_free(&delay);
    assert_true(mux_now_ns() < deadline);
  }
  do {
    struct timespec ts = mux_ns_timespec(ns);
    nanosleep(&ts, NULL);
    assert_int_equal(mux_delay_read(&delay, &since), 0);
  } while (kind == SPINS && since.unsettled && mux_now_ns() < deadline);
  mux_delay_free(&delay);
  end_tree(root);
  end_tree(rival);
  assert_true(since.span_ns >= ns);
  return since;
}

static void one_that_spins_demands_a_core_however_busy_the_host(void **state) {
  (void)state;
  struct mux_delay_since since = observe(SPINS, 300 * MUX_MS);
  if (since.demand < 0.6 || since.demand > 1.2)
    fail_msg("it demands %.2f of a core", since.demand);
  assert_in_range(since.waited_ns, since.span_ns / 5, since.span_ns * 2);
}

static void one_that_sleeps_demands_nothing(void **state) {
  (void)state;
  assert_true(observe(SLEEPS, 200 * MUX_MS).demand < 0.3);
}

/* The kernel accounts for a wait when it is over. */
static void one_that_never_gets_a_turn_is_seen_to_wait(void **state) {
  (void)state;
  struct mux_delay_since since = observe(STARVES, 200 * MUX_MS);
  assert_in_range(since.waited_ns, since.span_ns / 2, since.span_ns * 2);
}

static void nobody_is_a_valid_tree(void **state) {
  (void)state;
  struct mux_delay delay;
  struct mux_delay_since since;
  assert_int_equal(mux_delay_begin(&delay, -1), 0);
  assert_int_equal(delay.count, 0);
  assert_int_equal(mux_delay_read(&delay, &since), 0);
  assert_true(since.demand == 0);
  mux_delay_free(&delay);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_that_spins_demands_a_core_however_busy_the_host),
      cmocka_unit_test(one_that_sleeps_demands_nothing),
      cmocka_unit_test(one_that_never_gets_a_turn_is_seen_to_wait),
      cmocka_unit_test(nobody_is_a_valid_tree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
