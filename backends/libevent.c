/* libevent.c: libevent 2's plain events (no bufferevents): one read event per connection, and a
 * write event while its peer does not take what is echoed. The callback moves the bytes itself.
 *
 * The base is built for this use: no environment, no locks, no cached time. The library's select
 * grows its sets with the descriptors, but marks them by FD_SET(), which a build with
 * _FORTIFY_SOURCE aborts beyond FD_SETSIZE: with it, such connections are refused.
 * mux-library: event2/event.h -levent_core libevent-dev */
#include "backends/library.h"

#if !__has_include(<event2/event.h>)

MUX_LIBRARY_MISSING("libevent", "libevent-dev")
#define PROBE         missing
#define OPTIONS       NULL
#define FD_LIMIT_WITH NULL

#else

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/queue.h>

enum { OPTION_BACKEND };

enum { EPOLL, POLL, SELECT };
static const char *const methods[] = {
    [EPOLL] = "epoll", [POLL] = "poll", [SELECT] = "select", NULL};

static const struct mux_option option_table[] = {
    [OPTION_BACKEND] = {.key = "backend",
                        .help = "what the library waits with",
                        .fallback = "epoll",
                        .kind = MUX_OPT_CHOICE,
                        .choices = methods},
    {0},
};
#define OPTIONS       option_table

static uint32_t fd_limit_with(const int64_t *options) {
  return options[OPTION_BACKEND] == SELECT ? FD_SETSIZE : 0;
}
#define FD_LIMIT_WITH fd_limit_with
#define PROBE         NULL

struct server {
  struct mux_worker *worker;
  struct event_base *base;
  struct event listener;
  struct event stop;
  struct event resume;   /* timer: accepting is paused */
  struct event deadline; /* timer: of draining */
  LIST_HEAD(, connection) connections;
  int fd_limit;    /* first descriptor that is refused; 0: none */
  uint64_t events; /* callbacks since the last wait */
  bool draining;
  bool expired; /* the deadline has passed */
  int error;    /* ends the loop */
};

struct connection {
  struct server *server;
  struct mux_echo echo;
  LIST_ENTRY(connection) link;
  unsigned wants;
  int fd;
  struct event read;
  struct event write;
};

static const struct timeval pause_time = {.tv_usec = MUX_ACCEPT_PAUSE_NS / 1000};

static void end_connection(struct connection *connection, int error) {
  struct server *server = connection->server;
  const struct mux_host *host = server->worker->host;
  event_del(&connection->read);
  event_del(&connection->write);
  LIST_REMOVE(connection, link);
  host->echo_release(server->worker, &connection->echo);
  host->close(server->worker, connection->fd, error);
  free(connection);
  if (event_pending(&server->resume, EV_TIMEOUT, NULL))
    event_active(&server->resume, EV_TIMEOUT, 0); /* there is room for another */
}

static void watch(struct event *event, bool on, bool was_on) {
  if (on && !was_on)
    event_add(event, NULL);
  else if (!on && was_on)
    event_del(event);
}

