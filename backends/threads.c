/* threads.c: a thread per connection, blocking. The scheduler is the multiplexer.
 *
 * The worker's thread accepts. Each connection has a thread with a small stack, which ends with it.
 * A thread that ends joins the one that ended before it, so at most one is unjoined at any time and
 * the acceptor need not wake up for it.
 *
 * To stop: shutdown(SHUT_RD) makes a blocked receive return what the queue holds and then EOF; at
 * the deadline SHUT_RDWR wakes threads that are stuck in a send.
 *
 * Invariant: a connection is in the list from before its thread starts until just before its
 * descriptor is closed, both under the lock, so the acceptor never shuts down a descriptor that
 * belongs to another connection. */
#include "backends/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { OPTION_STACK };

static const struct mux_option options[] = {
    [OPTION_STACK] = {.key = "stack",
                      .help = "stack of each connection's thread",
                      .fallback = "64KiB",
                      .kind = MUX_OPT_SIZE,
                      .min = 32 << 10,
                      .max = 64 << 20},
    {0},
};

struct acceptor {
  struct mux_worker *worker;
  pthread_attr_t attributes; /* of the connections' threads */
  pthread_mutex_t lock;
  pthread_cond_t all_ended;
  struct connection *first; /* list of live connections */
  size_t alive;
  bool has_ended;
  pthread_t last_ended; /* not joined yet */
};

struct connection {
  struct acceptor *acceptor;
  struct connection *next;
  struct connection *previous;
  int fd;
};

static void link_connection(struct connection *connection) {
  struct acceptor *acceptor = connection->acceptor;
  pthread_mutex_lock(&acceptor->lock);
  connection->next = acceptor->first;
  if (connection->next != NULL)
    connection->next->previous = connection;
  acceptor->first = connection;
  acceptor->alive++;
  pthread_mutex_unlock(&acceptor->lock);
}

/* With the lock held. */
static void unlink_connection(struct connection *connection) {
  struct acceptor *acceptor = connection->acceptor;
  if (connection->next != NULL)
    connection->next->previous = connection->previous;
  if (connection->previous != NULL)
    connection->previous->next = connection->next;
  else
    acceptor->first = connection->next;
}

/* With the lock held: the last thing that a connection does to its acceptor. */
static void count_ended(struct acceptor *acceptor) {
  if (--acceptor->alive == 0)
    pthread_cond_signal(&acceptor->all_ended);
}

static void *connection_main(void *argument) {
  struct connection *connection = argument;
  struct acceptor *acceptor = connection->acceptor;
  struct mux_worker *worker = acceptor->worker;
  int rc = worker->host->serve_blocking(worker, connection->fd);

  pthread_mutex_lock(&acceptor->lock);
  unlink_connection(connection);
  pthread_mutex_unlock(&acceptor->lock);
  worker->host->close(worker, connection->fd, rc);
  free(connection);

  pthread_mutex_lock(&acceptor->lock);
  bool join = acceptor->has_ended;
  pthread_t before = acceptor->last_ended;
  acceptor->last_ended = pthread_self();
  acceptor->has_ended = true;
  pthread_mutex_unlock(&acceptor->lock);
  if (join)
    pthread_join(before, NULL);

  pthread_mutex_lock(&acceptor->lock);
  count_ended(acceptor);
  pthread_mutex_unlock(&acceptor->lock);
  return NULL;
}

/* Returns 0, or -EAGAIN when no more threads can be started for now (pthread_create(3): limits on
 * threads, or no memory for a stack). */
static int start_connection(struct acceptor *acceptor, int fd) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL)
    return -EAGAIN;
  connection->acceptor = acceptor;
  connection->fd = fd;
  link_connection(connection);
  pthread_t thread;
  int error = pthread_create(&thread, &acceptor->attributes, connection_main, connection);
  if (error == 0)
    return 0;
  pthread_mutex_lock(&acceptor->lock);
  unlink_connection(connection);
  count_ended(acceptor);
  pthread_mutex_unlock(&acceptor->lock);
  free(connection);
  return -EAGAIN;
}

/* Accepts everything that waits. *held is a connection that is accepted but has no thread yet, or
 * -1. Returns 0, -EMFILE to pause, or the listener's -errno. */
