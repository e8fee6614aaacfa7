/* test_datagram_model.c: which echo belongs to which message over UDP, and how it counts
 * (loadgen/datagram.h), compared with a model that keeps everything. The network loses, duplicates,
 * delays, reorders and damages datagrams at random. */
#include "tests/support.h"

#include <string.h>

#include "common/clock.h"
#include "tests/datagram_network.h"

enum { STEPS = 3000, RUNS = 8 };

struct expected {
  uint64_t completed, lost, late, reordered, duplicated, mismatched;
  uint64_t unattributed[TEST_DATAGRAM_CONNECTIONS];
  uint64_t furthest[TEST_DATAGRAM_CONNECTIONS]; /* number of the furthest echoed, plus 1 */
  struct mux_hdr *response;
};

static struct expected want, seen; /* in this run, in several */

/* ---- The model ------------------------------------------------------------------------------ */

static struct test_message *model_find(uint32_t connection, uint64_t number) {
  for (size_t i = 0; i < net.message_count; i++)
    if (net.messages[i].connection == connection && net.messages[i].number == number)
      return &net.messages[i];
  return NULL;
}

static void model_lose(struct test_message *m) {
  m->fate = LOST;
  if (want.unattributed[m->connection] > 0)
    want.unattributed[m->connection]--;
  else
    want.lost++;
}

static void model_expire(uint32_t connection) {
  for (size_t i = 0; i < net.message_count; i++)
    if (net.messages[i].connection == connection && net.messages[i].fate == OUT &&
        net.now - net.messages[i].at_ns >= net.config.timeout_ns)
      model_lose(&net.messages[i]);
}

static void model_echo(struct test_message *m) {
  if (m->fate == OUT && net.now - m->at_ns >= net.config.timeout_ns)
    model_lose(m);
  if (m->fate == LOST && !m->was_late) {
    want.late++;
    m->was_late = true;
  } else if (m->fate != OUT) {
    want.duplicated++;
  } else {
    uint64_t *furthest = &want.furthest[m->connection];
    m->fate = DONE;
    want.completed++;
    want.reordered += m->number < *furthest;
    *furthest = m->number >= *furthest ? m->number + 1 : *furthest;
    mux_hdr_record(want.response, net.now - m->at_ns);
  }
}

static void check_all(void) {
  const struct load_counters *n = &net.worker.count;
  assert_int_equal(n->sent, net.message_count);
  assert_int_equal(n->completed, want.completed);
  assert_int_equal(n->errors[LOAD_ERR_TIMEOUT], want.lost);
  assert_int_equal(n->errors[LOAD_ERR_MISMATCH], want.mismatched);
  assert_int_equal(n->datagrams.lost, want.lost);
  assert_int_equal(n->datagrams.late, want.late);
  assert_int_equal(n->datagrams.reordered, want.reordered);
  assert_int_equal(n->datagrams.duplicated, want.duplicated);
  uint64_t out = 0;
  uint64_t queued = 0;
  for (size_t i = 0; i < net.message_count; i++)
    out += net.messages[i].fate == OUT;
  for (uint32_t i = 0; i < net.worker.active; i++) {
    const struct load_connection *c = &net.worker.connections[i];
    queued += (c->queued - c->sent) / net.worker.payload_bytes;
    if (!net.worker.open_loop) /* every place is taken, always */
      assert_int_equal(c->outstanding, net.config.depth);
  }
  assert_int_equal(net.worker.outstanding, out + queued);
}

/* ---- What happens --------------------------------------------------------------------------- */

/* A datagram arrives with its first word intact and something else wrong. */
static void arrive_damaged(struct test_datagram *datagram) {
  struct test_message *m = model_find(datagram->connection, datagram->number);
  bool shorter = test_random() % 2 == 0;
  bool flip = datagram->bytes > 8 && test_random() % 2 == 0;
  if (datagram->bytes == 8)
    shorter = false;
  if (flip)
    datagram->data[test_random_in(8, datagram->bytes - 1)] ^= (unsigned char)test_random_in(1, 255);
  else
    datagram->bytes = shorter ? test_random_in(8, datagram->bytes - 1) : datagram->bytes + 1;
  want.mismatched++;
  if (m->fate == OUT)
    m->fate = DONE;
  test_network_receive(datagram->connection, datagram->data, datagram->bytes);
}

/* A datagram from which no message of the connection can be read. */
static void arrive_unreadable(struct test_datagram *datagram) {
  uint32_t index = datagram->connection;
  switch (test_random() % 3) {
  case 0:
    datagram->bytes = test_random_in(0, 7);
    break;
  case 1:
    datagram->data[test_random_in(0, 7)] ^= (unsigned char)test_random_in(1, 255);
    break;
  default: /* crosstalk */
    if (net.worker.active > 1)
      index = (index + 1) % net.worker.active;
    else
      datagram->bytes = 0;
  }
  want.mismatched++;
  want.unattributed[index]++;
  test_network_receive(index, datagram->data, datagram->bytes);
}

