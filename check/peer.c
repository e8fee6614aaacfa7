/* peer.c: one connection. See peer.h; peers.c moves many at once. */
#include "check/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/patience.h"
#include "common/sock.h"

enum {
  CHUNK_BYTES = 64 * 1024,
  MSS_MOST = 32767,     /* TCP_MAXSEG takes no more */
  DIAGNOSIS_BYTES = 64, /* read after a wrong byte, to tell what kind of damage it is */
};
#define CONNECT_NS  (5 * MUX_S)
#define DIAGNOSE_NS (50 * MUX_MS)

static unsigned char buffer[CHUNK_BYTES + DIAGNOSIS_BYTES]; /* a case has one thread */

static const char *transport_word(const struct peer *peer) {
  return peer->check->addr.kind == MUX_ADDR_UNIX ? "Unix" : "TCP";
}

/* The connection is broken. */
static void broken(struct peer *peer, int error, const char *doing) {
  if (peer->tolerant) {
    peer->error = error;
    peer->eof = true;
    return;
  }
  check_fail(peer->check,
             "connection %" PRIu32 ": %s: %s (%" PRIu64 " bytes sent, %" PRIu64 " echoed)",
             peer->id, doing,
             error == -ECONNRESET ? "the server reset it"
             : error == -EPIPE    ? "the server has closed it"
                                  : strerror(-error),
             peer->sent, peer->got);
}

/* ---- Opening and closing -------------------------------------------------------------------- */

/* Returns 0 or -errno; peer->fd is -1 then. */
static int try_connect(struct peer *peer, const struct mux_sock_options *options,
                       int64_t timeout_ns) {
  struct patience patience = patience_begin(peer->check, timeout_ns);
  /* A Unix socket answers EAGAIN while the accept queue is full. */
  while ((peer->fd = mux_sock_connect(&peer->check->addr, NULL, options)) == -EAGAIN &&
         !patience_is_over(&patience))
    check_sleep(patience_step_ns(&patience));
  patience_end(&patience);
  int rc = peer->fd < 0                           ? peer->fd
           : peer_wait(peer, POLLOUT, timeout_ns) ? mux_sock_error(peer->fd)
                                                  : -ETIMEDOUT;
  if (rc != 0)
    peer_close(peer);
  return rc;
}

static struct peer connect_peer(struct check *check, int buffer_bytes, int64_t timeout_ns,
                                bool tolerant) {
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  options.sndbuf_bytes = buffer_bytes;
  options.rcvbuf_bytes = buffer_bytes;
  /* Loopback's segments of 64 KiB do not fit a small window: TCP would wait for its timers. */
  options.mss_bytes = buffer_bytes / 8 < MSS_MOST ? buffer_bytes / 8 : MSS_MOST;
  struct peer peer = {.check = check, .id = check->connections++, .tolerant = tolerant};
  peer.error = try_connect(&peer, &options, timeout_ns);
  peer.eof = peer.error != 0;
  if (peer.error != 0 && !tolerant)
    check_fail(check, "%s connection %" PRIu32 " cannot be made: %s", transport_word(&peer),
               peer.id, strerror(-peer.error));
  return peer;
}

struct peer peer_open(struct check *check, int buffer_bytes) {
  return connect_peer(check, buffer_bytes, CONNECT_NS, false);
}

struct peer peer_try_open(struct check *check, int64_t timeout_ns) {
  return connect_peer(check, 0, timeout_ns, true);
}

void peer_close(struct peer *peer) {
  if (peer->fd >= 0)
    close(peer->fd);
  peer->fd = -1;
}

void peer_reset(struct peer *peer) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  if (peer->fd >= 0)
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  peer_close(peer);
}

void peer_shutdown(struct peer *peer) {
  if (shutdown(peer->fd, SHUT_WR) != 0)
    broken(peer, -errno, "shutdown");
  peer->shut = true;
}

static bool is_ready(const struct peer *peer, short events, int64_t timeout_ns) {
  struct timespec ts = mux_ns_timespec(timeout_ns);
  struct pollfd wait = {.fd = peer->fd, .events = events};
  return ppoll(&wait, 1, &ts, NULL) > 0;
}

