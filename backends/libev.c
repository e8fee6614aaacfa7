/* libev.c: libev's I/O watchers: one per connection, whose events follow what its echo wants. The
 * callback moves the bytes itself.
 * mux-library: ev.h -lev libev-dev */
#include "backends/library.h"

#if !__has_include(<ev.h>)

MUX_LIBRARY_MISSING("libev", "libev-dev")
#define PROBE   missing
#define OPTIONS NULL

#else

#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { OPTION_BACKEND };

static const char *const methods[] = {"epoll", "poll", "select", NULL};
static const unsigned method_flags[] = {EVBACKEND_EPOLL, EVBACKEND_POLL, EVBACKEND_SELECT};

static const struct mux_option option_table[] = {
    [OPTION_BACKEND] = {.key = "backend",
                        .help = "what the library waits with",
                        .fallback = "epoll",
                        .kind = MUX_OPT_CHOICE,
                        .choices = methods},
    {0},
};
#define OPTIONS option_table
#define PROBE   NULL

struct server {
  struct mux_worker *worker;
  struct ev_loop *loop;
  struct ev_io listener;
  struct ev_io stop;
  struct ev_timer resume;   /* accepting is paused */
  struct ev_timer deadline; /* of draining */
  LIST_HEAD(, connection) connections;
  uint64_t events; /* callbacks since the last wait */
  bool draining;
  bool expired; /* the deadline has passed */
  int error;    /* ends the loop */
};

struct connection {
  struct ev_io io; /* first: libev gives it back. Its fd is the connection's. */
  struct mux_echo echo;
  struct server *server;
  LIST_ENTRY(connection) link;
};

static void end_connection(struct connection *connection, int error) {
  struct server *server = connection->server;
  const struct mux_host *host = server->worker->host;
  ev_io_stop(server->loop, &connection->io);
  LIST_REMOVE(connection, link);
  host->echo_release(server->worker, &connection->echo);
  host->close(server->worker, connection->io.fd, error);
  free(connection);
  if (ev_is_active(&server->resume))
    ev_feed_event(server->loop, &server->resume, EV_TIMER); /* there is room for another */
}

static void drive(struct connection *connection, unsigned ready) {
  struct server *server = connection->server;
  int rc = server->worker->host->drive(server->worker, &connection->echo, connection->io.fd, ready);
  if (rc <= 0) {
    end_connection(connection, rc);
    return;
  }
  int events = ((rc & MUX_READ) != 0 ? EV_READ : 0) | ((rc & MUX_WRITE) != 0 ? EV_WRITE : 0);
  if (events != (connection->io.events & (EV_READ | EV_WRITE))) {
    ev_io_stop(server->loop, &connection->io);
    ev_io_set(&connection->io, connection->io.fd, events);
    ev_io_start(server->loop, &connection->io);
  }
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events) {
  struct connection *connection = (struct connection *)io;
  (void)loop;
  connection->server->events++;
  if ((events & EV_ERROR) != 0) { /* libev could not watch it, and has stopped it */
    end_connection(connection, -EIO);
    return;
  }
  drive(connection,
        ((events & EV_READ) != 0 ? MUX_READ : 0u) | ((events & EV_WRITE) != 0 ? MUX_WRITE : 0u));
}

static void add_connection(void *arg, int fd) {
  struct server *server = arg;
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    server->worker->host->refuse(server->worker, fd);
    return;
  }
  connection->server = server;
  ev_io_init(&connection->io, on_ready, fd, EV_READ);
  ev_io_start(server->loop, &connection->io);
  LIST_INSERT_HEAD(&server->connections, connection, link);
}

static void accept_batch(struct server *server) {
  int rc = mux_library_accept(server->worker, server->draining, add_connection, server);
  if (rc == -EMFILE) {
    ev_io_stop(server->loop, &server->listener);
    ev_timer_set(&server->resume, (double)MUX_ACCEPT_PAUSE_NS / 1e9, 0.);
    ev_timer_start(server->loop, &server->resume);
  } else if (rc != 0) {
    server->error = rc;
  }
}

static void on_connect(struct ev_loop *loop, struct ev_io *io, int events) {
  struct server *server = io->data;
  (void)loop;
  (void)events;
  server->events++;
  accept_batch(server);
}

static void on_resume(struct ev_loop *loop, struct ev_timer *timer, int events) {
  struct server *server = timer->data;
  (void)events;
  ev_timer_stop(loop, timer);
  if (!server->draining)
    ev_io_start(loop, &server->listener);
}

static void on_deadline(struct ev_loop *loop, struct ev_timer *timer, int events) {
  struct server *server = timer->data;
  (void)loop;
  (void)events;
  server->expired = true;
}

static void on_stop(struct ev_loop *loop, struct ev_io *io, int events) {
  struct server *server = io->data;
  (void)events;
  server->draining = true;
  server->events++;
  ev_io_stop(loop, &server->stop);
  ev_io_stop(loop, &server->listener);
  ev_timer_stop(loop, &server->resume);
  ev_timer_set(&server->deadline, (double)server->worker->drain_ns / 1e9, 0.);
  ev_timer_start(loop, &server->deadline);
  accept_batch(server); /* those who connected before the signal */
  struct connection *next;
  for (struct connection *each = LIST_FIRST(&server->connections); each != NULL; each = next) {
    next = LIST_NEXT(each, link);
    drive(each, MUX_READ | MUX_WRITE | MUX_HUP);
  }
}

static int serve(struct server *server) {
  struct mux_worker *worker = server->worker;
  while (server->error == 0 && !(server->draining && LIST_EMPTY(&server->connections)) &&
         !server->expired) {
    ev_run(server->loop, EVRUN_ONCE);
    mux_library_count(worker, &server->events);
  }
  return server->error;
}

static int run(struct mux_worker *worker) {
  unsigned method = method_flags[worker->options[OPTION_BACKEND]];
  struct server server = {.worker = worker, .loop = ev_loop_new(method | EVFLAG_NOENV)};
  if (server.loop == NULL)
    return -ENOMEM;
  ev_io_init(&server.listener, on_connect, worker->listen_fd, EV_READ);
  ev_io_init(&server.stop, on_stop, worker->stop_fd, EV_READ);
  ev_init(&server.resume, on_resume);
  ev_init(&server.deadline, on_deadline);
  server.listener.data = server.stop.data = server.resume.data = server.deadline.data = &server;
  ev_io_start(server.loop, &server.listener);
  ev_io_start(server.loop, &server.stop);
  int rc = serve(&server);
  while (!LIST_EMPTY(&server.connections))
    end_connection(LIST_FIRST(&server.connections), 0);
  ev_loop_destroy(server.loop);
  return rc;
}

#endif

static const struct mux_backend backend = {
    .abi_version = MUX_ABI_VERSION,
    .struct_bytes = sizeof(struct mux_backend),
    .name = "libev",
    .summary = "libev's I/O watchers",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = OPTIONS,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(backend);
