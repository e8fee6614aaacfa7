/* isolate.c: see isolate.h. */
#include "check/isolate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/subject.h"
#include "common/cli.h"
#include "process/delay.h"

#define PATIENCE_NS   (3 * MUX_S)
#define EXTENSION_MIN (100 * MUX_MS)

/* ---- The child ------------------------------------------------------------------------------ */

/* A server that passed still has to exit well: what a sanitizer reports at exit counts. */
static void stop_in_order(struct check *check) {
  check_alive(check);
  if (!check_owns(check))
    return;
  struct mux_server *server = check->server;
  pid_t pid = mux_server_pid(server);
  int status = check_stop(check);
  bool foreign = check->spec.backend == NULL; /* it may die of SIGTERM: it has promised nothing */
  if (status == 0 || (foreign && (status == 128 + SIGTERM || status == 128 + SIGKILL)))
    return;
  if (status == -ETIMEDOUT)
    check_fail(check, "does not end after SIGTERM (process %d)", (int)pid);
  if (!foreign || status > 128)
    check_fail(check, "ends badly after SIGTERM: %s %d", status > 128 ? "signal" : "exit status",
               status > 128 ? status - 128 : status);
}

static _Noreturn void run_child(struct check *check) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  if ((check->self->needs & CHECK_STARTS) == 0)
    check_start(check);
  check->self->run(check);
  if (check->server != NULL)
    stop_in_order(check);
  check->result->verdict = CHECK_PASS;
  _exit(0);
}

/* ---- The parent ----------------------------------------------------------------------------- */

void check_ending_signals(sigset_t *set) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action;
  sigemptyset(set);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
      sigaddset(set, signals[i]);
}

/* Waits until the child has ended, one of the blocked signals has come or its time is up. Returns
 * 0, -EINTR or -ETIMEDOUT. */
static int await_child(pid_t child, int64_t bound_ns, int64_t deadline_ns,
                       const sigset_t *signals) {
  struct mux_delay delay;
  struct mux_delay_since since;
  mux_delay_begin(&delay, child);
  int64_t end = delay.at_ns + bound_ns;
  int rc = -ETIMEDOUT;
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0) {
      rc = 0;
      break;
    }
    if (mux_now_ns() >= end && mux_delay_read(&delay, &since) == 0 &&
        since.span_ns - since.waited_ns < bound_ns - EXTENSION_MIN)
      end = delay.at_ns + bound_ns + since.waited_ns;
    int64_t left = (end < deadline_ns ? end : deadline_ns) - mux_now_ns();
    if (left <= 0)
      break;
    struct timespec ts = mux_ns_timespec(left);
    int signal = sigtimedwait(signals, NULL, &ts);
    if (signal > 0 && signal != SIGCHLD) {
      raise(signal); /* leave it pending for the caller */
      rc = -EINTR;
      break;
    }
  }
  mux_delay_free(&delay);
  return rc;
}

static void judge_end(struct check_result *result, int rc, int status) {
  if (result->verdict != CHECK_RUNNING)
    return;
  const char *at = result->doing[0] != 0 ? ", while " : "";
  result->verdict = CHECK_FAIL;
  if (rc == -ETIMEDOUT)
    snprintf(result->reason, sizeof result->reason, "not done after %" PRId64 " s%s%s",
             result->took_ns / MUX_S, at, result->doing);
  else
    snprintf(result->reason, sizeof result->reason,
             "the case itself ended early (wait status %#x)%s%s: please report this", status, at,
             result->doing);
}

/* The child keeps the signals blocked: Ctrl-C goes to the whole process group, but the parent
 * answers it. */
