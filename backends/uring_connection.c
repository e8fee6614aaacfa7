/* uring_connection.c: the connections of uring_engine.h, and what each submits next. */
#if __has_include(<liburing.h>)

#include "backends/uring_engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void submit_receive(struct uring_engine *engine, struct uring_connection *conn) {
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  if (engine->draining) { /* does not wait: an empty queue is the end */
    io_uring_prep_recv(sqe, conn->fd, NULL, 0, MSG_DONTWAIT);
  } else if (engine->multishot) {
    io_uring_prep_recv_multishot(sqe, conn->fd, NULL, 0, 0);
    sqe->file_index = engine->receive_bytes; /* `optlen` in newer headers */
  } else {
    io_uring_prep_recv(sqe, conn->fd, NULL, 0, 0);
    /* A peer that waits for its echo has sent no more: do not try before it is readable. */
    if (!conn->more)
      sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  }
  sqe->flags |= IOSQE_BUFFER_SELECT | conn->fixed;
  sqe->buf_group = MUX_URING_BUFFER_GROUP;
  uring_tag(sqe, conn, OP_RECEIVE);
  conn->receiving = true;
}

static void submit_send(struct uring_engine *engine, struct uring_connection *conn) {
  const struct mux_uring_chunk *chunk = conn->first;
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  io_uring_prep_send(sqe, conn->fd, chunk->bytes + chunk->head, chunk->tail - chunk->head,
                     MSG_NOSIGNAL);
  sqe->flags |= conn->fixed;
  uring_tag(sqe, conn, OP_SEND);
  conn->sending = true;
}

