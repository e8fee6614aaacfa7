/* libuv.c: the event loop of Node.js. Bytes are read and written by libuv's streams, so that the
 * library is measured as it is normally used; accepting is the core's, which counts and sets
 * options.
 *
 * Two traps: a read callback with nread == 0 means "would block", not EOF; and uv_write() borrows
 * its bytes until it calls back. So what can be sent at once is sent with uv_try_write(), and for
 * the rest there is one write in flight, during which the echo buffer only grows at its end. A full
 * buffer stops reading (uv_read_stop) until the peer has drained it.
 *
 * mux-library: uv.h -luv libuv1-dev */
#include "backends/library.h"

#if __has_include(<uv.h>)

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

struct server {
  struct mux_library library;
  uv_loop_t loop;
  uv_poll_t listener;
  uv_poll_t stop;
  uv_timer_t timer;
  uv_check_t check; /* after every wait */
  bool is_unix;
};

struct connection {
  struct mux_library_connection common;
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
};

static struct mux_worker *worker_of(const struct connection *conn) {
  return conn->common.library->worker;
}

static void on_closed(uv_handle_t *handle) {
  struct connection *conn = handle->data;
  struct mux_worker *worker = worker_of(conn);
  worker->host->echo_release(worker, &conn->echo);
  free(conn);
}

static void end_connection(struct mux_library_connection *common, int error) {
  struct connection *conn = (struct connection *)common;
  struct mux_worker *worker = worker_of(conn);
  if (uv_is_closing(&conn->uv.handle))
    return;
  uv_close(&conn->uv.handle, on_closed); /* closes the fd */
  worker->host->close(worker, -1, error);
  mux_library_ended(common);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  struct connection *conn = handle->data;
  struct mux_worker *worker = worker_of(conn);
  size_t bytes;
  (void)suggested;
  out->base = worker->host->echo_space(worker, &conn->echo, &bytes);
  out->len = bytes;
}

static void on_written(uv_write_t *request, int status);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer);

/* Sends what can be sent at once and leaves the rest to libuv. Returns 0 or -errno. */
static int send_waiting(struct connection *conn) {
  struct mux_worker *worker = worker_of(conn);
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

/* Makes libuv read and write as the echo needs, or ends the connection. */
static void advance(struct connection *conn) {
  int error = send_waiting(conn);
  unsigned wants = mux_echo_wants(&conn->echo);
  if (error < 0 || wants == 0) {
    end_connection(&conn->common, error);
    return;
  }
  bool read = (wants & MUX_READ) != 0;
  if (read && !conn->reading)
    error = uv_read_start(&conn->uv.stream, on_room, on_read);
  else if (!read && conn->reading)
    uv_read_stop(&conn->uv.stream);
  conn->reading = read;
  if (error < 0)
    end_connection(&conn->common, error);
}

static void on_written(uv_write_t *request, int status) {
  struct connection *conn = request->handle->data;
  struct mux_worker *worker = worker_of(conn);
  conn->common.library->events++;
  if (uv_is_closing(&conn->uv.handle))
    return;
  if (status < 0) {
    end_connection(&conn->common, status);
    return;
  }
  worker->host->echo_sent(worker, &conn->echo, conn->in_flight);
  conn->in_flight = 0;
  advance(conn);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer) {
  struct connection *conn = stream->data;
  struct mux_worker *worker = worker_of(conn);
  (void)buffer;
  conn->common.library->events++;
  if (nread > 0)
    worker->host->echo_received(worker, &conn->echo, (size_t)nread);
  else if (nread == UV_EOF)
    conn->echo.eof = 1;
  if (nread <= 0 && conn->echo.head == conn->echo.tail)
    worker->host->echo_release(worker, &conn->echo);
  if (nread < 0 && nread != UV_EOF)
    end_connection(&conn->common, (int)nread);
  else if (nread != 0) /* 0: nothing was there after all */
    advance(conn);
}

static void add_connection(struct mux_library *library, int fd) {
  struct server *server = (struct server *)library;
  struct connection *conn = calloc(1, sizeof *conn);
  if (conn == NULL) {
    library->worker->host->refuse(library->worker, fd);
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
  conn->common.library = library;
  conn->uv.handle.data = conn;
  if (error < 0) {
    uv_close(&conn->uv.handle, on_closed);
    library->worker->host->refuse(library->worker, fd);
    return;
  }
  mux_library_added(library, &conn->common);
  advance(conn);
}

/* ---- Accepting, stopping -------------------------------------------------------------------- */

static void on_listener(uv_poll_t *poll, int status, int events) {
  struct server *server = poll->data;
  (void)status;
  (void)events;
  mux_library_on_listener(&server->library);
  if (server->library.error != 0)
    uv_stop(&server->loop);
}

static void on_timer(uv_timer_t *timer) {
  struct server *server = timer->data;
  mux_library_on_timer(&server->library);
  if (server->library.expired)
    mux_library_end_all(&server->library, -ETIMEDOUT);
}

/* The loop runs until the last connection has ended: nothing else keeps it alive then. */
static void on_stop(uv_poll_t *poll, int status, int events) {
  struct server *server = poll->data;
  (void)status;
  (void)events;
  uv_poll_stop(poll);
  uv_unref((uv_handle_t *)&server->timer);
  mux_library_on_stop(&server->library);
}

static void on_check(uv_check_t *check) {
  struct server *server = check->data;
  mux_library_count(&server->library);
}

static void watch_listener(struct mux_library *library, bool on) {
  struct server *server = (struct server *)library;
  if (on)
    uv_poll_start(&server->listener, UV_READABLE, on_listener);
  else
    uv_poll_stop(&server->listener);
}

static void set_timer(struct mux_library *library, int64_t ns) {
  struct server *server = (struct server *)library;
  uv_update_time(&server->loop);
  uv_timer_start(&server->timer, on_timer, (uint64_t)ns / 1000000, 0);
}

/* Receives no more: libuv reads what the queue holds, and then EOF. */
static void drain(struct mux_library_connection *common) {
  uv_os_fd_t fd;
  if (uv_fileno(&((struct connection *)common)->uv.handle, &fd) == 0)
    shutdown(fd, SHUT_RD);
}

static const struct mux_library_calls calls = {.listen = watch_listener,
                                               .set_timer = set_timer,
                                               .add = add_connection,
                                               .drain = drain,
                                               .end = end_connection};

static int open_server(struct server *server) {
  struct mux_worker *worker = server->library.worker;
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
    error = uv_poll_start(&server->listener, UV_READABLE, on_listener);
  if (error == 0)
    error = uv_poll_start(&server->stop, UV_READABLE, on_stop);
  return error;
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

/* libuv 1.45 and later may use io_uring; the environment decides, and no call forbids it. Set in
 * the server's process only, so that foreign servers are measured as they are. */
static void pin_mechanism(void) {
  setenv("UV_USE_IO_URING", "0", 1);
}

static int run(struct mux_worker *worker) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, pin_mechanism);
  struct server *server = calloc(1, sizeof *server);
  if (server == NULL)
    return -ENOMEM;
  server->library = (struct mux_library){.worker = worker, .calls = &calls};
  int error = uv_loop_init(&server->loop);
  if (error < 0) {
    free(server);
    return error;
  }
  error = open_server(server);
  if (error == 0) {
    uv_run(&server->loop, UV_RUN_DEFAULT);
    error = server->library.error;
  }
  mux_library_end_all(&server->library, error);
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
    .abi = MUX_ABI,
    .name = "libuv",
    .summary = "libuv streams, the event loop of Node.js",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(libuv);
