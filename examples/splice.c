/* splice.c: echoes without the bytes ever entering the program: splice(2) moves them from the
 * socket into a pipe and from the pipe back into the socket. An example of a whole worker, `run`,
 * that waits with epoll, built outside the tree with only the installed header:
 *
 *     cc -std=gnu17 -D_GNU_SOURCE -O2 -fPIC -shared -I<prefix>/include/muxbench \
 *       -o splice.so splice.c
 *     muxbench check --backend ./splice.so
 *
 * A connection has a pipe only while bytes of it wait to be sent. Otherwise the pipes are kept in a
 * stack, and the one used last is used next. Nothing is received while bytes wait, so a connection
 * holds at most what its pipe holds, and waits for one direction at a time.
 *
 * Invariant: between turns a connection owns a pipe exactly while waiting_bytes > 0. It is starved
 * (watched == 0) while it cannot receive because there is no pipe. One pipe is opened before the
 * first connection, so that there is always one to be given back. */
#include "mux_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  WAIT_EVENTS = 256,
  BUDGET = 8,           /* receives per wake-up, so that a firehose does not starve others */
  ACCEPT_BATCH = 256,   /* accepts before the others get a turn */
  PIPE_BYTES = 1 << 16, /* pipe(7), "Pipe capacity" */
  KEPT_PIPES = 64,      /* any more that are given back are closed */
};

struct pipe {
  int out; /* -1: none */
  int in;
};

struct connection {
  struct connection *next;
  struct connection *previous;
  int fd;
  struct pipe pipe;
  size_t waiting_bytes; /* in the pipe */
  uint32_t watched;     /* EPOLLIN, EPOLLOUT, or 0: starved */
};

struct server {
  struct mux_worker *worker;
  const struct mux_host *host;
  int epoll_fd;
  struct connection *first;
  struct pipe pipes[KEPT_PIPES];
  int pipe_count;
  size_t starved;
  bool accept_more;     /* the batch ended before the queue did */
  int64_t resume_at_ns; /* when accepting is paused; else 0 */
};

/* ---- Pipes ---------------------------------------------------------------------------------- */

static bool take_pipe(struct server *server, struct pipe *pipe) {
  int fds[2];
  if (server->pipe_count > 0) {
    *pipe = server->pipes[--server->pipe_count];
    return true;
  }
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
    return false;
  *pipe = (struct pipe){.out = fds[0], .in = fds[1]};
  return true;
}

