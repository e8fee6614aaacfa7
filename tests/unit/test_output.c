/* test_output.c: result files (common/output.h): whole or not at all, at the end of links, and what
 * is no regular file is written through. */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/output.h"

static char directory[] = "/tmp/mux-test-output-XXXXXX";
static char path[64];
static char target[64];

static int make_directory(void **state) {
  if (mkdtemp(directory) == NULL)
    return -1;
  snprintf(path, sizeof path, "%s/result.json", directory);
  snprintf(target, sizeof target, "%s/target", directory);
  return test_seed(state);
}

static int remove_directory(void **state) {
  (void)state;
  return rmdir(directory);
}

static int files_in_directory(void) {
  DIR *dir = opendir(directory);
  assert_non_null(dir);
  int count = -2; /* . and .. */
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

static void assert_content(const char *file, const char *expected) {
  char got[64] = "";
  FILE *in = fopen(file, "re");
  assert_non_null(in);
  size_t n = fread(got, 1, sizeof got - 1, in);
  fclose(in);
  got[n] = 0;
  assert_string_equal(got, expected);
}

static void a_result_appears_whole_or_not_at_all(void **state) {
  (void)state;
  struct mux_output out;
  assert_int_equal(mux_output_open(&out, path), 0);
  fputs("{}", out.stream);
  fflush(out.stream);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(mux_output_commit(&out), 0);
  assert_content(path, "{}");

  assert_int_equal(mux_output_open(&out, path), 0); /* replaced in one step */
  fputs("half", out.stream);
  mux_output_abort(&out);
  assert_content(path, "{}");
  assert_int_equal(files_in_directory(), 1);
  assert_int_equal(mux_output_commit(&out), -EBADF);
  mux_output_abort(&out); /* harmless twice */
  unlink(path);
}

static void what_cannot_be_written_is_said_at_once(void **state) {
  (void)state;
  struct mux_output out;
  char inside[96];
  snprintf(inside, sizeof inside, "%s/none/x", directory);
  assert_int_equal(mux_output_open(&out, inside), -ENOENT);
  assert_int_equal(mux_output_open(&out, directory), -EISDIR);
  assert_int_equal(mux_output_open(&out, "/proc/nowhere"), -ENOENT);
  assert_int_equal(mux_output_open(&out, ""), -ENOENT);
  assert_int_equal(files_in_directory(), 0);
}

/* --json=/dev/null by root must not put a file in the place of the device. */
static void a_fifo_or_device_is_written_not_replaced(void **state) {
  (void)state;
  struct mux_output out;
  struct stat status;
  assert_int_equal(mkfifo(path, 0600), 0);
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_int_equal(mux_output_open(&out, path), 0);
  fputs("{}", out.stream);
  assert_int_equal(mux_output_commit(&out), 0);
  char got[8];
  assert_int_equal(read(reader, got, sizeof got), 2);
  assert_int_equal(lstat(path, &status), 0);
  assert_true(S_ISFIFO(status.st_mode));
  assert_int_equal(mux_output_open(&out, path), 0);
  mux_output_abort(&out);
  assert_int_equal(lstat(path, &status), 0);
  close(reader);
  unlink(path);
  assert_int_equal(files_in_directory(), 0);

  assert_int_equal(symlink("/dev/full", path), 0);
  assert_int_equal(mux_output_open(&out, path), 0);
  fputs("{}", out.stream);
  assert_int_equal(mux_output_commit(&out), -ENOSPC);
  assert_int_equal(lstat(path, &status), 0);
  unlink(path);
}

static void commit_to_full_stdout(void *arg) {
  struct mux_output out;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  dup2(full, STDOUT_FILENO);
  if (mux_output_open(&out, arg) != 0 || out.stream != stdout)
    _exit(1);
  printf("{}");
  _exit(mux_output_commit(&out) == -ENOSPC ? 0 : 2);
}

static void stdout_that_fails_is_noticed(void **state) {
  (void)state;
  char errors[64];
  assert_int_equal(test_in_child(commit_to_full_stdout, NULL, errors, sizeof errors), 0);
  assert_int_equal(test_in_child(commit_to_full_stdout, "-", errors, sizeof errors), 0);
}

static void write_result(const char *to, const char *text) {
  struct mux_output out;
  assert_int_equal(mux_output_open(&out, to), 0);
  fputs(text, out.stream);
  assert_int_equal(mux_output_commit(&out), 0);
}

static mode_t kind_of(const char *file) {
  struct stat status;
  assert_int_equal(lstat(file, &status), 0);
  return status.st_mode & S_IFMT;
}

static void a_link_stays_and_its_file_is_replaced(void **state) {
  (void)state;
  char middle[64];
  snprintf(middle, sizeof middle, "%s/middle", directory);
  assert_int_equal(symlink("middle", path), 0); /* relative, then absolute */
  assert_int_equal(symlink(target, middle), 0);
  write_result(path, "new"); /* the target is not there yet */
  assert_content(target, "new");
  write_result(path, "newer");
  assert_content(target, "newer");
  assert_int_equal(kind_of(path), S_IFLNK);
  assert_int_equal(kind_of(middle), S_IFLNK);
  assert_int_equal(kind_of(target), S_IFREG);
  struct mux_output out;
  assert_int_equal(mux_output_open(&out, path), 0);
  fputs("half", out.stream);
  mux_output_abort(&out);
  assert_content(target, "newer");
  assert_int_equal(files_in_directory(), 3);
  unlink(target);
  unlink(middle);
  assert_int_equal(symlink(path, middle), 0);
  assert_int_equal(mux_output_open(&out, path), -ELOOP);
  unlink(middle);
  unlink(path);
}

static void a_replaced_file_keeps_its_mode_and_owner(void **state) {
  (void)state;
  struct stat before;
  struct stat after;
  static const mode_t modes[] = {0600, 0640, 0666, 0755};
  for (size_t i = 0; i < TEST_COUNT(modes); i++) {
    write_result(path, "old");
    assert_int_equal(chmod(path, modes[i]), 0);
    if (geteuid() == 0)
      assert_int_equal(chown(path, 12345, 54321), 0);
    assert_int_equal(stat(path, &before), 0);
    write_result(path, "new");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(after.st_gid, before.st_gid);
    assert_content(path, "new");
    unlink(path);
  }
}

static void a_new_file_obeys_the_umask(void **state) {
  (void)state;
  struct stat status;
  mode_t mask = umask(027);
  write_result(path, "new");
  umask(mask);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0640);
  unlink(path);
}

