/* test_rundir.c: the directory of a run among others, and among other people's files
 * (bench/data/rundir.h). */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/data/rundir.h"
#include "tests/spawn.h"

static char *at(char path[300], const char *name) {
  snprintf(path, 300, "%s/%s", test_directory(), name);
  return path;
}

static void write_file(const char *name) {
  char path[300];
  int fd = open(at(path, name), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  assert_int_equal(write(fd, "mine", 4), 4);
  close(fd);
}

static bool is_there(const char *name) {
  char path[300];
  struct stat status;
  return lstat(at(path, name), &status) == 0;
}

static int create_many(const char *out) {
  struct rundir dir;
  char why[512];
  for (int i = 0; i < 20; i++) {
    if (rundir_create(&dir, out, "race", why, sizeof why) != 0)
      return 1;
    rundir_unlock(&dir);
  }
  return 0;
}

/* Every run has its own temporary name, and `latest` is one of the runs. */
static void runs_in_one_directory_do_not_disturb_each_other(void **state) {
  (void)state;
  enum { RUNNERS = 8 };
  char out[300];
  char path[300];
  char target[300];
  pid_t runners[RUNNERS];
  at(out, "shared");
  for (int i = 0; i < RUNNERS; i++)
    if ((runners[i] = fork()) == 0)
      _exit(create_many(out));
  for (int i = 0; i < RUNNERS; i++) {
    int status;
    assert_int_equal(waitpid(runners[i], &status, 0), runners[i]);
    assert_int_equal(status, 0);
  }
  assert_int_equal(test_count_files(out), RUNNERS * 20 + 1); /* and nothing else */
  ssize_t n = readlink(at(path, "shared/latest"), target, sizeof target - 1);
  assert_true(n > 0);
  target[n] = 0;
  assert_non_null(strstr(target, "_race_"));
}

/* Files of these names are somebody's. */
static void files_of_others_stay(void **state) {
  (void)state;
  struct rundir dir;
  char why[512];
  char path[300];
  char out[300];
  assert_int_equal(mkdir(at(out, "others"), 0777), 0);
  write_file("others/latest.tmp");
  assert_int_equal(rundir_create(&dir, out, "x", why, sizeof why), 0);
  rundir_unlock(&dir);
  assert_true(is_there("others/latest.tmp"));
  assert_int_equal(unlink(at(path, "others/latest")), 0);
  write_file("others/latest");
  int before = test_count_files(out);
  assert_int_equal(rundir_create(&dir, out, "x", why, sizeof why), -EEXIST);
  assert_non_null(strstr(why, out));
  assert_int_equal(test_count_files(out), before);
  assert_true(is_there("others/latest"));
}

/* What a killed writer leaves goes; what is outside of the run stays, wherever links lead. */
static void sweeping_keeps_to_the_run(void **state) {
  (void)state;
  struct rundir dir;
  char why[512];
  char out[300];
  char path[RUNDIR_PATH];
  char elsewhere[300];
  assert_int_equal(mkdir(at(elsewhere, "elsewhere"), 0777), 0);
  write_file("elsewhere/a.json.tmp-123");
  assert_int_equal(rundir_create(&dir, at(out, "swept"), "x", why, sizeof why), 0);
  static const char *const names[] = {"run.json.tmp-1", "hlog/1.hlog.tmp-77", "a.tmp-", "b.tmp-1x"};
  for (size_t i = 0; i < TEST_COUNT(names); i++)
    close(open(rundir_file(&dir, path, "%s", names[i]), O_CREAT | O_WRONLY, 0666));
  assert_int_equal(rmdir(rundir_file(&dir, path, "logs")), 0);
  assert_int_equal(symlink(elsewhere, path), 0);
  rundir_sweep(&dir);
  for (size_t i = 0; i < TEST_COUNT(names); i++)
    assert_int_equal(access(rundir_file(&dir, path, "%s", names[i]), F_OK), i < 2 ? -1 : 0);
  assert_true(is_there("elsewhere/a.json.tmp-123"));
  rundir_unlock(&dir);
}

static void a_directory_has_one_writer(void **state) {
  (void)state;
  struct rundir dir;
  struct rundir other;
  char why[512];
  char out[300];
  assert_int_equal(rundir_create(&dir, at(out, "locked"), "x", why, sizeof why), 0);
  assert_int_equal(rundir_open(&other, dir.path, why, sizeof why), 0);
  assert_int_equal(rundir_lock(&other, why, sizeof why), -EBUSY);
  assert_non_null(strstr(why, "another muxbench is writing it"));
  rundir_unlock(&dir);
  assert_int_equal(rundir_lock(&other, why, sizeof why), 0);
  rundir_unlock(&other);
}

/* A runner was killed, and what it had forked is still there for a moment. */
static void a_lock_that_is_about_to_go_is_waited_for(void **state) {
  (void)state;
  struct rundir dir;
  struct rundir other;
  char why[512];
  char out[300];
  assert_int_equal(rundir_create(&dir, at(out, "left"), "x", why, sizeof why), 0);
  assert_int_equal(rundir_open(&other, dir.path, why, sizeof why), 0);
  pid_t left = fork();
  if (left == 0) {
    usleep(300000);
    _exit(0);
  }
  rundir_unlock(&dir); /* the other one has it still */
  assert_int_equal(rundir_lock(&other, why, sizeof why), 0);
  rundir_unlock(&other);
  waitpid(left, NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs_in_one_directory_do_not_disturb_each_other),
      cmocka_unit_test(files_of_others_stay),
      cmocka_unit_test(sweeping_keeps_to_the_run),
      cmocka_unit_test(a_directory_has_one_writer),
      cmocka_unit_test(a_lock_that_is_about_to_go_is_waited_for),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