bool peer_wait(struct peer *peer, short events, int64_t timeout_ns) {
  if (is_ready(peer, events, 0))
    return true;
  struct patience patience = patience_begin(peer->check, timeout_ns);
  bool ready = false;
  while (!ready && !patience_is_over(&patience))
    ready = is_ready(peer, events, patience_step_ns(&patience));
  patience_end(&patience);
  return ready;
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

size_t peer_push(struct peer *peer, size_t most) {
  size_t n = most < CHUNK_BYTES ? most : CHUNK_BYTES;
  mux_pattern_fill(&peer->check->pattern, peer->id, peer->sent, buffer, n);
  ssize_t done = send(peer->fd, buffer, n, MSG_DONTWAIT | MSG_NOSIGNAL | peer->send_flags);
  if (done >= 0) {
    peer->sent += (uint64_t)done;
    return (size_t)done;
  }
  if (errno != EAGAIN && errno != EINTR)
    broken(peer, -errno, "send");
  return 0;
}

static _Noreturn void damaged(struct peer *peer, size_t n) {
  char text[200];
  size_t right = mux_pattern_match(&peer->check->pattern, peer->id, peer->got, buffer, n);
  while (n - right < DIAGNOSIS_BYTES && peer_wait(peer, POLLIN, DIAGNOSE_NS)) {
    ssize_t more = recv(peer->fd, buffer + n, DIAGNOSIS_BYTES - (n - right), MSG_DONTWAIT);
    if (more <= 0)
      break;
    n += (size_t)more;
  }
  struct mux_diagnosis diagnosis = mux_pattern_diagnose(
      &peer->check->pattern, peer->id, peer->got, buffer, n, peer->check->connections, peer->sent);
  check_fail(peer->check, "connection %" PRIu32 ": %s", peer->id,
             mux_diagnosis_print(text, sizeof text, &diagnosis));
}

size_t peer_pull(struct peer *peer, size_t most) {
  size_t n = most < CHUNK_BYTES ? most : CHUNK_BYTES;
  ssize_t done = recv(peer->fd, buffer, n, MSG_DONTWAIT);
  if (done == 0)
    peer->eof = true;
  if (done < 0 && errno != EAGAIN && errno != EINTR)
    broken(peer, -errno, "recv");
  if (done <= 0)
    return 0;
  if (mux_pattern_match(&peer->check->pattern, peer->id, peer->got, buffer, (size_t)done) !=
      (size_t)done)
    damaged(peer, (size_t)done);
  peer->got += (uint64_t)done;
  if (peer->got > peer->sent)
    check_fail(peer->check,
               "connection %" PRIu32 ": %" PRIu64 " bytes came back, %" PRIu64 " were sent",
               peer->id, peer->got, peer->sent);
  return (size_t)done;
}

void peer_send(struct peer *peer, uint64_t n) {
  uint64_t goal = peer->sent + n;
  while (peer->sent < goal) {
    if (peer_push(peer, goal - peer->sent) > 0)
      continue;
    if (!peer_wait(peer, POLLOUT, check_patience_ns(peer->check)))
      check_fail(peer->check,
                 "connection %" PRIu32 ": the server reads no more after %" PRIu64 " bytes",
                 peer->id, peer->sent);
  }
}

void peer_expect(struct peer *peer, uint64_t n) {
  peer->get_goal = peer->got + n;
  peers_move(peer, 1);
}

void peer_expect_rest_and_eof(struct peer *peer) {
  peer->get_goal = peer->sent;
  peers_move(peer, 1);
  if (!peer_wait(peer, POLLIN, check_patience_ns(peer->check)))
    check_fail(peer->check,
               "connection %" PRIu32 ": all %" PRIu64 " bytes came back, but then no FIN for %g s",
               peer->id, peer->sent, (double)check_patience_ns(peer->check) / 1e9);
  peer_pull(peer, CHUNK_BYTES);
}

void peer_echo(struct peer *peer, uint64_t n) {
  peers_echo(peer, 1, n);
}

int64_t peer_round_trip_ns(struct peer *peer, size_t bytes) {
  struct stopwatch watch = stopwatch_start(peer->check);
  peer_echo(peer, bytes);
  return stopwatch_stop_ns(&watch);
}
