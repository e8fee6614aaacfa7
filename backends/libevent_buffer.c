/* libevent_buffer.c: libevent's bufferevents, the layer above its events that reads, queues and
 * writes by itself. An echo is then one call: what came in moves to the output, without a copy.
 *
 * Without watermarks a bufferevent queues whatever its peer refuses to read. So reading is disabled
 * when the output holds a full buffer, and enabled again by the write callback, which the low
 * watermark makes due when half of it has gone.
 *
 * mux-library: event2/bufferevent.h -levent_core libevent-dev */
#include "backends/library.h"

#if __has_include(<event2/bufferevent.h>)

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

struct server {
  struct event_base *base;
  struct event *listener;
  struct event *stop;
  struct event *timer; /* ends a pause of accepting, or the drain */
  struct mux_worker *worker;
  LIST_HEAD(, connection) connections;
  uint64_t events; /* since the last count */
  int error;       /* of the listener */
  bool draining;
  bool expired;
};

struct connection {
  struct bufferevent *buffers;
  struct server *server;
  LIST_ENTRY(connection) link;
  bool eof;
  bool full; /* reading is disabled until the output has shrunk */
};

static void end_connection(struct connection *conn, int error) {
  struct server *server = conn->server;
  int fd = bufferevent_getfd(conn->buffers);
  bufferevent_free(conn->buffers);
  server->worker->host->close(server->worker, fd, error);
  LIST_REMOVE(conn, link);
  free(conn);
  if (!server->draining)
    event_add(server->listener, NULL); /* in case it was paused: there is room for another */
}

/* Moves what has come to what goes out, and decides on reading further. */
static void echo_input(struct connection *conn) {
  struct mux_worker *worker = conn->server->worker;
  struct evbuffer *output = bufferevent_get_output(conn->buffers);
  evbuffer_add_buffer(output, bufferevent_get_input(conn->buffers));
  if (evbuffer_get_length(output) < worker->buffer_bytes)
    return;
  conn->full = true;
  bufferevent_disable(conn->buffers, EV_READ);
  bufferevent_setwatermark(conn->buffers, EV_WRITE, worker->buffer_bytes / 2, 0);
}

static void on_readable(struct bufferevent *buffers, void *arg) {
  struct connection *conn = arg;
  const struct mux_worker *worker = conn->server->worker;
  (void)buffers;
  conn->server->events++;
  if (worker->work_ns > 0)
    worker->host->work(worker);
  echo_input(conn);
}

/* The output has shrunk to its low watermark. */
static void on_written(struct bufferevent *buffers, void *arg) {
  struct connection *conn = arg;
  conn->server->events++;
  if (conn->eof) {
    if (evbuffer_get_length(bufferevent_get_output(buffers)) == 0)
      end_connection(conn, 0);
  } else if (conn->full) {
    conn->full = false;
    bufferevent_setwatermark(buffers, EV_WRITE, 0, 0);
    bufferevent_enable(buffers, EV_READ);
  }
}

static void on_event(struct bufferevent *buffers, short what, void *arg) {
  struct connection *conn = arg;
  conn->server->events++;
  if ((what & BEV_EVENT_EOF) == 0) {
    int error = EVUTIL_SOCKET_ERROR();
    end_connection(conn, error != 0 ? -error : -EIO);
    return;
  }
  conn->eof = true;
  echo_input(conn);
  bufferevent_setwatermark(buffers, EV_WRITE, 0, 0);
  if (evbuffer_get_length(bufferevent_get_output(buffers)) == 0)
    end_connection(conn, 0);
}

/* No more is to come: libevent reads what the queue holds, and then the end. */
static void shut_receiving(struct connection *conn) {
  shutdown(bufferevent_getfd(conn->buffers), SHUT_RD);
}

