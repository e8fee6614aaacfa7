/* datagram_network.c: see datagram_network.h. */
#include "tests/datagram_network.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/support.h"

struct test_network net;

static void flush(struct load_worker *w, struct load_connection *c, int64_t at) {
  uint32_t index = (uint32_t)(c - w->connections);
  while (c->sent < c->queued) {
    if (net.refuses) {
      load_connection_blocked(w, c, at);
      return;
    }
    assert_true(net.count < TEST_DATAGRAMS);
    struct test_datagram *datagram = &net.datagrams[net.count++];
    *datagram = (struct test_datagram){.connection = index,
                                       .number = net.next[index]++,
                                       .bytes = (size_t)net.config.payload_bytes};
    load_datagram_fill(w, c, datagram->data);
    load_datagram_sent(w, c, at);
    net.messages = reallocarray(net.messages, net.message_count + 1, sizeof *net.messages);
    assert_non_null(net.messages);
    net.messages[net.message_count++] =
        (struct test_message){.connection = index, .number = datagram->number, .at_ns = at};
  }
}

static const struct load_engine engine = {.name = "test", .flush = flush};

void test_network_begin(int connections, int depth, int64_t payload, int64_t rate) {
  assert_in_range(connections, 1, TEST_DATAGRAM_CONNECTIONS);
  net = (struct test_network){.now = 5000 * MUX_S};
  net.config = (struct load_config){.target.kind = MUX_ADDR_UDP,
                                    .connections = connections,
                                    .threads = 1,
                                    .depth = depth,
                                    .payload_bytes = payload,
                                    .rate_per_s = rate,
                                    .duration_ns = 1000 * MUX_S,
                                    .timeout_ns = MUX_S,
                                    .engine = &engine};
  net.shared =
      (struct load_shared){.config = &net.config, .pattern = mux_pattern_new(test_random())};
  atomic_store(&net.shared.mismatch_told, true);
  assert_int_equal(load_worker_init(&net.worker, &net.shared, 0), 0);
  net.worker.stage = LOAD_TRAFFIC;
  net.worker.window.start_ns = net.now;
  net.worker.window.length_ns = (uint64_t)net.config.duration_ns;
  for (int i = 0; i < connections; i++) {
    struct load_connection *c = &net.worker.connections[i];
    c->state = LOAD_OPEN;
    for (int k = 0; k < depth && rate == 0; k++)
      load_connection_queue(&net.worker, c, net.now, net.now);
    test_network_flush(c);
  }
}

void test_network_end(void) {
  load_worker_destroy(&net.worker);
  free(net.messages);
}

void test_network_flush(struct load_connection *c) {
  flush(&net.worker, c, net.now);
}

void test_network_receive(uint32_t connection, const void *data, size_t bytes) {
  struct load_connection *c = &net.worker.connections[connection];
  load_datagram_received(&net.worker, c, data, bytes, net.now);
  if (!c->blocked)
    test_network_flush(c);
}

void test_network_deliver(int at) {
  struct test_datagram datagram = net.datagrams[at];
  test_network_receive(datagram.connection, datagram.data, datagram.bytes);
}
