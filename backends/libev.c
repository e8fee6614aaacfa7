/* libev.c: libev's I/O watchers: one per connection, for the events that its echo needs next. The
 * callback moves the bytes itself.
 * mux-library: ev.h -lev libev-dev */
#include "backends/library.h"

#if !__has_include(<ev.h>)

MUX_LIBRARY_MISSING("libev", "libev-dev")
#define PROBE   missing
#define OPTIONS NULL

#else

#include <ev.h>
#include <stdlib.h>

enum { OPTION_BACKEND };

static const char *const methods[] = {"epoll", "poll", "select", NULL};
static const unsigned method_flags[] = {EVBACKEND_EPOLL, EVBACKEND_POLL, EVBACKEND_SELECT};

static const struct mux_option option_table[] = {
    [OPTION_BACKEND] = {.key = "backend",
                        .help = "the call that the library waits with",
                        .fallback = "epoll",
                        .kind = MUX_OPT_CHOICE,
                        .choices = methods},
    {0},
};
#define OPTIONS option_table
#define PROBE   NULL

struct server {
  struct mux_library library;
  struct ev_loop *loop;
  struct ev_io listener;
  struct ev_io stop;
  struct ev_timer timer;
};

struct connection {
  struct mux_library_connection common;
  struct ev_io io; /* its fd is the connection's */
  struct mux_echo echo;
};

static struct server *server_of(const struct connection *connection) {
  return (struct server *)connection->common.library;
}

static void end_connection(struct mux_library_connection *common, int error) {
  struct connection *connection = (struct connection *)common;
  struct mux_worker *worker = common->library->worker;
  ev_io_stop(server_of(connection)->loop, &connection->io);
  worker->host->echo_release(worker, &connection->echo);
  worker->host->close(worker, connection->io.fd, error);
  mux_library_ended(common);
  free(connection);
}

static void drive(struct connection *connection, unsigned ready) {
  struct server *server = server_of(connection);
  struct mux_worker *worker = server->library.worker;
  int rc = worker->host->drive(worker, &connection->echo, connection->io.fd, ready);
  if (rc <= 0) {
    end_connection(&connection->common, rc);
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
  struct connection *connection = io->data;
  (void)loop;
  connection->common.library->events++;
  if ((events & EV_ERROR) != 0) { /* libev could not watch it, and has stopped it */
    end_connection(&connection->common, -EIO);
    return;
  }
  drive(connection,
        ((events & EV_READ) != 0 ? MUX_READ : 0u) | ((events & EV_WRITE) != 0 ? MUX_WRITE : 0u));
}

static void add_connection(struct mux_library *library, int fd) {
  struct server *server = (struct server *)library;
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    library->worker->host->refuse(library->worker, fd);
    return;
  }
  ev_io_init(&connection->io, on_ready, fd, EV_READ);
  connection->io.data = connection;
  ev_io_start(server->loop, &connection->io);
  mux_library_added(library, &connection->common);
}

static void drain(struct mux_library_connection *common) {
  drive((struct connection *)common, MUX_READ | MUX_WRITE | MUX_HUP);
}

static void watch_listener(struct mux_library *library, bool on) {
  struct server *server = (struct server *)library;
  if (on)
    ev_io_start(server->loop, &server->listener);
  else
    ev_io_stop(server->loop, &server->listener);
}

static void set_timer(struct mux_library *library, int64_t ns) {
  struct server *server = (struct server *)library;
  ev_timer_stop(server->loop, &server->timer);
  ev_timer_set(&server->timer, (double)ns / 1e9, 0.);
  ev_timer_start(server->loop, &server->timer);
}

static const struct mux_library_calls calls = {.listen = watch_listener,
                                               .set_timer = set_timer,
                                               .add = add_connection,
                                               .drain = drain,
                                               .end = end_connection};

static void on_listener(struct ev_loop *loop, struct ev_io *io, int events) {
  (void)loop;
  (void)events;
  mux_library_on_listener(io->data);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events) {
  (void)loop;
  (void)events;
  mux_library_on_timer(timer->data);
}

static void on_stop(struct ev_loop *loop, struct ev_io *io, int events) {
  (void)events;
  ev_io_stop(loop, io);
  mux_library_on_stop(io->data);
}

/* EVFLAG_NOENV: the environment (LIBEV_FLAGS) cannot choose another mechanism. */
static int run(struct mux_worker *worker) {
  unsigned method = method_flags[worker->options[OPTION_BACKEND]];
  struct server server = {.library = {.worker = worker, .calls = &calls},
                          .loop = ev_loop_new(method | EVFLAG_NOENV)};
  if (server.loop == NULL)
    return -ENOMEM;
  ev_io_init(&server.listener, on_listener, worker->listen_fd, EV_READ);
  ev_io_init(&server.stop, on_stop, worker->stop_fd, EV_READ);
  ev_init(&server.timer, on_timer);
  server.listener.data = server.stop.data = server.timer.data = &server;
  ev_io_start(server.loop, &server.listener);
  ev_io_start(server.loop, &server.stop);
  while (mux_library_runs(&server.library)) {
    ev_run(server.loop, EVRUN_ONCE);
    mux_library_count(&server.library);
  }
  mux_library_end_all(&server.library, 0);
  ev_loop_destroy(server.loop);
  return server.library.error;
}

#endif

static const struct mux_backend backend = {
    .abi = MUX_ABI,
    .name = "libev",
    .summary = "libev's I/O watchers",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = OPTIONS,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(backend);