static void add_connection(void *arg, int fd) {
  struct server *server = arg;
  struct mux_worker *worker = server->worker;
  struct connection *conn = calloc(1, sizeof *conn);
  struct bufferevent *buffers = bufferevent_socket_new(server->base, fd, 0);
  if (conn == NULL || buffers == NULL) {
    free(conn);
    if (buffers != NULL)
      bufferevent_free(buffers);
    worker->host->refuse(worker, fd);
    return;
  }
  *conn = (struct connection){.buffers = buffers, .server = server};
  LIST_INSERT_HEAD(&server->connections, conn, link);
  bufferevent_setcb(buffers, on_readable, on_written, on_event, conn);
  bufferevent_set_max_single_read(buffers, worker->buffer_bytes);
  bufferevent_set_max_single_write(buffers, worker->buffer_bytes);
  if (server->draining)
    shut_receiving(conn);
  bufferevent_enable(buffers, EV_READ | EV_WRITE);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg) {
  struct server *server = arg;
  (void)listen_fd;
  (void)what;
  int rc = mux_library_accept(server->worker, server->draining, add_connection, server);
  if (rc == -EMFILE) {
    static const struct timeval pause = {.tv_usec = MUX_ACCEPT_PAUSE_NS / 1000};
    event_del(server->listener);
    event_add(server->timer, &pause);
  } else if (rc != 0) {
    server->error = rc;
  }
}

static void on_timer(evutil_socket_t unused, short what, void *arg) {
  struct server *server = arg;
  (void)unused;
  (void)what;
  if (server->draining)
    server->expired = true;
  else
    event_add(server->listener, NULL);
}

static void on_stop(evutil_socket_t stop_fd, short what, void *arg) {
  struct server *server = arg;
  int64_t drain_us = server->worker->drain_ns / 1000;
  struct timeval drain = {.tv_sec = drain_us / 1000000, .tv_usec = drain_us % 1000000};
  server->draining = true;
  on_acceptable(stop_fd, what, server);
  event_del(server->listener);
  event_add(server->timer, &drain);
  struct connection *conn;
  LIST_FOREACH(conn, &server->connections, link) {
    shut_receiving(conn);
  }
}

static int open_server(struct server *server) {
  struct mux_worker *worker = server->worker;
  server->base = event_base_new();
  if (server->base == NULL)
    return -ENOMEM;
  server->listener =
      event_new(server->base, worker->listen_fd, EV_READ | EV_PERSIST, on_acceptable, server);
  server->stop = event_new(server->base, worker->stop_fd, EV_READ, on_stop, server);
  server->timer = evtimer_new(server->base, on_timer, server);
  if (server->listener == NULL || server->stop == NULL || server->timer == NULL)
    return -ENOMEM;
  return event_add(server->listener, NULL) == 0 && event_add(server->stop, NULL) == 0 ? 0 : -EIO;
}

static void close_server(struct server *server) {
  struct event *events[] = {server->listener, server->stop, server->timer};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++)
    if (events[i] != NULL)
      event_free(events[i]);
  if (server->base != NULL)
    event_base_free(server->base);
}

static int run(struct mux_worker *worker) {
  struct server server = {.worker = worker};
  int error = open_server(&server);
  while (error == 0 && !server.expired && (!server.draining || !LIST_EMPTY(&server.connections))) {
    if (event_base_loop(server.base, EVLOOP_ONCE) < 0)
      error = -EIO;
    else
      error = server.error;
    mux_library_count(worker, &server.events);
  }
  server.draining = true;
  while (!LIST_EMPTY(&server.connections))
    end_connection(LIST_FIRST(&server.connections), error != 0 ? error : -ETIMEDOUT);
  close_server(&server);
  return error;
}

#define PROBE NULL

#else
MUX_LIBRARY_MISSING("libevent", "libevent-dev")
#define PROBE missing
#endif

static const struct mux_backend libevent_buffer = {
    .abi_version = MUX_ABI_VERSION,
    .struct_bytes = sizeof(struct mux_backend),
    .name = "libevent-buffer",
    .summary = "libevent's bufferevents: the library reads, queues and writes",
    .transports = MUX_TCP | MUX_UNIX,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(libevent_buffer);
