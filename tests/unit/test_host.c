/* test_host.c: what the core does for a worker: connections and datagrams taken from a listener
 * (backends/core.h), on real sockets. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/core.h"
#include "backends/registry.h"
#include "common/sock.h"

/* A worker with a listener. */
struct fixture {
  struct mux_addr addr;
  struct mux_sock_options options;
  struct mux_shared shared;
  struct mux_counters counters;
  struct mux_core core;
};

static struct mux_worker *open_worker(struct fixture *fixture, const char *listen) {
  char why[160];
  *fixture = (struct fixture){.options = MUX_SOCK_DEFAULTS};
  assert_int_equal(mux_addr_parse(&fixture->addr, listen, false, why, sizeof why), 0);
  int fd = mux_sock_listen(&fixture->addr, false, 0, &fixture->options);
  assert_true(fd >= 0);
  fixture->core = (struct mux_core){.shared = &fixture->shared,
                                    .addr = &fixture->addr,
                                    .sock_options = &fixture->options,
                                    .worker = {.struct_bytes = sizeof(struct mux_worker),
                                               .workers = 1,
                                               .listen_fd = fd,
                                               .accept = MUX_ACCEPT_SHARED,
                                               .backend = mux_registry_find("epoll-lt"),
                                               .host = &mux_host_table,
                                               .counters = &fixture->counters,
                                               .core = &fixture->core}};
  return &fixture->core.worker;
}

static void close_worker(struct fixture *fixture) {
  close(fixture->core.worker.listen_fd);
  free(fixture->core.datagram);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void a_connection_is_counted_as_accepted(void **state) {
  (void)state;
  struct fixture fixture;
  struct mux_worker *worker = open_worker(&fixture, "tcp://127.0.0.1:0");
  int client = mux_sock_connect_within(&fixture.addr, &fixture.options, 5000000000);
  assert_true(client >= 0);
  int fd = mux_host_accept(worker, SOCK_NONBLOCK);
  assert_true(fd >= 0);
  mux_host_close(worker, fd, -ECONNRESET);
  assert_int_equal(mux_host_accept(worker, SOCK_NONBLOCK), -EAGAIN);
  assert_int_equal(fixture.counters.accepted, 1);
  assert_int_equal(fixture.counters.refused, 0);
  assert_int_equal(fixture.counters.closed, 1);
  assert_int_equal(fixture.counters.resets, 1);
  close(client);
  close_worker(&fixture);
}

/* A Unix socket, on which the options of a TCP connection cannot be set. */
static void a_connection_whose_options_fail_is_counted_as_refused(void **state) {
  (void)state;
  struct fixture fixture;
  struct mux_worker *worker = open_worker(&fixture, "tcp://127.0.0.1:0");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_true(mux_host_table.adopt(worker, fd) < 0);
  assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
  assert_int_equal(fixture.counters.accepted, 0);
  assert_int_equal(fixture.counters.refused, 1);
  close_worker(&fixture);
}

enum { COUNTERS = 4, COUNTS = 100000 };

static void *count_many(void *argument) {
  struct mux_worker *worker = argument;
  for (int i = 0; i < COUNTS; i++)
    mux_host_close(worker, -1, i % 2 == 0 ? 0 : -ECONNRESET);
  return NULL;
}

/* As with a thread per connection: no count is lost. */
static void threads_of_a_worker_count_together(void **state) {
  (void)state;
  struct fixture fixture;
  pthread_t threads[COUNTERS];
  struct mux_worker *worker = open_worker(&fixture, "tcp://127.0.0.1:0");
  for (int i = 0; i < COUNTERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_many, worker), 0);
  for (int i = 0; i < COUNTERS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(fixture.counters.closed, COUNTERS * COUNTS);
  assert_int_equal(fixture.counters.resets, COUNTERS * COUNTS / 2);
  close_worker(&fixture);
}

/* ---- Datagrams ------------------------------------------------------------------------------ */

/* A sender that fills the queue as fast as it is emptied must not hold the worker for ever. */
static void a_turn_over_datagrams_ends(void **state) {
  (void)state;
  enum { WAITING = 250 };
  struct fixture fixture;
  struct mux_worker *worker = open_worker(&fixture, "udp://127.0.0.1:0");
  int client = mux_sock_connect(&fixture.addr, NULL, &fixture.options);
  assert_true(client >= 0);
  for (int i = 0; i < WAITING; i++)
    assert_int_equal(send(client, &i, sizeof i, 0), sizeof i);
  int turns = 0;
  int rc;
  while ((rc = mux_host_accept(worker, SOCK_NONBLOCK)) == -EBUSY && turns < WAITING)
    turns++;
  assert_int_equal(rc, -EAGAIN);
  assert_in_range(turns, 1, WAITING - 1);
  assert_int_equal(fixture.counters.datagrams, WAITING);
  for (int i = 0; i < WAITING; i++) {
    int got = -1;
    assert_int_equal(recv(client, &got, sizeof got, MSG_DONTWAIT), sizeof got);
    assert_int_equal(got, i);
  }
  close(client);
  close_worker(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_connection_is_counted_as_accepted),
      cmocka_unit_test(a_connection_whose_options_fail_is_counted_as_refused),
      cmocka_unit_test(threads_of_a_worker_count_together),
      cmocka_unit_test(a_turn_over_datagrams_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
