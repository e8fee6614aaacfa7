/* libuv.c: the loop under Node.js. Reading and writing are libuv's streams, so that what is
 * measured is the library as its users meet it; accepting is the core's, which counts and sets
 * options.
 *
 * Two things to know of it: a read callback with nread == 0 means "would block", not the end; and
 * uv_write() borrows its bytes until it calls back. So what can be sent at once is sent with
 * uv_try_write(), and for the rest there is one write in flight, during which the echo buffer only
 * grows at its end. A full buffer stops reading (uv_read_stop) until the peer has drained it.
 *
 * mux-library: uv.h -luv libuv1-dev */
#include "backends/library.h"

#if __has_include(<uv.h>)

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uv.h>

struct server {
  uv_loop_t loop;
  uv_poll_t listener;
  uv_poll_t stop;
  uv_timer_t timer; /* ends a pause of accepting, or the drain */
  uv_check_t check;
  struct mux_worker *worker;
  LIST_HEAD(, connection) connections;
  uint64_t events; /* since the last count */
  int error;       /* of the listener */
  bool is_unix;
  bool paused;
  bool draining;
};

struct connection {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  uv_write_t request;
  uint32_t in_flight; /* bytes of the request; 0: there is none */
  bool reading;
  struct mux_echo echo;
  struct server *server;
  LIST_ENTRY(connection) link;
};

static void resume_accepting(struct server *server);

static void on_closed(uv_handle_t *handle) {
  struct connection *conn = handle->data;
  conn->server->worker->host->echo_release(conn->server->worker, &conn->echo);
  free(conn);
}

static void end_connection(struct connection *conn, int error) {
  struct server *server = conn->server;
  if (uv_is_closing(&conn->uv.handle))
    return;
  uv_close(&conn->uv.handle, on_closed); /* closes the fd */
  server->worker->host->close(server->worker, -1, error);
  LIST_REMOVE(conn, link);
  if (server->paused && !server->draining)
    resume_accepting(server);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  struct connection *conn = handle->data;
  struct mux_worker *worker = conn->server->worker;
  size_t bytes;
  (void)suggested;
  out->base = worker->host->echo_space(worker, &conn->echo, &bytes);
  out->len = bytes;
}

static void on_written(uv_write_t *request, int status);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer);

/* Sends what can be sent and leaves the rest to libuv. Returns 0 or -errno. */
static int send_waiting(struct connection *conn) {
  struct mux_worker *worker = conn->server->worker;
  size_t bytes;
  const void *data = worker->host->echo_data(&conn->echo, &bytes);
  if (data == NULL || conn->in_flight > 0)
    return 0;
  uv_buf_t buffer = uv_buf_init((char *)data, (unsigned)bytes);
  int sent = uv_try_write(&conn->uv.stream, &buffer, 1);
  if (sent < 0 && sent != UV_EAGAIN)
    return sent;
  if (sent > 0)
    worker->host->echo_sent(worker, &conn->echo, (size_t)sent);
  data = worker->host->echo_data(&conn->echo, &bytes);
  if (data == NULL)
    return 0;
  buffer = uv_buf_init((char *)data, (unsigned)bytes);
  conn->in_flight = (uint32_t)bytes;
  return uv_write(&conn->request, &conn->uv.stream, &buffer, 1, on_written);
}

/* Brings libuv's view up to date with the echo's, or ends the connection. */
static void advance(struct connection *conn) {
  int error = send_waiting(conn);
  unsigned wants = mux_echo_wants(&conn->echo);
  if (error < 0 || wants == 0) {
    end_connection(conn, error);
    return;
  }
  bool read = (wants & MUX_READ) != 0;
  if (read && !conn->reading)
    error = uv_read_start(&conn->uv.stream, on_room, on_read);
  else if (!read && conn->reading)
    uv_read_stop(&conn->uv.stream);
  conn->reading = read;
  if (error < 0)
    end_connection(conn, error);
}

static void on_written(uv_write_t *request, int status) {
  struct connection *conn = request->handle->data;
  struct mux_worker *worker = conn->server->worker;
  conn->server->events++;
  if (uv_is_closing(&conn->uv.handle))
    return;
  if (status < 0) {
    end_connection(conn, status);
    return;
  }
  worker->host->echo_sent(worker, &conn->echo, conn->in_flight);
  conn->in_flight = 0;
  advance(conn);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer) {
  struct connection *conn = stream->data;
  struct mux_worker *worker = conn->server->worker;
  (void)buffer;
  conn->server->events++;
  if (nread > 0)
    worker->host->echo_received(worker, &conn->echo, (size_t)nread);
  else if (nread == UV_EOF)
    conn->echo.eof = 1;
  if (nread <= 0 && conn->echo.head == conn->echo.tail)
    worker->host->echo_release(worker, &conn->echo);
  if (nread < 0 && nread != UV_EOF)
    end_connection(conn, (int)nread);
  else if (nread != 0) /* 0: nothing had come after all */
    advance(conn);
}

