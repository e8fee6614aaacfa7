/* iterative.c: blocking, one connection at a time from its first byte to its last: the iterative
 * server of the textbooks. Other connections are established and wait in the accept queue.
 *
 *   iterative  one worker
 *   pool       a fixed pool of threads on one listener, each of them iterative
 *   prefork    the same with processes
 *
 * Connections beyond the number of workers have to wait; that is the lesson. A worker that blocks
 * in recv() or send() cannot watch stop_fd, so each has a second thread that sleeps until the
 * server stops: shutdown(SHUT_RD) then makes a blocked receive return what the queue holds and then
 * EOF, and at the deadline SHUT_RDWR wakes workers that are stuck in a send.
 *
 * Invariant: under the lock, serving_fd is the descriptor being served, which is still open, or -1.
 */
#include "backends/blocking.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = -1 }; /* not shut down; else SHUT_RD or SHUT_RDWR */

struct server {
  struct mux_worker *worker;
  pthread_mutex_t lock;
  int serving_fd;
  int shut;   /* how connections are shut down at present */
  int end_fd; /* eventfd: the worker has ended */
};

/* ---- The thread that waits for the stop ------------------------------------------------------ */

static void shut_down(struct server *server, int how) {
  pthread_mutex_lock(&server->lock);
  server->shut = how;
  if (server->serving_fd >= 0)
    shutdown(server->serving_fd, how);
  pthread_mutex_unlock(&server->lock);
}

/* True if the worker has ended. False if fd (unless -1) is readable or the time is up. */
static bool wait_for_end(const struct server *server, int fd, int64_t until_ns) {
  const struct mux_host *host = server->worker->host;
  struct pollfd fds[] = {{.fd = server->end_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
  for (;;) {
    int64_t left_ns = until_ns - host->now_ns();
    struct timespec timeout = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    if (until_ns > 0 && left_ns <= 0)
      return false;
    if (ppoll(fds, 2, until_ns > 0 ? &timeout : NULL, NULL) > 0)
      return fds[0].revents != 0;
  }
}

static void *stopper_main(void *argument) {
  struct server *server = argument;
  const struct mux_worker *worker = server->worker;
  if (wait_for_end(server, worker->stop_fd, 0))
    return NULL;
  shut_down(server, SHUT_RD);
  if (!wait_for_end(server, -1, worker->host->now_ns() + worker->drain_ns))
    shut_down(server, SHUT_RDWR);
  return NULL;
}

/* ---- Serving -------------------------------------------------------------------------------- */

static void set_serving(struct server *server, int fd) {
  pthread_mutex_lock(&server->lock);
  server->serving_fd = fd;
  if (fd >= 0 && server->shut != OPEN)
    shutdown(fd, server->shut);
  pthread_mutex_unlock(&server->lock);
}

static void serve(struct server *server, int fd) {
  struct mux_worker *worker = server->worker;
  set_serving(server, fd);
  int rc = worker->host->serve_blocking(worker, fd);
  set_serving(server, -1);
  worker->host->close(worker, fd, rc);
}

/* Returns 0 after the stop, or the listener's -errno. */
static int serve_until_stopped(struct server *server) {
  struct mux_worker *worker = server->worker;
  bool paused = false;
  while (!worker->host->draining(worker)) {
    int rc = mux_blocking_wait(worker, paused);
    if (rc != 0)
      return rc;
    int fd = worker->host->accept(worker, 0);
    paused = fd == -EMFILE;
    if (fd >= 0)
      serve(server, fd);
    else if (fd != -EAGAIN && fd != -EBUSY && !paused)
      return fd;
  }
  return 0;
}

/* Connections from before the stop get back what they have sent. */
static void serve_the_rest(struct server *server) {
  struct mux_worker *worker = server->worker;
  int64_t deadline_ns = worker->host->now_ns() + worker->drain_ns;
  int fd;
  while (worker->host->now_ns() < deadline_ns && (fd = worker->host->accept(worker, 0)) >= 0)
    serve(server, fd);
}

static int iterative_run(struct mux_worker *worker) {
  struct server server = {.worker = worker, .serving_fd = -1, .shut = OPEN};
  server.end_fd = eventfd(0, EFD_CLOEXEC);
  if (server.end_fd < 0)
    return -errno;
  pthread_mutex_init(&server.lock, NULL);
  pthread_t stopper;
  int rc = -pthread_create(&stopper, NULL, stopper_main, &server);
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  if (rc == 0) {
    /* Left to the stopper: ThreadSanitizer runs no handler in a thread that blocks in recv(). */
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    rc = serve_until_stopped(&server);
    serve_the_rest(&server);
    eventfd_write(server.end_fd, 1);
    pthread_join(stopper, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_mutex_destroy(&server.lock);
  close(server.end_fd);
  return rc;
}

/* These cases hold one connection open while they use another, or several. */
#define WAITS_ITS_TURN "a connection waits until an earlier one has ended"
#define NEED_SEVERAL                                                                               \
  {"random-chunks", WAITS_ITS_TURN}, {"many-connections-crosstalk", WAITS_ITS_TURN},               \
      {"stalled-peer-does-not-block-others", WAITS_ITS_TURN},                                      \
      {"firehose-fairness", WAITS_ITS_TURN}, {"reset-idle", WAITS_ITS_TURN},                       \
      {"client-vanishes", WAITS_ITS_TURN}, {"no-fin-lost", WAITS_ITS_TURN},                        \
      {"accept-emfile", WAITS_ITS_TURN}, {"fd-beyond-select", WAITS_ITS_TURN},                     \
      {"burst-of-connects", WAITS_ITS_TURN}, {"ten-thousand-idle", WAITS_ITS_TURN},                \
      {"thread-or-process-limit", WAITS_ITS_TURN}, {"eintr-storm", WAITS_ITS_TURN},                \
      {"sigterm-drains", WAITS_ITS_TURN}, {                                                        \
    "restart-same-port", WAITS_ITS_TURN                                                            \
  }

static const struct mux_exemption exempt_one[] = {
    NEED_SEVERAL, {"reset-midstream", WAITS_ITS_TURN}, {"idle-then-echo", WAITS_ITS_TURN}, {NULL}};
static const struct mux_exemption exempt_threads[] = {NEED_SEVERAL, {NULL}};
static const struct mux_exemption exempt_processes[] = {
    NEED_SEVERAL,
    {"connect-and-close-1000", "it is chance which process serves a connection, so the descriptors "
                               "of one process prove nothing"},
    {NULL}};

static const struct mux_backend iterative = {
    .abi = MUX_ABI,
    .name = "iterative",
    .summary = "blocking, one connection after the other",
    .flags = MUX_ONE_AT_A_TIME,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .max_workers = 1,
    .exemptions = exempt_one,
    .run = iterative_run,
};
MUX_BACKEND(iterative);

static const struct mux_backend pool = {
    .abi = MUX_ABI,
    .name = "pool",
    .summary = "a fixed pool of threads, each blocking on one connection at a time",
    .flags = MUX_ONE_AT_A_TIME | MUX_SHARED_LISTENER,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .default_workers = 4,
    .exemptions = exempt_threads,
    .run = iterative_run,
};
MUX_BACKEND(pool);

static const struct mux_backend prefork = {
    .abi = MUX_ABI,
    .name = "prefork",
    .summary = "processes started in advance, each blocking on one connection at a time",
    .flags = MUX_ONE_AT_A_TIME | MUX_SHARED_LISTENER | MUX_PROCESSES,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .default_workers = 4,
    .exemptions = exempt_processes,
    .run = iterative_run,
};
MUX_BACKEND(prefork);
