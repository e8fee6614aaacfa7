/* support.c: see support.h. */
#include "tests/support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/random.h"

static uint64_t random_state;

int test_seed(void **state) {
  (void)state;
  const char *given = getenv("MUX_TEST_SEED");
  random_state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)mux_now_ns();
  print_message("# MUX_TEST_SEED=%" PRIu64 "\n", random_state);
  return 0;
}

uint64_t test_random(void) {
  return mux_random(&random_state);
}

uint64_t test_random_in(uint64_t low, uint64_t high) {
  uint64_t span = high - low + 1;
  return low + (span == 0 ? test_random() : test_random() % span);
}

int test_in_child(void (*fn)(void *arg), void *arg, char *errors, size_t bytes) {
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(10);
    dup2(fds[1], STDERR_FILENO);
    close(fds[0]);
    close(fds[1]);
    fn(arg);
    exit(0);
  }
  close(fds[1]);
  size_t got = 0;
  char dropped[256];
  for (;;) {
    bool room = got + 1 < bytes;
    ssize_t n =
        read(fds[0], room ? errors + got : dropped, room ? bytes - 1 - got : sizeof dropped);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    got += room ? (size_t)n : 0;
  }
  errors[got] = 0;
  close(fds[0]);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The program is build/tests/KIND/test_NAME, plug-ins are in build/tests/plugins. */
const char *test_plugin_path(const char *name) {
  static char path[512];
  char self[256];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0 && n < (ssize_t)sizeof self - 1);
  self[n] = 0;
  *strrchr(self, '/') = 0;
  snprintf(path, sizeof path, "%s/../plugins/%s", self, name);
  return path;
}
