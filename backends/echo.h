/* echo.h: the echo core. It moves bytes between buffers and does no I/O, so that it can be tested
 * with any order of events, and is shared by everything that serves.
 *
 * `struct mux_echo` (mux_backend.h) holds one connection's waiting bytes. Its buffer is lent by a
 * pool: last in, first out, so that with small messages one hot buffer serves every connection of a
 * worker. A pool belongs to one thread. */
#ifndef MUX_ECHO_H
#define MUX_ECHO_H

#include <stddef.h>
#include <stdint.h>

#include "backends/mux_backend.h"

/* Spare buffers are linked through their first bytes. Invariant: spare holds `spares` buffers, at
 * most MUX_POOL_SPARES. Any more that come back are freed, so that a burst does not keep its
 * memory. */
enum { MUX_POOL_SPARES = 64 };
struct mux_pool {
  void *spare;
  uint32_t spares;
  uint32_t buffer_bytes; /* what each buffer holds */
};

/* buffer_bytes: at least 1. */
void mux_pool_init(struct mux_pool *pool, uint32_t buffer_bytes);
/* Frees the spare buffers. All buffers must have been given back. */
void mux_pool_free(struct mux_pool *pool);
void *mux_pool_take(struct mux_pool *pool); /* NULL: no memory */
void mux_pool_give(struct mux_pool *pool, void *buffer);

/* Where to receive; *bytes is the room. NULL and 0: full, or no memory. */
static inline void *mux_echo_space(struct mux_pool *pool, struct mux_echo *echo, size_t *bytes) {
  if (echo->buf == NULL) {
    echo->buf = (unsigned char *)mux_pool_take(pool);
    echo->size = echo->buf != NULL ? pool->buffer_bytes : 0;
  }
  *bytes = echo->size - echo->tail;
  return *bytes > 0 ? echo->buf + echo->tail : NULL;
}

static inline void mux_echo_received(struct mux_echo *echo, size_t n) {
  echo->tail += (uint32_t)n;
}

static inline const void *mux_echo_data(const struct mux_echo *echo, size_t *bytes) {
  *bytes = echo->tail - echo->head;
  return *bytes > 0 ? echo->buf + echo->head : NULL;
}

/* Gives the buffer back, whatever it holds. */
void mux_echo_release(struct mux_pool *pool, struct mux_echo *echo);

static inline void mux_echo_sent(struct mux_pool *pool, struct mux_echo *echo, size_t n) {
  echo->head += (uint32_t)n;
  if (echo->head == echo->tail)
    mux_echo_release(pool, echo);
}

/* Copies in bytes that were received elsewhere. When they do not fit, the waiting bytes move once
 * to a buffer of exactly the size needed, at most MUX_ECHO_OVERSHOOT times the pool's size. That
 * buffer is full, so nothing more is read until the peer has drained it. Returns 0, -ENOMEM, or
 * -ENOBUFS beyond the bound. */
enum { MUX_ECHO_OVERSHOOT = 2 };
int mux_echo_feed(struct mux_pool *pool, struct mux_echo *echo, const void *data, size_t n);

#endif
