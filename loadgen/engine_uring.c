/* engine_uring.c: completions instead of readiness.
 *
 * Every connection has a multishot receive armed, which takes buffers from a ring of provided ones,
 * and at most one send in flight, from a buffer of its own. Submissions are batched: they reach the
 * kernel with the call that waits. A send is stamped when it is queued, a little before the kernel
 * sees it, so that the cost of the batch counts as response time. With one message outstanding its
 * echo proves that the send is over, so the send's own completion is not requested
 * (IOSQE_CQE_SKIP_SUCCESS). Over UDP a send and a receive completion are one datagram each.
 *
 * mux-library: liburing.h -luring liburing-dev */
#if __has_include(<liburing.h>)

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ring.h"
#include "common/sock.h"
#include "loadgen/datagram.h"
#include "loadgen/worker.h"

enum {
  ENTRIES = 256, /* submissions that may wait */
  COMPLETIONS = 32768,
  BUFFERS = 4096,
  BUFFER_BYTES_LEAST = 2048,
  OPEN_LOOP_BYTES = 4096,
  BUFFER_BYTES_MOST = 64 << 10, /* more than any datagram has */
  SEND_TRIES = 2,               /* of a datagram */
};

enum operation { CONNECT, RECEIVE, SEND, OTHER };

struct uring_engine {
  struct mux_uring uring;
  bool open;
  bool quiet_sends; /* one message outstanding: no completion for a send */
  unsigned char *out;
  size_t out_bytes; /* of one connection */
};

/* What the engine keeps in a connection: bytes of the send in flight, and bytes of its buffer taken
 * by earlier, short sends; of a datagram, how often it was refused. */
enum { IN_FLIGHT, TAKEN };

static uint64_t token_of(const struct load_worker *w, const struct load_connection *c,
                         enum operation operation) {
  uint64_t generation = c->generation & 0x3fffffff;
  return (uint64_t)operation << 62 | generation << 32 | (uint64_t)(c - w->connections);
}

static int uring_probe(char *why, size_t why_bytes) {
  struct mux_uring uring;
  struct mux_uring_config config = {
      .entries = 8, .completions = 16, .buffers = 8, .buffer_bytes = 64, .defer_taskrun = true};
  int rc = mux_uring_open(&uring, &config, why, why_bytes);
  if (rc == 0)
    mux_uring_close(&uring);
  return rc;
}

/* A silent connection sends one byte at most, its proof of life. */
static unsigned char *out_of(const struct load_worker *w, const struct load_connection *c) {
  const struct uring_engine *e = w->engine_state;
  size_t i = (size_t)(c - w->connections);
  return i < w->active ? e->out + i * e->out_bytes
                       : e->out + w->active * e->out_bytes + i - w->active;
}

static size_t out_room(const struct load_worker *w) {
  const struct uring_engine *e = w->engine_state;
  return w->active * e->out_bytes + (w->total - w->active) + 1;
}

static void uring_engine_close(struct load_worker *w) {
  struct uring_engine *e = w->engine_state;
  if (e == NULL)
    return;
  if (e->open) {
    io_uring_submit(&e->uring.ring); /* the connections' closes */
    mux_uring_close(&e->uring);
  }
  if (e->out != NULL)
    munmap(e->out, out_room(w));
  free(e);
  w->engine_state = NULL;
}

/* The next submission. A full queue costs a system call. */
static struct io_uring_sqe *next_entry(struct load_worker *w) {
  struct uring_engine *e = w->engine_state;
  w->count.calls += io_uring_sq_space_left(&e->uring.ring) == 0;
  return mux_uring_sqe(&e->uring);
}

static void watch_wake(struct load_worker *w) {
  struct io_uring_sqe *sqe = next_entry(w);
  io_uring_prep_poll_multishot(sqe, w->wake_fd, POLLIN);
  io_uring_sqe_set_data64(sqe, (uint64_t)OTHER << 62);
}

static int uring_engine_open(struct load_worker *w, char *why, size_t why_bytes) {
  struct uring_engine *e = calloc(1, sizeof *e);
  if (e == NULL)
    return -ENOMEM;
  w->engine_state = e;
  uint64_t bytes = w->payload_bytes * (uint64_t)w->config->depth;
  if (w->datagrams != NULL)
    bytes = w->payload_bytes;
  else if (w->open_loop && bytes < OPEN_LOOP_BYTES)
    bytes = OPEN_LOOP_BYTES; /* late messages of a connection go out together */
  bytes = bytes < BUFFER_BYTES_MOST ? bytes : BUFFER_BYTES_MOST;
  e->out_bytes = bytes;
  e->quiet_sends = !w->open_loop && w->config->depth == 1 && bytes == w->payload_bytes;
  struct mux_uring_config config = {
      .entries = ENTRIES,
      .completions = COMPLETIONS,
      .buffers = BUFFERS,
      /* One byte more, so that a datagram that is too long shows. */
      .buffer_bytes = bytes >= BUFFER_BYTES_LEAST ? (uint32_t)bytes + (w->datagrams != NULL)
                                                  : BUFFER_BYTES_LEAST,
      .defer_taskrun = true,
  };
  int rc = mux_uring_open(&e->uring, &config, why, why_bytes);
  if (rc != 0)
    return rc;
  e->open = true;
  e->out = load_reserve(out_room(w));
  if (e->out == NULL)
    return -ENOMEM;
  watch_wake(w);
  return 0;
}

