/* case_datagram.c: cases about UDP (RFC 768; every datagram is echoed whole, an empty one, too),
 * about the path of a Unix socket, and about IPv4 together with IPv6. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check/peer.h"
#include "check/subject.h"
#include "common/sock.h"

/* ---- UDP ------------------------------------------------------------------------------------ */

enum { DATAGRAM_MOST = 65507, TRIES = 3 };

static int udp_open(struct check *check) {
  int fd =
      mux_sock_connect(&check->addr, NULL, &(struct mux_sock_options){.rcvbuf_bytes = 1 << 20});
  if (fd < 0)
    check_fail(check, "no UDP socket: %s", strerror(-fd));
  return fd;
}

/* Sends a datagram of the pattern and waits for its echo. UDP may lose it, so it is sent up to
 * TRIES times. Returns false if nothing comes back; a wrong echo fails the case. */
static bool udp_echo(struct check *check, int fd, size_t bytes) {
  static unsigned char sent[DATAGRAM_MOST];
  static unsigned char got[DATAGRAM_MOST + 1];
  struct peer peer = {.check = check, .fd = fd};
  mux_pattern_fill(&check->pattern, 0, 0, sent, bytes);
  for (int i = 0; i < TRIES; i++) {
    if (send(fd, sent, bytes, 0) < 0 || !peer_wait(&peer, POLLIN, check_patience_ns(check) / TRIES))
      continue;
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    if (n < 0)
      continue;
    if ((size_t)n != bytes)
      check_fail(check, "a datagram of %zu bytes comes back as one of %zd", bytes, n);
    if (memcmp(sent, got, bytes) != 0)
      check_fail(check, "a datagram of %zu bytes comes back altered", bytes);
    return true;
  }
  return false;
}

static void udp_must_echo(struct check *check, int fd, size_t bytes, const char *when) {
  check_doing(check, "waiting for the echo of a datagram of %zu bytes", bytes);
  check_alive(check);
  if (!udp_echo(check, fd, bytes))
    check_fail(check, "no echo of a datagram of %zu bytes %s", bytes, when);
}

CHECK_CASE(udp_zero_length, .name = "udp-zero-length", .theme = CHECK_DATAGRAM,
           .property = "an empty datagram comes back empty and ends nothing",
           .advice = "recvfrom() of 0 is an empty datagram, not EOF", .needs = CHECK_UDP,
           .bound_s = 15, .quick = true) {
  int fd = udp_open(check);
  udp_must_echo(check, fd, 64, "at first");
  udp_must_echo(check, fd, 0, "");
  udp_must_echo(check, fd, 64, "after an empty one");
}

CHECK_CASE(udp_largest, .name = "udp-largest", .theme = CHECK_DATAGRAM,
           .property = "datagrams of every size up to 65507 bytes come back whole",
           .advice = "receive into 64 KiB: what does not fit the buffer is lost (MSG_TRUNC)",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true, .gate = true) {
  static const size_t sizes[] = {1,    1472, 1473,  2048,  4096,
                                 4097, 9000, 32768, 65506, DATAGRAM_MOST};
  int fd = udp_open(check);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    udp_must_echo(check, fd, sizes[i], "");
}

/* An echo to a socket that has closed brings back ICMP port unreachable (RFC 1122, 4.1.3.3). */
CHECK_CASE(udp_icmp_error_survived, .name = "udp-icmp-error-survived", .theme = CHECK_DATAGRAM,
           .property = "echoes to clients that have gone (ICMP errors) do no harm to others",
           .advice = "ECONNREFUSED on a UDP socket is about an earlier datagram: go on",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  int stays = udp_open(check);
  udp_must_echo(check, stays, 64, "at first");
  check_freeze(check); /* or it may answer before they close */
  for (int i = 0; i < 100; i++) {
    int fd = udp_open(check);
    for (int k = 0; k < 3; k++)
      send(fd, "gone", 4, 0);
    close(fd);
  }
  check_thaw(check);
  udp_must_echo(check, stays, 64, "after clients that have gone");
}

