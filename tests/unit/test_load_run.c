/* test_load_run.c: load_run as its callers see it, in this process (loadgen/load.h). */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/engine.h"
#include "loadgen/load.h"

/* More messages than a thread can number: the first worker cannot be set up, the second is not even
 * tried. */
static void a_set_up_that_fails_closes_only_its_own(void **state) {
  (void)state;
  struct load_config config = {.connections = 2,
                               .threads = 2,
                               .depth = 1,
                               .payload_bytes = 64,
                               .rate_per_s = 100000000,
                               .duration_ns = 100 * MUX_S,
                               .timeout_ns = MUX_S,
                               .interval_ns = MUX_S,
                               .engine = load_engines[0],
                               .events_fd = -1,
                               .hold_fd = -1};
  struct load_result result;
  char why[160];
  assert_int_equal(mux_addr_parse(&config.target, "tcp://127.0.0.1:1", false, why, sizeof why), 0);
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
  assert_int_equal(load_run(&config, &result), -EOVERFLOW);
  assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
  assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), input + 1); /* all are closed */
  close(input + 1);
  close(input);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_set_up_that_fails_closes_only_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
