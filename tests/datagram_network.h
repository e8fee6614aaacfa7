/* datagram_network.h: a load worker over a network that is an array, for unit tests of messages
 * over UDP (loadgen/datagram.h). The test takes datagrams out of the network as it likes and hands
 * them to the worker; the clock is the test's, too. There is one of everything. */
#ifndef MUX_TEST_DATAGRAM_NETWORK_H
#define MUX_TEST_DATAGRAM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadgen/datagram.h"

enum { TEST_DATAGRAM_BYTES = 200, TEST_DATAGRAMS = 8192, TEST_DATAGRAM_CONNECTIONS = 8 };

struct test_message { /* that the worker has sent */
  uint32_t connection;
  uint64_t number; /* of its connection, from 0 */
  int64_t at_ns;
  enum test_fate { OUT, DONE, LOST } fate; /* for a model: OUT when sent */
  bool was_late;
};

struct test_datagram {
  uint32_t connection;
  uint64_t number; /* of its message */
  size_t bytes;
  unsigned char data[TEST_DATAGRAM_BYTES + 1];
};

extern struct test_network {
  struct load_config config;
  struct load_shared shared;
  struct load_worker worker;
  int64_t now;
  bool refuses; /* takes nothing for now */
  struct test_datagram datagrams[TEST_DATAGRAMS];
  int count;
  struct test_message *messages;
  size_t message_count;
  uint64_t next[TEST_DATAGRAM_CONNECTIONS]; /* number of the next message */
} net;

/* Connections of one worker, connected; with rate 0 `depth` messages of each are sent. */
void test_network_begin(int connections, int depth, int64_t payload, int64_t rate);
void test_network_end(void);

/* Sends what the connection has queued, unless the network refuses. */
void test_network_flush(struct load_connection *c);
/* The worker receives this on a connection. */
void test_network_receive(uint32_t connection, const void *data, size_t bytes);
/* ... what lies in the network at that place, and stays there. */
void test_network_deliver(int at);

#endif
