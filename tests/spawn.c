/* spawn.c: see spawn.h. */
#include "tests/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/registry.h"
#include "common/clock.h"
#include "common/words.h"
#include "tests/support.h"

static char directory[64];

static void child_exec(char **words, const struct test_process *process, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(process->out_fd, STDOUT_FILENO);
  dup2(process->err_fd, STDERR_FILENO);
  const char *program = getenv("MUXBENCH");
  if (getppid() == parent)
    execv(program != NULL ? program : "build/muxbench", words);
  perror("exec");
  _exit(126);
}

void test_start(struct test_process *process, const char *command) {
  *process = (struct test_process){0};
  snprintf(process->command, sizeof process->command, "muxbench %s", command);
  char **words = mux_words_split(process->command);
  assert_non_null(words);
  process->out_fd = memfd_create("stdout", MFD_CLOEXEC);
  process->err_fd = memfd_create("stderr", MFD_CLOEXEC);
  assert_true(process->out_fd >= 0 && process->err_fd >= 0);
  fflush(NULL);
  pid_t parent = getpid();
  process->pid = fork();
  if (process->pid == 0)
    child_exec(words, process, parent);
  assert_true(process->pid > 0);
  free(words);
}

/* Reads a file from its beginning; its own offset, which the child shares, stays. */
static void read_whole(char *out, size_t bytes, int fd) {
  ssize_t n = pread(fd, out, bytes - 1, 0);
  out[n > 0 ? n : 0] = 0;
}

const char *test_errors(const struct test_process *process) {
  static char text[TEST_OUTPUT];
  read_whole(text, sizeof text, process->err_fd);
  return text;
}

