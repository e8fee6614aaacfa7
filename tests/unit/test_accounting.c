/* test_accounting.c: CPU time and memory of a tree of processes, seen from outside: of few, of
 * many, and of one with many threads. The tree is below a process that this one forks. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/run/accounting.h"
#include "common/clock.h"

enum { MANY = 100 };

static int told[2]; /* a byte of it: one that waits burns BURN_NS and says so in said */
static int said[2];
#define BURN_NS (50 * MUX_MS)

static pid_t root;

static void burn(void) {
  int64_t until_ns = mux_thread_cpu_ns() + BURN_NS;
  while (mux_thread_cpu_ns() < until_ns)
    ;
}

static void *wait_and_burn(void *data) {
  char byte;
  while (read(told[0], &byte, 1) == 1) {
    burn();
    if (byte == 'e') /* and end */
      _exit(0);
    if (write(said[1], &byte, 1) != 1)
      _exit(1);
  }
  return data;
}

/* A process below this one that does `body`, n times, and reaps them. */
static void start_tree(void (*body)(void), int n) {
  assert_int_equal(pipe2(told, O_CLOEXEC), 0);
  assert_int_equal(pipe2(said, O_CLOEXEC), 0);
  root = fork();
  assert_true(root >= 0);
  if (root > 0) {
    char byte;
    for (int i = 0; i < n; i++)
      assert_int_equal(read(said[0], &byte, 1), 1);
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(60);
  for (int i = 0; i < n; i++)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      body();
      _exit(0);
    }
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
    ;
  pause();
}

static void end_tree(void) {
  kill(root, SIGKILL);
  waitpid(root, NULL, 0);
  for (int i = 0; i < 2; i++) {
    close(told[i]);
    close(said[i]);
  }
}

static void tell(char byte) {
  assert_int_equal(write(told[1], &byte, 1), 1);
  if (byte != 'e')
    assert_int_equal(read(said[0], &byte, 1), 1);
}

static void one_thread(void) {
  if (write(said[1], "", 1) == 1)
    wait_and_burn(NULL);
}

static void many_threads(void) {
  pthread_t thread;
  for (int i = 0; i < MANY; i++)
    if (pthread_create(&thread, NULL, wait_and_burn, NULL) != 0)
      _exit(1);
  one_thread();
}

/* What a burn costs the tree, by its own account. */
static void assert_burn_is_seen(struct mux_tree *tree, int processes) {
  struct mux_tree_cpu before;
  struct mux_tree_cpu after;
  assert_int_equal(mux_tree_cpu(tree, &before), 0);
  assert_int_equal(before.processes, processes);
  assert_true(before.at_ns > 0 && before.done_ns >= before.at_ns);
  tell('b');
  assert_int_equal(mux_tree_cpu(tree, &after), 0);
  int64_t seen_ns = after.total_ns - before.total_ns;
  if (seen_ns < BURN_NS || seen_ns > BURN_NS + 10 * MUX_MS)
    fail_msg("%lld ns were burnt, %lld are seen", (long long)BURN_NS, (long long)seen_ns);
}

static bool has_processes(struct mux_tree *tree, int count) {
  for (int tries = 0; tries < 1000; tries++) {
    mux_tree_find(tree);
    if (tree->count == count)
      return true;
    poll(NULL, 0, 5);
  }
  return false;
}

static void few_are_looked_for_at_every_reading(void **state) {
  (void)state;
  start_tree(one_thread, 3);
  struct mux_tree tree = {.root = root};
  struct mux_tree_cpu cpu;
  assert_burn_is_seen(&tree, 3);
  assert_false(tree.many);
  assert_int_equal(mux_tree_cpu(&tree, &cpu), 0);
  int64_t before_ns = cpu.total_ns;
  tell('e');
  assert_true(has_processes(&tree, 2));
  assert_int_equal(mux_tree_cpu(&tree, &cpu), 0);
  assert_int_equal(cpu.processes, 2);
  /* The one that ended is in its parent's account, to the clock tick of each of both. */
  int64_t seen_ns = cpu.total_ns - before_ns;
  assert_true(seen_ns > BURN_NS - 30 * MUX_MS && seen_ns < BURN_NS + 30 * MUX_MS);
  end_tree();
  assert_int_equal(mux_tree_cpu(&tree, &cpu), -ESRCH);
  mux_tree_free(&tree);
}

static void many_are_taken_as_they_were(void **state) {
  (void)state;
  start_tree(one_thread, MANY);
  struct mux_tree tree = {.root = root};
  struct mux_tree_cpu cpu;
  assert_int_equal(mux_tree_find(&tree), 0);
  assert_true(tree.many);
  assert_int_equal(tree.count, MANY);
  assert_burn_is_seen(&tree, MANY);
  kill(tree.pids[MANY / 2], SIGKILL);
  struct mux_tree watched = {.root = root};
  assert_true(has_processes(&watched, MANY - 1));
  mux_tree_free(&watched);
  /* Who had its time is not known: rather nothing than something wrong. */
  assert_int_equal(mux_tree_cpu(&tree, &cpu), -ESRCH);
  assert_int_equal(cpu.processes, 0);
  assert_int_equal(mux_tree_find(&tree), 0);
  assert_burn_is_seen(&tree, MANY - 1);
  end_tree();
  mux_tree_free(&tree);
}

static void threads_belong_to_their_process(void **state) {
  (void)state;
  start_tree(many_threads, 1);
  struct mux_tree tree = {.root = root};
  assert_int_equal(mux_tree_find(&tree), 0);
  assert_true(tree.many);
  assert_burn_is_seen(&tree, 1);
  end_tree();
  mux_tree_free(&tree);
}

/* Pages of this process that its 20 grandchildren share until one writes there: once, not 20 times.
 */
static void shared_memory_counts_once(void **state) {
  (void)state;
  enum { BYTES = 32 << 20 };
  void *shared = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(shared != MAP_FAILED);
  memset(shared, 1, BYTES);
  start_tree(one_thread, 20);
  int64_t bytes = mux_tree_memory_bytes(root);
  end_tree();
  munmap(shared, BYTES);
  if (bytes < BYTES / 2 || bytes > 4 * (int64_t)BYTES)
    fail_msg("%lld bytes", (long long)bytes);
}

int main(void) {
  alarm(120);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(few_are_looked_for_at_every_reading),
      cmocka_unit_test(many_are_taken_as_they_were),
      cmocka_unit_test(threads_belong_to_their_process),
      cmocka_unit_test(shared_memory_counts_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
