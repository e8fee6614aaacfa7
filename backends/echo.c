/* echo.c: see echo.h. */
#include "backends/echo.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mux_pool_init(struct mux_pool *pool, uint32_t buffer_bytes) {
  assert(buffer_bytes > 0);
  *pool = (struct mux_pool){.buffer_bytes = buffer_bytes};
}

void mux_pool_free(struct mux_pool *pool) {
  while (pool->spare != NULL)
    free(mux_pool_take(pool));
}

void *mux_pool_take(struct mux_pool *pool) {
  void *buffer = pool->spare;
  if (buffer == NULL) /* with room for the link */
    return malloc(pool->buffer_bytes < sizeof buffer ? sizeof buffer : pool->buffer_bytes);
  memcpy(&pool->spare, buffer, sizeof pool->spare);
  pool->spares--;
  return buffer;
}

void mux_pool_give(struct mux_pool *pool, void *buffer) {
  if (pool->spares >= MUX_POOL_SPARES) {
    free(buffer);
    return;
  }
  memcpy(buffer, &pool->spare, sizeof pool->spare);
  pool->spare = buffer;
  pool->spares++;
}

void mux_echo_release(struct mux_pool *pool, struct mux_echo *echo) {
  if (echo->size > pool->buffer_bytes)
    free(echo->buf); /* grown by an overshoot */
  else if (echo->buf != NULL)
    mux_pool_give(pool, echo->buf);
  echo->buf = NULL;
  echo->head = echo->tail = echo->size = 0;
}

int mux_echo_feed(struct mux_pool *pool, struct mux_echo *echo, const void *data, size_t n) {
  size_t waiting = echo->tail - echo->head;
  size_t room;
  void *space = mux_echo_space(pool, echo, &room);
  if (echo->buf == NULL)
    return -ENOMEM;
  if (n > room) {
    size_t need = waiting + n;
    if (echo->size > pool->buffer_bytes || n > SIZE_MAX - waiting ||
        need > (size_t)pool->buffer_bytes * MUX_ECHO_OVERSHOOT)
      return -ENOBUFS;
    /* Larger than a buffer of the pool even if it would just fit: release() tells them apart by
     * size. */
    size_t bytes = need > pool->buffer_bytes ? need : (size_t)pool->buffer_bytes + 1;
    unsigned char *grown = malloc(bytes);
    if (grown == NULL)
      return -ENOMEM;
    memcpy(grown, echo->buf + echo->head, waiting);
    mux_echo_release(pool, echo);
    echo->buf = grown;
    echo->tail = (uint32_t)waiting;
    echo->size = (uint32_t)bytes;
    space = grown + waiting;
  }
  if (n > 0)
    memcpy(space, data, n);
  mux_echo_received(echo, n);
  return 0;
}
