/* fuzz_echo.c: the echo core against any order of events. The model is a queue of byte values: what
 * goes in comes out, in order, and the memory of a connection stays within its bound. */
#include "tests/fuzz/fuzz.h"

#include "backends/echo.h"

enum { CONNECTIONS = 3, BUFFER = 64 };

struct model {
  struct mux_echo echo;
  uint64_t in, out; /* bytes so far; byte n has the value n*7 */
};

static uint8_t byte_at(uint64_t n) {
  return (uint8_t)(n * 7);
}

static void sane(const struct model *model) {
  const struct mux_echo *echo = &model->echo;
  assert(echo->head <= echo->tail && echo->tail <= echo->size);
  assert(echo->buf != NULL || echo->size == 0);
  assert(echo->size <= BUFFER * MUX_ECHO_OVERSHOOT);
  assert(model->in - model->out == echo->tail - echo->head);
}

static void receive(struct mux_pool *pool, struct model *model, size_t most) {
  size_t room;
  if ((mux_echo_wants(&model->echo) & MUX_READ) == 0)
    return;
  uint8_t *space = mux_echo_space(pool, &model->echo, &room);
  assert(space != NULL && room > 0);
  size_t n = most % room + 1;
  for (size_t i = 0; i < n; i++)
    space[i] = byte_at(model->in++);
  mux_echo_received(&model->echo, n);
}

static void feed(struct mux_pool *pool, struct model *model, size_t n) {
  uint8_t data[256];
  if (n == 0 || model->echo.eof)
    return;
  for (size_t i = 0; i < n; i++)
    data[i] = byte_at(model->in + i);
  int rc = mux_echo_feed(pool, &model->echo, data, n);
  assert(rc == 0 || rc == -105); /* -ENOBUFS */
  model->in += rc == 0 ? n : 0;
}

static void send_some(struct mux_pool *pool, struct model *model, size_t most) {
  size_t waiting;
  const uint8_t *data = mux_echo_data(&model->echo, &waiting);
  assert((data != NULL) == ((mux_echo_wants(&model->echo) & MUX_WRITE) != 0));
  if (data == NULL)
    return;
  size_t n = most % waiting + 1;
  for (size_t i = 0; i < n; i++)
    assert(data[i] == byte_at(model->out++));
  mux_echo_sent(pool, &model->echo, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct mux_pool pool;
  struct model models[CONNECTIONS] = {0};
  mux_pool_init(&pool, BUFFER);
  for (size_t i = 0; i + 1 < bytes; i += 2) {
    struct model *model = &models[data[i] % CONNECTIONS];
    size_t n = data[i + 1];
    switch (data[i] / CONNECTIONS % 5) {
    case 0:
      receive(&pool, model, n);
      break;
    case 1:
      feed(&pool, model, n);
      break;
    case 2:
      send_some(&pool, model, n);
      break;
    case 3:
      model->echo.eof = 1;
      break;
    case 4: /* the connection ends; another takes its place */
      mux_echo_release(&pool, &model->echo);
      *model = (struct model){0};
      break;
    }
    sane(model);
  }
  for (int i = 0; i < CONNECTIONS; i++)
    mux_echo_release(&pool, &models[i].echo);
  mux_pool_free(&pool);
  return 0;
}