static int uring_engine_watch(struct load_worker *w, struct load_connection *c) {
  struct io_uring_sqe *sqe = next_entry(w);
  c->engine[IN_FLIGHT] = c->engine[TAKEN] = 0;
  io_uring_prep_poll_add(sqe, c->fd, POLLOUT);
  io_uring_sqe_set_data64(sqe, token_of(w, c, CONNECT));
  return 0;
}

static void arm_receive(struct load_worker *w, struct load_connection *c) {
  struct io_uring_sqe *sqe = next_entry(w);
  io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = MUX_URING_BUFFER_GROUP;
  io_uring_sqe_set_data64(sqe, token_of(w, c, RECEIVE));
}

/* Pending requests keep the socket open, so they are cancelled before the descriptor is closed, in
 * one batch. The generation is raised already: the tokens have the one before. */
static void uring_engine_release(struct load_worker *w, struct load_connection *c) {
  static const enum operation pending[] = {CONNECT, RECEIVE, SEND};
  struct load_connection before = *c;
  before.generation--;
  uint64_t index = (uint64_t)(c - w->connections);
  for (size_t i = 0; i < sizeof pending / sizeof *pending; i++) {
    struct io_uring_sqe *sqe = next_entry(w);
    uint64_t token =
        (uint64_t)pending[i] << 62 | (uint64_t)(before.generation & 0x3fffffff) << 32 | index;
    io_uring_prep_cancel64(sqe, token, 0);
    io_uring_sqe_set_data64(sqe, UINT64_MAX);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  }
  struct io_uring_sqe *sqe = next_entry(w);
  io_uring_prep_close(sqe, c->fd);
  io_uring_sqe_set_data64(sqe, UINT64_MAX);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void submit_send(struct load_worker *w, struct load_connection *c) {
  struct uring_engine *e = w->engine_state;
  struct io_uring_sqe *sqe = next_entry(w);
  const unsigned char *from = out_of(w, c) + (w->datagrams == NULL ? c->engine[TAKEN] : 0);
  io_uring_prep_send(sqe, c->fd, from, c->engine[IN_FLIGHT], MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(sqe, token_of(w, c, SEND));
  if (e->quiet_sends)
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void flush_datagrams(struct load_worker *w, struct load_connection *c, int64_t now) {
  struct uring_engine *e = w->engine_state;
  if (e->quiet_sends && !load_datagrams_out(c))
    c->engine[IN_FLIGHT] = 0;
  if (c->engine[IN_FLIGHT] == 0) {
    load_datagram_fill(w, c, out_of(w, c));
    c->engine[IN_FLIGHT] = (uint32_t)w->config->payload_bytes;
    c->engine[TAKEN] = 0;
    submit_send(w, c);
    load_datagram_sent(w, c, now);
  }
  if (c->sent < c->queued)
    load_connection_blocked(w, c, now);
}

static void uring_engine_flush(struct load_worker *w, struct load_connection *c, int64_t now) {
  struct uring_engine *e = w->engine_state;
  uint64_t left = c->queued - c->sent;
  if (left == 0)
    return;
  if (w->datagrams != NULL) {
    flush_datagrams(w, c, now);
    return;
  }
  if (e->quiet_sends && c->received == c->sent)
    c->engine[IN_FLIGHT] = 0;
  if (c->engine[IN_FLIGHT] == 0) {
    size_t n = left < e->out_bytes ? (size_t)left : e->out_bytes;
    mux_pattern_fill(&w->pattern, c->id, c->sent, out_of(w, c), n);
    c->engine[IN_FLIGHT] = (uint32_t)n;
    c->engine[TAKEN] = 0;
    submit_send(w, c);
    load_connection_sent(w, c, n, now);
  }
  if (c->sent < c->queued)
    load_connection_blocked(w, c, now);
}

static void connected(struct load_worker *w, struct load_connection *c, int result, int64_t now) {
  int error = result < 0 ? -result : 0;
  if (error == 0 && result & (POLLERR | POLLHUP))
    error = -mux_sock_error(c->fd);
  load_connection_connected(w, c, error, now);
  if (c->state != LOAD_OPEN)
    return;
  arm_receive(w, c);
  uring_engine_flush(w, c, now);
}

static void received(struct load_worker *w, struct load_connection *c,
                     const struct io_uring_cqe *cqe, const struct mux_uring_chunk *chunk,
                     int64_t now) {
  struct uring_engine *e = w->engine_state;
  if (cqe->res == -ENOBUFS || cqe->res == -EINTR || cqe->res == -EAGAIN) {
    if (cqe->res == -ENOBUFS && !mux_uring_provide_more(&e->uring))
      load_connection_lost(w, c, ENOBUFS);
    else
      arm_receive(w, c);
    return;
  }
  if (w->datagrams != NULL) {
    if (cqe->res < 0)
      load_datagram_refused(c);
    else
      load_datagram_received(w, c, chunk != NULL ? chunk->bytes : NULL, (size_t)cqe->res, now);
  } else if (cqe->res <= 0) {
    load_connection_lost(w, c, -cqe->res);
    return;
  } else if (!load_connection_received(w, c, chunk->bytes, (size_t)cqe->res, now)) {
    return;
  }
  if (!(cqe->flags & IORING_CQE_F_MORE))
    arm_receive(w, c);
  if (!c->blocked)
    uring_engine_flush(w, c, now);
}

static void sent(struct load_worker *w, struct load_connection *c, int result, int64_t now) {
  if (result < 0 && w->datagrams == NULL) {
    load_connection_lost(w, c, -result);
    return;
  }
  if (result >= 0) {
    c->engine[IN_FLIGHT] -= (uint32_t)result;
    c->engine[TAKEN] += (uint32_t)result;
  } else { /* about an earlier datagram; one refused again counts as sent, and is lost */
    load_datagram_refused(c);
    if (++c->engine[TAKEN] == SEND_TRIES)
      c->engine[IN_FLIGHT] = 0;
  }
  if (c->engine[IN_FLIGHT] > 0) {
    submit_send(w, c);
    return;
  }
  c->blocked = false;
  uring_engine_flush(w, c, now);
}

static void woken(struct load_worker *w, const struct io_uring_cqe *cqe) {
  uint64_t count;
  if (read(w->wake_fd, &count, sizeof count) > 0)
    load_worker_due(w, 0);
  if (!(cqe->flags & IORING_CQE_F_MORE))
    watch_wake(w);
}

static void handle(struct load_worker *w, const struct io_uring_cqe *cqe, int64_t now) {
  struct uring_engine *e = w->engine_state;
  enum operation operation = (enum operation)(cqe->user_data >> 62);
  if (cqe->user_data == UINT64_MAX) /* a cancel that found nothing */
    return;
  if (operation == OTHER) {
    woken(w, cqe);
    return;
  }
  struct load_connection *c = &w->connections[(uint32_t)cqe->user_data];
  struct mux_uring_chunk *chunk =
      cqe->flags & IORING_CQE_F_BUFFER ? mux_uring_take(&e->uring, cqe) : NULL;
  if (c->state != LOAD_CLOSED && token_of(w, c, operation) == cqe->user_data) {
    if (operation == CONNECT)
      connected(w, c, cqe->res, now);
    else if (operation == RECEIVE)
      received(w, c, cqe, chunk, now);
    else
      sent(w, c, cqe->res, now);
  }
  if (chunk != NULL)
    mux_uring_put(&e->uring, chunk);
}

static int uring_engine_wait(struct load_worker *w) {
  struct uring_engine *e = w->engine_state;
  int64_t before = mux_now_ns();
  int64_t left = w->timer_ns - before;
  bool spin = load_worker_spins(w, left);
  int rc = mux_uring_wait(&e->uring, w->timer_ns == INT64_MAX ? -1 : spin ? 0 : left);
  if (rc != 0)
    return rc;
  int64_t now = mux_now_ns();
  struct io_uring_cqe *next;
  uint64_t handled = 0;
  while (io_uring_peek_cqe(&e->uring.ring, &next) == 0) {
    struct io_uring_cqe cqe = {
        .user_data = next->user_data, .res = next->res, .flags = next->flags};
    io_uring_cqe_seen(&e->uring.ring, next);
    handle(w, &cqe, now);
    handled++;
    now = mux_now_ns();
    if (now >= w->timer_ns)
      load_worker_tick(w, now);
  }
  w->count.waits++;
  w->count.calls++;
  w->count.events += handled;
  if (handled == 0 && spin && left > 0)
    w->use.spin_ns += now - before;
  if (load_worker_is_due(w, now))
    load_worker_tick(w, now);
  return 0;
}

const struct load_engine load_engine_uring = {
    .name = "uring",
    .probe = uring_probe,
    .open = uring_engine_open,
    .close = uring_engine_close,
    .watch = uring_engine_watch,
    .release = uring_engine_release,
    .flush = uring_engine_flush,
    .wait = uring_engine_wait,
};

#else

#include <errno.h>
#include <stdio.h>

#include "loadgen/engine.h"

static int uring_probe(char *why, size_t why_bytes) {
  snprintf(why, why_bytes, "built without liburing (package liburing-dev)");
  return -ENOSYS;
}

const struct load_engine load_engine_uring = {.name = "uring", .probe = uring_probe};

#endif
