/* test_cpus.c: lists of CPUs, and the split between server and load (common/cpus.h). */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cpus.h"

static cpu_set_t allowed;

static int set_up(void **state) {
  test_seed(state);
  return sched_getaffinity(0, sizeof allowed, &allowed);
}

/* Reads a printed list without any of the code under test. */
static void read_back(const char *text, cpu_set_t *set) {
  CPU_ZERO(set);
  while (*text != 0) {
    char *end;
    long first = strtol(text, &end, 10);
    long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    assert_true(end != text && first >= 0 && first <= last && last < CPU_SETSIZE);
    for (long cpu = first; cpu <= last; cpu++)
      CPU_SET((size_t)cpu, set);
    assert_true(*end == 0 || (*end == ',' && end[1] != 0));
    text = *end == ',' ? end + 1 : end;
  }
}

static void every_set_prints_whole(void **state) {
  (void)state;
  for (int i = 0; i < 2000; i++) {
    cpu_set_t set;
    cpu_set_t back;
    char text[MUX_CPUS_TEXT];
    CPU_ZERO(&set);
    uint64_t sparse = test_random_in(1, 64); /* long runs to single bits */
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (i == 0 ? cpu % 3 != 2 : test_random_in(0, sparse) == 0)
        CPU_SET(cpu, &set);
    read_back(mux_cpus_print(text, &set), &back);
    assert_true(CPU_EQUAL(&set, &back));
  }
}

static void subsets_of_this_machine_read_back(void **state) {
  (void)state;
  for (int i = 0; i < 1000; i++) {
    cpu_set_t set;
    cpu_set_t back;
    char text[MUX_CPUS_TEXT];
    CPU_ZERO(&set);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (CPU_ISSET(cpu, &allowed) && test_random_in(0, 1) == 0)
        CPU_SET(cpu, &set);
    if (CPU_COUNT(&set) == 0)
      continue;
    assert_int_equal(mux_cpus_parse(&back, mux_cpus_print(text, &set)), 0);
    assert_true(CPU_EQUAL(&set, &back));
  }
}

static void garbage_is_refused(void **state) {
  (void)state;
  int cpu = mux_cpus_nth(&allowed, 0);
  static const char *const bad[] = {"%d,",      ",%d", "%d-", "-%d",   "%d,,%d",
                                    "%d %d",    " %d", "%d ", "+%d",   "0x%d",
                                    "%d-%d-%d", "a",   "",    "%d;%d", "%d--%d"};
  for (size_t i = 0; i < TEST_COUNT(bad); i++) {
    char text[64] = "";
    for (const char *p = bad[i]; *p != 0; p++) { /* put the CPU for each %d */
      size_t at = strlen(text);
      if (p[0] == '%')
        snprintf(text + at, sizeof text - at, "%d", cpu), p++;
      else
        snprintf(text + at, sizeof text - at, "%c", *p);
    }
    cpu_set_t set;
    if (mux_cpus_parse(&set, text) != -EINVAL)
      fail_msg("'%s' was not refused", text);
  }
  cpu_set_t set;
  assert_int_equal(mux_cpus_parse(&set, "3-1"), -EINVAL);
}

static void a_cpu_that_is_not_here_is_named_so(void **state) {
  (void)state;
  static const char *const absent[] = {"1023", "1024", "99999999999999999999", "0-1023"};
  cpu_set_t set;
  if (CPU_ISSET(1023, &allowed))
    skip();
  for (size_t i = 0; i < TEST_COUNT(absent); i++)
    assert_int_equal(mux_cpus_parse(&set, absent[i]), -ENODEV);
}

static void nth_goes_round(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    cpu_set_t set;
    int members[CPU_SETSIZE];
    int count = 0;
    CPU_ZERO(&set);
    assert_int_equal(mux_cpus_nth(&set, i), -1);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (test_random_in(0, 50) == 0) {
        CPU_SET((size_t)cpu, &set);
        members[count++] = cpu;
      }
    for (int n = 0; count > 0 && n < 3 * count; n++)
      assert_int_equal(mux_cpus_nth(&set, n), members[n % count]);
  }
}

static void pinning_takes_effect(void **state) {
  (void)state;
  for (int n = 0; n < CPU_COUNT(&allowed); n++) {
    assert_int_equal(mux_cpus_pin_nth(&allowed, n), 0);
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    assert_int_equal(CPU_COUNT(&now), 1);
    assert_true(CPU_ISSET((size_t)mux_cpus_nth(&allowed, n), &now));
    assert_int_equal(mux_cpus_pin(&allowed), 0);
  }
  cpu_set_t none;
  CPU_ZERO(&none);
  assert_int_equal(mux_cpus_pin_nth(&none, 0), 0);
  assert_true(mux_cpus_pin(&none) < 0);
}

static void the_split_shares_nothing(void **state) {
  (void)state;
  for (int cores = 1; cores < 6; cores++) {
    cpu_set_t server;
    cpu_set_t load;
    cpu_set_t both;
    int rc = mux_cpus_split(&server, &load, cores);
    assert_true(CPU_COUNT(&server) > 0 && CPU_COUNT(&load) > 0);
    assert_true(CPU_COUNT(&server) <= cores);
    CPU_AND(&both, &server, &load);
    assert_int_equal(CPU_COUNT(&both), rc == 0 ? 0 : 1);
    CPU_OR(&both, &server, &load);
    CPU_AND(&both, &both, &allowed);
    assert_int_equal(CPU_COUNT(&both), rc == 0 ? CPU_COUNT(&server) + CPU_COUNT(&load) : 1);
  }
}

static void one_cpu_is_shared_and_said(void **state) {
  (void)state;
  cpu_set_t server;
  cpu_set_t load;
  assert_int_equal(mux_cpus_pin_nth(&allowed, 0), 0);
  int rc = mux_cpus_split(&server, &load, 1);
  assert_int_equal(mux_cpus_pin(&allowed), 0);
  assert_int_equal(rc, -ENODEV);
  assert_true(CPU_EQUAL(&server, &load) && CPU_COUNT(&load) == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_set_prints_whole),
      cmocka_unit_test(subsets_of_this_machine_read_back),
      cmocka_unit_test(garbage_is_refused),
      cmocka_unit_test(a_cpu_that_is_not_here_is_named_so),
      cmocka_unit_test(nth_goes_round),
      cmocka_unit_test(pinning_takes_effect),
      cmocka_unit_test(the_split_shares_nothing),
      cmocka_unit_test(one_cpu_is_shared_and_said),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
