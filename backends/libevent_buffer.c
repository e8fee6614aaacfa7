/* libevent_buffer.c: libevent's bufferevents, the layer above its events that reads, queues and
 * writes by itself. An echo is then one call: the input moves to the output without a copy.
 *
 * Without watermarks a bufferevent queues everything that its peer does not read. So reading is
 * disabled when the output holds a full buffer, and enabled again by the write callback, which the
 * low watermark triggers when half of it has gone.
 *
 * mux-library: event2/bufferevent.h -levent_core libevent-dev */
#include "backends/library.h"

#if __has_include(<event2/bufferevent.h>)

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "backends/libevent_server.h"

struct connection {
  struct mux_library_connection common;
  struct bufferevent *buffers;
  bool eof;
  bool full; /* reading is disabled until the output has shrunk */
};

static void end_connection(struct mux_library_connection *common, int error) {
  struct connection *conn = (struct connection *)common;
  struct mux_worker *worker = common->library->worker;
  int fd = bufferevent_getfd(conn->buffers);
  bufferevent_free(conn->buffers);
  worker->host->close(worker, fd, error);
  mux_library_ended(common);
  free(conn);
}

/* Moves the input to the output, and decides whether to go on reading. */
static void echo_input(struct connection *conn) {
  struct mux_worker *worker = conn->common.library->worker;
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
  const struct mux_worker *worker = conn->common.library->worker;
  (void)buffers;
  conn->common.library->events++;
  if (worker->work_ns > 0)
    worker->host->work(worker);
  echo_input(conn);
}

/* The output has shrunk to its low watermark. */
static void on_written(struct bufferevent *buffers, void *arg) {
  struct connection *conn = arg;
  conn->common.library->events++;
  if (conn->eof) {
    if (evbuffer_get_length(bufferevent_get_output(buffers)) == 0)
      end_connection(&conn->common, 0);
  } else if (conn->full) {
    conn->full = false;
    bufferevent_setwatermark(buffers, EV_WRITE, 0, 0);
    bufferevent_enable(buffers, EV_READ);
  }
}

static void on_event(struct bufferevent *buffers, short what, void *arg) {
  struct connection *conn = arg;
  conn->common.library->events++;
  if ((what & BEV_EVENT_EOF) == 0) {
    int error = EVUTIL_SOCKET_ERROR();
    end_connection(&conn->common, error != 0 ? -error : -EIO);
    return;
  }
  conn->eof = true;
  echo_input(conn);
  bufferevent_setwatermark(buffers, EV_WRITE, 0, 0);
  if (evbuffer_get_length(bufferevent_get_output(buffers)) == 0)
    end_connection(&conn->common, 0);
}

static void add_connection(struct mux_library *library, int fd) {
  struct libevent_server *server = (struct libevent_server *)library;
  struct mux_worker *worker = library->worker;
  struct connection *conn = calloc(1, sizeof *conn);
  struct bufferevent *buffers = bufferevent_socket_new(server->base, fd, 0);
  if (conn == NULL || buffers == NULL) {
    free(conn);
    if (buffers != NULL)
      bufferevent_free(buffers);
    worker->host->refuse(worker, fd);
    return;
  }
  conn->buffers = buffers;
  mux_library_added(library, &conn->common);
  bufferevent_setcb(buffers, on_readable, on_written, on_event, conn);
  bufferevent_set_max_single_read(buffers, worker->buffer_bytes);
  bufferevent_set_max_single_write(buffers, worker->buffer_bytes);
  bufferevent_enable(buffers, EV_READ | EV_WRITE);
}

/* Receives no more: libevent reads what the queue holds, and then EOF. */
static void drain(struct mux_library_connection *common) {
  shutdown(bufferevent_getfd(((struct connection *)common)->buffers), SHUT_RD);
}

static const struct mux_library_calls calls = {.listen = libevent_listen,
                                               .set_timer = libevent_set_timer,
                                               .add = add_connection,
                                               .drain = drain,
                                               .end = end_connection};

static int run(struct mux_worker *worker) {
  struct libevent_server server = {0};
  int rc = libevent_open(&server, worker, &calls, LIBEVENT_EPOLL);
  if (rc == 0)
    rc = libevent_serve(&server);
  mux_library_end_all(&server.library, rc != 0 ? rc : -ETIMEDOUT);
  libevent_close(&server);
  return rc;
}

#define PROBE NULL

#else
MUX_LIBRARY_MISSING("libevent", "libevent-dev")
#define PROBE missing
#endif

static const struct mux_backend libevent_buffer = {
    .abi = MUX_ABI,
    .name = "libevent-buffer",
    .summary = "libevent's bufferevents: the library reads, queues and writes",
    .transports = MUX_TCP | MUX_UNIX,
    .probe = PROBE,
    .run = run,
};
MUX_BACKEND(libevent_buffer);
