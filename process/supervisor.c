/* supervisor.c: see supervisor.h.
 *
 * Invariants: of our descriptors the supervisor keeps only its end of the lifeline, so that nobody
 * waits in vain for an EOF; and it ends only when it has no children left. */
#include "process/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "process/process.h"
#include "process/tree.h"

enum { PASSED_BASE = 3, LIFELINE = PASSED_BASE + MUX_PROCESS_PASSED };

static void report(int kind, int value) {
  struct mux_report message = {.kind = kind, .value = value};
  (void)!send(LIFELINE, &message, sizeof message, MSG_NOSIGNAL);
}

/* Moves what the program needs to 0, 1, 2, 3… and the lifeline after them; closes the rest. */
static int arrange_descriptors(const struct mux_process_spec *spec, int lifeline, int null_fd) {
  int from[LIFELINE + 1];
  from[0] = spec->stdin_fd > 0 ? spec->stdin_fd : null_fd;
  from[1] = spec->stdout_fd >= 0 ? spec->stdout_fd : null_fd;
  from[2] = spec->stderr_fd >= 0 ? spec->stderr_fd : null_fd;
  for (int i = 0; i < MUX_PROCESS_PASSED; i++)
    from[PASSED_BASE + i] = i < spec->passed_count ? spec->passed[i] : -1;
  from[LIFELINE] = lifeline;
  for (int i = 0; i <= LIFELINE; i++) /* first out of the way of the targets */
    if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, LIFELINE + 1)) < 0)
      return -errno;
  for (int i = 0; i <= LIFELINE; i++) {
    if (from[i] < 0)
      close(i);
    else if (dup3(from[i], i, i == LIFELINE ? O_CLOEXEC : 0) < 0)
      return -errno;
  }
  return syscall(SYS_close_range, (unsigned)LIFELINE + 1, ~0u, 0u) == 0 ? 0 : -errno;
}

_Noreturn static void run_program(const struct mux_process_spec *spec, char **env) {
  sigset_t none;
  report(MUX_REPORT_STARTED, getpid()); /* sent from here, it comes before a failed exec */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0);
  /* In case the supervisor itself is killed. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int error = 0;
  if (spec->nofile > 0) {
    struct rlimit limit = {.rlim_cur = (rlim_t)spec->nofile, .rlim_max = (rlim_t)spec->nofile};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
      error = errno;
  }
  if (error == 0 && spec->cpus != NULL && CPU_COUNT(spec->cpus) > 0 &&
      sched_setaffinity(0, sizeof *spec->cpus, spec->cpus) != 0)
    error = errno;
  if (error == 0) {
    if (spec->path != NULL)
      execve(spec->path, spec->argv, env);
    else
      execvpe(spec->argv[0], spec->argv, env);
    error = errno;
  }
  report(MUX_REPORT_EXEC_FAILED, error);
  _exit(127);
}

static void kill_one(pid_t pid, void *data) {
  (void)data;
  kill(pid, SIGKILL);
}

/* Kills every descendant. The children of one that is killed become ours, so none is left at last.
 */
static void kill_all(void) {
  static const char children[] = "/proc/thread-self/children";
  struct timespec pause = {.tv_nsec = 1000000};
  for (;;) {
    mux_tree_children(children, kill_one, NULL);
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
      ;
    if (pid < 0 && errno == ECHILD)
      return;
    nanosleep(&pause, NULL);
  }
}

/* Reaps children that have ended. Returns true if the program was one of them. */
static bool reap(int signals, pid_t program) {
  struct signalfd_siginfo info;
  (void)!read(signals, &info, sizeof info);
  bool ended = false;
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == program) {
      report(MUX_REPORT_ENDED, status);
      ended = true;
    }
  }
  return ended;
}

_Noreturn void mux_supervise(const struct mux_process_spec *spec, char **env, int lifeline,
                             int null_fd) {
  sigset_t all;
  sigset_t child;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (arrange_descriptors(spec, lifeline, null_fd) != 0)
    _exit(127);
  setpgid(0, 0); /* the terminal's Ctrl-C is the runner's business */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "mux-supervisor");
  int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  pid_t program = signals >= 0 ? fork() : -1;
  if (program < 0) {
    report(MUX_REPORT_FAILED, errno);
    _exit(127);
  }
  if (program == 0)
    run_program(spec, env);
  for (int fd = 0; fd < LIFELINE; fd++)
    if (fd != signals)
      close(fd);
  bool running = true;
  for (;;) {
    struct pollfd wait[] = {{.fd = LIFELINE, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    if (poll(wait, 2, -1) < 0)
      continue;
    if (wait[1].revents != 0 && reap(signals, program))
      running = false;
    if (wait[0].revents == 0)
      continue;
    int signal_number;
    ssize_t n = recv(LIFELINE, &signal_number, sizeof signal_number, MSG_DONTWAIT);
    if (n == (ssize_t)sizeof signal_number && running)
      kill(program, signal_number);
    else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
      break;
  }
  if (running)
    kill(-program, SIGKILL);
  kill_all();
  _exit(0);
}
