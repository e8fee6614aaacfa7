/* test_work.c: mux_work burns CPU time, also where others want the CPU. */
#include "tests/support.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/core.h"
#include "common/clock.h"

static pid_t rival;

static int share_one_cpu(void **state) {
  (void)state;
  cpu_set_t own;
  size_t cpu = 0;
  sched_getaffinity(0, sizeof own, &own);
  while (!CPU_ISSET(cpu, &own))
    cpu++;
  CPU_ZERO(&own);
  CPU_SET(cpu, &own);
  if (sched_setaffinity(0, sizeof own, &own) != 0 || (rival = fork()) < 0)
    return -1;
  if (rival == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile int turns = 0;; turns = turns + 1)
      ;
  }
  return 0;
}

static int end_rival(void **state) {
  (void)state;
  kill(rival, SIGKILL);
  waitpid(rival, NULL, 0);
  return 0;
}

static void work_is_cpu_time(void **state) {
  (void)state;
  static const struct {
    int64_t ns;
    int times;
  } rows[] = {{200 * MUX_MS, 1}, {MUX_MS, 200}, {20 * MUX_US, 5000}};
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    int64_t began_ns = mux_thread_cpu_ns();
    for (int k = 0; k < rows[i].times; k++)
      mux_work(rows[i].ns);
    double burnt = (double)(mux_thread_cpu_ns() - began_ns);
    double wanted = (double)rows[i].ns * rows[i].times;
    if (burnt < 0.9 * wanted || burnt > 1.5 * wanted)
      fail_msg("%d times %lld ns: burnt %.0f ns, not %.0f", rows[i].times, (long long)rows[i].ns,
               burnt, wanted);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(work_is_cpu_time, share_one_cpu, end_rival),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
