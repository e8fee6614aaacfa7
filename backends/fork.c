/* fork.c: a process per connection, blocking: how inetd and the first web servers did it.
 *
 * The parent accepts, forks, and closes its copy of the connection at once, so that a child
 * inherits only the connection that it serves: a second copy anywhere would hold back the FIN. The
 * child closes the listener.
 *
 * Children are reaped as they end: SIGCHLD's handler makes an eventfd readable. The worker has its
 * own process (MUX_PROCESSES), so the signal and waitpid(-1) concern no other worker.
 *
 * To stop, the parent sends SIGTERM: the child's handler calls shutdown(SHUT_RD), which makes its
 * receive return what the queue holds and then EOF. At the deadline the parent sends SIGKILL. A
 * child never outlives its parent (PR_SET_PDEATHSIG). */
#include "backends/mux_backend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  ACCEPT_BATCH = 64,  /* connections taken before children are reaped */
  PIDS_END = 1 << 22, /* no pid is larger: PID_MAX_LIMIT of Linux, proc(5) */
  PIDS_PER_WORD = 64,
};

struct parent {
  struct mux_worker *worker;
  uint64_t *alive; /* a bit per pid; pages that are never touched cost nothing */
  uint32_t children;
  int held; /* accepted, but no process could be started for it yet; or -1 */
  bool paused;
};

/* For the signal handlers. One worker is one process, one child serves one socket. */
static int ended_fd;
static int served_fd;

static void on_child_ended(int number) {
  int error = errno;
  (void)number;
  eventfd_write(ended_fd, 1);
  errno = error;
}

static void on_told_to_end(int number) {
  int error = errno;
  (void)number;
  shutdown(served_fd, SHUT_RD);
  errno = error;
}

static int handle_signal(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}

static void mark(struct parent *parent, pid_t pid, bool alive) {
  uint64_t bit = UINT64_C(1) << (pid % PIDS_PER_WORD);
  if (alive)
    parent->alive[pid / PIDS_PER_WORD] |= bit;
  else
    parent->alive[pid / PIDS_PER_WORD] &= ~bit;
}

static void signal_children(const struct parent *parent, int number) {
  for (pid_t pid = 0; pid < PIDS_END; pid++) {
    uint64_t word = parent->alive[pid / PIDS_PER_WORD];
    if (word == 0)
      pid += PIDS_PER_WORD - 1;
    else if ((word >> (pid % PIDS_PER_WORD) & 1) != 0)
      kill(pid, number);
  }
}

static void reap(struct parent *parent) {
  const struct mux_host *host = parent->worker->host;
  eventfd_t count;
  int status;
  pid_t pid;
  eventfd_read(ended_fd, &count);
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    mark(parent, pid, false);
    parent->children--;
    parent->paused = false; /* there is room for another one */
    host->close(parent->worker, -1, status == 0 ? 0 : -ECONNRESET);
  }
}

static _Noreturn void child_main(struct mux_worker *worker, int fd, pid_t parent_pid,
                                 const sigset_t *signals) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent_pid)
    _exit(1);
  served_fd = fd;
  handle_signal(SIGTERM, on_told_to_end);
  handle_signal(SIGINT, SIG_IGN); /* a terminal sends it to the whole group: the parent decides */
  handle_signal(SIGCHLD, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, signals, NULL);
  close(worker->listen_fd);
  _exit(worker->host->serve_blocking(worker, fd) == 0 ? 0 : 1);
}

/* Returns 0 and takes fd over, or -EAGAIN when no more processes can be started for now (fork(2):
 * limits on processes or memory). */
static int start_child(struct parent *parent, int fd) {
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pid_t own_pid = getpid();
  pthread_sigmask(SIG_BLOCK, &stop, &before); /* the parent's handlers are not for the child */
  pid_t pid = fork();
  if (pid == 0)
    child_main(parent->worker, fd, own_pid, &before);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0)
    return -EAGAIN;
  close(fd);
  mark(parent, pid, true);
  parent->children++;
  return 0;
}

