/* test_echo.c: the echo core against the simplest model, a queue of bytes, with events in random
 * order (backends/echo.h). */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/echo.h"

enum { CONNECTIONS = 5, MODEL_BYTES = 4096 };

struct model {
  unsigned char bytes[MODEL_BYTES];
  size_t waiting;
};

static void model_take_in(struct model *model, const void *data, size_t n) {
  assert_true(model->waiting + n <= MODEL_BYTES);
  memcpy(model->bytes + model->waiting, data, n);
  model->waiting += n;
}

static void model_send(struct model *model, size_t n) {
  memmove(model->bytes, model->bytes + n, model->waiting - n);
  model->waiting -= n;
}

static void fill_random(unsigned char *out, size_t n) {
  for (size_t i = 0; i < n; i++)
    out[i] = (unsigned char)test_random();
}

static void assert_same(const struct mux_pool *pool, const struct mux_echo *echo,
                        const struct model *model) {
  size_t bytes;
  const void *data = mux_echo_data(echo, &bytes);
  assert_int_equal(bytes, model->waiting);
  assert_true((data == NULL) == (bytes == 0));
  if (bytes > 0)
    assert_memory_equal(data, model->bytes, bytes);
  assert_true(echo->head <= echo->tail && echo->tail <= echo->size);
  assert_true(echo->size <= pool->buffer_bytes * MUX_ECHO_OVERSHOOT);
  assert_true((echo->buf == NULL) == (echo->size == 0));
  unsigned wants = mux_echo_wants(echo);
  assert_true(((wants & MUX_WRITE) != 0) == (bytes > 0));
  bool room = echo->size == 0 || echo->tail < echo->size;
  assert_true(((wants & MUX_READ) != 0) == (room && !echo->eof));
  assert_true(pool->spares <= MUX_POOL_SPARES);
}

static void receive_some(struct mux_pool *pool, struct mux_echo *echo, struct model *model) {
  size_t room;
  unsigned char *space = mux_echo_space(pool, echo, &room);
  assert_true((space == NULL) == (room == 0));
  if (room == 0) {
    assert_true(echo->size > 0 && echo->tail == echo->size);
    return;
  }
  size_t n = test_random_in(1, room);
  fill_random(space, n);
  model_take_in(model, space, n);
  mux_echo_received(echo, n);
}

static void feed_some(struct mux_pool *pool, struct mux_echo *echo, struct model *model) {
  unsigned char data[256];
  size_t n = test_random_in(0, pool->buffer_bytes * 2 < 256 ? pool->buffer_bytes * 2 : 256);
  fill_random(data, n);
  bool fits = n <= (echo->size > 0 ? echo->size - echo->tail : pool->buffer_bytes);
  bool grown = echo->size > pool->buffer_bytes;
  bool may_grow = !grown && model->waiting + n <= pool->buffer_bytes * MUX_ECHO_OVERSHOOT;
  int rc = mux_echo_feed(pool, echo, data, n);
  assert_int_equal(rc, fits || may_grow ? 0 : -ENOBUFS);
  if (rc == 0)
    model_take_in(model, data, n);
}

/* Waiting bytes do not move, so that a send in flight stays valid. */
static void send_some(struct mux_pool *pool, struct mux_echo *echo, struct model *model) {
  size_t bytes;
  const unsigned char *data = mux_echo_data(echo, &bytes);
  if (bytes == 0)
    return;
  size_t n = test_random_in(1, bytes);
  mux_echo_sent(pool, echo, n);
  model_send(model, n);
  if (n < bytes)
    assert_ptr_equal(mux_echo_data(echo, &bytes), data + n);
  else
    assert_null(echo->buf); /* an idle connection owns no memory */
}