/* Takes any datagram out of the network, or a copy of it. */
static void arrive(void) {
  if (net.count == 0)
    return;
  int at = test_random() % 4 == 0 ? (int)test_random_in(0, (uint64_t)net.count - 1) : 0;
  struct test_datagram datagram = net.datagrams[at];
  if (test_random() % 16 != 0) { /* else it will come again */
    memmove(&net.datagrams[at], &net.datagrams[at + 1],
            (size_t)(net.count - at - 1) * sizeof *net.datagrams);
    net.count--;
  }
  switch (test_random() % 64) {
  case 0:
    arrive_damaged(&datagram);
    break;
  case 1:
    arrive_unreadable(&datagram);
    break;
  case 2: /* the network loses it */
  case 3:
    break;
  default:
    model_echo(model_find(datagram.connection, datagram.number));
    test_network_receive(datagram.connection, datagram.data, datagram.bytes);
  }
}

static void expire_all(void) {
  for (uint32_t i = 0; i < net.worker.active; i++) {
    model_expire(i);
    load_datagrams_expire(&net.worker, &net.worker.connections[i], net.now);
  }
}

static void send_more(void) {
  uint32_t i = (uint32_t)(test_random() % net.worker.active);
  struct load_connection *c = &net.worker.connections[i];
  load_connection_queue(&net.worker, c, net.now, net.now);
  if (!c->blocked)
    test_network_flush(c);
}

static void toggle_network(void) {
  net.refuses = !net.refuses;
  for (uint32_t i = 0; i < net.worker.active && !net.refuses; i++) {
    net.worker.connections[i].blocked = false;
    test_network_flush(&net.worker.connections[i]);
  }
}

static void run_random(int connections, int depth, int64_t payload, int64_t rate) {
  test_network_begin(connections, depth, payload, rate);
  want = (struct expected){.response = mux_hdr_new_latency()};
  assert_non_null(want.response);
  for (int i = 0; i < STEPS; i++) {
    net.now += (int64_t)test_random_in(1, test_random() % 32 == 0 ? 3 * MUX_S / 2 : 2 * MUX_MS);
    if (rate > 0 && test_random() % 2 == 0)
      send_more();
    else if (test_random() % 128 == 0)
      toggle_network();
    else if (test_random() % 16 == 0)
      expire_all();
    else
      arrive();
    check_all();
  }
  /* What is still out expires; a closed loop fills the places again. */
  net.now += net.config.timeout_ns;
  net.worker.window.end_ns = net.now;
  expire_all();
  for (size_t i = 0; i < net.message_count; i++)
    assert_int_not_equal(net.messages[i].fate, OUT);
  /* From a message's sending to its own echo. */
  const struct mux_hdr *times = net.worker.interval->hdr[rate > 0 ? LOAD_SERVICE : LOAD_RESPONSE];
  assert_int_equal(times->total, want.completed);
  assert_memory_equal(times->counts, want.response->counts,
                      (size_t)want.response->counts_length * sizeof *want.response->counts);
  if (want.completed > 0)
    assert_true(times->max < net.config.timeout_ns);
  seen.lost += want.lost;
  seen.late += want.late;
  seen.reordered += want.reordered;
  seen.duplicated += want.duplicated;
  seen.mismatched += want.mismatched;
  test_network_end();
  mux_hdr_free(want.response);
}

static void run_many(int depth_least, int depth_most, int64_t rate) {
  seen = (struct expected){0};
  for (int i = 0; i < RUNS; i++)
    run_random((int)test_random_in(1, TEST_DATAGRAM_CONNECTIONS),
               (int)test_random_in((uint64_t)depth_least, (uint64_t)depth_most),
               (int64_t)test_random_in(8, TEST_DATAGRAM_BYTES), rate);
  assert_true(seen.lost > 0 && seen.late > 0 && seen.duplicated > 0 && seen.mismatched > 0);
  assert_int_equal(seen.reordered > 0, depth_most > 1 || rate > 0);
}

static void closed_loop_of_one_agrees_with_the_model(void **state) {
  (void)state;
  run_many(1, 1, 0);
}

static void closed_loop_of_many_agrees_with_the_model(void **state) {
  (void)state;
  run_many(2, 32, 0);
}

static void open_loop_agrees_with_the_model(void **state) {
  (void)state;
  run_many(1, 1, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(closed_loop_of_one_agrees_with_the_model),
      cmocka_unit_test(closed_loop_of_many_agrees_with_the_model),
      cmocka_unit_test(open_loop_agrees_with_the_model),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