void uring_cancel(struct uring_engine *engine, const void *object, enum uring_op op) {
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  io_uring_prep_cancel64(sqe, (uintptr_t)object | op, 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  uring_tag(sqe, NULL, OP_IGNORE);
}

/* Closes a direct descriptor; the core closes an fd, and counts both. Returns the fd that is left
 * to close, or -1. */
static int close_direct(struct uring_engine *engine, int fd, uint8_t fixed) {
  if (!fixed)
    return fd;
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  io_uring_prep_close_direct(sqe, (unsigned)fd);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  uring_tag(sqe, NULL, OP_IGNORE);
  engine->free_files++;
  return -1;
}

static void finish(struct uring_engine *engine, struct uring_connection *conn) {
  struct mux_worker *worker = engine->worker;
  for (struct mux_uring_chunk *chunk = conn->first, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    mux_uring_put(&engine->uring, chunk);
  }
  worker->host->close(worker, close_direct(engine, conn->fd, conn->fixed), conn->error);
  if (conn->next != NULL)
    conn->next->prev = conn->prev;
  if (conn->prev != NULL)
    conn->prev->next = conn->next;
  else
    engine->connections = conn->next;
  free(conn);
  if (engine->resume_ns != 0)
    engine->resume_ns = 1; /* there is room for another one: resume at once */
}

/* Submits whatever the connection needs next, or ends it. The only place that does. */
static void advance(struct uring_engine *engine, struct uring_connection *conn) {
  if (conn->error != 0 || (conn->eof && conn->first == NULL)) {
    if (!conn->receiving && !conn->sending) {
      finish(engine, conn);
    } else if (!conn->cancelled) {
      conn->cancelled = true;
      if (conn->receiving)
        uring_cancel(engine, conn, OP_RECEIVE);
      if (conn->sending)
        uring_cancel(engine, conn, OP_SEND);
    }
    return;
  }
  if (!conn->sending && conn->first != NULL)
    submit_send(engine, conn);
  if (conn->eof)
    return;
  if (!conn->receiving) {
    if (conn->chunks <= engine->limit / 2)
      submit_receive(engine, conn);
  } else if (conn->chunks >= engine->limit && !conn->cancelled) {
    conn->cancelled = true;
    uring_cancel(engine, conn, OP_RECEIVE);
  }
}

/* Appends received bytes to what waits: keeps the chunk, or packs it into the last one. */
static void enqueue(struct uring_engine *engine, struct uring_connection *conn,
                    struct mux_uring_chunk *chunk, uint32_t bytes) {
  struct mux_uring_chunk *last = conn->last;
  bool in_flight = conn->sending && last == conn->first;
  if (last != NULL && !in_flight && bytes <= engine->uring.chunk_bytes - last->tail) {
    memcpy(last->bytes + last->tail, chunk->bytes, bytes);
    last->tail += bytes;
    mux_uring_put(&engine->uring, chunk);
    return;
  }
  chunk->tail = bytes;
  if (last != NULL)
    last->next = chunk;
  else
    conn->first = chunk;
  conn->last = chunk;
  conn->chunks++;
}

void uring_on_receive(struct uring_engine *engine, struct uring_connection *conn,
                      const struct io_uring_cqe *cqe) {
  struct mux_worker *worker = engine->worker;
  struct mux_uring_chunk *chunk = NULL;
  if ((cqe->flags & IORING_CQE_F_BUFFER) != 0)
    chunk = mux_uring_take(&engine->uring, cqe);
  conn->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
  conn->cancelled = conn->cancelled && conn->receiving;
  conn->more = (cqe->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
  if (cqe->res > 0 && chunk != NULL) {
    enqueue(engine, conn, chunk, (uint32_t)cqe->res);
    if (worker->work_ns > 0)
      worker->host->work(worker);
  } else {
    if (chunk != NULL)
      mux_uring_put(&engine->uring, chunk);
    if (cqe->res == 0 || (cqe->res == -EAGAIN && engine->draining))
      conn->eof = true;
    else if (cqe->res == -EINVAL && engine->receive_bytes > 0)
      engine->receive_bytes = 0;
    else if (cqe->res == -ENOBUFS && mux_uring_provide_more(&engine->uring))
      conn->more = true;
    else if (cqe->res != -ECANCELED && cqe->res != -EINTR && conn->error == 0)
      conn->error = cqe->res;
  }
  advance(engine, conn);
}

void uring_on_send(struct uring_engine *engine, struct uring_connection *conn,
                   const struct io_uring_cqe *cqe) {
  struct mux_uring_chunk *chunk = conn->first;
  conn->sending = false;
  if (cqe->res >= 0) {
    chunk->head += (uint32_t)cqe->res;
    assert(chunk->head <= chunk->tail);
  } else if (cqe->res != -EINTR && conn->error == 0) {
    conn->error = cqe->res;
  }
  if (chunk->head == chunk->tail) {
    conn->first = chunk->next;
    if (conn->first == NULL)
      conn->last = NULL;
    conn->chunks--;
    mux_uring_put(&engine->uring, chunk);
  }
  advance(engine, conn);
}

void uring_add_connection(struct uring_engine *engine, int fd, uint8_t fixed) {
  struct mux_worker *worker = engine->worker;
  struct uring_connection *conn = calloc(1, sizeof *conn);
  if (conn == NULL) {
    worker->host->refuse(worker, close_direct(engine, fd, fixed));
    return;
  }
  conn->fd = fd;
  conn->fixed = fixed;
  conn->next = engine->connections;
  if (conn->next != NULL)
    conn->next->prev = conn;
  engine->connections = conn;
  advance(engine, conn);
}

void uring_drain_connections(struct uring_engine *engine) {
  for (struct uring_connection *conn = engine->connections; conn != NULL; conn = conn->next)
    if (conn->receiving && !conn->cancelled) {
      conn->cancelled = true;
      uring_cancel(engine, conn, OP_RECEIVE);
    }
}

void uring_abort_connections(struct uring_engine *engine, int error) {
  for (struct uring_connection *conn = engine->connections, *next; conn != NULL; conn = next) {
    next = conn->next;
    if (conn->error == 0)
      conn->error = error;
    advance(engine, conn);
  }
}

#endif