/* No more is to come: libuv reads what the queue holds, and then the end. */
static void shut_receiving(struct connection *conn) {
  uv_os_fd_t fd;
  if (uv_fileno(&conn->uv.handle, &fd) == 0)
    shutdown(fd, SHUT_RD);
}

static void add_connection(void *arg, int fd) {
  struct server *server = arg;
  struct mux_worker *worker = server->worker;
  struct connection *conn = calloc(1, sizeof *conn);
  if (conn == NULL) {
    worker->host->refuse(worker, fd);
    return;
  }
  int error;
  if (server->is_unix) {
    uv_pipe_init(&server->loop, &conn->uv.pipe, 0);
    error = uv_pipe_open(&conn->uv.pipe, fd);
  } else {
    uv_tcp_init(&server->loop, &conn->uv.tcp);
    error = uv_tcp_open(&conn->uv.tcp, fd);
  }
  conn->server = server;
  conn->uv.handle.data = conn;
  if (error < 0) {
    uv_close(&conn->uv.handle, on_closed);
    worker->host->refuse(worker, fd);
    return;
  }
  LIST_INSERT_HEAD(&server->connections, conn, link);
  if (server->draining)
    shut_receiving(conn);
  advance(conn);
}

/* ---- Accepting, stopping -------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer) {
  struct server *server = timer->data;
  if (!server->draining) {
    resume_accepting(server);
    return;
  }
  while (!LIST_EMPTY(&server->connections))
    end_connection(LIST_FIRST(&server->connections), -ETIMEDOUT);
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
  struct server *server = poll->data;
  (void)status;
  (void)events;
  int rc = mux_library_accept(server->worker, server->draining, add_connection, server);
  if (rc == -EMFILE) {
    server->paused = true;
    uv_poll_stop(&server->listener);
    uv_timer_start(&server->timer, on_timer, MUX_ACCEPT_PAUSE_NS / 1000000, 0);
  } else if (rc != 0) {
    server->error = rc;
    uv_stop(&server->loop);
  }
}

static void resume_accepting(struct server *server) {
  server->paused = false;
  uv_poll_start(&server->listener, UV_READABLE, on_acceptable);
}

static void on_check(uv_check_t *check) {
  struct server *server = check->data;
  mux_library_count(server->worker, &server->events);
}

/* The loop runs on until the last connection has ended: everything else no longer keeps it. */
static void on_stop(uv_poll_t *poll, int status, int events) {
  struct server *server = poll->data;
  uint64_t drain_ms = (uint64_t)server->worker->drain_ns / 1000000;
  server->draining = true;
  on_acceptable(&server->listener, status, events);
  uv_poll_stop(&server->listener);
  uv_poll_stop(&server->stop);
  uv_update_time(&server->loop);
  uv_timer_start(&server->timer, on_timer, drain_ms, 0);
  uv_unref((uv_handle_t *)&server->timer);
  struct connection *conn;
  LIST_FOREACH(conn, &server->connections, link) {
    shut_receiving(conn);
  }
}

static int open_server(struct server *server) {
  struct mux_worker *worker = server->worker;
  int domain = AF_INET;
  socklen_t length = sizeof domain;
  getsockopt(worker->listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  server->is_unix = domain == AF_UNIX;
  server->listener.data = server->stop.data = server->timer.data = server->check.data = server;
  uv_timer_init(&server->loop, &server->timer);
  uv_check_init(&server->loop, &server->check);
  uv_check_start(&server->check, on_check);
  uv_unref((uv_handle_t *)&server->check);
  int error = uv_poll_init(&server->loop, &server->listener, worker->listen_fd);
  if (error == 0)
    error = uv_poll_init(&server->loop, &server->stop, worker->stop_fd);
  if (error == 0)
    error = uv_poll_start(&server->listener, UV_READABLE, on_acceptable);
  if (error == 0)
    error = uv_poll_start(&server->stop, UV_READABLE, on_stop);
  return error;
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

static int run(struct mux_worker *worker) {
  struct server *server = calloc(1, sizeof *server);
  if (server == NULL)
    return -ENOMEM;
  server->worker = worker;
  int error = uv_loop_init(&server->loop);
  if (error < 0) {
    free(server);
    return error;
  }
  error = open_server(server);
  if (error == 0) {
    uv_run(&server->loop, UV_RUN_DEFAULT);
    error = server->error;
  }
  while (!LIST_EMPTY(&server->connections))
    end_connection(LIST_FIRST(&server->connections), error);
  uv_walk(&server->loop, close_handle, NULL);
  uv_run(&server->loop, UV_RUN_DEFAULT);
  uv_loop_close(&server->loop);
  free(server);
  return error;
}

#define PROBE NULL

#else
MUX_LIBRARY_MISSING("libuv", "libuv1-dev")
#define PROBE missing
#endif

static const struct mux_backend libuv = {
    .abi_version = MUX_ABI_VERSION,
    .struct_bytes = sizeof(struct mux_backend),
    .name = "libuv",
    .summary = "libuv streams, the event loop of Node.js",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(libuv);
