/* case_limits.c: cases about what runs out: descriptors, the accept queue, threads, memory. A
 * server at a limit waits or refuses; it does not spin, die or forget connections. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/patience.h"
#include "check/peer.h"
#include "check/subject.h"
#include "common/sock.h"

#if defined __SANITIZE_THREAD__
#define HAS_TSAN 1
#elif defined __has_feature
#define HAS_TSAN __has_feature(thread_sanitizer)
#else
#define HAS_TSAN 0
#endif

/* ThreadSanitizer dies near 8,000 threads, and much earlier with less memory. */
enum { TSAN_MOST = 2000 };

/* At most n connections: as many as the backend, the limits and the build can hold. */
static int fewer(const struct check *check, int n) {
  if (HAS_TSAN && check->backend != NULL && n > TSAN_MOST)
    n = TSAN_MOST;
  long fds = mux_raise_nofile() - 200;
  int limit = (int)check->fd_limit;
  if (limit > 0 && limit - 64 < n)
    n = limit - 64;
  return fds < n ? (int)fds : n;
}

/* Connections wait in the accept queue while the server has no descriptors. They are served once
 * others have closed. */
CHECK_CASE(accept_emfile, .name = "accept-emfile", .theme = CHECK_LIMITS,
           .property = "out of descriptors: no spin, and queued connections are served later",
           .advice = "on EMFILE stop watching the listener; try again when a connection closes or "
                     "after a while (an edge does not come again)",
           .needs = CHECK_OWN, .bound_s = 20, .quick = true) {
  enum { HELD = 8, QUEUED = 64 };
  check_serves(check);
  struct peer *held = peers_open(check, HELD, 0);
  peers_echo(held, HELD, 64);
  rlim_t before = check_limit_fds(check);
  struct peer *queued = peers_open(check, QUEUED, 0);
  for (int i = 0; i < QUEUED; i++) {
    queued[i].tolerant = true;
    peer_send(&queued[i], 64);
  }
  check_cpu_below(check, 25, 500 * MUX_MS, "out of descriptors");
  peers_echo(held, HELD, 64);
  check_limit(check, RLIMIT_NOFILE, before);
  peers_close(held, HELD);
  for (int i = 0; i < QUEUED; i++)
    queued[i].get_goal = 64;
  check_doing(check, "waiting for echoes on connections that came while it had no descriptors");
  peers_move(queued, QUEUED);
  for (int i = 0; i < QUEUED; i++)
    if (queued[i].got < 64)
      check_fail(check, "drops a connection that came while it had no descriptors");
  check_serves(check);
}

CHECK_CASE(fd_beyond_select, .name = "fd-beyond-select", .theme = CHECK_LIMITS,
           .property = "with 1200 connections open, each is served or refused, and none is harmed",
           .advice = "a table or fd_set indexed by descriptors has an end: refuse those beyond it",
           .fds = 1300, .bound_s = 20, .quick = true) {
  enum { PEERS = 1200 };
  struct peer *peers = peers_open(check, PEERS, 0);
  for (int i = 0; i < PEERS; i++)
    peers[i].tolerant = true;
  /* A different number of bytes in flight on each, so that shared slots show. */
  peers_echo(peers, PEERS, 100);
  for (int i = 0; i < PEERS; i++) {
    peers[i].send_goal += peers[i].eof ? 0 : 1 + (uint64_t)i % 50;
    peers[i].get_goal = peers[i].send_goal;
  }
  peers_move(peers, PEERS);
  int served = 0;
  for (int i = 0; i < PEERS; i++) {
    if (peers[i].eof && peers[i].got > 0)
      check_fail(check, "connection %d of %d was served at first, and then closed", i, PEERS);
    served += !peers[i].eof;
  }
  if (served < 900)
    check_fail(check, "serves only %d of %d connections", served, PEERS);
  peers_close(peers, PEERS);
  check_serves(check);
  check_note(check, "%d of %d served", served, PEERS);
}