static void drive(struct connection *connection, unsigned ready) {
  struct mux_worker *worker = connection->server->worker;
  int rc = worker->host->drive(worker, &connection->echo, connection->fd, ready);
  if (rc <= 0) {
    end_connection(connection, rc);
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
  connection->server->events++;
  drive(connection, (what & EV_READ) != 0 ? MUX_READ : MUX_WRITE);
}

static void add_connection(void *arg, int fd) {
  struct server *server = arg;
  bool fits = server->fd_limit == 0 || fd < server->fd_limit;
  struct connection *connection = fits ? calloc(1, sizeof *connection) : NULL;
  if (connection == NULL) {
    server->worker->host->refuse(server->worker, fd);
    return;
  }
  connection->server = server;
  connection->fd = fd;
  connection->wants = MUX_READ;
  event_assign(&connection->read, server->base, fd, EV_READ | EV_PERSIST, on_ready, connection);
  event_assign(&connection->write, server->base, fd, EV_WRITE | EV_PERSIST, on_ready, connection);
  if (event_add(&connection->read, NULL) != 0) {
    server->worker->host->refuse(server->worker, fd);
    free(connection);
    return;
  }
  LIST_INSERT_HEAD(&server->connections, connection, link);
}

static void on_connect(evutil_socket_t listen_fd, short what, void *argument) {
  struct server *server = argument;
  (void)listen_fd;
  (void)what;
  server->events++;
  int rc = mux_library_accept(server->worker, server->draining, add_connection, server);
  if (rc == -EMFILE) {
    event_del(&server->listener);
    event_add(&server->resume, &pause_time);
  } else if (rc != 0) {
    server->error = rc;
  }
}

static void on_resume(evutil_socket_t fd, short what, void *argument) {
  struct server *server = argument;
  (void)fd;
  (void)what;
  if (!server->draining)
    event_add(&server->listener, NULL);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument) {
  struct server *server = argument;
  (void)fd;
  (void)what;
  server->expired = true;
}

static void on_stop(evutil_socket_t stop_fd, short what, void *argument) {
  struct server *server = argument;
  int64_t drain_us = server->worker->drain_ns / 1000;
  struct timeval drain = {.tv_sec = drain_us / 1000000, .tv_usec = drain_us % 1000000};
  server->draining = true;
  event_del(&server->stop);
  event_del(&server->listener);
  event_del(&server->resume);
  event_add(&server->deadline, &drain);
  on_connect(stop_fd, what, server); /* those who connected before the signal */
  struct connection *next;
  for (struct connection *each = LIST_FIRST(&server->connections); each != NULL; each = next) {
    next = LIST_NEXT(each, link);
    drive(each, MUX_READ | MUX_WRITE | MUX_HUP);
  }
}

static struct event_base *make_base(const struct mux_worker *worker) {
  const char *method = methods[worker->options[OPTION_BACKEND]];
  struct event_config *config = event_config_new();
  if (config == NULL)
    return NULL;
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK |
                                    EVENT_BASE_FLAG_NO_CACHE_TIME);
  for (size_t i = 0; methods[i] != NULL; i++)
    if (strcmp(methods[i], method) != 0)
      event_config_avoid_method(config, methods[i]);
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

static int serve(struct server *server) {
  struct mux_worker *worker = server->worker;
  while (server->error == 0 && !(server->draining && LIST_EMPTY(&server->connections)) &&
         !server->expired) {
    if (event_base_loop(server->base, EVLOOP_ONCE) < 0)
      return -EIO;
    mux_library_count(worker, &server->events);
  }
  return server->error;
}

static int run(struct mux_worker *worker) {
  struct server server = {
      .worker = worker, .base = make_base(worker), .fd_limit = (int)fd_limit_with(worker->options)};
  if (server.base == NULL)
    return -ENOMEM;
  event_assign(&server.listener, server.base, worker->listen_fd, EV_READ | EV_PERSIST, on_connect,
               &server);
  event_assign(&server.stop, server.base, worker->stop_fd, EV_READ | EV_PERSIST, on_stop, &server);
  evtimer_assign(&server.resume, server.base, on_resume, &server);
  evtimer_assign(&server.deadline, server.base, on_deadline, &server);
  int rc = event_add(&server.listener, NULL) == 0 && event_add(&server.stop, NULL) == 0
               ? serve(&server)
               : -ENOMEM;
  while (!LIST_EMPTY(&server.connections))
    end_connection(LIST_FIRST(&server.connections), 0);
  event_base_free(server.base);
  return rc;
}

#endif

static const struct mux_backend backend = {
    .abi_version = MUX_ABI_VERSION,
    .struct_bytes = sizeof(struct mux_backend),
    .name = "libevent",
    .summary = "libevent's plain events",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = OPTIONS,
    .probe = PROBE,
    .run = run,
    .fd_limit_with = FD_LIMIT_WITH,
};
MUX_BACKEND(backend);
