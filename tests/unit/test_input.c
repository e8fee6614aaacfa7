/* test_input.c: files to be read (common/input.h): regular ones only, and no opening blocks. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/input.h"
#include "tests/spawn.h"

static char why[512];

static const char *path_of(const char *name) {
  static char path[108]; /* of a socket */
  snprintf(path, sizeof path, "%s/%s", test_directory(), name);
  return path;
}

static void make_file(const char *name, const char *text) {
  FILE *file = fopen(path_of(name), "we");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *path, int64_t bytes_max, int error, const char *reason) {
  char expected[512];
  snprintf(expected, sizeof expected, "%s: %s", path, reason);
  errno = 0;
  assert_null(mux_input_open(path, bytes_max, why, sizeof why));
  assert_int_equal(errno, error);
  assert_string_equal(why, expected);
}

static void a_regular_file_is_read(void **state) {
  (void)state;
  char line[16];
  make_file("regular", "text\n");
  FILE *file = mux_input_open(path_of("regular"), 5, why, sizeof why);
  assert_non_null(file);
  assert_int_equal(fcntl(fileno(file), F_GETFL) & O_NONBLOCK, 0);
  assert_int_equal(fcntl(fileno(file), F_GETFD), FD_CLOEXEC);
  assert_non_null(fgets(line, sizeof line, file));
  assert_string_equal(line, "text\n");
  fclose(file);
  assert_int_equal(truncate(path_of("regular"), 1025), 0);
  assert_refused(path_of("regular"), 1024, EFBIG, "larger than 1KiB");
  assert_refused(path_of("missing"), 0, ENOENT, "No such file or directory");
}

static void what_is_no_regular_file_is_refused(void **state) {
  (void)state;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path_of("socket"), sizeof address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_refused(path_of("socket"), 0, EINVAL, "not a regular file");
  close(fd);
  assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
  assert_refused(path_of("fifo"), 0, EINVAL, "not a regular file");
  assert_refused(test_directory(), 0, EINVAL, "not a regular file");
  assert_refused("/dev/zero", 0, EINVAL, "not a regular file");
}

/* Only a file can be read again, as an experiment is. */
static void standard_input_is_read_from_a_file(void **state) {
  (void)state;
  int pipes[2];
  make_file("stdin", "text\n");
  int fd = open(path_of("stdin"), O_RDONLY | O_CLOEXEC);
  assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
  close(fd);
  FILE *file = mux_input_open("/dev/stdin", 0, why, sizeof why);
  assert_non_null(file);
  fclose(file);
  assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
  assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
  assert_refused("/dev/stdin", 0, EINVAL, "not a regular file");
  close(pipes[0]);
  close(pipes[1]);
}

int main(void) {
  alarm(60);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_regular_file_is_read),
      cmocka_unit_test(what_is_no_regular_file_is_refused),
      cmocka_unit_test(standard_input_is_read_from_a_file),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