/* Returns the last result of accept(): -EAGAIN for an empty queue; 0 after a full batch. */
static int accept_batch(struct parent *parent) {
  struct mux_worker *worker = parent->worker;
  for (int i = 0; i < ACCEPT_BATCH; i++) {
    int fd = parent->held >= 0 ? parent->held : worker->host->accept(worker, 0);
    parent->held = -1;
    if (fd < 0)
      return fd;
    if (start_child(parent, fd) != 0) {
      parent->held = fd;
      MUX_COUNT(worker, paused, 1);
      return -EMFILE;
    }
  }
  return 0;
}

/* Waits for children that end, and for `listen_fd` and the stop unless they are -1. */
static int wait_for(struct parent *parent, int listen_fd, int stop_fd, int64_t timeout_ns) {
  struct pollfd fds[] = {{.fd = ended_fd, .events = POLLIN},
                         {.fd = stop_fd, .events = POLLIN},
                         {.fd = listen_fd, .events = POLLIN}};
  struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  int n = ppoll(fds, sizeof fds / sizeof *fds, timeout_ns < 0 ? NULL : &timeout, NULL);
  if (n < 0 && errno != EINTR)
    return -errno;
  MUX_COUNT(parent->worker, waits, 1);
  MUX_COUNT(parent->worker, events, n > 0 ? n : 0);
  reap(parent);
  return 0;
}

static int accept_until_stopped(struct parent *parent) {
  struct mux_worker *worker = parent->worker;
  while (!worker->host->draining(worker)) {
    int rc = wait_for(parent, parent->paused ? -1 : worker->listen_fd, worker->stop_fd,
                      parent->paused ? MUX_ACCEPT_PAUSE_NS : -1);
    if (rc == 0)
      rc = accept_batch(parent);
    parent->paused = rc == -EMFILE;
    if (rc < 0 && rc != -EMFILE && rc != -EAGAIN)
      return rc;
  }
  return 0;
}

static int drain(struct parent *parent) {
  struct mux_worker *worker = parent->worker;
  int64_t deadline_ns = worker->host->now_ns() + worker->drain_ns;
  int rc = 0;
  while (rc == 0 && worker->host->now_ns() < deadline_ns) /* connections from before the signal */
    rc = accept_batch(parent);
  if (parent->held >= 0)
    worker->host->refuse(worker, parent->held);
  signal_children(parent, SIGTERM);
  for (bool killed = false; parent->children > 0;) {
    int64_t left_ns = deadline_ns - worker->host->now_ns();
    if (left_ns <= 0 && !killed) {
      killed = true;
      signal_children(parent, SIGKILL);
    }
    rc = wait_for(parent, -1, -1, killed ? -1 : left_ns);
    if (rc != 0)
      return rc;
  }
  return 0;
}

static int fork_run(struct mux_worker *worker) {
  struct parent parent = {.worker = worker, .held = -1};
  parent.alive = calloc(PIDS_END / PIDS_PER_WORD, sizeof *parent.alive);
  if (parent.alive == NULL)
    return -ENOMEM;
  ended_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int rc = ended_fd < 0 ? -errno : handle_signal(SIGCHLD, on_child_ended);
  if (rc == 0)
    rc = accept_until_stopped(&parent);
  if (ended_fd >= 0) {
    int drained = drain(&parent);
    rc = rc != 0 ? rc : drained;
    handle_signal(SIGCHLD, SIG_DFL);
    close(ended_fd);
  }
  free(parent.alive);
  return rc;
}

static const struct mux_backend backend = {
    .abi = MUX_ABI,
    .name = "fork",
    .summary = "a process per connection, blocking",
    .flags = MUX_THREAD_PER_CONNECTION | MUX_PROCESSES,
    .transports = MUX_TCP | MUX_UNIX,
    .run = fork_run,
};
MUX_BACKEND(backend);