static int run_bounded(struct check *check, int64_t deadline_ns) {
  sigset_t signals;
  sigset_t before;
  check_ending_signals(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, &before);
  int64_t start = mux_now_ns();
  fflush(NULL);
  pid_t child = fork();
  if (child == 0)
    run_child(check);
  int rc = child < 0 ? -errno : 0;
  if (rc == 0) {
    int status = 0;
    rc = await_child(child, check->self->bound_s * MUX_S * check_slowness(), deadline_ns, &signals);
    if (rc != 0)
      kill(child, SIGKILL);
    waitpid(child, &status, 0);
    check->result->took_ns = mux_now_ns() - start;
    judge_end(check->result, rc, status);
    rc = rc == -ETIMEDOUT ? 0 : rc;
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return rc;
}

/* ---- Temporary files --------------------------------------------------------------------------
 */

/* Only the directory of a Unix socket has a name, and so could be left behind. */
struct scratch {
  int log_fd; /* takes the server's stderr; -1: the caller has a file for it */
  char log[32];
  char directory[80]; /* "": none */
  char listen[100];
};

static int make_scratch(struct scratch *scratch, struct mux_server_spec *spec) {
  const char *temporary = getenv("TMPDIR");
  *scratch = (struct scratch){.log_fd = -1};
  if (spec->stderr_path == NULL) {
    scratch->log_fd = memfd_create("muxbench-check-log", MFD_CLOEXEC);
    if (scratch->log_fd < 0)
      return -errno;
    snprintf(scratch->log, sizeof scratch->log, "/proc/self/fd/%d", scratch->log_fd);
    spec->stderr_path = scratch->log;
  }
  if (spec->listen != check_own_socket)
    return 0;
  if (temporary == NULL || strlen(temporary) + sizeof "/muxbench-check-XXXXXX" > 80)
    temporary = "/tmp";
  snprintf(scratch->directory, sizeof scratch->directory, "%s/muxbench-check-XXXXXX", temporary);
  if (mkdtemp(scratch->directory) == NULL) {
    scratch->directory[0] = 0;
    return -errno;
  }
  snprintf(scratch->listen, sizeof scratch->listen, "unix://%s/socket", scratch->directory);
  spec->listen = scratch->listen;
  return 0;
}

/* A server that is being killed may still bind its socket; once the directory is gone it cannot. */
static void remove_scratch(struct scratch *scratch) {
  enum { TRIES = 100 };
  if (scratch->log_fd >= 0)
    close(scratch->log_fd);
  for (int i = 0; i < TRIES && scratch->directory[0] != 0; i++) {
    unlink(scratch->listen + strlen("unix://"));
    if (rmdir(scratch->directory) == 0 || errno != ENOTEMPTY)
      break;
  }
}

/* ---------------------------------------------------------------------------------------------- */

/* Reasons quote servers, plug-ins and the system, which may say anything. */
static void copy_result(struct check_result *to, const struct check_result *from) {
  *to = *from;
  mux_printable(to->reason, sizeof to->reason, from->reason);
  mux_printable(to->note, sizeof to->note, from->note);
}

int check_run(const struct check_setup *setup, const struct check_case *one, int64_t deadline_ns,
              struct check_result *result) {
  struct check check = {
      .self = one,
      .backend = setup->backend,
      .fd_limit = setup->fd_limit,
      .spec = setup->spec,
      .pattern = mux_pattern_new(setup->seed),
      .random = setup->seed,
      .patience_ns = setup->patience_ns > 0 ? setup->patience_ns : PATIENCE_NS,
  };
  if (check_is_sanitized(&check) && check.spec.drain_ns == 0)
    check.spec.drain_ns = MUX_S * check_slowness();
  struct check_result settled = {.verdict = CHECK_RUNNING};
  *result = settled;
  if (!check_applies(setup, one, &check.spec, &settled)) {
    copy_result(result, &settled);
    return 0;
  }
  if (mux_now_ns() >= deadline_ns) {
    result->verdict = CHECK_FAIL;
    snprintf(result->reason, sizeof result->reason, "not run: the time for all cases is used up");
    return 0;
  }
  check.result =
      mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (check.result == MAP_FAILED)
    return -errno;
  struct scratch scratch;
  int rc = make_scratch(&scratch, &check.spec);
  check.server_log = check.spec.stderr_path;
  if (rc == 0)
    rc = run_bounded(&check, deadline_ns);
  copy_result(result, check.result);
  munmap(check.result, sizeof *result);
  remove_scratch(&scratch);
  return rc;
}
