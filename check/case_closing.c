/* case_closing.c: cases about the end of a connection: what was sent before a FIN is echoed,
 * then the server closes; a connection that breaks does no harm to others and leaks nothing. RFC
 * 9293, 3.6. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check/patience.h"
#include "check/peer.h"
#include "check/subject.h"

/* Small enough that the kernel's buffers do not hide what a server loses, and large enough to keep
 * clear of TCP's silly window avoidance. */
enum { SMALL_BUFFER = 16 * 1024, FILL_MOST = 8 << 20 };
#define THROTTLE_PER_S (UINT64_C(24) << 20)

/* A connection with full buffers in both directions. (A server that takes everything is judged by
 * slow-reader, not here.) */
static struct peer full_peer(struct check *check) {
  struct peer peer = peer_open(check, SMALL_BUFFER);
  peer.get_most = 8 * 1024;
  peer.get_per_s = THROTTLE_PER_S;
  check_doing(check, "filling both directions");
  peer_fill(&peer, FILL_MOST);
  return peer;
}

CHECK_CASE(half_close, .name = "half-close", .theme = CHECK_CLOSING,
           .property = "a FIN after full buffers: every byte comes back, then FIN",
           .advice = "recv() of 0 only ends the reading: send what is left, then close",
           .bound_s = 15, .quick = true, .gate = true) {
  struct peer peer = full_peer(check);
  peer_shutdown(&peer);
  peer_expect_rest_and_eof(&peer);
  check_note(check, "%llu KiB in flight", (unsigned long long)peer.sent / 1024);
}

CHECK_CASE(half_close_empty, .name = "half-close-empty", .theme = CHECK_CLOSING,
           .property = "a FIN with no byte before it is answered with FIN",
           .advice = "recv() of 0 on a new connection is its end as well: close it", .bound_s = 10,
           .quick = true, .gate = true) {
  for (int i = 0; i < 20; i++) {
    struct peer peer = peer_open(check, 0);
    peer_shutdown(&peer);
    peer_expect_rest_and_eof(&peer);
    peer_close(&peer);
  }
}

/* Whether our FIN has arrived. It cannot while the server's window is closed. */
static bool fin_arrived(const struct peer *peer) {
  struct tcp_info info;
  socklen_t bytes = sizeof info;
  if (peer->check->addr.kind != MUX_ADDR_TCP)
    return true;
  return getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
         info.tcpi_state == TCP_FIN_WAIT2;
}

/* The FIN has to arrive while the server still waits to send: read until it is in the receive queue
 * there, and no further. */
CHECK_CASE(half_close_after_stall, .name = "half-close-after-stall", .theme = CHECK_CLOSING,
           .property = "a FIN that arrives while the server cannot send loses nothing",
           .advice = "EPOLLRDHUP or POLLHUP is not the end while there are bytes to send",
           .bound_s = 15, .quick = true) {
  struct peer peer = full_peer(check);
  peer_shutdown(&peer);
  while (!fin_arrived(&peer) && peer.got + 8192 < peer.sent)
    peer_expect(&peer, 8192);
  check_let_run(check, 200 * MUX_MS);
  peer_expect_rest_and_eof(&peer);
}

CHECK_CASE(reset_idle, .name = "reset-idle", .theme = CHECK_CLOSING,
           .property = "a reset of idle connections ends these and no others",
           .advice = "ECONNRESET is about one connection: close it and go on", .needs = CHECK_TCP,
           .bound_s = 10, .quick = true) {
  struct peer other = peer_open(check, 0);
  peer_echo(&other, 64);
  int fds = check_fds_settled(check);
  for (int round = 0; round < 5; round++) {
    struct peer *peers = peers_open(check, 10, 0);
    peers_echo(peers, 10, 64);
    for (int i = 0; i < 10; i++)
      peer_reset(&peers[i]);
    free(peers);
  }
  peer_echo(&other, 64);
  check_fds_return(check, fds, "reset connections");
  check_serves(check);
}

CHECK_CASE(
    reset_midstream, .name = "reset-midstream", .theme = CHECK_CLOSING,
    .property = "a reset with both directions full ends that connection entirely, and no others",
    .advice = "an error of send(), or EPOLLERR, ends the connection: close it there as well",
    .needs = CHECK_TCP, .bound_s = 20, .quick = true) {
  enum { PEERS = 10 };
  struct peer other = peer_open(check, 0);
  peer_echo(&other, 64);
  int fds = check_fds_settled(check);
  struct peer *peers = peers_open(check, PEERS, SMALL_BUFFER);
  for (int i = 0; i < PEERS; i++)
    peers[i].tolerant = true;
  peers_fill(peers, PEERS, FILL_MOST);
  for (int i = 0; i < PEERS; i++)
    peer_reset(&peers[i]);
  peer_echo(&other, 64);
  check_fds_return(check, fds, "connections reset in mid-stream");
  check_serves(check);
  check_cpu_below(check, 50, 100 * MUX_MS, "idle after resets");
}

