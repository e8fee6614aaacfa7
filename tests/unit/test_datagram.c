/* test_datagram.c: which echo belongs to which message over UDP, and how it counts
 * (loadgen/datagram.h), compared with a model that keeps everything. The test's network loses,
 * duplicates, delays, reorders and damages datagrams at random; the clock is the test's, too. */
#include "tests/support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "loadgen/datagram.h"

enum { BYTES_MOST = 200, STEPS = 3000, RUNS = 8, IN_NETWORK = 8192, CONNECTIONS_MOST = 8 };

enum fate { OUT, DONE, LOST };

struct sent { /* a message of the model */
  uint32_t connection;
  uint64_t number;
  int64_t at_ns;
  enum fate fate;
  bool was_late;
};

struct packet {
  uint32_t connection;
  uint64_t number;
  size_t bytes;
  unsigned char data[BYTES_MOST + 1];
};

struct expected {
  uint64_t completed, lost, late, reordered, duplicated, mismatched;
  uint64_t unattributed[CONNECTIONS_MOST];
  uint64_t next[CONNECTIONS_MOST];     /* number of the next message */
  uint64_t furthest[CONNECTIONS_MOST]; /* number of the furthest echoed, plus 1 */
  struct mux_hdr *response;
};

static struct load_config config;
static struct load_shared shared;
static struct load_worker worker;
static struct expected want, seen; /* in this run, in several */
static int64_t now;
static bool refuses; /* the network takes nothing for now */
static struct packet network[IN_NETWORK];
static int in_network;
static struct sent *messages;
static size_t message_count;

/* ---- The network: an engine that keeps what is sent ------------------------------------------ */

static void network_flush(struct load_worker *w, struct load_connection *c, int64_t at) {
  uint32_t index = (uint32_t)(c - w->connections);
  while (c->sent < c->queued) {
    if (refuses) {
      load_connection_blocked(w, c, at);
      return;
    }
    assert_true(in_network < IN_NETWORK);
    struct packet *packet = &network[in_network++];
    *packet = (struct packet){
        .connection = index, .number = want.next[index]++, .bytes = (size_t)config.payload_bytes};
    load_datagram_fill(w, c, packet->data);
    load_datagram_sent(w, c, at);
    messages = reallocarray(messages, message_count + 1, sizeof *messages);
    assert_non_null(messages);
    messages[message_count++] =
        (struct sent){.connection = index, .number = packet->number, .at_ns = at};
  }
}

static const struct load_engine network_engine = {.name = "test", .flush = network_flush};

static void begin(int connections, int depth, int64_t payload, int64_t rate) {
  config = (struct load_config){.target.kind = MUX_ADDR_UDP,
                                .connections = connections,
                                .threads = 1,
                                .depth = depth,
                                .payload_bytes = payload,
                                .rate_per_s = rate,
                                .duration_ns = 1000 * MUX_S,
                                .timeout_ns = MUX_S,
                                .engine = &network_engine};
  shared = (struct load_shared){.config = &config, .pattern = mux_pattern_new(test_random())};
  atomic_store(&shared.mismatch_told, true);
  want = (struct expected){.response = mux_hdr_new_latency()};
  messages = NULL;
  message_count = 0;
  in_network = 0;
  refuses = false;
  now = 5000 * MUX_S;
  assert_int_equal(load_worker_init(&worker, &shared, 0), 0);
  worker.stage = LOAD_TRAFFIC;
  worker.window.start_ns = now;
  worker.window.length_ns = (uint64_t)config.duration_ns;
  for (int i = 0; i < connections; i++) {
    struct load_connection *c = &worker.connections[i];
    c->state = LOAD_OPEN;
    for (int k = 0; k < depth && rate == 0; k++)
      load_connection_queue(&worker, c, now, now);
    network_flush(&worker, c, now);
  }
}

static void end(void) {
  load_worker_destroy(&worker);
  mux_hdr_free(want.response);
  free(messages);
}

/* ---- The model ------------------------------------------------------------------------------ */

static struct sent *model_find(uint32_t connection, uint64_t number) {
  for (size_t i = 0; i < message_count; i++)
    if (messages[i].connection == connection && messages[i].number == number)
      return &messages[i];
  return NULL;
}

static void model_lose(struct sent *m) {
  m->fate = LOST;
  if (want.unattributed[m->connection] > 0)
    want.unattributed[m->connection]--;
  else
    want.lost++;
}

static void model_expire(uint32_t connection) {
  for (size_t i = 0; i < message_count; i++)
    if (messages[i].connection == connection && messages[i].fate == OUT &&
        now - messages[i].at_ns >= config.timeout_ns)
      model_lose(&messages[i]);
}