/* Waits in short steps: 1 ms is nothing next to a process, and needs no SIGCHLD handler. */
bool test_wait_until(bool (*done)(void *arg), void *arg) {
  int64_t deadline = mux_now_ns() + TEST_TIMEOUT_S * MUX_S;
  while (!done(arg)) {
    if (mux_now_ns() > deadline)
      return false;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return true;
}

struct waited {
  pid_t pid;
  int status;
};

static bool has_ended(void *arg) {
  struct waited *waited = arg;
  return waitpid(waited->pid, &waited->status, WNOHANG) != 0;
}

void test_wait(struct test_process *process, struct test_result *result) {
  struct waited waited = {.pid = process->pid};
  bool ended = test_wait_until(has_ended, &waited);
  if (!ended) {
    kill(process->pid, SIGKILL);
    waitpid(process->pid, &waited.status, 0);
  }
  snprintf(result->command, sizeof result->command, "%s", process->command);
  result->status =
      WIFEXITED(waited.status) ? WEXITSTATUS(waited.status) : 1000 + WTERMSIG(waited.status);
  read_whole(result->out, sizeof result->out, process->out_fd);
  read_whole(result->err, sizeof result->err, process->err_fd);
  close(process->out_fd);
  close(process->err_fd);
  process->pid = 0;
  if (!ended)
    fail_msg("'%s' did not end within %d s; it wrote: %s", result->command, TEST_TIMEOUT_S,
             result->err);
}

void test_command(struct test_result *result, const char *format, ...) {
  char command[512];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  struct test_process process;
  test_start(&process, command);
  test_wait(&process, result);
}

void test_expect(const struct test_result *result, int status) {
  if (result->status != status)
    fail_msg("'%s' ended with %d instead of %d and wrote: %s", result->command, result->status,
             status, result->err);
}

void test_expect_error(const struct test_result *result, int status, const char *text) {
  test_expect(result, status);
  const char *end = strchr(result->err, '\n');
  if (strncmp(result->err, "muxbench: ", 10) != 0 || end == NULL || end[1] != 0)
    fail_msg("'%s' did not say it in one line but so: %s", result->command, result->err);
  if (strstr(result->err, text) == NULL)
    fail_msg("'%s' did not say '%s' but: %s", result->command, text, result->err);
  if (result->out[0] != 0)
    fail_msg("'%s' failed and wrote to stdout: %s", result->command, result->out);
}

struct listening {
  struct test_server *server;
  bool ended;
};

static bool has_answered(void *arg) {
  struct listening *listening = arg;
  struct test_server *server = listening->server;
  char text[MUX_ADDR_TEXT + 16];
  read_whole(text, sizeof text, server->process.out_fd);
  if (sscanf(text, "listening %159s\n", server->target) == 1 && strchr(text, '\n') != NULL)
    return true;
  siginfo_t info = {0};
  waitid(P_PID, (id_t)server->process.pid, &info, WEXITED | WNOHANG | WNOWAIT);
  listening->ended = info.si_pid != 0;
  return listening->ended;
}

bool test_has_backend(const char *server) {
  char name[32] = "";
  char why[256];
  sscanf(server, "%31s", name);
  const struct mux_backend *backend = mux_registry_find(name);
  assert_non_null(backend);
  return mux_backend_probe(backend, why, sizeof why) == 0;
}

void test_serve(struct test_server *server, const char *format, ...) {
  char command[512] = "serve ";
  va_list args;
  va_start(args, format);
  vsnprintf(command + 6, sizeof command - 6, format, args);
  va_end(args);
  test_start(&server->process, command);
  struct listening listening = {.server = server};
  if (!test_wait_until(has_answered, &listening) || listening.ended)
    fail_msg("'%s' does not serve; it wrote: %s", server->process.command,
             test_errors(&server->process));
  char why[160];
  bool may_be_remote = strstr(server->process.command, "--allow-remote") != NULL;
  assert_int_equal(mux_addr_parse(&server->addr, server->target, may_be_remote, why, sizeof why),
                   0);
}

static bool has_worked(void *arg) {
  return mux_process_cpu_ns(*(pid_t *)arg) > 50 * MUX_MS;
}

void test_await_traffic(const struct test_server *server) {
  pid_t pid = server->process.pid;
  assert_true(test_wait_until(has_worked, &pid));
}

void test_stop(struct test_server *server) {
  static struct test_result result;
  kill(server->process.pid, SIGTERM);
  test_wait(&server->process, &result);
  test_expect(&result, 0);
  assert_string_equal(result.err, "");
}

json_t *test_json(const struct test_result *result) {
  json_error_t error;
  json_t *object = json_loads(result->out, JSON_REJECT_DUPLICATES, &error);
  if (object == NULL)
    fail_msg("'%s' printed no JSON (%s): %s", result->command, error.text, result->out);
  return object;
}

static const json_t *find_number(const json_t *object, const char *path) {
  char name[64];
  const char *rest = path;
  while (object != NULL && *rest != 0) {
    size_t length = strcspn(rest, ".");
    snprintf(name, sizeof name, "%.*s", (int)length, rest);
    object = json_object_get(object, name);
    rest += length + (rest[length] == '.');
  }
  if (!json_is_number(object))
    fail_msg("the result has no number '%s'", path);
  return object;
}

long long test_json_int(const json_t *object, const char *path) {
  const json_t *number = find_number(object, path);
  assert_true(json_is_integer(number));
  return json_integer_value(number);
}

double test_json_real(const json_t *object, const char *path) {
  return json_number_value(find_number(object, path));
}

const char *test_directory(void) {
  return directory;
}

int test_make_directory(void **state) {
  /* Ignored in what a shell has put into the background, or nohup has started, and handed down. */
  static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP};
  for (size_t i = 0; i < TEST_COUNT(ignored); i++)
    signal(ignored[i], SIG_DFL);
  snprintf(directory, sizeof directory, "/tmp/mux-test-XXXXXX");
  if (mkdtemp(directory) == NULL)
    return -1;
  return test_seed(state);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status;
  (void)kind;
  (void)where;
  return remove(path);
}

int test_remove_directory(void **state) {
  (void)state;
  return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int test_count_files(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL)
    return -1;
  int count = -2;
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

int test_connections(int wanted) {
  const char *most = getenv("MUX_TEST_CONNECTIONS_MAX");
  int limit = most != NULL ? atoi(most) : wanted;
  return limit < wanted ? limit : wanted;
}
