/* peers.c: moves the bytes of many peers at once, each at its own pace. See peer.h. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "check/patience.h"
#include "check/peer.h"

enum { DEFAULT_MOST = 64 * 1024 };
#define THROTTLE_NS (2 * MUX_MS)
#define BLOCKED_NS  (100 * MUX_MS)

struct peer *peers_open(struct check *check, int n, int buffer_bytes) {
  struct peer *peers = calloc((size_t)n, sizeof *peers);
  if (peers == NULL)
    check_skip(check, "no memory for %d connections", n);
  for (int i = 0; i < n; i++)
    peers[i] = peer_open(check, buffer_bytes);
  return peers;
}

void peers_close(struct peer *peers, int n) {
  for (int i = 0; i < n; i++)
    peer_close(&peers[i]);
}

/* How many bytes the throttle lets a reader take now. */
static uint64_t allowance(struct peer *peer, int64_t now) {
  if (peer->get_per_s == 0)
    return UINT64_MAX;
  if (peer->get_since_ns == 0)
    peer->get_since_ns = now;
  /* What was not used in time is not saved up. */
  uint64_t due = (uint64_t)((double)(now - peer->get_since_ns) * (double)peer->get_per_s / 1e9);
  if (due > 0)
    peer->get_since_ns = now;
  return due;
}

static size_t call_bytes(struct peer *peer, size_t most, uint64_t left) {
  if (most == 0)
    most = DEFAULT_MOST;
  if (peer->random_sizes)
    most = 1 + check_random(peer->check, most);
  return left < most ? left : most;
}

/* A throttled reader is not polled for input: it reads by the clock. */
static short wanted(const struct peer *peer) {
  if (peer->fd < 0 || peer->eof)
    return 0;
  return (short)((peer->sent < peer->send_goal ? POLLOUT : 0) |
                 (peer->got < peer->get_goal && peer->get_per_s == 0 ? POLLIN : 0));
}

static bool is_done(const struct peer *peer) {
  return (peer->sent >= peer->send_goal && peer->got >= peer->get_goal) ||
         (peer->tolerant && peer->eof);
}

static size_t move_one(struct peer *peer, short ready, int64_t now) {
  size_t moved = 0;
  if ((ready & POLLOUT) != 0 && peer->sent < peer->send_goal)
    moved += peer_push(peer, call_bytes(peer, peer->send_most, peer->send_goal - peer->sent));
  uint64_t allowed = peer->got < peer->get_goal && !peer->eof ? allowance(peer, now) : 0;
  if (allowed > 0 && (peer->get_per_s > 0 || (ready & ~POLLOUT) != 0)) {
    uint64_t left = peer->get_goal - peer->got;
    moved += peer_pull(peer, call_bytes(peer, peer->get_most, left < allowed ? left : allowed));
  }
  if (peer->eof && !peer->tolerant && peer->got < peer->get_goal)
    check_fail(peer->check,
               "connection %" PRIu32 ": closed by the server after %" PRIu64 " of %" PRIu64
               " bytes: the last %" PRIu64 " are lost",
               peer->id, peer->got, peer->sent, peer->sent - peer->got);
  return moved;
}

static _Noreturn void stuck(struct peer *peers, int n) {
  int waiting = 0;
  struct peer *first = NULL;
  for (int i = 0; i < n; i++)
    if (!is_done(&peers[i]) && waiting++ == 0)
      first = &peers[i];
  check_fail(peers[0].check,
             "nothing moves for %g s: connection %" PRIu32 " has sent %" PRIu64 " and got %" PRIu64
             " bytes back%s; %d of %d connections wait",
             (double)check_patience_ns(peers[0].check) / 1e9, first->id, first->sent, first->got,
             first->shut ? " (after its half-close)" : "", waiting, n);
}

void peers_move(struct peer *peers, int n) {
  struct pollfd *polled = calloc((size_t)n, sizeof *polled);
  if (polled == NULL)
    check_skip(peers[0].check, "no memory for %d connections", n);
  struct patience patience = patience_begin(peers[0].check, check_patience_ns(peers[0].check));
  for (;;) {
    int active = 0;
    bool throttled = false;
    for (int i = 0; i < n; i++) {
      bool done = is_done(&peers[i]);
      polled[i] = (struct pollfd){.fd = done ? -1 : peers[i].fd, .events = wanted(&peers[i])};
      active += !done;
      throttled = throttled || (!done && peers[i].get_per_s > 0);
    }
    if (active == 0)
      break;
    struct timespec ts = mux_ns_timespec(throttled ? THROTTLE_NS : patience_step_ns(&patience));
    ppoll(polled, (nfds_t)n, &ts, NULL);
    if (throttled) /* keeps the pace even if the sending side is always ready */
      check_sleep(THROTTLE_NS / 4);
    int64_t now = mux_now_ns();
    size_t moved = 0;
    for (int i = 0; i < n; i++)
      if (polled[i].fd >= 0 && (polled[i].revents != 0 || peers[i].get_per_s > 0))
        moved += move_one(&peers[i], polled[i].revents, now);
    if (moved > 0)
      patience_renew(&patience);
    else if (patience_is_over(&patience))
      stuck(peers, n);
  }
  patience_end(&patience);
  free(polled);
}

void peers_echo(struct peer *peers, int n, uint64_t bytes) {
  for (int i = 0; i < n; i++) {
    peers[i].send_goal = peers[i].sent + bytes;
    peers[i].get_goal = peers[i].got + bytes;
  }
  peers_move(peers, n);
}

void peers_fill(struct peer *peers, int n, uint64_t most) {
  struct pollfd *polled = calloc((size_t)n, sizeof *polled);
  if (polled == NULL)
    check_skip(peers[0].check, "no memory for %d connections", n);
  struct patience patience = patience_begin(peers[0].check, BLOCKED_NS * check_slowness());
  for (int full = 0; full < n && !patience_is_over(&patience);) {
    for (int i = 0; i < n; i++) {
      struct peer *peer = &peers[i];
      while (peer->sent < most && !peer->eof && peer_push(peer, most - peer->sent) > 0)
        patience_renew(&patience);
    }
    full = 0;
    for (int i = 0; i < n; i++) {
      bool done = peers[i].sent >= most || peers[i].eof;
      polled[i] = (struct pollfd){.fd = done ? -1 : peers[i].fd, .events = POLLOUT};
      full += done;
    }
    struct timespec ts = mux_ns_timespec(patience_step_ns(&patience));
    if (full < n)
      ppoll(polled, (nfds_t)n, &ts, NULL);
  }
  patience_end(&patience);
  free(polled);
}

uint64_t peer_fill(struct peer *peer, uint64_t most) {
  uint64_t before = peer->sent;
  peers_fill(peer, 1, before + most);
  return peer->sent - before;
}
