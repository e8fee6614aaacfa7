/* stop.c: see stop.h. The handlers use async-signal-safe calls only (signal-safety(7)), and state
 * that is complete before they are installed. */
#include "backends/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"

static struct {
  struct mux_shared *shared;
  int stop_fd;                         /* the reading end of a pipe; never read from */
  int wake_fd;                         /* its other end */
  unsigned give_up_s;                  /* after the stop, for a worker that does not end */
  const struct mux_counters *counters; /* [workers] */
  uint32_t workers;
  int signals; /* TERM and INT received */
  char complaint[128];
} stop;

/* The socket that was bound; owner 0: none. */
static struct {
  pid_t owner; /* forked workers inherit this, and must not remove the path */
  dev_t device;
  ino_t inode;
  char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
} bound;

/* While the bound socket is open, its inode number cannot be used for another file. */
static void remove_path(void) {
  struct stat there;
  if (bound.owner == getpid() && lstat(bound.path, &there) == 0 && there.st_dev == bound.device &&
      there.st_ino == bound.inode)
    unlink(bound.path);
  bound.owner = 0;
}

void mux_stop_remove_path(const struct mux_addr *addr) {
  if (addr->kind != MUX_ADDR_UNIX)
    return;
  struct stat status;
  const struct sockaddr_un *name = (const struct sockaddr_un *)&addr->socket.storage;
  memcpy(bound.path, name->sun_path, sizeof name->sun_path);
  if (lstat(bound.path, &status) != 0)
    return; /* it has been removed already */
  bound.device = status.st_dev;
  bound.inode = status.st_ino;
  bound.owner = getpid();
  atexit(remove_path);
}

/* Closing connections takes time: a second for so many. */
enum { CLOSES_PER_S = 10000 };

static unsigned closing_s(void) {
  int64_t open = 0;
  for (uint32_t i = 0; i < stop.workers; i++)
    open += (int64_t)(__atomic_load_n(&stop.counters[i].accepted, __ATOMIC_RELAXED) -
                      __atomic_load_n(&stop.counters[i].closed, __ATOMIC_RELAXED));
  return open > 0 ? (unsigned)(open / CLOSES_PER_S) : 0;
}

void mux_stop_request(void) {
  __atomic_store_n(&stop.shared->stopping, 1, __ATOMIC_RELAXED);
  ssize_t written = write(stop.wake_fd, "", 1);
  (void)written; /* fails only if the pipe is full, and then it is readable */
  alarm(stop.give_up_s + closing_s());
}

static void on_stop_signal(int number) {
  int error = errno;
  (void)number;
  if (__atomic_fetch_add(&stop.signals, 1, __ATOMIC_RELAXED) > 0) {
    remove_path();
    _exit(MUX_EXIT_INTERRUPTED);
  }
  mux_stop_request();
  errno = error;
}

static void on_alarm(int number) {
  (void)number;
  ssize_t written = write(STDERR_FILENO, stop.complaint, strlen(stop.complaint));
  (void)written;
  remove_path();
  _exit(MUX_EXIT_FAILED);
}

static void do_nothing(int number) {
  (void)number;
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigaction(number, &action, NULL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void mux_stop_open(const char *name, int64_t drain_ns, const struct mux_counters *counters,
                   uint32_t workers) {
  int ends[2]; /* not an eventfd: sigio needs a descriptor that sends signals */
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    mux_die(MUX_EXIT_FAILED, "cannot open a pipe: %s", strerror(errno));
  stop.stop_fd = ends[0];
  stop.wake_fd = ends[1];
  stop.shared =
      mmap(NULL, sizeof *stop.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (stop.shared == MAP_FAILED)
    mux_die(MUX_EXIT_FAILED, "cannot map shared memory: %s", strerror(errno));
  stop.give_up_s = (unsigned)(drain_ns / MUX_S) + 2;
  stop.counters = counters;
  stop.workers = workers;
  snprintf(stop.complaint, sizeof stop.complaint,
           "muxbench: %s: a worker did not end within the drain time\n", name);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGALRM, on_alarm);
  handle(SIGTERM, on_stop_signal);
  handle(SIGINT, on_stop_signal);
  /* Interrupts the call that a thread is in, and does nothing else: for check's eintr-storm. */
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = do_nothing}, NULL);
}

void mux_stop_close(void) {
  remove_path();
  close(stop.stop_fd);
  close(stop.wake_fd);
}

const struct mux_shared *mux_stop_shared(void) {
  return stop.shared;
}

int mux_stop_fd(void) {
  return stop.stop_fd;
}