static void random_orders_match_a_queue(void **state) {
  (void)state;
  for (int run = 0; run < 300; run++) {
    struct mux_pool pool;
    struct mux_echo echoes[CONNECTIONS] = {0};
    struct model models[CONNECTIONS] = {0};
    mux_pool_init(&pool, (uint32_t)test_random_in(1, 100));
    for (int step = 0; step < 2000; step++) {
      size_t i = test_random_in(0, CONNECTIONS - 1);
      switch (test_random_in(0, 9)) {
      case 0:
        feed_some(&pool, &echoes[i], &models[i]);
        break;
      case 1:
        if (test_random_in(0, 20) == 0) {
          mux_echo_release(&pool, &echoes[i]);
          models[i].waiting = 0;
        }
        break;
      case 2:
      case 3:
      case 4:
      case 5:
        receive_some(&pool, &echoes[i], &models[i]);
        break;
      default:
        send_some(&pool, &echoes[i], &models[i]);
      }
      assert_same(&pool, &echoes[i], &models[i]);
    }
    for (size_t i = 0; i < CONNECTIONS; i++)
      mux_echo_release(&pool, &echoes[i]);
    mux_pool_free(&pool);
    assert_int_equal(pool.spares, 0);
  }
}

static void after_eof_it_only_flushes(void **state) {
  (void)state;
  struct mux_pool pool;
  struct mux_echo echo = {0};
  mux_pool_init(&pool, 16);
  assert_int_equal(mux_echo_wants(&echo), MUX_READ);
  assert_int_equal(mux_echo_feed(&pool, &echo, "abc", 3), 0);
  echo.eof = 1;
  assert_int_equal(mux_echo_wants(&echo), MUX_WRITE);
  mux_echo_sent(&pool, &echo, 3);
  assert_int_equal(mux_echo_wants(&echo), 0);
  mux_pool_free(&pool);
}

static void a_full_buffer_stops_reading_until_it_is_drained(void **state) {
  (void)state;
  struct mux_pool pool;
  struct mux_echo echo = {0};
  mux_pool_init(&pool, 8);
  assert_int_equal(mux_echo_feed(&pool, &echo, "12345678", 8), 0);
  assert_int_equal(mux_echo_wants(&echo), MUX_WRITE);
  mux_echo_sent(&pool, &echo, 7);
  assert_int_equal(mux_echo_wants(&echo), MUX_WRITE);
  mux_echo_sent(&pool, &echo, 1);
  assert_int_equal(mux_echo_wants(&echo), MUX_READ);
  mux_pool_free(&pool);
}

static void the_hottest_buffer_is_lent_first(void **state) {
  (void)state;
  struct mux_pool pool;
  mux_pool_init(&pool, 100);
  void *first = mux_pool_take(&pool);
  void *second = mux_pool_take(&pool);
  mux_pool_give(&pool, first);
  mux_pool_give(&pool, second);
  assert_ptr_equal(mux_pool_take(&pool), second);
  assert_ptr_equal(mux_pool_take(&pool), first);
  assert_null(pool.spare);
  mux_pool_give(&pool, first);
  mux_pool_give(&pool, second);
  mux_pool_free(&pool);
}

static void a_burst_does_not_keep_its_memory(void **state) {
  (void)state;
  enum { BURST = 3 * MUX_POOL_SPARES };
  struct mux_pool pool;
  void *buffers[BURST];
  mux_pool_init(&pool, 64);
  for (size_t i = 0; i < BURST; i++)
    assert_non_null(buffers[i] = mux_pool_take(&pool));
  for (size_t i = 0; i < BURST; i++)
    mux_pool_give(&pool, buffers[i]);
  assert_int_equal(pool.spares, MUX_POOL_SPARES);
  mux_pool_free(&pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_orders_match_a_queue),
      cmocka_unit_test(after_eof_it_only_flushes),
      cmocka_unit_test(a_full_buffer_stops_reading_until_it_is_drained),
      cmocka_unit_test(the_hottest_buffer_is_lent_first),
      cmocka_unit_test(a_burst_does_not_keep_its_memory),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
