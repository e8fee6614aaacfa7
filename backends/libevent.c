/* libevent.c: libevent 2's plain events (no bufferevents): one read event per connection, and a
 * write event while its peer does not take what is echoed. The callback moves the bytes itself.
 *
 * The library's select grows its sets with the descriptors, but sets their bits with FD_SET(),
 * which aborts beyond FD_SETSIZE in builds with _FORTIFY_SOURCE. So such connections are refused
 * there. mux-library: event2/event.h -levent_core libevent-dev */
#include "backends/library.h"

#if !__has_include(<event2/event.h>)

MUX_LIBRARY_MISSING("libevent", "libevent-dev")
#define PROBE         missing
#define OPTIONS       NULL
#define FD_LIMIT_WITH NULL

#else

#include <stdlib.h>
#include <sys/select.h>

#include "backends/libevent_server.h"

enum { OPTION_BACKEND };

static const struct mux_option option_table[] = {
    [OPTION_BACKEND] = {.key = "backend",
                        .help = "the call that the library waits with",
                        .fallback = "epoll",
                        .kind = MUX_OPT_CHOICE,
                        .choices = libevent_methods},
    {0},
};
#define OPTIONS       option_table

static uint32_t fd_limit_with(const int64_t *options) {
  return options[OPTION_BACKEND] == LIBEVENT_SELECT ? FD_SETSIZE : 0;
}
#define FD_LIMIT_WITH fd_limit_with
#define PROBE         NULL

struct server {
  struct libevent_server common;
  int fd_limit; /* first descriptor that is refused; 0: none */
};

struct connection {
  struct mux_library_connection common;
  struct mux_echo echo;
  unsigned wants;
  int fd;
  struct event read;
  struct event write;
};

static void end_connection(struct mux_library_connection *common, int error) {
  struct connection *connection = (struct connection *)common;
  struct mux_worker *worker = common->library->worker;
  event_del(&connection->read);
  event_del(&connection->write);
  worker->host->echo_release(worker, &connection->echo);
  worker->host->close(worker, connection->fd, error);
  mux_library_ended(common);
  free(connection);
}

static void watch(struct event *event, bool on, bool was_on) {
  if (on && !was_on)
    event_add(event, NULL);
  else if (!on && was_on)
    event_del(event);
}

static void drive(struct connection *connection, unsigned ready) {
  struct mux_worker *worker = connection->common.library->worker;
  int rc = worker->host->drive(worker, &connection->echo, connection->fd, ready);
  if (rc <= 0) {
    end_connection(&connection->common, rc);
    return;
  }
  unsigned wants = (unsigned)rc & (MUX_READ | MUX_WRITE);
  if (wants != connection->wants) {
    watch(&connection->read, (wants & MUX_READ) != 0, (connection->wants & MUX_READ) != 0);
    watch(&connection->write, (wants & MUX_WRITE) != 0, (connection->wants & MUX_WRITE) != 0);
    connection->wants = wants;
  }
}

static void on_ready(evutil_socket_t fd, short what, void *argument) {
  struct connection *connection = argument;
  (void)fd;
  connection->common.library->events++;
  drive(connection, (what & EV_READ) != 0 ? MUX_READ : MUX_WRITE);
}

static void add_connection(struct mux_library *library, int fd) {
  struct server *server = (struct server *)library;
  struct event_base *base = server->common.base;
  bool fits = server->fd_limit == 0 || fd < server->fd_limit;
  struct connection *connection = fits ? calloc(1, sizeof *connection) : NULL;
  if (connection == NULL) {
    library->worker->host->refuse(library->worker, fd);
    return;
  }
  connection->fd = fd;
  connection->wants = MUX_READ;
  event_assign(&connection->read, base, fd, EV_READ | EV_PERSIST, on_ready, connection);
  event_assign(&connection->write, base, fd, EV_WRITE | EV_PERSIST, on_ready, connection);
  if (event_add(&connection->read, NULL) != 0) {
    library->worker->host->refuse(library->worker, fd);
    free(connection);
    return;
  }
  mux_library_added(library, &connection->common);
}

static void drain(struct mux_library_connection *common) {
  drive((struct connection *)common, MUX_READ | MUX_WRITE | MUX_HUP);
}

static const struct mux_library_calls calls = {.listen = libevent_listen,
                                               .set_timer = libevent_set_timer,
                                               .add = add_connection,
                                               .drain = drain,
                                               .end = end_connection};

static int run(struct mux_worker *worker) {
  struct server server = {.fd_limit = (int)fd_limit_with(worker->options)};
  int rc = libevent_open(&server.common, worker, &calls, (int)worker->options[OPTION_BACKEND]);
  if (rc == 0)
    rc = libevent_serve(&server.common);
  mux_library_end_all(&server.common.library, 0);
  libevent_close(&server.common);
  return rc;
}

#endif

static const struct mux_backend backend = {
    .abi = MUX_ABI,
    .name = "libevent",
    .summary = "libevent's plain events",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = OPTIONS,
    .probe = PROBE,
    .run = run,
    .fd_limit_with = FD_LIMIT_WITH,
};
MUX_BACKEND(backend);