static void model_echo(struct sent *m) {
  if (m->fate == OUT && now - m->at_ns >= config.timeout_ns)
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
    mux_hdr_record(want.response, now - m->at_ns);
  }
}

static void check_all(void) {
  const struct load_counters *n = &worker.count;
  assert_int_equal(n->sent, message_count);
  assert_int_equal(n->completed, want.completed);
  assert_int_equal(n->errors[LOAD_ERR_TIMEOUT], want.lost);
  assert_int_equal(n->errors[LOAD_ERR_MISMATCH], want.mismatched);
  assert_int_equal(n->datagrams.lost, want.lost);
  assert_int_equal(n->datagrams.late, want.late);
  assert_int_equal(n->datagrams.reordered, want.reordered);
  assert_int_equal(n->datagrams.duplicated, want.duplicated);
  uint64_t out = 0;
  uint64_t queued = 0;
  for (size_t i = 0; i < message_count; i++)
    out += messages[i].fate == OUT;
  for (uint32_t i = 0; i < worker.active; i++) {
    const struct load_connection *c = &worker.connections[i];
    queued += (c->queued - c->sent) / worker.payload_bytes;
    if (!worker.open_loop) /* every place is taken, always */
      assert_int_equal(c->outstanding, config.depth);
  }
  assert_int_equal(worker.outstanding, out + queued);
}

/* ---- What happens --------------------------------------------------------------------------- */

static void receive(uint32_t index, const void *data, size_t bytes) {
  struct load_connection *c = &worker.connections[index];
  load_datagram_received(&worker, c, data, bytes, now);
  if (!c->blocked)
    network_flush(&worker, c, now);
}

/* A packet arrives with its first word intact and something else wrong. */
static void arrive_damaged(struct packet *packet) {
  struct sent *m = model_find(packet->connection, packet->number);
  bool shorter = test_random() % 2 == 0;
  bool flip = packet->bytes > 8 && test_random() % 2 == 0;
  if (packet->bytes == 8)
    shorter = false;
  if (flip)
    packet->data[test_random_in(8, packet->bytes - 1)] ^= (unsigned char)test_random_in(1, 255);
  else
    packet->bytes = shorter ? test_random_in(8, packet->bytes - 1) : packet->bytes + 1;
  want.mismatched++;
  if (m->fate == OUT)
    m->fate = DONE;
  receive(packet->connection, packet->data, packet->bytes);
}

/* A datagram from which no message of the connection can be read. */
static void arrive_unreadable(struct packet *packet) {
  uint32_t index = packet->connection;
  switch (test_random() % 3) {
  case 0:
    packet->bytes = test_random_in(0, 7);
    break;
  case 1:
    packet->data[test_random_in(0, 7)] ^= (unsigned char)test_random_in(1, 255);
    break;
  default: /* crosstalk */
    if (worker.active > 1)
      index = (index + 1) % worker.active;
    else
      packet->bytes = 0;
  }
  want.mismatched++;
  want.unattributed[index]++;
  receive(index, packet->data, packet->bytes);
}

/* Takes any packet out of the network, or a copy of it. */
static void arrive(void) {
  if (in_network == 0)
    return;
  int at = test_random() % 4 == 0 ? (int)test_random_in(0, (uint64_t)in_network - 1) : 0;
  struct packet packet = network[at];
  if (test_random() % 16 != 0) { /* else it will come again */
    memmove(&network[at], &network[at + 1], (size_t)(in_network - at - 1) * sizeof *network);
    in_network--;
  }
  switch (test_random() % 64) {
  case 0:
    arrive_damaged(&packet);
    break;
  case 1:
    arrive_unreadable(&packet);
    break;
  case 2: /* the network loses it */
  case 3:
    break;
  default:
    model_echo(model_find(packet.connection, packet.number));
    receive(packet.connection, packet.data, packet.bytes);
  }
}

static void expire_all(void) {
  for (uint32_t i = 0; i < worker.active; i++) {
    model_expire(i);
    load_datagrams_expire(&worker, &worker.connections[i], now);
  }
}

static void send_more(void) {
  uint32_t i = (uint32_t)(test_random() % worker.active);
  struct load_connection *c = &worker.connections[i];
  load_connection_queue(&worker, c, now, now);
  if (!c->blocked)
    network_flush(&worker, c, now);
}

static void toggle_network(void) {
  refuses = !refuses;
  for (uint32_t i = 0; i < worker.active && !refuses; i++) {
    worker.connections[i].blocked = false;
    network_flush(&worker, &worker.connections[i], now);
  }
}

