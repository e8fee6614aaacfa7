/* process.c: see process.h. The supervisor's side is in supervisor.c. */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pidfd.h"
#include "process/supervisor.h"

/* How long a supervisor may take to kill everything. It takes longer only if the kernel is stuck.
 */
#define KILL_TIMEOUT_NS (5 * MUX_S)

/* The environment with LD_PRELOAD replaced. One free() is enough. */
static char **environment_with(const char *preload, char *assignment) {
  size_t n = 0;
  while (environ[n] != NULL)
    n++;
  char **result = malloc((n + 2) * sizeof *result);
  if (result == NULL)
    return NULL;
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (preload == NULL || strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
      result[kept++] = environ[i];
  if (preload != NULL)
    result[kept++] = assignment;
  result[kept] = NULL;
  return result;
}

int mux_process_start(struct mux_process *process, const struct mux_process_spec *spec) {
  int pair[2] = {-1, -1};
  int null_fd = -1;
  char *assignment = NULL;
  char **env = NULL;
  int rc = 0;
  *process = (struct mux_process){.supervisor = -1, .lifeline = -1};
  if (spec->preload != NULL) {
    size_t bytes = strlen(spec->preload) + sizeof "LD_PRELOAD=";
    assignment = malloc(bytes);
    if (assignment == NULL)
      return -ENOMEM;
    strcpy(assignment, "LD_PRELOAD=");
    strcat(assignment, spec->preload);
  }
  env = environment_with(spec->preload, assignment);
  if (env == NULL) {
    rc = -ENOMEM;
    goto out;
  }
  null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    rc = -errno;
    goto out;
  }
  pid_t pid = fork();
  if (pid < 0) {
    rc = -errno;
    goto out;
  }
  if (pid == 0)
    mux_supervise(spec, env, pair[1], null_fd);
  process->supervisor = pid;
  process->lifeline = pair[0];
  pair[0] = -1;
  close(pair[1]);
  pair[1] = -1;
  struct mux_report report;
  ssize_t n;
  do
    n = recv(process->lifeline, &report, sizeof report, 0);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t)sizeof report || report.kind != MUX_REPORT_STARTED) {
    rc = n == (ssize_t)sizeof report ? -report.value : -EIO;
    close(process->lifeline);
    waitpid(process->supervisor, NULL, 0);
    *process = (struct mux_process){.supervisor = -1, .lifeline = -1};
    goto out;
  }
  process->pid = report.value;
out:
  if (pair[0] >= 0)
    close(pair[0]);
  if (pair[1] >= 0)
    close(pair[1]);
  if (null_fd >= 0)
    close(null_fd);
  free(env);
  free(assignment);
  return rc;
}

bool mux_process_running(struct mux_process *process) {
  struct mux_report report;
  while (process->lifeline >= 0 && !process->ended) {
    ssize_t n = recv(process->lifeline, &report, sizeof report, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return true;
    if (n != (ssize_t)sizeof report) { /* the supervisor itself is gone */
      process->ended = true;
      process->wait_status = SIGKILL;
    } else if (report.kind == MUX_REPORT_EXEC_FAILED) {
      process->exec_error = report.value;
    } else if (report.kind == MUX_REPORT_ENDED) {
      process->ended = true;
      process->wait_status = report.value;
    }
  }
  return false;
}

int mux_process_wait(struct mux_process *process, int64_t timeout_ns) {
  int64_t deadline = mux_now_ns() + timeout_ns;
  while (mux_process_running(process)) {
    int64_t left = deadline - mux_now_ns();
    if (left <= 0)
      return -ETIMEDOUT;
    struct timespec ts = mux_ns_timespec(left);
    struct pollfd wait = {.fd = process->lifeline, .events = POLLIN};
    ppoll(&wait, 1, &ts, NULL);
  }
  return 0;
}

void mux_process_signal(struct mux_process *process, int signal) {
  if (mux_process_running(process))
    (void)!send(process->lifeline, &signal, sizeof signal, MSG_NOSIGNAL);
}

/* Waits for the supervisor, which has to kill everything first. A stuck one gets SIGKILL. */
static void reap_supervisor(pid_t pid) {
  int pidfd = mux_pidfd_open(pid);
  struct pollfd wait = {.fd = pidfd, .events = POLLIN};
  int64_t deadline = mux_now_ns() + KILL_TIMEOUT_NS;
  int ready = 0;
  while (pidfd >= 0 && ready <= 0 && mux_now_ns() < deadline) {
    struct timespec ts = mux_ns_timespec(deadline - mux_now_ns());
    ready = ppoll(&wait, 1, &ts, NULL);
  }
  if (pidfd >= 0 && ready <= 0)
    kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  if (pidfd >= 0)
    close(pidfd);
}

int mux_process_end(struct mux_process *process) {
  if (process->lifeline < 0)
    return -ESRCH;
  bool ended = !mux_process_running(process);
  int status = process->wait_status;
  close(process->lifeline);
  process->lifeline = -1;
  process->ended = true;
  reap_supervisor(process->supervisor);
  if (!ended)
    return -ETIMEDOUT;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
