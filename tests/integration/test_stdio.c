/* test_stdio.c: muxbench with standard descriptors that are closed, or cannot be written. */
#include "tests/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/words.h"
#include "process/ready.h"
#include "tests/run_experiment.h"

/* Starts "muxbench COMMAND" with these as descriptors 0, 1 and 2; -1: closed. */
static pid_t start_with(const char *command, const int fds[3]) {
  char line[512];
  const char *program = getenv("MUXBENCH");
  pid_t parent = getpid();
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  snprintf(line, sizeof line, "muxbench %s", command);
  char **words = mux_words_split(line);
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0)
      dup2(fds[i], i);
    else
      close(i);
  if (getppid() == parent)
    execv(program != NULL ? program : "build/muxbench", words);
  _exit(126);
}

static int make_files(void **state) {
  int rc = test_make_directory(state);
  test_write_config("small", "servers = [\"poll\"]; blocks = 1; load = { duration = \"1s\"; };\n");
  return rc;
}

static int status_of(pid_t pid) {
  int status;
  alarm(60);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  alarm(0);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static bool is_the_line(const char *said) {
  static const char begins[] = "muxbench: ";
  static const char ends[] = ": No space left on device\n";
  size_t length = strlen(said);
  return strncmp(said, begins, strlen(begins)) == 0 && length > strlen(ends) &&
         strcmp(said + length - strlen(ends), ends) == 0 &&
         strchr(said, '\n') == said + length - 1 && strstr(said, "null") == NULL;
}

/* In one line, with the reason. */
static void a_full_stdout_is_noticed(void **state) {
  (void)state;
  static const char *const commands[] = {
      "--help",
      "help",
      "--version",
      "list",
      "list --json",
      "list --json=/dev/full",
      "list --json=/dev/stdout",
      "list --help",
      "serve --backend poll",
      "serve --help",
      "check --help",
      "check --list",
      "check --backend epoll-lt --case half-close-empty",
      "check --backend epoll-lt --case half-close-empty --tap",
      "check --backend epoll-lt --case half-close-empty --json=/dev/stdout",
      "load --help",
      "load --usage",
      "run --help",
      "run %s/small.cfg --dry-run",
      "versus poll epoll-lt --dry-run",
      "compare --help",
      "doctor",
      "doctor --json",
      "doctor --json=/dev/full",
      "doctor --json=/dev/stdout",
      "doctor --help",
      "floor --duration 1ms",
      "floor --duration 1ms --json",
      "floor --duration 1ms --json=/dev/full",
      "floor --help",
      "report --help",
      "serve --usage",
  };
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (size_t i = 0; i < TEST_COUNT(commands); i++) {
    char said[4096] = "";
    char command[256];
    snprintf(command, sizeof command, commands[i], test_directory());
    int errors = memfd_create("stderr", MFD_CLOEXEC);
    int status = status_of(start_with(command, (int[]){null, full, errors}));
    assert_true(pread(errors, said, sizeof said - 1, 0) >= 0);
    close(errors);
    if (status != 1 || !is_the_line(said))
      fail_msg("'%s >/dev/full' ends with %d and says: %s", command, status, said);
  }
  close(full);
  close(null);
}

/* Before anything is measured. */
static void a_result_that_cannot_be_written_is_a_mistake_of_usage(void **state) {
  (void)state;
  static struct test_result result;
  static const char *const commands[] = {"list", "doctor", "floor",
                                         "load --target tcp://127.0.0.1:1", "check --backend poll"};
  for (size_t i = 0; i < TEST_COUNT(commands); i++) {
    test_command(&result, "%s --json=/nonexistent/x", commands[i]);
    test_expect_error(&result, 2, "--json: cannot write /nonexistent/x: No such file");
  }
}

/* Nobody waits for a reader that may never come. */
static void a_fifo_without_a_reader_is_refused(void **state) {
  (void)state;
  static struct test_result result;
  static const char *const commands[] = {"list", "load --target tcp://127.0.0.1:1",
                                         "check --backend poll"};
  char path[256];
  snprintf(path, sizeof path, "%s/fifo", test_directory());
  assert_int_equal(mkfifo(path, 0600), 0);
  for (size_t i = 0; i < TEST_COUNT(commands); i++) {
    test_command(&result, "%s --json=%s", commands[i], path);
    test_expect_error(&result, 2, "/fifo: nobody reads it");
  }
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  test_command(&result, "doctor --json=%s", path);
  test_expect(&result, 0);
  char first = 0;
  assert_int_equal(read(reader, &first, 1), 1);
  assert_int_equal(first, '{');
  close(reader);
}

/* What the user typed stands in the message, escaped. */
static void a_wrong_option_is_one_line(void **state) {
  (void)state;
  static struct test_result result;
  static const char *const rows[][2] = {
      {"list --\x1b[2J", "list: '--\\x1b[2J' is not an option; 'muxbench list --help'"},
      {"load --rat=1 --x", "load: '--x' is not an option"},
      {"load --rate", "load: '--rate' requires an argument"},
      {"run --dry-run=3", "run: '--dry-run=3' takes no argument"},
      {"versus --p=3", "versus: '--p=3' is short for several options"},
      {"versus -Zc 3", "versus: '-Zc' is not an option"},
      {"versus a b -c", "versus: '-c' is not an option, or lacks its argument"},
      {"doctor -jx y", "doctor: 'y' is one argument too many"},
      {"doctor -- --json", "doctor: '--json' is one argument too many"},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "%s", rows[i][0]);
    test_expect_error(&result, 2, rows[i][1]);
  }
}

/* What went wrong before stays the exit status. */
static void a_full_stdout_hides_no_other_failure(void **state) {
  (void)state;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  assert_int_equal(status_of(start_with("list nonsense", (int[]){null, full, null})), 2);
  close(full);
  close(null);
}

static bool echoes(void *addr) {
  return mux_ready_echo(addr, MUX_S) == 0;
}

/* Else the next file that is opened gets the number, and what is meant for people goes there. */
static void closed_descriptors_are_dev_null(void **state) {
  (void)state;
  char address[128];
  char command[256];
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  char why[160];
  struct mux_addr addr;
  snprintf(address, sizeof address, "unix://%s/socket", test_directory());
  assert_int_equal(mux_addr_parse(&addr, address, false, why, sizeof why), 0);
  snprintf(command, sizeof command, "serve --backend poll --listen %s", address);
  for (int closed = 1; closed < 8; closed++) {
    int fds[3];
    for (int i = 0; i < 3; i++)
      fds[i] = (closed >> i & 1) != 0 ? -1 : null;
    pid_t pid = start_with(command, fds);
    assert_true(test_wait_until(echoes, &addr));
    for (int i = 0; i < 3; i++) {
      char link[64];
      char leads[64] = "";
      snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, i);
      assert_true(readlink(link, leads, sizeof leads - 1) > 0);
      assert_string_equal(leads, "/dev/null");
    }
    kill(pid, SIGTERM);
    assert_int_equal(status_of(pid), 0);
  }
  close(null);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_full_stdout_is_noticed),
      cmocka_unit_test(a_result_that_cannot_be_written_is_a_mistake_of_usage),
      cmocka_unit_test(a_fifo_without_a_reader_is_refused),
      cmocka_unit_test(a_wrong_option_is_one_line),
      cmocka_unit_test(a_full_stdout_hides_no_other_failure),
      cmocka_unit_test(closed_descriptors_are_dev_null),
  };
  return cmocka_run_group_tests(tests, make_files, test_remove_directory);
}