static void open_unprivileged(void *arg) {
  struct mux_output out;
  if (geteuid() == 0 && seteuid(65534) != 0)
    _exit(1);
  _exit(mux_output_open(&out, arg) == -EACCES ? 0 : 2);
}

/* The directory may be written, but `>` would be refused, too. */
static void a_read_only_file_is_not_replaced(void **state) {
  (void)state;
  char errors[64];
  write_result(path, "old");
  assert_int_equal(chmod(path, 0444), 0);
  assert_int_equal(chmod(directory, 0777), 0);
  assert_int_equal(test_in_child(open_unprivileged, path, errors, sizeof errors), 0);
  assert_content(path, "old");
  assert_int_equal(files_in_directory(), 1);
  unlink(path);
}

/* `path` leads to /proc/self/fd/1 as /dev/stdout does. That link itself is not tried: a mistake
 * would replace it for the whole machine. */
static void write_between(void *arg) {
  struct mux_output out;
  int fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || dup2(fd, *(int *)arg) < 0)
    _exit(1);
  FILE *stream = *(int *)arg == STDOUT_FILENO ? stdout : stderr;
  fputs("before ", stream);
  if (mux_output_open(&out, path) != 0)
    _exit(2);
  fputs("between", out.stream);
  if (mux_output_commit(&out) != 0)
    _exit(3);
  fputs(" after", stream);
  fflush(stream);
  _exit(0);
}

static void a_standard_stream_is_written_through(void **state) {
  (void)state;
  char errors[64];
  char link[32];
  for (int fd = 1; fd <= 2; fd++) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    assert_int_equal(symlink(link, path), 0);
    assert_int_equal(test_in_child(write_between, &fd, errors, sizeof errors), 0);
    assert_int_equal(kind_of(path), S_IFLNK);
    assert_content(target, "before between after");
    assert_int_equal(files_in_directory(), 2);
    unlink(target);
    unlink(path);
  }
}

/* Such as a here-document's or a memfd: there is no directory entry to replace. */
static void a_file_without_a_name_is_written_through(void **state) {
  (void)state;
  char name[32];
  char got[8] = "";
  int fd = memfd_create("nameless", MFD_CLOEXEC);
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  write_result(name, "through");
  assert_int_equal(pread(fd, got, sizeof got - 1, 0), 7);
  assert_string_equal(got, "through");
  close(fd);
  assert_int_equal(files_in_directory(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_result_appears_whole_or_not_at_all),
      cmocka_unit_test(what_cannot_be_written_is_said_at_once),
      cmocka_unit_test(a_fifo_or_device_is_written_not_replaced),
      cmocka_unit_test(stdout_that_fails_is_noticed),
      cmocka_unit_test(a_link_stays_and_its_file_is_replaced),
      cmocka_unit_test(a_replaced_file_keeps_its_mode_and_owner),
      cmocka_unit_test(a_new_file_obeys_the_umask),
      cmocka_unit_test(a_read_only_file_is_not_replaced),
      cmocka_unit_test(a_standard_stream_is_written_through),
      cmocka_unit_test(a_file_without_a_name_is_written_through),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
