/* test_cli.c: messages, option values and result files (common/cli.h). */
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cli.h"

static char directory[] = "/tmp/mux-test-cli-XXXXXX";
static char path[64];

static int make_directory(void **state) {
  if (mkdtemp(directory) == NULL)
    return -1;
  snprintf(path, sizeof path, "%s/result.json", directory);
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

static void assert_one_line(const char *text) {
  assert_memory_equal(text, "muxbench: ", 10);
  assert_true(strlen(text) > 11);
  assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void printable_escapes_and_fits(void **state) {
  (void)state;
  char out[64];
  assert_string_equal(mux_printable(out, sizeof out, "a b~"), "a b~");
  assert_string_equal(mux_printable(out, sizeof out, "\x1b[2J\n\xc3\xa9\x7f"),
                      "\\x1b[2J\\x0a\\xc3\\xa9\\x7f");
  for (int i = 0; i < 20000; i++) {
    char text[40];
    size_t n = test_random_in(0, sizeof text - 1);
    for (size_t k = 0; k < n; k++)
      text[k] = (char)test_random_in(1, 255);
    text[n] = 0;
    size_t room = test_random_in(1, sizeof out);
    memset(out, '!', sizeof out);
    mux_printable(out, room, text);
    size_t length = strlen(out);
    assert_true(length < room);
    for (size_t k = 0; k < length; k++)
      assert_true(out[k] >= 0x20 && out[k] < 0x7f);
    for (size_t k = room; k < sizeof out; k++)
      assert_int_equal(out[k], '!');
  }
}

struct sample {
  int64_t (*parse)(const char *option, const char *text, int64_t min, int64_t max);
  const char *text;
  int64_t min;
  int64_t max;
  int64_t value;
  const char *says; /* NULL: it is good */
};

static void take_option(void *arg) {
  const struct sample *option = arg;
  exit(option->parse("--thing", option->text, option->min, option->max) == option->value ? 0 : 99);
}

static void options_are_held_to_their_range(void **state) {
  (void)state;
  static const struct sample options[] = {
      {mux_option_count, "10k", 1, 1000000, 10000, NULL},
      {mux_option_count, "1", 1, 1, 1, NULL},
      {mux_option_count, "0", 1, 1000000, 0, "--thing: 0 is out of range (1 to 1M)"},
      {mux_option_count, "2M", 1, 1000000, 0, "--thing: 2M is out of range"},
      {mux_option_count, "99999999999999999999", 1, INT64_MAX, 0, "out of range"},
      {mux_option_count, "1.5", 1, 10, 0, "--thing: '1.5' is not a count"},
      {mux_option_count, "-1", 1, 10, 0, "--thing: '-1' is not a count"},
      {mux_option_count, "\x1b", 1, 10, 0, "'\\x1b' is not a count"},
      {mux_option_size, "16KiB", 1, 1 << 20, 16384, NULL},
      {mux_option_size, "16kb", 1, 1 << 20, 0, "--thing: '16kb' is not a size"},
      {mux_option_size, "2MiB", 1, 1 << 20, 0, "(1 to 1MiB)"},
      {mux_option_time, "50us", 0, INT64_MAX, 50000, NULL},
      {mux_option_time, "2", 0, INT64_MAX, 2000000000, NULL},
      {mux_option_time, "soon", 0, 1, 0, "--thing: 'soon' is not a time"},
      {mux_option_time, "1h", 0, 1, 0, "is not a time"},
      {mux_option_time, "1s", 0, 1000000, 0, "(0 to 1ms)"},
  };
  for (size_t i = 0; i < TEST_COUNT(options); i++) {
    struct sample option = options[i];
    char errors[1024];
    int status = test_in_child(take_option, &option, errors, sizeof errors);
    if (option.says == NULL) {
      assert_int_equal(status, 0);
      assert_string_equal(errors, "");
      continue;
    }
    assert_int_equal(status, MUX_EXIT_USAGE);
    assert_one_line(errors);
    if (strstr(errors, option.says) == NULL)
      fail_msg("expected '%s' in '%s'", option.says, errors);
  }
}

static void say_much(void *arg) {
  (void)arg;
  char text[5000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  mux_warn("%s", text);
  mux_note("short");
  mux_die(3, "the end: %d", 7);
}

static void messages_are_whole_lines(void **state) {
  (void)state;
  char errors[8192];
  assert_int_equal(test_in_child(say_much, NULL, errors, sizeof errors), 3);
  char *second = strchr(errors, '\n');
  assert_memory_equal(errors, "muxbench: warning: xxx", 22);
  assert_non_null(second);
  assert_string_equal(second, "\nmuxbench: short\nmuxbench: the end: 7\n");
}

static void parse_nothing(void *arg) {
  char *argv[] = {"thing", arg, NULL};
  static const struct argp argp = {.doc = "does a thing"};
  mux_parse_args(&argp, arg != NULL ? 2 : 1, argv, NULL);
  exit(50);
}

static void arguments_that_are_not_known_end_with_2(void **state) {
  (void)state;
  char errors[1024];
  assert_int_equal(test_in_child(parse_nothing, NULL, errors, sizeof errors), 50);
  assert_int_equal(test_in_child(parse_nothing, "--bogus", errors, sizeof errors), MUX_EXIT_USAGE);
  assert_memory_equal(errors, "muxbench thing: ", 16);
  assert_non_null(strstr(errors, "--bogus"));
  assert_int_equal(test_in_child(parse_nothing, "stray", errors, sizeof errors), MUX_EXIT_USAGE);
  assert_memory_equal(errors, "muxbench thing: ", 16);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(printable_escapes_and_fits),
      cmocka_unit_test(options_are_held_to_their_range),
      cmocka_unit_test(messages_are_whole_lines),
      cmocka_unit_test(arguments_that_are_not_known_end_with_2),
      cmocka_unit_test(a_result_appears_whole_or_not_at_all),
      cmocka_unit_test(what_cannot_be_written_is_said_at_once),
      cmocka_unit_test(a_fifo_or_device_is_written_not_replaced),
      cmocka_unit_test(stdout_that_fails_is_noticed),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