/* All connects are under way before the first is waited for. */
CHECK_CASE(burst_of_connects, .name = "burst-of-connects", .theme = CHECK_LIMITS,
           .property = "12000 connects at once (several backlogs): all are accepted and served",
           .advice = "listen with somaxconn, and accept until EAGAIN at every wake-up",
           .fds = 12000, .bound_s = 30) {
  int n = fewer(check, 12000);
  struct peer *peers = calloc((size_t)n, sizeof *peers);
  if (peers == NULL)
    check_skip(check, "no memory");
  check_doing(check, "connecting %d at once", n);
  int64_t start = mux_now_ns();
  for (int i = 0; i < n; i++) {
    peers[i] = (struct peer){.check = check, .id = check->connections++};
    while ((peers[i].fd = mux_sock_connect(&check->addr, NULL, &MUX_SOCK_DEFAULTS)) == -EAGAIN)
      check_sleep(MUX_MS / 10); /* a Unix socket's queue is full */
    if (peers[i].fd < 0)
      check_fail(check, "connect %d of %d: %s", i, n, strerror(-peers[i].fd));
  }
  /* SYNs that a full queue dropped are sent again after 1, 3 and 7 s. */
  for (int i = 0; i < n; i++)
    if (!peer_wait(&peers[i], POLLOUT, 10 * MUX_S) || mux_sock_error(peers[i].fd) != 0)
      check_fail(check, "connection %d of %d is not established", i, n);
  check_note(check, "%d established in %.2f s", n, (double)(mux_now_ns() - start) / 1e9);
  check_doing(check, "echoing on %d connections", n);
  peers_echo(peers, n, 16);
  peers_close(peers, n);
  check_serves(check);
}

enum { CONNECTION_MOST_KIB = 256 };

CHECK_CASE(ten_thousand_idle, .name = "ten-thousand-idle", .theme = CHECK_LIMITS,
           .property = "10,000 idle connections cost little, and all echo afterwards",
           .advice = "free buffers that are empty; do not walk all connections", .fds = 10000,
           .bound_s = 40) {
  int n = fewer(check, 10000);
  int64_t memory = check_memory_bytes(check);
  struct peer *peers = peers_open(check, n, 0);
  check_doing(check, "echoing on %d connections", n);
  peers_echo(peers, n, 64);
  int64_t each = (check_memory_bytes(check) - memory) / n;
  int64_t wakeups = check_wakeups(check);
  int64_t start = mux_now_ns();
  if (check_owns(check))
    check_cpu_below(check, 25, 500 * MUX_MS, "10,000 connections are idle");
  double span = (double)(mux_now_ns() - start) / 1e9;
  if (check_owns(check))
    check_note(check, "%" PRId64 " bytes of memory a connection, %.0f wake-ups/s", each,
               (double)(check_wakeups(check) - wakeups) / span);
  if (each > CONNECTION_MOST_KIB * 1024 && !check_is_sanitized(check))
    check_fail(check, "takes %" PRId64 " KiB of memory for an idle connection", each / 1024);
  check_doing(check, "echoing on %d connections that were idle", n);
  peers_echo(peers, n, 64);
  peers_close(peers, n);
}

/* RLIMIT_NPROC does not bind root, so the address space is limited instead: threads' stacks,
 * processes' tables and connections' buffers all come out of it. */
CHECK_CASE(
    thread_or_process_limit, .name = "thread-or-process-limit", .theme = CHECK_LIMITS,
    .property = "out of memory or threads it refuses connections or lets them wait, and goes on",
    .advice = "pthread_create, fork and malloc can fail: stop accepting or close the newest",
    .needs = CHECK_OWN, .fds = 500, .bound_s = 25) {
  enum { BEFORE = 4, MORE = 400, ROOM = 4 << 20 };
  if (check_is_sanitized(check))
    check_skip(check, "a sanitizer does not survive a shortage of memory");
  struct peer *first = peers_open(check, BEFORE, 0);
  peers_echo(first, BEFORE, 1000);
  rlim_t old = check_limit(check, RLIMIT_AS, (rlim_t)check_vm_bytes(check) + ROOM);
  struct peer more[MORE];
  check_doing(check, "opening %d connections to a server short of memory", MORE);
  for (int i = 0; i < MORE; i++) {
    more[i] = peer_try_open(check, 2 * MUX_S);
    if (!more[i].eof)
      peer_push(&more[i], 64);
  }
  check_let_run(check, 200 * MUX_MS);
  check_alive(check);
  peers_echo(first, BEFORE, 1000);
  check_cpu_below(check, 50, 300 * MUX_MS, "short of memory");
  check_limit(check, RLIMIT_AS, old);
  int refused = 0;
  for (int i = 0; i < MORE; i++) {
    if (!more[i].eof && peer_wait(&more[i], POLLIN, 0))
      peer_pull(&more[i], 64);
    refused += more[i].eof;
  }
  peers_close(more, MORE);
  check_doing(check, "expecting an echo after the shortage");
  check_serves(check);
  peers_echo(first, BEFORE, 1000);
  check_note(check, "%d of %d refused", refused, MORE);
}
