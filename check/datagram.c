/* datagram.c: cases about UDP (RFC 768: a datagram is echoed whole, also an empty one), about the
 * path of a Unix socket, and about IPv4 and IPv6 side by side. */
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
#include "check/server.h"
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

/* Sends a datagram of the pattern and waits for its echo; UDP may lose it, so it is tried again.
 * Returns false if nothing comes back; a wrong echo fails the case. */
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
      check_fail(check, "a datagram of %zu bytes comes back with %zd", bytes, n);
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
           .property = "an empty datagram comes back empty, and is not the end",
           .advice = "recvfrom() of 0 is an empty datagram, not EOF", .needs = CHECK_UDP,
           .bound_s = 15, .quick = true) {
  int fd = udp_open(check);
  udp_must_echo(check, fd, 64, "at first");
  udp_must_echo(check, fd, 0, "");
  udp_must_echo(check, fd, 64, "after an empty one");
}

CHECK_CASE(udp_largest, .name = "udp-largest", .theme = CHECK_DATAGRAM,
           .property = "datagrams of every size up to 65507 bytes come back whole",
           .advice = "receive into 64 KiB: what does not fit is lost (MSG_TRUNC)",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  static const size_t sizes[] = {1,    1472, 1473,  2048,  4096,
                                 4097, 9000, 32768, 65506, DATAGRAM_MOST};
  int fd = udp_open(check);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    udp_must_echo(check, fd, sizes[i], "");
}

/* Echoes to sockets that are gone bring ICMP port-unreachable back (RFC 1122, 4.1.3.3). */
CHECK_CASE(udp_icmp_error_survived, .name = "udp-icmp-error-survived", .theme = CHECK_DATAGRAM,
           .property = "echoes to clients that are gone (ICMP errors) disturb nobody",
           .advice = "ECONNREFUSED on a UDP socket is about an earlier datagram: go on",
           .needs = CHECK_UDP, .bound_s = 15, .quick = true) {
  int stays = udp_open(check);
  udp_must_echo(check, stays, 64, "at first");
  for (int i = 0; i < 100; i++) {
    int fd = udp_open(check);
    for (int k = 0; k < 3; k++)
      send(fd, "gone", 4, 0);
    close(fd);
  }
  udp_must_echo(check, stays, 64, "after clients that are gone");
}

/* ---- Unix sockets --------------------------------------------------------------------------- */

static const char *unix_path(const struct check *check) {
  return ((const struct sockaddr_un *)&check->addr.socket.storage)->sun_path;
}

CHECK_CASE(unix_path_removed, .name = "unix-path-removed", .theme = CHECK_DATAGRAM,
           .property = "a regular stop removes the path; its removal by others harms nothing",
           .advice = "unlink the path when stopping, and do not mind if it is gone",
           .needs = CHECK_UNIX | CHECK_STARTS, .bound_s = 15, .quick = true) {
  struct stat status;
  check_start(check);
  bool promises = check_catches(check, SIGTERM);
  check_serves(check);
  check_stop(check);
  if (promises && lstat(unix_path(check), &status) == 0)
    check_fail(check, "leaves its path behind after SIGTERM");
  check_start(check);
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  if (unlink(unix_path(check)) != 0)
    check_fail(check, "its path is not there: %s", strerror(errno));
  peer_echo(&peer, 1 << 20);
  check_alive(check);
  int status_code = check_stop(check);
  if (promises && status_code != 0)
    check_fail(check, "ends with status %d when its path is gone already", status_code);
}

CHECK_CASE(unix_stale_path, .name = "unix-stale-path", .theme = CHECK_DATAGRAM,
           .property = "a path left behind by a killed server does not prevent the next start",
           .advice = "if nobody answers on the path (ECONNREFUSED), unlink it before bind",
           .needs = CHECK_UNIX | CHECK_STARTS, .bound_s = 20, .quick = true) {
  check_start(check);
  check_serves(check);
  check_signal(check, SIGKILL);
  check_stop(check);
  check_start_again(check, "after it was killed", MUX_S);
}

/* ---- IPv4 and IPv6 -------------------------------------------------------------------------- */

static void serves_both_sizes(struct check *check) {
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  peer_echo(&peer, 1 << 20);
  peer_close(&peer);
}

/* One of ours is started on either; a foreign server chooses its addresses, so it is asked on the
 * other loopback, too, and may well not be there. */
CHECK_CASE(dual_stack, .name = "dual-stack", .theme = CHECK_DATAGRAM,
           .property = "clients of 127.0.0.1 and of ::1 are served alike",
           .advice = "addresses of peers need a sockaddr_storage, whatever their family",
           .needs = CHECK_TCP, .bound_s = 15, .quick = true) {
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
