/* case.c: what a case says: verdicts and notes; its helpers and random numbers. See case.h. */
#include "check/case.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check/subject.h"
#include "common/cli.h"
#include "common/random.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SLOWNESS = 4 };
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SLOWNESS = 4 };
#else
enum { SLOWNESS = 1 };
#endif
#else
enum { SLOWNESS = 1 };
#endif

int64_t check_slowness(void) {
  return SLOWNESS;
}

bool check_is_sanitized(const struct check *check) {
  return SLOWNESS > 1 && check->backend != NULL;
}

int64_t check_patience_ns(const struct check *check) {
  return check->patience_ns * SLOWNESS;
}

int64_t check_drain_ns(const struct check *check) {
  return check->spec.drain_ns > 0 ? check->spec.drain_ns : MUX_S;
}

/* The most telling line of a server's stderr: a sanitizer's or an assertion's, else the last. */
static void telling_line(char *out, size_t out_bytes, const char *path) {
  static const char *const marks[] = {"ERROR: ", "runtime error", "Assertion", "WARNING: Thread"};
  char line[400];
  bool found = false;
  out[0] = 0;
  FILE *file = path != NULL ? fopen(path, "re") : NULL;
  if (file == NULL)
    return;
  for (int lines = 0; !found && lines < 100000 && fgets(line, sizeof line, file) != NULL; lines++) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] != 0)
      mux_printable(out, out_bytes, line);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
      found = found || strstr(line, marks[i]) != NULL;
  }
  fclose(file);
}

/* How the server ended, if it has: that comes first in the reason. */
static void name_death(struct check *check, char *out, size_t out_bytes) {
  char said[300];
  out[0] = 0;
  if (check->server == NULL || check->spec.target != NULL || check->is_helper)
    return;
  if (check_lives(check))
    return;
  int status = mux_server_stop(check->server);
  check->server = NULL;
  telling_line(said, sizeof said, check->server_log);
  if (status > 128)
    snprintf(out, out_bytes, "the server was killed by signal %d (%s)", status - 128,
             strsignal(status - 128));
  else
    snprintf(out, out_bytes, "the server ended with exit status %d", status);
  if (said[0] != 0) {
    size_t used = strlen(out);
    snprintf(out + used, out_bytes - used, ", saying '%s'", said);
  }
}

/* With the verdict known, kills the server: the next case may want its address. */
static _Noreturn void end_early(struct check *check, enum check_verdict verdict) {
  check->result->verdict = verdict;
  if (check->server != NULL && check->spec.target == NULL && !check->is_helper) {
    kill(mux_server_pid(check->server), SIGKILL);
    mux_server_stop(check->server);
  }
  _exit(0);
}

_Noreturn void check_fail(struct check *check, const char *format, ...) {
  struct check_result *result = check->result;
  char death[400];
  char what[400];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  name_death(check, death, sizeof death);
  snprintf(result->reason, sizeof result->reason, "%s%s%s", death, death[0] != 0 ? "; " : "", what);
  end_early(check, CHECK_FAIL);
}

_Noreturn void check_skip(struct check *check, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(check->result->reason, sizeof check->result->reason, format, args);
  va_end(args);
  end_early(check, CHECK_SKIP);
}

void check_note(struct check *check, const char *format, ...) {
  char *note = check->result->note;
  size_t bytes = sizeof check->result->note;
  size_t used = strlen(note);
  if (used > 0)
    used += (size_t)snprintf(note + used, bytes - used, ", ");
  if (used >= bytes)
    return;
  va_list args;
  va_start(args, format);
  vsnprintf(note + used, bytes - used, format, args);
  va_end(args);
}

void check_doing(struct check *check, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(check->result->doing, sizeof check->result->doing, format, args);
  va_end(args);
}

pid_t check_fork(struct check *check) {
  pid_t pid = fork();
  if (pid < 0)
    check_skip(check, "no further process: %s", strerror(errno));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check->is_helper = true;
    /* With our copy open the server's supervisor would not notice the end of the case. */
    int lifeline = check->server != NULL ? mux_server_watch_fd(check->server) : -1;
    if (lifeline >= 0)
      close(lifeline);
  }
  return pid;
}

void check_end_helper(pid_t helper) {
  if (waitpid(helper, NULL, WNOHANG) != 0)
    _exit(0);
  kill(helper, SIGKILL);
  waitpid(helper, NULL, 0);
}

uint64_t check_random(struct check *check, uint64_t below) {
  return mux_random_below(&check->random, below);
}

void check_sleep(int64_t ns) {
  struct timespec ts = mux_ns_timespec(ns);
  while (nanosleep(&ts, &ts) != 0)
    ;
}