/* ---- Many datagrams at once ----------------------------------------------------------------- */

/* The n-th datagram of a peer has the bytes of the pattern's stream `peer` from the n-th kilobyte
 * on, and a size of its own, so that each tells whose it is and which. */
enum { WAITING = 64, STEP = 1024, LEAST_BYTES = 16 };

static size_t bytes_of(int n) {
  return LEAST_BYTES + (size_t)(n * 7 % 500);
}

static void send_numbered(struct check *check, int fd, uint32_t peer, int n) {
  unsigned char data[STEP];
  mux_pattern_fill(&check->pattern, peer, (uint64_t)n * STEP, data, bytes_of(n));
  if (send(fd, data, bytes_of(n), 0) != (ssize_t)bytes_of(n))
    check_fail(check, "cannot send datagram %d: %s", n, strerror(errno));
}

/* Expects one of the peer's `count` datagrams that has not been `seen` yet; anything else fails the
 * case. Returns false if none comes within timeout_ns. */
static bool expect_numbered(struct check *check, int fd, uint32_t peer, int count, bool *seen,
                            int64_t timeout_ns) {
  static unsigned char got[DATAGRAM_MOST + 1];
  struct peer waits = {.check = check, .fd = fd};
  if (!peer_wait(&waits, POLLIN, timeout_ns))
    return false;
  ssize_t bytes = recv(fd, got, sizeof got, MSG_DONTWAIT);
  for (int n = 0; n < count; n++)
    if (bytes == (ssize_t)bytes_of(n) &&
        mux_pattern_match(&check->pattern, peer, (uint64_t)n * STEP, got, (size_t)bytes) ==
            (size_t)bytes) {
      if (seen[n])
        check_fail(check, "datagram %d of %d comes back twice", n + 1, count);
      seen[n] = true;
      return true;
    }
  check_fail(check, "a datagram of %zd bytes comes back that was not sent from here", bytes);
}

/* The server is frozen, so that all of them wait in its socket at once; a bare target may take them
 * one by one. They fit every receive buffer, so none may be missing. */
CHECK_CASE(udp_queue_echoed, .name = "udp-queue-echoed", .theme = CHECK_DATAGRAM,
           .property = "64 datagrams that wait together come back, each whole and once",
           .advice = "one recvfrom(), one sendto(); an edge comes once: receive until EAGAIN",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  bool seen[WAITING] = {false};
  int fd = udp_open(check);
  udp_must_echo(check, fd, 64, "at first");
  check_freeze(check);
  for (int n = 0; n < WAITING; n++)
    send_numbered(check, fd, 1, n);
  check_thaw(check);
  for (int n = 0; n < WAITING; n++)
    if (!expect_numbered(check, fd, 1, WAITING, seen, check_patience_ns(check)))
      check_fail(check, "%d of %d datagrams that waited together come back", n, WAITING);
  udp_must_echo(check, fd, 64, "after them");
}

CHECK_CASE(udp_peers_apart, .name = "udp-peers-apart", .theme = CHECK_DATAGRAM,
           .property = "interleaved datagrams of 8 peers go back to their senders",
           .advice = "each datagram has its own sender: keep the address with the bytes",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  enum { PEERS = 8, EACH = 8 };
  bool seen[PEERS][EACH] = {{false}};
  int fds[PEERS];
  for (int i = 0; i < PEERS; i++) {
    fds[i] = udp_open(check);
    udp_must_echo(check, fds[i], 64, "at first");
  }
  check_freeze(check);
  for (int n = 0; n < EACH; n++)
    for (int i = 0; i < PEERS; i++)
      send_numbered(check, fds[i], (uint32_t)i + 1, n);
  check_thaw(check);
  for (int i = 0; i < PEERS; i++)
    for (int n = 0; n < EACH; n++)
      if (!expect_numbered(check, fds[i], (uint32_t)i + 1, EACH, seen[i], check_patience_ns(check)))
        check_fail(check, "peer %d of %d gets %d of its %d datagrams", i + 1, PEERS, n, EACH);
}

