/* reactor.c: the event loop around a poller. It owns accepting, the connections, draining and the
 * counters; the poller only waits.
 *
 * A connection is a slot of one table that never moves: pollers may keep addresses of the slots'
 * scratch words. Its token is generation and slot number, so an event for a connection that has
 * ended in the meantime, or whose slot now serves another, is recognised and dropped in one place
 * (find_connection). Free slots are reused last in, first out, so that the busy part stays small.
 *
 * Level- and edge-triggered pollers differ in two things: an edge-triggered one is told of a
 * connection once, for both directions; and a connection whose budget is spent goes to a ready
 * list, because no further edge will come for what it has left unread.
 *
 * Invariant: a slot is free (fd < 0), or watched by the poller for `wants`. A slot in the ready
 * list is not reused until it is taken off. */
#include "backends/core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common/clock.h"

enum {
  WAIT_EVENTS = 512,            /* taken from the poller at a time */
  ACCEPT_BATCH = 256,           /* connections taken before the others get a turn */
  MAX_CONNECTIONS = 4000 * 1000 /* if the fd limit is practically none; address space only */
};

static const uint64_t TOKEN_LISTEN = UINT64_MAX;
static const uint64_t TOKEN_STOP = UINT64_MAX - 1;
static const uint32_t NO_SLOT = UINT32_MAX;

struct connection {
  struct mux_echo echo;
  uint64_t scratch; /* the poller's */
  int fd;           /* -1: free */
  uint32_t generation;
  uint32_t next;  /* in the free or the ready list */
  uint8_t wants;  /* what the poller watches it for */
  uint8_t queued; /* in the ready list */
};

struct reactor {
  struct mux_worker *worker;
  const struct mux_poller *poller;
  void *self; /* the poller's state */
  bool edge;
  bool oneshot;

  struct connection *table;
  uint32_t slots; /* of the table */
  uint32_t used;  /* slots [used, slots) were never taken */
  uint32_t live;
  uint32_t free;  /* list, NO_SLOT ends it */
  uint32_t ready; /* list */

  uint64_t listen_scratch;
  uint64_t stop_scratch;
  bool listening;   /* the poller watches the listener */
  bool accept_more; /* the batch ended before the queue did */
  bool draining;
  int64_t resume_at_ns; /* when paused; else 0 */
  int64_t deadline_ns;  /* when draining */

  struct mux_event *events; /* [WAIT_EVENTS], event_bytes apart */
  size_t event_bytes;       /* as the poller's compiler had it (struct mux_abi) */
};

/* ---- Connections ---------------------------------------------------------------------------- */

static uint64_t token_of(const struct reactor *reactor, const struct connection *connection) {
  return (uint64_t)connection->generation << 32 | (uint64_t)(connection - reactor->table);
}

static struct connection *find_connection(struct reactor *reactor, uint64_t token) {
  uint32_t slot = (uint32_t)token;
  if (slot >= reactor->used)
    return NULL;
  struct connection *connection = &reactor->table[slot];
  bool same = connection->generation == (uint32_t)(token >> 32) && connection->fd >= 0;
  return same ? connection : NULL;
}

static struct connection *take_slot(struct reactor *reactor) {
  struct connection *connection;
  if (reactor->free != NO_SLOT) {
    connection = &reactor->table[reactor->free];
    reactor->free = connection->next;
  } else if (reactor->used < reactor->slots) {
    connection = &reactor->table[reactor->used++];
  } else {
    return NULL;
  }
  connection->generation++;
  reactor->live++;
  return connection;
}

static void free_slot(struct reactor *reactor, struct connection *connection) {
  connection->next = reactor->free;
  reactor->free = (uint32_t)(connection - reactor->table);
}

static int watch_listener(struct reactor *reactor, bool on) {
  if (on == reactor->listening)
    return 0;
  if (on)
    reactor->listen_scratch = 0;
  int rc = reactor->poller->set(reactor->self, reactor->worker->listen_fd, TOKEN_LISTEN,
                                on ? 0 : MUX_READ, on ? MUX_READ : 0, &reactor->listen_scratch);
  if (rc == 0)
    reactor->listening = on;
  return rc;
}

/* Forgets a connection whose fd is no longer watched. */
static void drop_connection(struct reactor *reactor, struct connection *connection) {
  mux_echo_release(&((struct mux_core *)reactor->worker->core)->pool, &connection->echo);
  connection->fd = -1;
  reactor->live--;
  if (!connection->queued) /* else run_ready() frees it */
    free_slot(reactor, connection);
}

