/* test_doctor.c: what muxbench doctor finds on a host whose settings are others'. Files of /proc
 * and /sys are covered by ours in a mount namespace of this program, so that the host stays as it
 * is. */
#include "tests/support.h"

#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/spawn.h"

static struct test_result result;
static bool namespaced;

static int enter_namespace(void **state) {
  namespaced =
      unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
  return test_make_directory(state);
}

/* Lets a file read as text until the program ends. Skips the test where that is not permitted. */
static void cover(const char *path, const char *text) {
  static const char *covered[16];
  static size_t count;
  char ours[256];
  size_t i = 0;
  while (i < count && strcmp(covered[i], path) != 0)
    i++;
  snprintf(ours, sizeof ours, "%s/cover-%zu", test_directory(), i);
  FILE *file = fopen(ours, "we");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  if (i < count)
    return;
  if (!namespaced || count == TEST_COUNT(covered) || mount(ours, path, NULL, MS_BIND, NULL) != 0)
    skip();
  covered[count++] = path;
}

/* A finding of the doctor, by its name. The caller decrefs *report. */
static const json_t *finding(json_t **report, const char *name) {
  size_t i;
  const json_t *found;
  test_command(&result, "doctor --json");
  *report = test_json(&result);
  json_array_foreach(json_object_get(*report, "findings"), i,
                     found) if (strcmp(json_string_value(json_object_get(found, "name")), name) ==
                                0) return found;
  fail_msg("no finding %s", name);
  return NULL;
}

static const char *text_of(const json_t *found, const char *key) {
  return json_string_value(json_object_get(found, key));
}

/* Of three settings one is too low: the command raises it and leaves the others alone. */
static void advice_never_lowers_a_limit(void **state) {
  (void)state;
  json_t *report;
  cover("/proc/sys/kernel/threads-max", "8000\n");
  cover("/proc/sys/kernel/pid_max", "4194304\n");
  cover("/proc/sys/vm/max_map_count", "1048576\n");
  const json_t *found = finding(&report, "threads");
  assert_string_equal(text_of(found, "level"), "warning");
  assert_string_equal(text_of(found, "fix"), "sysctl kernel.threads-max=65536");
  json_decref(report);
}

static void control_characters_of_the_host_are_escaped(void **state) {
  (void)state;
  json_t *report;
  cover("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\x1b[31m\n");
  const json_t *found = finding(&report, "clock");
  assert_memory_equal(text_of(found, "text"), "clock source tsc\\x1b[31m,", 25);
  json_decref(report);
  test_command(&result, "doctor");
  assert_null(strchr(result.out, '\x1b'));
  assert_non_null(strstr(result.out, "clock source tsc\\x1b[31m,"));
}

static void assert_reads(const char *path, const char *text) {
  char line[64] = "";
  FILE *file = fopen(path, "re");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  assert_string_equal(line, text);
}

static void settings_are_raised_and_put_back(void **state) {
  (void)state;
  char file[200];
  snprintf(file, sizeof file, "%s/before", test_directory());
  cover("/proc/sys/kernel/threads-max", "8000\n");
  cover("/proc/sys/kernel/pid_max", "9000\n");
  cover("/proc/sys/vm/max_map_count", "1048576\n");
  cover("/proc/sys/fs/file-max", "10000\n");
  cover("/proc/sys/net/core/somaxconn", "128\n");
  test_command(&result, "doctor --connections 20000 --apply %s", file);
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "kernel.pid_max=40000\n"));
  assert_reads("/proc/sys/kernel/pid_max", "40000\n");
  assert_reads("/proc/sys/fs/file-max", "60000\n");
  assert_reads("/proc/sys/net/core/somaxconn", "4096\n");
  assert_reads("/proc/sys/vm/max_map_count", "1048576\n");
  test_command(&result, "doctor --restore %s", file);
  test_expect(&result, 0);
  assert_reads("/proc/sys/kernel/pid_max", "9000\n");
  assert_reads("/proc/sys/kernel/threads-max", "8000\n");
  assert_reads("/proc/sys/fs/file-max", "10000\n");
  assert_reads("/proc/sys/net/core/somaxconn", "128\n");
  FILE *other = fopen(file, "we");
  fputs("kernel.core_pattern=1\n", other);
  fclose(other);
  test_command(&result, "doctor --restore %s", file);
  test_expect(&result, 1);
  assert_non_null(strstr(result.err, "before:1 is not a setting that --apply has written"));
  test_command(&result, "doctor --connections none");
  test_expect(&result, 2);
}

/* What takes more than this machine has by default is said beforehand. */
static void many_connections_need_more(void **state) {
  (void)state;
  test_command(&result, "doctor --connections 1M");
  assert_non_null(strstr(result.out, "workers and load threads, with a table each"));
  assert_non_null(strstr(result.out, "a load on loopback uses many addresses"));
}

int main(void) {
  alarm(60);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(advice_never_lowers_a_limit),
      cmocka_unit_test(control_characters_of_the_host_are_escaped),
      cmocka_unit_test(many_connections_need_more),
      cmocka_unit_test(settings_are_raised_and_put_back),
  };
  return cmocka_run_group_tests(tests, enter_namespace, test_remove_directory);
}
