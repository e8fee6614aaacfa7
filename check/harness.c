/* harness.c: see harness.h. */
#include "check/harness.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/registry.h"
#include "check/check.h"
#include "check/subject.h"
#include "common/sock.h"

enum { CASES_MAX = 128, SPARE_FDS = 100 };
#define PATIENCE_NS (3 * MUX_S)

/* ---- The list ------------------------------------------------------------------------------- */

extern const struct check_case *const __start_mux_check_cases[]
    __attribute__((visibility("hidden")));
extern const struct check_case *const __stop_mux_check_cases[]
    __attribute__((visibility("hidden")));

static int by_source(const void *a, const void *b) {
  const struct check_case *x = *(const struct check_case *const *)a;
  const struct check_case *y = *(const struct check_case *const *)b;
  return x->theme != y->theme ? (int)x->theme - (int)y->theme : x->line - y->line;
}

const struct check_case *const *check_cases(int *count) {
  static const struct check_case *sorted[CASES_MAX];
  *count = (int)(__stop_mux_check_cases - __start_mux_check_cases);
  assert(*count <= CASES_MAX);
  if (sorted[0] == NULL) {
    for (int i = 0; i < *count; i++)
      sorted[i] = __start_mux_check_cases[i];
    qsort(sorted, (size_t)*count, sizeof(const struct check_case *), by_source);
  }
  return sorted;
}

const struct check_case *check_find(const char *name) {
  int count;
  const struct check_case *const *cases = check_cases(&count);
  for (int i = 0; i < count; i++)
    if (strcmp(cases[i]->name, name) == 0)
      return cases[i];
  return NULL;
}

/* ---- Does it apply? ------------------------------------------------------------------------- */

static const char *listen_or_target(const struct mux_server_spec *spec) {
  if (spec->target != NULL)
    return spec->target;
  return spec->listen != NULL ? spec->listen : "tcp://127.0.0.1:0";
}

const char *check_transport(const struct check_setup *setup) {
  const char *text = listen_or_target(&setup->spec);
  return strncmp(text, "unix:", 5) == 0 ? "unix" : strncmp(text, "udp:", 4) == 0 ? "udp" : "tcp";
}

static unsigned transport_bit(const char *transport) {
  return strcmp(transport, "udp") == 0    ? MUX_UDP
         : strcmp(transport, "unix") == 0 ? MUX_UNIX
                                          : MUX_TCP;
}

int check_describe(struct check_setup *setup, char *why, size_t why_bytes) {
  const char *name = setup->spec.backend;
  int rc = 0;
  if (name == NULL)
    return 0;
  if (mux_plugin_is_path(name))
    rc = mux_plugin_load(&setup->backend, name, why, why_bytes);
  else if ((setup->backend = mux_registry_find(name)) == NULL) {
    snprintf(why, why_bytes, "there is no such backend; 'muxbench list' lists them");
    rc = -ENOENT;
  }
  if (rc == 0)
    rc = mux_backend_probe(setup->backend, why, why_bytes);
  if (rc == 0 && (setup->backend->transports & transport_bit(check_transport(setup))) == 0) {
    snprintf(why, why_bytes, "it does not serve %s", check_transport(setup));
    rc = -EOPNOTSUPP;
  }
  return rc;
}

static bool skip(struct check_result *result, const char *format, const char *word) {
  result->verdict = CHECK_SKIP;
  snprintf(result->reason, sizeof result->reason, format, word);
  return false;
}

/* Can the case's transport be had? An own backend is started on the transport that a datagram or
 * Unix case asks for; a foreign server is where it is. `path`: room for a Unix address. */
static bool settle_transport(const struct check_setup *setup, const struct check_case *one,
                             struct mux_server_spec *spec, char path[64],
                             struct check_result *result) {
  const char *transport = check_transport(setup);
  const char *needed = (one->needs & CHECK_UDP) != 0    ? "udp"
                       : (one->needs & CHECK_UNIX) != 0 ? "unix"
                       : (one->needs & CHECK_TCP) != 0  ? "tcp"
                                                        : NULL;
  if (needed == NULL)
    return strcmp(transport, "udp") != 0 || skip(result, "needs a stream, this is %s", transport);
  if (strcmp(transport, needed) == 0)
    return true;
  if (setup->backend == NULL || strcmp(needed, "tcp") == 0)
    return skip(result, "needs %s", needed);
  unsigned bit = transport_bit(needed);
  if ((setup->backend->transports & bit) == 0)
    return skip(result, "this backend does not offer %s", needed);
  snprintf(path, 64, "unix:///tmp/muxbench-check-%ld.sock", (long)getpid());
  spec->listen = bit == MUX_UDP ? "udp://127.0.0.1:0" : path;
  return true;
}

static bool applies(const struct check_setup *setup, const struct check_case *one,
                    struct mux_server_spec *spec, char path[64], struct check_result *result) {
  if (!settle_transport(setup, one, spec, path, result))
    return false;
  const struct mux_exemption *exempt = setup->backend != NULL ? setup->backend->exemptions : NULL;
  for (; exempt != NULL && exempt->test != NULL; exempt++)
    if (strcmp(exempt->test, one->name) == 0) {
      skip(result, "%s", exempt->reason);
      result->verdict = CHECK_EXEMPT;
      return false;
    }
  if (spec->target != NULL && (one->needs & (CHECK_OWN | CHECK_STARTS)) != 0)
    return skip(result, "%s", "has to own the process: use --backend or --exec");
  long fds = mux_raise_nofile();
  if (fds < one->fds + SPARE_FDS) {
    char text[64];
    snprintf(text, sizeof text, "%d descriptors, the limit is %ld", one->fds + SPARE_FDS, fds);
    return skip(result, "needs %s (ulimit -n)", text);
  }
  return true;
}