static void end_connection(struct reactor *reactor, struct connection *connection, int error) {
  reactor->poller->set(reactor->self, connection->fd, token_of(reactor, connection),
                       connection->wants, 0, &connection->scratch);
  mux_host_close(reactor->worker, connection->fd, error);
  drop_connection(reactor, connection);
  if (reactor->resume_at_ns != 0)
    reactor->resume_at_ns = 1; /* there is room for another one: resume at once */
}

static void add_connection(struct reactor *reactor, int fd) {
  struct connection *connection = take_slot(reactor);
  if (connection == NULL) {
    mux_host_refuse(reactor->worker, fd);
    return;
  }
  connection->echo = (struct mux_echo){0};
  connection->scratch = 0;
  connection->fd = fd;
  connection->wants = reactor->edge ? MUX_READ | MUX_WRITE : MUX_READ;
  int rc = reactor->poller->set(reactor->self, fd, token_of(reactor, connection), 0,
                                connection->wants, &connection->scratch);
  if (rc != 0) {
    mux_host_refuse(reactor->worker, fd);
    drop_connection(reactor, connection);
  }
}

static void serve_connection(struct reactor *reactor, struct connection *connection,
                             unsigned ready) {
  int rc = mux_drive(reactor->worker, &connection->echo, connection->fd, ready);
  if (rc > 0 && reactor->edge) {
    if ((rc & MUX_AGAIN) != 0 && !connection->queued) {
      connection->queued = 1;
      connection->next = reactor->ready;
      reactor->ready = (uint32_t)(connection - reactor->table);
    }
    return;
  }
  unsigned wants = rc > 0 ? (unsigned)rc & (MUX_READ | MUX_WRITE) : 0;
  if (rc > 0 && (wants != connection->wants || reactor->oneshot)) {
    rc = reactor->poller->set(reactor->self, connection->fd, token_of(reactor, connection),
                              connection->wants, wants, &connection->scratch);
    connection->wants = (uint8_t)wants;
    if (rc == 0)
      return;
  }
  if (rc <= 0)
    end_connection(reactor, connection, rc);
}

/* Connections whose budget ran out get their next turn. The list is detached first: they may come
 * back to it. */
static void run_ready(struct reactor *reactor) {
  uint32_t slot = reactor->ready;
  reactor->ready = NO_SLOT;
  while (slot != NO_SLOT) {
    struct connection *connection = &reactor->table[slot];
    slot = connection->next;
    connection->queued = 0;
    if (connection->fd < 0)
      free_slot(reactor, connection);
    else
      serve_connection(reactor, connection, MUX_READ | MUX_WRITE | MUX_HUP);
  }
}

/* ---- Accepting ------------------------------------------------------------------------------ */

static int accept_batch(struct reactor *reactor) {
  reactor->accept_more = false;
  for (int i = 0; i < ACCEPT_BATCH; i++) {
    int fd = mux_host_accept(reactor->worker, SOCK_NONBLOCK);
    if (fd >= 0) {
      add_connection(reactor, fd);
    } else if (fd == -EMFILE) {
      reactor->resume_at_ns = mux_now_ns() + MUX_ACCEPT_PAUSE_NS;
      return watch_listener(reactor, false);
    } else if (fd == -EBUSY) {
      break;
    } else {
      return fd == -EAGAIN ? 0 : fd;
    }
  }
  reactor->accept_more = true;
  return 0;
}

/* Adding the listener again reports what waits in the queue, even when edge-triggered. */
static int resume_accepting(struct reactor *reactor) {
  if (reactor->resume_at_ns == 0 || mux_now_ns() < reactor->resume_at_ns)
    return 0;
  reactor->resume_at_ns = 0;
  return reactor->draining ? 0 : watch_listener(reactor, true);
}

/* ---- The loop ------------------------------------------------------------------------------- */

/* Whatever is in the queue connected before the signal and is served; later connections are not. */
static int begin_drain(struct reactor *reactor) {
  reactor->draining = true;
  reactor->deadline_ns = mux_now_ns() + reactor->worker->drain_ns;
  int rc;
  do {
    rc = accept_batch(reactor);
  } while (rc == 0 && reactor->accept_more && mux_now_ns() < reactor->deadline_ns);
  reactor->accept_more = false;
  reactor->resume_at_ns = 0;
  if (rc == 0)
    rc = watch_listener(reactor, false);
  reactor->poller->set(reactor->self, reactor->worker->stop_fd, TOKEN_STOP, MUX_READ, 0,
                       &reactor->stop_scratch);
  for (uint32_t slot = 0; slot < reactor->used; slot++)
    if (reactor->table[slot].fd >= 0)
      serve_connection(reactor, &reactor->table[slot], MUX_READ | MUX_WRITE | MUX_HUP);
  return rc;
}