static void watch(struct server *server, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (events == connection->watched)
    return;
  server->starved += (events == 0);
  server->starved -= (connection->watched == 0);
  connection->watched = events;
  epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void feed_starved(struct server *server) {
  for (struct connection *each = server->first; server->starved > 0 && each != NULL;
       each = each->next)
    if (each->watched == 0)
      watch(server, each, EPOLLIN);
}

/* A pipe with bytes in it cannot be used again. */
static void give_pipe(struct server *server, struct pipe pipe, bool empty) {
  if (empty && server->pipe_count < KEPT_PIPES) {
    server->pipes[server->pipe_count++] = pipe;
  } else {
    close(pipe.out);
    close(pipe.in);
  }
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void end_connection(struct server *server, struct connection *connection, int error) {
  server->starved -= (connection->watched == 0);
  *(connection->previous != NULL ? &connection->previous->next : &server->first) = connection->next;
  if (connection->next != NULL)
    connection->next->previous = connection->previous;
  server->host->close(server->worker, connection->fd, error);
  if (connection->pipe.out >= 0)
    give_pipe(server, connection->pipe, connection->waiting_bytes == 0);
  free(connection);
  feed_starved(server);
  if (server->resume_at_ns != 0)
    server->resume_at_ns = 1; /* there is room for another one: resume at once */
}

static void add_connection(struct server *server, int fd) {
  struct connection *connection = malloc(sizeof *connection);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (connection == NULL || epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    free(connection);
    server->host->refuse(server->worker, fd);
    return;
  }
  *connection =
      (struct connection){.next = server->first, .fd = fd, .pipe = {.out = -1}, .watched = EPOLLIN};
  if (server->first != NULL)
    server->first->previous = connection;
  server->first = connection;
}

/* Moves up to `bytes`. Returns how many, 0 at the end of the stream, or -errno. */
static ssize_t move(int from, int to, size_t bytes) {
  ssize_t n;
  do {
    n = splice(from, NULL, to, NULL, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (n < 0 && errno == EINTR);
  return n >= 0 ? n : -errno;
}

/* Echoes what is there. Returns what to wait for, 0 when the connection is finished, or -errno. */
static int echo(struct server *server, struct connection *connection) {
  for (int budget = BUDGET; budget > 0; budget--) {
    if (connection->waiting_bytes == 0) {
      if (connection->pipe.out < 0 && !take_pipe(server, &connection->pipe))
        return -EMFILE;
      ssize_t n = move(connection->fd, connection->pipe.in, PIPE_BYTES);
      if (n == -EAGAIN)
        return server->host->draining(server->worker) ? 0 : EPOLLIN;
      if (n <= 0)
        return (int)n;
      connection->waiting_bytes = (size_t)n;
      server->host->work(server->worker);
    }
    ssize_t n = move(connection->pipe.out, connection->fd, connection->waiting_bytes);
    if (n == -EAGAIN)
      return EPOLLOUT;
    if (n < 0)
      return (int)n;
    connection->waiting_bytes -= (size_t)n;
  }
  return connection->waiting_bytes > 0 ? EPOLLOUT : EPOLLIN;
}

static void serve_connection(struct server *server, struct connection *connection) {
  int rc = echo(server, connection);
  if (rc == -EMFILE && connection->watched != 0) {
    watch(server, connection, 0);
  } else if (rc <= 0) {
    end_connection(server, connection, rc);
  } else {
    watch(server, connection, (uint32_t)rc);
    if (connection->waiting_bytes == 0 && connection->pipe.out >= 0) {
      give_pipe(server, connection->pipe, true);
      connection->pipe.out = -1;
      feed_starved(server);
    }
  }
}

/* ---- Accepting ------------------------------------------------------------------------------ */

static int watch_listener(struct server *server, bool on) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->worker->listen_fd};
  return epoll_ctl(server->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, server->worker->listen_fd,
                   &event) == 0
             ? 0
             : -errno;
}

static int accept_batch(struct server *server) {
  server->accept_more = false;
  for (int i = 0; i < ACCEPT_BATCH; i++) {
    int fd = server->host->accept(server->worker, SOCK_NONBLOCK);
    if (fd == -EMFILE) {
      server->resume_at_ns = server->host->now_ns() + MUX_ACCEPT_PAUSE_NS;
      return watch_listener(server, false);
    }
    if (fd < 0)
      return fd == -EAGAIN ? 0 : fd;
    add_connection(server, fd);
  }
  server->accept_more = true;
  return 0;
}

/* ---- The worker ----------------------------------------------------------------------------- */

/* Waits until until_ns (0: without limit) and serves what is ready. Returns 0 or -errno. */
static int turn(struct server *server, int64_t until_ns) {
  struct epoll_event events[WAIT_EVENTS];
  int timeout_ms = -1;
  if (until_ns != 0) {
    int64_t left_ns = until_ns - server->host->now_ns();
    timeout_ms = left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0;
  }
  int n = epoll_wait(server->epoll_fd, events, WAIT_EVENTS, server->accept_more ? 0 : timeout_ms);
  if (n < 0 && errno != EINTR)
    return -errno;
  MUX_COUNT(server->worker, waits, 1);
  MUX_COUNT(server->worker, events, n > 0 ? n : 0);
  for (int i = 0; i < n; i++) {
    void *who = events[i].data.ptr;
    if (who == &server->worker->listen_fd)
      server->accept_more = true;
    else if (who != &server->worker->stop_fd)
      serve_connection(server, who);
  }
  return 0;
}

static int serve_until_stopped(struct server *server) {
  int rc = 0;
  while (rc == 0 && !server->host->draining(server->worker)) {
    rc = turn(server, server->resume_at_ns);
    if (rc == 0 && server->resume_at_ns != 0 && server->host->now_ns() >= server->resume_at_ns) {
      server->resume_at_ns = 0;
      rc = watch_listener(server, true);
    }
    if (rc == 0 && server->accept_more)
      rc = accept_batch(server);
  }
  return rc;
}

/* Whatever is in the queue connected before the stop and is served; later connections are not. */
static int drain(struct server *server) {
  int64_t deadline_ns = server->host->now_ns() + server->worker->drain_ns;
  struct epoll_event unused = {0};
  epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->worker->stop_fd, &unused);
  int rc;
  do {
    rc = accept_batch(server);
  } while (rc == 0 && server->accept_more && server->host->now_ns() < deadline_ns);
  if (server->resume_at_ns == 0)
    watch_listener(server, false);
  for (struct connection *each = server->first, *next; each != NULL; each = next) {
    next = each->next;
    serve_connection(server, each);
  }
  while (rc == 0 && server->first != NULL && server->host->now_ns() < deadline_ns)
    rc = turn(server, deadline_ns);
  return rc;
}

static int open_server(struct server *server) {
  struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &server->worker->stop_fd};
  server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (server->epoll_fd < 0 || !take_pipe(server, &server->pipes[0]))
    return -errno;
  server->pipe_count = 1;
  if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->worker->stop_fd, &stop) != 0)
    return -errno;
  return watch_listener(server, true);
}

static void close_server(struct server *server) {
  while (server->first != NULL)
    end_connection(server, server->first, 0);
  while (server->pipe_count > 0)
    give_pipe(server, server->pipes[--server->pipe_count], false);
  if (server->epoll_fd >= 0)
    close(server->epoll_fd);
}

static int splice_run(struct mux_worker *worker) {
  struct server server = {.worker = worker, .host = worker->host};
  int rc = open_server(&server);
  if (rc == 0)
    rc = serve_until_stopped(&server);
  if (rc == 0)
    rc = drain(&server);
  close_server(&server);
  return rc;
}

static const struct mux_backend splice_backend = {
    .abi = MUX_ABI,
    .name = "splice",
    .summary = "epoll_wait(2) and splice(2): the bytes stay in the kernel",
    .transports = MUX_TCP | MUX_UNIX,
    .run = splice_run,
};
MUX_BACKEND(splice_backend);