/* The socket is not connected: from a connected one the kernel hides echoes from elsewhere. */
CHECK_CASE(udp_reply_address, .name = "udp-reply-address", .theme = CHECK_DATAGRAM,
           .property = "an echo comes from the address that the datagram was sent to",
           .advice = "send on the socket that received: clients drop what comes from elsewhere",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  char text[MUX_ADDR_TEXT];
  char data[64] = "from where?";
  int fd = socket(check->addr.socket.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct peer waits = {.check = check, .fd = fd};
  int answers = 0;
  for (int i = 0; i < 3 * TRIES && answers < TRIES; i++) {
    struct mux_addr from = {.kind = MUX_ADDR_UDP, .length = sizeof from.socket};
    sendto(fd, data, sizeof data, 0, &check->addr.socket.any, check->addr.length);
    if (!peer_wait(&waits, POLLIN, check_patience_ns(check) / TRIES) ||
        recvfrom(fd, data, sizeof data, MSG_DONTWAIT, &from.socket.any, &from.length) < 0)
      continue;
    answers++;
    if (from.length != check->addr.length ||
        memcmp(&from.socket, &check->addr.socket, from.length) != 0)
      check_fail(check, "an echo comes from %s", mux_addr_print(text, &from));
  }
  if (answers < TRIES)
    check_fail(check, "no echo to a socket that is not connected");
}

/* How many the kernel keeps for a frozen server depends on its receive buffer, and those it drops
 * are not the server's fault. What comes back has to be right, and the server has to go on. */
CHECK_CASE(udp_burst_survived, .name = "udp-burst-survived", .theme = CHECK_DATAGRAM,
           .property = "5000 datagrams at once, more than its socket may hold, do no harm",
           .advice = "only the socket's buffer limits how many wait: no table of fixed size",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  enum { BURST = 5000, LEAST = WAITING };
  static bool seen[BURST];
  int fd = udp_open(check);
  int stays = udp_open(check);
  int back = 0;
  udp_must_echo(check, stays, 64, "at first");
  check_freeze(check);
  for (int n = 0; n < BURST; n++)
    send_numbered(check, fd, 1, n);
  check_thaw(check);
  check_doing(check, "waiting for echoes of a burst");
  int64_t timeout = check_patience_ns(check);
  for (; back < BURST && expect_numbered(check, fd, 1, BURST, seen, timeout); back++)
    if (back + 1 == LEAST)
      timeout = 100 * MUX_MS;
  if (back < LEAST)
    check_fail(check, "%d echoes come back of a burst of %d", back, BURST);
  udp_must_echo(check, stays, 64, "after a burst");
  check_note(check, "%d of %d come back", back, BURST);
}

/* In portions that fit any receive buffer, and twice. */
CHECK_CASE(udp_ten_thousand_peers, .name = "udp-ten-thousand-peers", .theme = CHECK_DATAGRAM,
           .property = "10,000 peers at the same time get every echo",
           .advice = "remember nothing about a peer: its address comes with every datagram",
           .needs = CHECK_UDP, .fds = 10000, .bound_s = 30) {
  enum { PEERS = 10000, PEERS_LEAST = 2000, ROUNDS = 2 };
  static int fds[PEERS];
  int peers = 0;
  while (peers < PEERS &&
         (fds[peers] = mux_sock_connect(&check->addr, NULL, &(struct mux_sock_options){0})) >= 0)
    peers++;
  if (peers < PEERS_LEAST)
    check_skip(check, "no more than %d UDP sockets: %s", peers, strerror(-fds[peers]));
  check_doing(check, "echoing to %d peers", peers);
  for (int round = 0; round < ROUNDS; round++)
    for (int from = 0; from < peers; from += WAITING) {
      int to = from + WAITING < peers ? from + WAITING : peers;
      for (int i = from; i < to; i++)
        send_numbered(check, fds[i], (uint32_t)i + 1, round);
      for (int i = from; i < to; i++) {
        bool seen[ROUNDS] = {false};
        if (!expect_numbered(check, fds[i], (uint32_t)i + 1, ROUNDS, seen,
                             check_patience_ns(check)) ||
            !seen[round])
          check_fail(check, "peer %d of %d gets no echo in round %d", i + 1, peers, round + 1);
      }
    }
  check_note(check, "%d peers", peers);
}

/* ---- Unix sockets --------------------------------------------------------------------------- */

static const char *unix_path(const struct check *check) {
  return ((const struct sockaddr_un *)&check->addr.socket.storage)->sun_path;
}

CHECK_CASE(unix_path_removed, .name = "unix-path-removed", .theme = CHECK_DATAGRAM,
           .property = "a regular stop removes the path; it may be gone already",
           .advice = "unlink the path when stopping, and ignore that it is gone",
           .needs = CHECK_UNIX | CHECK_STARTS, .bound_s = 15, .quick = true) {
  struct stat status;
  check_start(check);
  bool promises = check_catches(check, SIGTERM);
  check_serves(check);
  check_stop(check);
  if (promises && lstat(unix_path(check), &status) == 0)
    check_fail(check, "leaves its path in place after SIGTERM");
  check_start(check);
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  if (unlink(unix_path(check)) != 0)
    check_fail(check, "its path does not exist: %s", strerror(errno));
  peer_echo(&peer, 1 << 20);
  check_alive(check);
  int status_code = check_stop(check);
  if (promises && status_code != 0)
    check_fail(check, "ends with status %d when its path is gone already", status_code);
}

CHECK_CASE(unix_stale_path, .name = "unix-stale-path", .theme = CHECK_DATAGRAM,
           .property = "a path that a killed server has left does not prevent the next start",
           .advice = "if nobody answers on the path (ECONNREFUSED), unlink it before bind()",
           .needs = CHECK_UNIX | CHECK_STARTS, .bound_s = 20, .quick = true) {
  check_start(check);
  check_serves(check);
  check_signal(check, SIGKILL);
  check_stop(check);
  check_start_again(check, "after it was killed", true);
}

/* ---- IPv4 and IPv6 -------------------------------------------------------------------------- */

static void serves_both_sizes(struct check *check) {
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  peer_echo(&peer, 1 << 20);
  peer_close(&peer);
}

/* Our own backends are started on one, then on the other. A foreign server chooses its addresses:
 * it is tried on the other loopback, too, and may not listen there. */
CHECK_CASE(dual_stack, .name = "dual-stack", .theme = CHECK_DATAGRAM,
           .property = "clients are served over 127.0.0.1 and over ::1",
           .advice = "a peer's address needs a sockaddr_storage", .needs = CHECK_TCP, .bound_s = 15,
           .quick = true) {
  char text[MUX_ADDR_TEXT];
  char why[200];
  struct mux_addr other;
  bool is_v6 = check->addr.socket.any.sa_family == AF_INET6;
  serves_both_sizes(check);
  snprintf(text, sizeof text, is_v6 ? "tcp://127.0.0.1:%d" : "tcp://[::1]:%d",
           mux_addr_port(&check->addr));
  if (mux_addr_parse(&other, text, false, why, sizeof why) != 0)
    check_skip(check, "%s: %s", text, why);
  if (check->spec.backend != NULL) {
    check_stop(check);
    check->spec.listen = is_v6 ? "tcp://127.0.0.1:0" : "tcp://[::1]:0";
    check_start(check);
  } else {
    check->addr = other;
    struct peer probe = peer_try_open(check, MUX_S);
    if (probe.fd < 0)
      check_skip(check, "nothing listens on %s", text);
    peer_close(&probe);
  }
  serves_both_sizes(check);
}