static int64_t wait_timeout_ns(const struct reactor *reactor) {
  if (reactor->ready != NO_SLOT || reactor->accept_more)
    return 0;
  int64_t until = reactor->draining ? reactor->deadline_ns : reactor->resume_at_ns;
  if (until == 0)
    return -1;
  int64_t left = until - mux_now_ns();
  return left > 0 ? left : 0;
}

static bool is_over(const struct reactor *reactor) {
  return reactor->draining && (reactor->live == 0 || mux_now_ns() >= reactor->deadline_ns);
}

static const struct mux_event *next_event(const struct reactor *reactor,
                                          const struct mux_event *event) {
  return (const void *)((const char *)event + reactor->event_bytes);
}

static int loop(struct reactor *reactor) {
  struct mux_worker *worker = reactor->worker;
  while (!is_over(reactor)) {
    int n = reactor->poller->wait(reactor->self, wait_timeout_ns(reactor), reactor->events,
                                  WAIT_EVENTS);
    if (n < 0)
      return n;
    MUX_COUNT(worker, waits, 1);
    MUX_COUNT(worker, events, n);
    bool accept_now = reactor->accept_more;
    bool stop_now = false;
    const struct mux_event *event = reactor->events;
    for (int i = 0; i < n; i++, event = next_event(reactor, event)) {
      struct connection *connection = find_connection(reactor, event->token);
      if (connection != NULL)
        serve_connection(reactor, connection, event->ready);
      else if (event->token == TOKEN_LISTEN)
        accept_now = true;
      else if (event->token == TOKEN_STOP) /* a spinning poller always reports it */
        stop_now = mux_draining(worker);
    }
    run_ready(reactor);
    int rc = resume_accepting(reactor);
    if (rc == 0 && accept_now && !reactor->draining)
      rc = accept_batch(reactor);
    if (rc == 0 && stop_now && !reactor->draining)
      rc = begin_drain(reactor);
    if (rc != 0)
      return rc;
  }
  return 0;
}

static int open_reactor(struct reactor *reactor) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return -errno;
  reactor->slots =
      limit.rlim_cur < MAX_CONNECTIONS ? (uint32_t)limit.rlim_cur : (uint32_t)MAX_CONNECTIONS;
  /* Reserved only: a page costs memory once a connection uses it. */
  void *table = mmap(NULL, reactor->slots * sizeof *reactor->table, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table == MAP_FAILED)
    return -errno;
  reactor->table = table;
  reactor->event_bytes = reactor->worker->backend->abi.event_bytes;
  reactor->events = calloc(WAIT_EVENTS, reactor->event_bytes);
  if (reactor->events == NULL)
    return -ENOMEM;
  int rc = reactor->poller->open(&reactor->self, reactor->worker);
  if (rc == 0)
    rc = reactor->poller->set(reactor->self, reactor->worker->stop_fd, TOKEN_STOP, 0, MUX_READ,
                              &reactor->stop_scratch);
  if (rc == 0)
    rc = watch_listener(reactor, true);
  return rc;
}

static void close_reactor(struct reactor *reactor) {
  for (uint32_t slot = 0; slot < reactor->used; slot++)
    if (reactor->table[slot].fd >= 0)
      end_connection(reactor, &reactor->table[slot], 0);
  if (reactor->table != NULL) {
    reactor->poller->close(reactor->self);
    munmap(reactor->table, reactor->slots * sizeof *reactor->table);
  }
  free(reactor->events);
  free(reactor);
}

int mux_reactor_run(struct mux_worker *worker, const struct mux_poller *poller) {
  struct reactor *reactor = calloc(1, sizeof *reactor);
  if (reactor == NULL)
    return -ENOMEM;
  reactor->worker = worker;
  reactor->poller = poller;
  reactor->edge = (worker->backend->flags & MUX_EDGE_TRIGGERED) != 0;
  reactor->oneshot = (worker->backend->flags & MUX_ONESHOT) != 0;
  reactor->free = reactor->ready = NO_SLOT;
  int rc = open_reactor(reactor);
  if (rc == 0)
    rc = loop(reactor);
  close_reactor(reactor);
  return rc;
}