static void run_random(int connections, int depth, int64_t payload, int64_t rate) {
  begin(connections, depth, payload, rate);
  for (int i = 0; i < STEPS; i++) {
    now += (int64_t)test_random_in(1, test_random() % 32 == 0 ? 3 * MUX_S / 2 : 2 * MUX_MS);
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
  now += config.timeout_ns;
  worker.window.end_ns = now;
  expire_all();
  for (size_t i = 0; i < message_count; i++)
    assert_int_not_equal(messages[i].fate, OUT);
  /* From a message's sending to its own echo. */
  const struct mux_hdr *times = worker.interval->hdr[rate > 0 ? LOAD_SERVICE : LOAD_RESPONSE];
  assert_int_equal(times->total, want.completed);
  assert_memory_equal(times->counts, want.response->counts,
                      (size_t)want.response->counts_length * sizeof *want.response->counts);
  if (want.completed > 0)
    assert_true(times->max < config.timeout_ns);
  seen.lost += want.lost;
  seen.late += want.late;
  seen.reordered += want.reordered;
  seen.duplicated += want.duplicated;
  seen.mismatched += want.mismatched;
  end();
}

static void run_many(int depth_least, int depth_most, int64_t rate) {
  seen = (struct expected){0};
  for (int i = 0; i < RUNS; i++)
    run_random((int)test_random_in(1, CONNECTIONS_MOST),
               (int)test_random_in((uint64_t)depth_least, (uint64_t)depth_most),
               (int64_t)test_random_in(8, BYTES_MOST), rate);
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

/* ---- One property each ---------------------------------------------------------------------- */

static void deliver(int at) {
  struct packet packet = network[at];
  receive(packet.connection, packet.data, packet.bytes);
}

/* One connection, three out: 0 is lost, 1 and 2 come. */
static void a_gap_is_no_reordering(void **state) {
  (void)state;
  begin(1, 3, 64, 0);
  deliver(1);
  deliver(2);
  assert_int_equal(worker.count.completed, 2);
  assert_int_equal(worker.count.datagrams.reordered, 0);
  deliver(0);
  assert_int_equal(worker.count.completed, 3);
  assert_int_equal(worker.count.datagrams.reordered, 1);
  end();
}

/* A closed port explains losses until an echo comes. */
static void refusal_explains_losses(void **state) {
  (void)state;
  begin(1, 1, 64, 0);
  load_datagram_refused(&worker.connections[0]);
  now += config.timeout_ns;
  load_datagrams_expire(&worker, &worker.connections[0], now);
  assert_int_equal(worker.count.errors[LOAD_ERR_RESET], 1);
  deliver(1);
  now += config.timeout_ns;
  load_datagrams_expire(&worker, &worker.connections[0], now);
  assert_int_equal(worker.count.errors[LOAD_ERR_RESET], 1);
  assert_int_equal(worker.count.errors[LOAD_ERR_TIMEOUT], 1);
  assert_int_equal(worker.count.datagrams.lost, 2);
  assert_int_equal(worker.count.datagrams.waited_ns, 2 * config.timeout_ns);
  end();
}

/* Losses, late echoes and reordering outside the window are not counted. */
static void only_the_window_counts(void **state) {
  (void)state;
  begin(1, 2, 64, 0);
  worker.window.start_ns = now + 10;
  deliver(1); /* sent before the window */
  deliver(0);
  assert_int_equal(worker.count.completed, 0);
  assert_int_equal(worker.count.datagrams.reordered, 0);
  now += 2 * config.timeout_ns;
  load_datagrams_expire(&worker, &worker.connections[0], now);
  assert_int_equal(worker.count.datagrams.lost, 0);
  deliver(2);
  assert_int_equal(worker.count.datagrams.late, 0);
  /* The time in the window spent waiting for them is. */
  assert_int_equal(worker.count.datagrams.waited_ns, 2 * (2 * config.timeout_ns - 10));
  end();
}

/* A closed loop remembers a limited number of lost messages; other late echoes are duplicates. */
static void memory_of_the_lost_is_bounded(void **state) {
  (void)state;
  begin(1, 1, 8, 0);
  worker.window.length_ns *= 2;
  uint64_t remembered = load_datagrams_remembered(&config, 1);
  for (uint64_t i = 0; i < remembered + 10; i++) {
    now += config.timeout_ns;
    load_datagrams_expire(&worker, &worker.connections[0], now);
  }
  for (int i = 0; i < (int)remembered + 10; i++)
    deliver(i);
  assert_int_equal(worker.count.datagrams.late, remembered);
  assert_int_equal(worker.count.datagrams.duplicated, 10);
  end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(closed_loop_of_one_agrees_with_the_model),
      cmocka_unit_test(closed_loop_of_many_agrees_with_the_model),
      cmocka_unit_test(open_loop_agrees_with_the_model),
      cmocka_unit_test(a_gap_is_no_reordering),
      cmocka_unit_test(refusal_explains_losses),
      cmocka_unit_test(only_the_window_counts),
      cmocka_unit_test(memory_of_the_lost_is_bounded),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