static int accept_all(struct acceptor *acceptor, int *held) {
  struct mux_worker *worker = acceptor->worker;
  for (;;) {
    int fd = *held >= 0 ? *held : worker->host->accept(worker, 0);
    *held = -1;
    if (fd < 0)
      return fd == -EAGAIN ? 0 : fd;
    if (start_connection(acceptor, fd) != 0) {
      *held = fd;
      MUX_COUNT(worker, paused, 1);
      return -EMFILE;
    }
    /* A stream of newcomers must not hide the stop. */
    if (worker->host->draining(worker))
      return 0;
  }
}

static int accept_until_stopped(struct acceptor *acceptor, int *held) {
  struct mux_worker *worker = acceptor->worker;
  bool paused = false;
  while (!worker->host->draining(worker)) {
    int rc = mux_blocking_wait(worker, paused);
    if (rc == 0)
      rc = accept_all(acceptor, held);
    if (rc != 0 && rc != -EMFILE)
      return rc;
    paused = rc == -EMFILE;
  }
  return 0;
}

/* Connections from before the signal. */
static void accept_the_rest(struct acceptor *acceptor, int *held, int64_t deadline_ns) {
  struct mux_worker *worker = acceptor->worker;
  while (worker->host->now_ns() < deadline_ns) {
    int fd = *held >= 0 ? *held : worker->host->accept(worker, 0);
    *held = -1;
    if (fd < 0)
      return;
    if (start_connection(acceptor, fd) != 0) {
      worker->host->refuse(worker, fd);
      return;
    }
  }
}

static void shutdown_all(struct acceptor *acceptor, int how) {
  pthread_mutex_lock(&acceptor->lock);
  for (struct connection *each = acceptor->first; each != NULL; each = each->next)
    shutdown(each->fd, how);
  pthread_mutex_unlock(&acceptor->lock);
}

/* True if all have ended by then; deadline_ns < 0: wait without limit. */
static bool wait_for_all(struct acceptor *acceptor, int64_t deadline_ns) {
  struct timespec until = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
  int error = 0;
  pthread_mutex_lock(&acceptor->lock);
  while (acceptor->alive > 0 && error == 0)
    error = deadline_ns < 0 ? pthread_cond_wait(&acceptor->all_ended, &acceptor->lock)
                            : pthread_cond_timedwait(&acceptor->all_ended, &acceptor->lock, &until);
  bool ended = acceptor->alive == 0;
  pthread_mutex_unlock(&acceptor->lock);
  return ended;
}

static void drain(struct acceptor *acceptor, int *held) {
  struct mux_worker *worker = acceptor->worker;
  int64_t deadline_ns = worker->host->now_ns() + worker->drain_ns;
  accept_the_rest(acceptor, held, deadline_ns);
  shutdown_all(acceptor, SHUT_RD);
  if (!wait_for_all(acceptor, deadline_ns)) {
    shutdown_all(acceptor, SHUT_RDWR);
    wait_for_all(acceptor, -1);
  }
  if (acceptor->has_ended)
    pthread_join(acceptor->last_ended, NULL);
}

static void init_acceptor(struct acceptor *acceptor, struct mux_worker *worker) {
  *acceptor = (struct acceptor){.worker = worker};
  pthread_attr_init(&acceptor->attributes);
  pthread_attr_setstacksize(&acceptor->attributes, (size_t)worker->options[OPTION_STACK]);
  pthread_mutex_init(&acceptor->lock, NULL);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&acceptor->all_ended, &clock);
  pthread_condattr_destroy(&clock);
}

static int threads_run(struct mux_worker *worker) {
  struct acceptor acceptor;
  init_acceptor(&acceptor, worker);
  int held = -1;
  int rc = accept_until_stopped(&acceptor, &held);
  drain(&acceptor, &held);
  pthread_cond_destroy(&acceptor.all_ended);
  pthread_mutex_destroy(&acceptor.lock);
  pthread_attr_destroy(&acceptor.attributes);
  return rc;
}

static const struct mux_backend backend = {
    .abi = MUX_ABI,
    .name = "threads",
    .summary = "a thread per connection, blocking",
    .flags = MUX_THREAD_PER_CONNECTION,
    .transports = MUX_TCP | MUX_UNIX,
    .options = options,
    .run = threads_run,
};
MUX_BACKEND(backend);