/* ---- The child ------------------------------------------------------------------------------ */

/* A server that passed still has to end well: what a sanitizer finds at the end counts. */
static void stop_in_order(struct check *check) {
  check_alive(check);
  if (!check_owns(check))
    return;
  struct mux_server *server = check->server;
  pid_t pid = mux_server_pid(server);
  int status = check_stop(check);
  bool foreign = check->spec.backend == NULL; /* may die of SIGTERM, as nobody told it better */
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

/* Waits for the child's end, SIGINT or SIGTERM, or the deadline. Returns 0, -ETIMEDOUT or -EINTR;
 * the two signals are blocked here, so that one that comes early is not missed. */
static int await_child(pid_t child, int64_t deadline_ns) {
  sigset_t all;
  sigemptyset(&all);
  sigaddset(&all, SIGINT);
  sigaddset(&all, SIGTERM);
  sigaddset(&all, SIGCHLD);
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
      return 0;
    int64_t left = deadline_ns - mux_now_ns();
    if (left <= 0)
      return -ETIMEDOUT;
    struct timespec ts = mux_ns_timespec(left);
    int signal = sigtimedwait(&all, NULL, &ts);
    if (signal == SIGINT || signal == SIGTERM)
      return -EINTR;
  }
}

static void judge_end(struct check_result *result, int rc, int status, int64_t bound_ns) {
  if (result->verdict != CHECK_RUNNING)
    return;
  result->verdict = CHECK_FAIL;
  if (rc == -ETIMEDOUT)
    snprintf(result->reason, sizeof result->reason, "not done after %" PRId64 " s%s%.*s",
             bound_ns / MUX_S, result->doing[0] != 0 ? ", while " : "",
             (int)sizeof result->doing - 1, result->doing);
  else
    snprintf(result->reason, sizeof result->reason,
             "the case itself ended early (wait status %#x)%s%.*s: please report this", status,
             result->doing[0] != 0 ? ", while " : "", (int)sizeof result->doing - 1, result->doing);
}

/* Signals we wait for are blocked for the whole run, and back in the child. */
static pid_t fork_case(struct check *check, const sigset_t *before) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    sigprocmask(SIG_SETMASK, before, NULL);
    run_child(check);
  }
  return child;
}

static int run_bounded(struct check *check, int64_t deadline_ns) {
  sigset_t waited;
  sigset_t before;
  sigemptyset(&waited);
  sigaddset(&waited, SIGINT);
  sigaddset(&waited, SIGTERM);
  sigaddset(&waited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &waited, &before);
  int64_t start = mux_now_ns();
  int64_t bound = check->self->bound_s * MUX_S * check_slowness();
  if (deadline_ns - start < bound)
    bound = deadline_ns - start;
  pid_t child = fork_case(check, &before);
  int rc = child < 0 ? -errno : 0;
  if (rc == 0) {
    int status = 0;
    rc = await_child(child, start + bound);
    if (rc != 0)
      kill(child, SIGKILL);
    waitpid(child, &status, 0);
    check->result->took_ns = mux_now_ns() - start;
    judge_end(check->result, rc, status, bound);
    rc = rc == -ETIMEDOUT ? 0 : rc;
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return rc;
}

int check_run(const struct check_setup *setup, const struct check_case *one, int64_t deadline_ns,
              struct check_result *result) {
  char path[64];
  char log[] = "/tmp/muxbench-check-XXXXXX";
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
  *result = (struct check_result){.verdict = CHECK_RUNNING};
  if (!applies(setup, one, &check.spec, path, result))
    return 0;
  if (mux_now_ns() >= deadline_ns) {
    result->verdict = CHECK_FAIL;
    snprintf(result->reason, sizeof result->reason, "not run: the time for all cases is used up");
    return 0;
  }
  check.result =
      mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (check.result == MAP_FAILED)
    return -errno;
  int log_fd = check.spec.stderr_path == NULL ? mkstemp(log) : -1;
  if (log_fd >= 0) {
    close(log_fd);
    check.spec.stderr_path = log;
  }
  check.server_log = check.spec.stderr_path;
  int rc = run_bounded(&check, deadline_ns);
  *result = *check.result;
  munmap(check.result, sizeof *result);
  if (log_fd >= 0)
    unlink(log);
  return rc;
}

/* ---- The gate ------------------------------------------------------------------------------- */

int mux_check_quick(const struct mux_server_spec *spec, char *why, size_t why_bytes) {
  enum { GATE_S = 30 };
  int count;
  const struct check_case *const *cases = check_cases(&count);
  struct check_setup setup = {.spec = *spec, .seed = 1};
  if (check_describe(&setup, why, why_bytes) != 0)
    return 1;
  int64_t deadline = mux_now_ns() + GATE_S * MUX_S * check_slowness();
  bool is_udp = strcmp(check_transport(&setup), "udp") == 0;
  for (int i = 0; i < count; i++) {
    struct check_result result;
    bool about_udp = (cases[i]->needs & CHECK_UDP) != 0;
    if (!cases[i]->gate || about_udp != is_udp)
      continue;
    int rc = check_run(&setup, cases[i], deadline, &result);
    if (rc == -EINTR)
      raise(SIGINT); /* it was for the caller */
    if (rc != 0 || result.verdict == CHECK_FAIL) {
      snprintf(why, why_bytes, "%s: %s", cases[i]->name, rc != 0 ? strerror(-rc) : result.reason);
      return 1;
    }
  }
  return 0;
}
