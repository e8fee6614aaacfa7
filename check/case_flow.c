/* case_flow.c: cases about flow control and fairness: a peer that does not read costs bounded
 * memory and no time of others, and an echo is sent when it can be. */
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/peer.h"
#include "check/subject.h"

enum { MIB = 1 << 20, SMALL_BUFFER = 16 * 1024 };

/* How much a server may hold for one connection in its own memory; the kernel holds more. */
enum { MEMORY_MOST_MIB = 16, KERNEL_MOST_MIB = 48 };

/* Fails the case if the server's memory has grown by more than MEMORY_MOST_MIB since `before`. */
static void check_growth(struct check *check, int64_t before) {
  int64_t grown = check_memory_bytes(check) - before;
  if (before >= 0 && grown > MEMORY_MOST_MIB * (int64_t)MIB && !check_is_sanitized(check))
    check_fail(check, "its memory grows by %" PRId64 " MiB for one slow reader", grown / MIB);
}

CHECK_CASE(slow_reader, .name = "slow-reader", .theme = CHECK_FLOW,
           .property = "64 MiB to a reader that starts late and reads slowly: the sender blocks",
           .advice = "stop reading from a peer while bytes for it wait to be sent", .bound_s = 25) {
  struct peer peer = peer_open(check, 256 * 1024);
  peer_echo(&peer, MIB);
  int64_t before = check_memory_bytes(check);
  check_doing(check, "sending to the server without reading");
  uint64_t held = peer_fill(&peer, 64 * MIB);
  if (held >= KERNEL_MOST_MIB * (uint64_t)MIB)
    check_fail(check, "takes %" PRIu64 " MiB from a peer that reads nothing", held / MIB);
  check_growth(check, before);
  check_doing(check, "reading slowly");
  peer.get_per_s = 64 * MIB;
  for (uint64_t read = 0; read < 64 * MIB; read += 8 * MIB) {
    peer.get_goal = peer.got + 8 * MIB;
    if (peer.send_goal < peer.get_goal)
      peer.send_goal = peer.get_goal; /* as much stays held as before */
    peers_move(&peer, 1);
    check_growth(check, before);
  }
  peer_expect(&peer, peer.sent - peer.got);
  check_note(check, "%" PRIu64 " KiB held while blocked", held / 1024);
}

CHECK_CASE(resume_after_stall, .name = "resume-after-stall", .theme = CHECK_FLOW,
           .property = "a connection that stalled with full buffers goes on once it is read",
           .advice = "when the last waiting byte has been sent, watch for input again",
           .bound_s = 15, .quick = true) {
  struct peer peer = peer_open(check, SMALL_BUFFER);
  for (int round = 0; round < 3; round++) {
    check_doing(check, "stalling a connection, round %d", round + 1);
    peer_fill(&peer, 8 * MIB);
    check_doing(check, "reading what a stalled connection held, round %d", round + 1);
    peer_expect(&peer, peer.sent - peer.got);
    peer_echo(&peer, 100000);
  }
}

CHECK_CASE(stalled_peer_does_not_block_others, .name = "stalled-peer-does-not-block-others",
           .theme = CHECK_FLOW,
           .property = "while three peers read nothing, 20 others get every echo within a second",
           .advice = "client sockets must not block: O_NONBLOCK, and wait until writable",
           .bound_s = 20, .quick = true) {
  enum { STALLED = 3, OTHERS = 20, ROUNDS = 20 };
  struct peer *stalled = peers_open(check, STALLED, SMALL_BUFFER);
  struct peer *others = peers_open(check, OTHERS, 0);
  peers_echo(others, OTHERS, 64);
  for (int i = 0; i < STALLED; i++)
    peer_fill(&stalled[i], 8 * MIB);
  check_doing(check, "echoing while other connections are stalled");
  int64_t worst = 0;
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < OTHERS; i++) {
      int64_t ns = peer_round_trip_ns(&others[i], 64);
      worst = ns > worst ? ns : worst;
    }
  if (worst > MUX_S * check_slowness())
    check_fail(check, "an echo takes %.1f s while another peer does not read", (double)worst / 1e9);
  for (int i = 0; i < STALLED; i++)
    peer_expect(&stalled[i], stalled[i].sent);
}

/* A process that sends and reads as fast as it can until it is killed. Returns once it is in full
 * flow. */