/* The kernel resets a connection that is closed with bytes in its receive queue (RFC 2525,
 * 2.17). The server learns of it as it reads or, where both directions are full, as it sends.
 * Idle connections end with FIN. */
CHECK_CASE(client_vanishes, .name = "client-vanishes", .theme = CHECK_CLOSING,
           .property = "a client killed with 50 connections in use leaks nothing",
           .advice = "a peer may vanish at any time: FIN, RST and EPIPE all mean close", .fds = 100,
           .bound_s = 10, .quick = true) {
  enum { PEERS = 50, ECHOED = 25, FULL = 4 };
  int fds = check_fds_settled(check);
  int ready[2];
  if (pipe(ready) != 0)
    check_skip(check, "no pipe");
  pid_t client = check_fork(check);
  if (client == 0) {
    struct peer *peers = peers_open(check, PEERS, SMALL_BUFFER);
    peers_echo(peers, PEERS, 64);
    for (int i = 0; i < ECHOED; i++) {
      peer_send(&peers[i], 64);
      if (!peer_wait(&peers[i], POLLIN, check_patience_ns(check)))
        check_fail(check, "no echo of 64 bytes on connection %d of %d", i, PEERS);
    }
    peers_fill(peers + ECHOED, FULL, FILL_MOST);
    (void)!write(ready[1], "x", 1);
    for (;;)
      pause();
  }
  char byte;
  close(ready[1]);
  (void)!read(ready[0], &byte, 1); /* 0 when the child has failed the case */
  close(ready[0]);
  check_end_helper(client);
  check_fds_return(check, fds, "a killed client");
  check_serves(check);
}

CHECK_CASE(connect_and_close_1000, .name = "connect-and-close-1000", .theme = CHECK_CLOSING,
           .property = "1000 connections closed without a byte leak no descriptor",
           .advice = "every path that ends a connection has to close its descriptor", .bound_s = 15,
           .quick = true) {
  int fds = check_fds_settled(check);
  for (int i = 0; i < 1000; i++) {
    struct peer peer = peer_open(check, 0);
    peer_close(&peer);
  }
  check_serves(check);
  check_fds_return(check, fds, "connections closed without a byte");
}

/* The server is frozen, so that the connections are still in its accept queue when they are reset.
 */
CHECK_CASE(abort_before_accept, .name = "abort-before-accept", .theme = CHECK_CLOSING,
           .property = "connections reset in the accept queue do no harm to others",
           .advice = "what accept() returns may be dead already (ENOTCONN, ECONNABORTED): go on",
           .needs = CHECK_TCP | CHECK_OWN, .bound_s = 10, .quick = true) {
  int fds = check_fds_settled(check);
  check_freeze(check);
  for (int i = 0; i < 20; i++) {
    struct peer peer = peer_open(check, 0);
    if (i % 2 == 0)
      peer_push(&peer, 64);
    peer_reset(&peer);
  }
  check_thaw(check);
  check_serves(check);
  check_fds_return(check, fds, "connections aborted before accept");
  check_cpu_below(check, 50, 100 * MUX_MS, "idle after aborted connections");
}

CHECK_CASE(send_after_close, .name = "send-after-close", .theme = CHECK_CLOSING,
           .property = "echoes to peers that have closed do not end the server",
           .advice = "send with MSG_NOSIGNAL or ignore SIGPIPE", .bound_s = 15, .quick = true) {
  for (int i = 0; i < 100; i++) {
    struct peer peer = peer_open(check, 0);
    for (int k = 0; k < 1 + i % 5; k++)
      peer_push(&peer, 20000);
    peer_close(&peer);
  }
  check_serves(check);
}

/* Data and FIN in one segment (TCP holds back what is sent with MSG_MORE): an edge that is both. */
CHECK_CASE(
    no_fin_lost, .name = "no-fin-lost", .theme = CHECK_CLOSING,
    .property = "500 connections whose FIN comes with the last bytes all get a FIN back",
    .advice = "a short recv() does not mean that nothing follows: the FIN may have come, too",
    .fds = 550, .bound_s = 15, .quick = true) {
  enum { PEERS = 500 };
  struct peer *peers = peers_open(check, PEERS, 0);
  peers_echo(peers, PEERS, 16);
  for (int i = 0; i < PEERS; i++) {
    peers[i].send_flags = MSG_MORE;
    peer_send(&peers[i], (uint64_t)(1 + i % 100));
    peer_shutdown(&peers[i]);
  }
  for (int i = 0; i < PEERS; i++)
    peer_expect_rest_and_eof(&peers[i]);
  peers_close(peers, PEERS);
}
