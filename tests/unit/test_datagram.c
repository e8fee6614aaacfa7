/* test_datagram.c: single properties of messages over UDP (loadgen/datagram.h).
 * test_datagram_model.c has many at random. */
#include "tests/support.h"

#include "tests/datagram_network.h"

/* One connection, three out: 0 is lost, 1 and 2 come. */
static void a_gap_is_no_reordering(void **state) {
  (void)state;
  test_network_begin(1, 3, 64, 0);
  test_network_deliver(1);
  test_network_deliver(2);
  assert_int_equal(net.worker.count.completed, 2);
  assert_int_equal(net.worker.count.datagrams.reordered, 0);
  test_network_deliver(0);
  assert_int_equal(net.worker.count.completed, 3);
  assert_int_equal(net.worker.count.datagrams.reordered, 1);
  test_network_end();
}

/* A closed port explains losses until an echo comes. */
static void refusal_explains_losses(void **state) {
  (void)state;
  test_network_begin(1, 1, 64, 0);
  load_datagram_refused(&net.worker.connections[0]);
  net.now += net.config.timeout_ns;
  load_datagrams_expire(&net.worker, &net.worker.connections[0], net.now);
  assert_int_equal(net.worker.count.errors[LOAD_ERR_RESET], 1);
  test_network_deliver(1);
  net.now += net.config.timeout_ns;
  load_datagrams_expire(&net.worker, &net.worker.connections[0], net.now);
  assert_int_equal(net.worker.count.errors[LOAD_ERR_RESET], 1);
  assert_int_equal(net.worker.count.errors[LOAD_ERR_TIMEOUT], 1);
  assert_int_equal(net.worker.count.datagrams.lost, 2);
  assert_int_equal(net.worker.count.datagrams.waited_ns, 2 * net.config.timeout_ns);
  test_network_end();
}

/* Losses, late echoes and reordering outside the window are not counted. */
static void only_the_window_counts(void **state) {
  (void)state;
  test_network_begin(1, 2, 64, 0);
  net.worker.window.start_ns = net.now + 10;
  test_network_deliver(1); /* sent before the window */
  test_network_deliver(0);
  assert_int_equal(net.worker.count.completed, 0);
  assert_int_equal(net.worker.count.datagrams.reordered, 0);
  net.now += 2 * net.config.timeout_ns;
  load_datagrams_expire(&net.worker, &net.worker.connections[0], net.now);
  assert_int_equal(net.worker.count.datagrams.lost, 0);
  test_network_deliver(2);
  assert_int_equal(net.worker.count.datagrams.late, 0);
  /* The time in the window spent waiting for them is. */
  assert_int_equal(net.worker.count.datagrams.waited_ns, 2 * (2 * net.config.timeout_ns - 10));
  test_network_end();
}

/* A closed loop remembers a limited number of lost messages; other late echoes are duplicates. */
static void memory_of_the_lost_is_bounded(void **state) {
  (void)state;
  test_network_begin(1, 1, 8, 0);
  net.worker.window.length_ns *= 2;
  uint64_t remembered = load_datagrams_remembered(&net.config, 1);
  for (uint64_t i = 0; i < remembered + 10; i++) {
    net.now += net.config.timeout_ns;
    load_datagrams_expire(&net.worker, &net.worker.connections[0], net.now);
  }
  for (int i = 0; i < (int)remembered + 10; i++)
    test_network_deliver(i);
  assert_int_equal(net.worker.count.datagrams.late, remembered);
  assert_int_equal(net.worker.count.datagrams.duplicated, 10);
  test_network_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_gap_is_no_reordering),
      cmocka_unit_test(refusal_explains_losses),
      cmocka_unit_test(only_the_window_counts),
      cmocka_unit_test(memory_of_the_lost_is_bounded),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
