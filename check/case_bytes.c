/* case_bytes.c: cases about the bytes: each comes back once, unchanged, in order and on its own
 * connection. */
#include <string.h>
#include <sys/socket.h>

#include "check/peer.h"

CHECK_CASE(one_byte_writes, .name = "one-byte-writes", .theme = CHECK_BYTES,
           .property = "4096 one-byte writes come back, first pipelined, then one at a time",
           .advice = "a recv() of one byte is as good as any other", .bound_s = 15, .quick = true,
           .gate = true) {
  struct peer peer = peer_open(check, 0);
  peer.send_most = 1;
  peer_echo(&peer, 3072);
  for (int i = 0; i < 1024; i++)
    peer_echo(&peer, 1);
}

/* Every small write takes 768 bytes of a Unix socket's buffer (net.core.wmem_default, 208 KiB), and
 * a server need not hold what it cannot send: there a quarter is under way at a time. */
CHECK_CASE(pipelined_1000, .name = "pipelined-1000", .theme = CHECK_BYTES,
           .property = "1000 messages of 64 bytes sent before the first echo is read come back",
           .advice = "an edge comes once: receive until EAGAIN, or keep a list of ready sockets",
           .bound_s = 10, .quick = true, .gate = true) {
  enum { MESSAGES = 1000, BYTES = 64 };
  int rounds = check->addr.kind == MUX_ADDR_UNIX ? 4 : 1;
  struct peer peer = peer_open(check, 0);
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < MESSAGES / rounds; i++)
      peer_send(&peer, BYTES);
    peer_expect(&peer, (uint64_t)(MESSAGES / rounds * BYTES));
  }
  peer_send(&peer, MESSAGES * BYTES); /* then as one burst: one edge for all of them */
  peer_expect(&peer, MESSAGES * BYTES);
}

/* The pattern is random; here each value comes alone, doubled and among others. */
CHECK_CASE(all_byte_values, .name = "all-byte-values", .theme = CHECK_BYTES,
           .property = "all 256 byte values come back, alone and in sequence",
           .advice = "bytes are not text: no strlen(), no end-of-file character, no translation",
           .bound_s = 10, .quick = true) {
  unsigned char sent[512];
  unsigned char got[512];
  struct peer peer = peer_open(check, 0);
  for (int value = 0; value < 257; value++) {
    size_t n = value < 256 ? 1 : sizeof sent;
    for (size_t i = 0; i < n; i++)
      sent[i] = (unsigned char)(value < 256 ? value : (int)(i / 2));
    if (send(peer.fd, sent, n, MSG_NOSIGNAL) != (ssize_t)n)
      check_fail(check, "byte value %d: the server has closed the connection", value % 256);
    for (size_t have = 0; have < n;) {
      if (!peer_wait(&peer, POLLIN, check_patience_ns(check)))
        check_fail(check, "byte value %d does not come back", (int)sent[have]);
      ssize_t more = recv(peer.fd, got + have, n - have, MSG_DONTWAIT);
      if (more <= 0)
        check_fail(check, "the server closes at byte value %d", (int)sent[have]);
      for (ssize_t i = 0; i < more; i++, have++)
        if (got[have] != sent[have])
          check_fail(check, "byte value %d comes back as %d", (int)sent[have], (int)got[have]);
    }
  }
}

CHECK_CASE(sizes, .name = "sizes", .theme = CHECK_BYTES,
           .property = "bursts of 2^k-1, 2^k and 2^k+1 bytes come back, from 1 KiB to 1 MiB",
           .advice = "look at what happens when a recv() fills the buffer to its last byte",
           .bound_s = 15, .quick = true, .gate = true) {
  struct peer peer = peer_open(check, 0);
  for (uint64_t size = 1024; size <= 1024 * 1024; size *= 2)
    for (uint64_t n = size - 1; n <= size + 1; n++) {
      check_doing(check, "sending a burst of %d bytes", (int)n);
      peer_echo(&peer, n);
    }
}

CHECK_CASE(bulk_64mib, .name = "bulk-64MiB", .theme = CHECK_BYTES,
           .property = "64 MiB come back over one connection with both directions busy",
           .advice = "look for counters that wrap, and for what a short send() leaves",
           .bound_s = 20) {
  struct peer peer = peer_open(check, 0);
  int64_t start = mux_now_ns();
  peer_echo(&peer, UINT64_C(64) << 20);
  check_note(check, "%.0f MiB/s", 64e9 / (double)(mux_now_ns() - start));
}

CHECK_CASE(random_chunks, .name = "random-chunks", .theme = CHECK_BYTES,
           .property = "random sizes of send() and recv() over small buffers lose nothing",
           .advice = "send() may take less than it is given: keep the rest and wait until writable",
           .bound_s = 15, .quick = true) {
  enum { PEERS = 8 };
  struct peer *peers = peers_open(check, PEERS, 16 * 1024);
  for (int i = 0; i < PEERS; i++) {
    peers[i].random_sizes = true;
    peers[i].send_most = 40000;
    peers[i].get_most = 20000;
    peers[i].get_per_s = i % 2 == 0 ? 0 : 4u << 20; /* fills the kernel: send() comes up short */
  }
  peers_echo(peers, PEERS, 2 << 20);
  peers_close(peers, PEERS);
}

/* Some peers send more than the kernel buffers before they read, so that the server holds bytes of
 * several connections while it serves the others. */
CHECK_CASE(many_connections_crosstalk, .name = "many-connections-crosstalk", .theme = CHECK_BYTES,
           .property = "100 busy connections get their own bytes and no others",
           .advice = "unsent bytes belong to one connection; a reused descriptor starts with none",
           .bound_s = 20, .fds = 200, .quick = true, .gate = true) {
  enum { PEERS = 100, ROUNDS = 2, STALLED = 3, STALLED_MOST = 4 << 20, BYTES = 20000 };
  for (int round = 0; round < ROUNDS; round++) {
    struct peer *peers = peers_open(check, PEERS, 8 * 1024);
    peers_fill(peers, STALLED, STALLED_MOST);
    for (int i = STALLED; i < PEERS; i++) {
      peers[i].random_sizes = true;
      peers[i].send_most = 3000;
    }
    peers_echo(peers + STALLED, PEERS - STALLED, BYTES);
    for (int i = 0; i < STALLED; i++)
      peers[i].get_goal = peers[i].sent;
    peers_move(peers, PEERS);
    /* Leaves bytes for whoever gets the descriptor next. */
    for (int i = 0; i < PEERS; i++)
      peer_push(&peers[i], 3000);
    peers_close(peers, PEERS);
  }
}