static pid_t start_firehose(struct check *check) {
  int flows[2];
  if (pipe(flows) != 0)
    check_skip(check, "no pipe");
  pid_t child = check_fork(check);
  if (child == 0) {
    struct peer peer = peer_open(check, 0);
    peer_echo(&peer, 4 * MIB);
    close(flows[1]);
    for (;;)
      peer_echo(&peer, 64 * MIB);
  }
  char byte;
  close(flows[1]);
  (void)!read(flows[0], &byte, 1); /* returns when the other end is closed */
  close(flows[0]);
  return child;
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

enum { PROBES = 20, PROBE_ROUNDS = 15, PROBE_COUNT = PROBES * PROBE_ROUNDS };

/* The p99 of all probes' round trips. Ends as soon as it cannot be below limit_ns any more. */
static int64_t probe_p99_ns(struct peer *peers, int64_t limit_ns) {
  int64_t times[PROBE_COUNT];
  int n = 0;
  for (int slow = 0; n < PROBE_COUNT && slow <= PROBE_COUNT / 100; n++) {
    times[n] = peer_round_trip_ns(&peers[n % PROBES], 64);
    slow += times[n] >= limit_ns;
  }
  qsort(times, (size_t)n, sizeof *times, by_value);
  return times[n - 1 - PROBE_COUNT / 100];
}

/* A server that starves its peers does so every time; a busy host does not. */
CHECK_CASE(firehose_fairness, .name = "firehose-fairness", .theme = CHECK_FLOW,
           .property = "one flooding connection leaves the others' p99 under max(10x, 20 ms)",
           .advice = "limit what one connection gets per wake-up, even if it stays readable",
           .bound_s = 30) {
  enum { TRIES = 3 };
  struct peer *peers = peers_open(check, PROBES, 0);
  int64_t p99 = 0;
  int64_t limit = 0;
  for (int i = 0; i < TRIES; i++) {
    check_doing(check, "measuring the others before the flood");
    limit = 10 * probe_p99_ns(peers, INT64_MAX);
    limit = (limit > 20 * MUX_MS ? limit : 20 * MUX_MS) * check_slowness();
    check_doing(check, "starting a flood");
    pid_t firehose = start_firehose(check);
    check_doing(check, "measuring the others during a flood");
    p99 = probe_p99_ns(peers, limit);
    check_end_helper(firehose);
    if (p99 < limit) {
      check_note(check, "p99 %.2f ms during a flood", (double)p99 / 1e6);
      return;
    }
  }
  check_fail(check, "the others' p99 is %.0f ms while one connection floods (limit %.0f ms)",
             (double)p99 / 1e6, (double)limit / 1e6);
}

/* Median of the round trips of a message. */
static int64_t median_round_trip_ns(struct peer *peer, size_t bytes) {
  enum { TIMES = 7 };
  int64_t times[TIMES];
  for (int i = 0; i < TIMES; i++) {
    int off = 0; /* acknowledge late, as the kernel does on interactive connections */
    if (peer->check->addr.kind == MUX_ADDR_TCP)
      setsockopt(peer->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
    times[i] = peer_round_trip_ns(peer, bytes);
  }
  qsort(times, TIMES, sizeof *times, by_value);
  return times[TIMES / 2];
}

/* With Nagle's algorithm (RFC 896) in the server, the small rest of an echo that is sent in two
 * parts waits until the first part is acknowledged, which the client's kernel delays by 40 ms. A
 * server's buffer mostly has a power of two of bytes: the echo of a message just longer comes in
 * two parts. A timer delays in every round, and suddenly from some size on; a busy host does not,
 * and twice the bytes take no more than twice the time. */
CHECK_CASE(echo_is_prompt, .name = "echo-is-prompt", .theme = CHECK_FLOW,
           .property = "a message of any size comes back without a timer's delay",
           .advice = "set TCP_NODELAY on accepted sockets; wait for events instead of sleeping",
           .bound_s = 20, .quick = true) {
  enum { ROUNDS = 3, LEAST = 64, MOST = 128 * 1024, REST = 100 };
  struct peer peer = peer_open(check, 0);
  int64_t limit = 25 * MUX_MS * check_slowness();
  int64_t slowest = 0; /* of the sizes so far */
  for (size_t size = LEAST; size <= MOST; size *= 2) {
    int64_t median = INT64_MAX;
    for (int round = 0; round < ROUNDS && median > limit; round++)
      median = median_round_trip_ns(&peer, size + REST);
    if (median > limit && median > 3 * slowest)
      check_fail(check, "messages of %zu bytes take %.0f ms (median)", size + REST,
                 (double)median / 1e6);
    slowest = median > slowest ? median : slowest;
  }
  check_note(check, "%.2f ms at most, medians of 64 bytes to 128 KiB", (double)slowest / 1e6);
}
