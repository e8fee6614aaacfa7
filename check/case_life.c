/* case_life.c: cases about a server's life: long silence, signals, an orderly stop, starting again,
 * and not growing. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/patience.h"
#include "check/peer.h"
#include "check/subject.h"

/* TCP probes a window of zero after 200 ms, for the first time (RFC 9293, 3.8.6.1). */
#define PROBE_NS (400 * MUX_MS)

enum { SMALL_BUFFER = 16 * 1024 };

CHECK_CASE(idle_then_echo, .name = "idle-then-echo", .theme = CHECK_LIFE,
           .property = "a message after three seconds of silence comes back",
           .advice = "an idle connection is not dead: no idle timeout", .bound_s = 10) {
  struct peer silent = peer_open(check, 0);
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  check_doing(check, "being silent");
  check_let_run(check, 3 * MUX_S);
  peer_echo(&peer, 64);
  peer_echo(&silent, 64);
}

/* A signal with a handler interrupts every blocking call. A server without one is stopped and
 * continued, which on Linux interrupts epoll_wait and others, too (signal(7)). */
static void strike(struct check *check, bool handled) {
  if (handled) {
    check_signal_threads(check, SIGUSR1);
  } else {
    check_freeze(check);
    check_thaw(check);
  }
}

/* Strikes again and again. A byte goes to `strikes` after each. */
static pid_t start_storm(struct check *check, bool handled, int strikes) {
  pid_t storm = check_fork(check);
  while (storm == 0) {
    strike(check, handled);
    check_sleep(MUX_MS / 2);
    (void)!write(strikes, "", 1);
  }
  return storm;
}

static void await_strike(struct check *check, int strikes) {
  char bytes[256];
  struct peer waits = {.check = check, .fd = strikes};
  check_doing(check, "waiting for a signal to interrupt the server");
  peer_wait(&waits, POLLIN, check_patience_ns(check));
  (void)!read(strikes, bytes, sizeof bytes);
  check_alive(check);
}

/* A storm interrupts calls at random; each of the last signals comes while the server waits. */
CHECK_CASE(eintr_storm, .name = "eintr-storm", .theme = CHECK_LIFE,
           .property = "signals that interrupt every system call change nothing",
           .advice = "EINTR is not an error: make the call again", .needs = CHECK_OWN,
           .bound_s = 20, .quick = true) {
  enum { PEERS = 4, ROUNDS = 30, AT_REST = 10 };
  int strikes[2];
  struct peer *peers = peers_open(check, PEERS, SMALL_BUFFER);
  bool handled = check_catches(check, SIGUSR1);
  check_note(check, handled ? "SIGUSR1 to every thread" : "SIGSTOP and SIGCONT");
  peers_echo(peers, PEERS, 64);
  if (pipe2(strikes, O_NONBLOCK) != 0)
    check_skip(check, "no pipe");
  pid_t storm = start_storm(check, handled, strikes[1]);
  for (int i = 0; i < ROUNDS; i++) {
    check_doing(check, "echoing under a storm of signals");
    peers_echo(peers, PEERS, 20000);
    struct peer late = peer_open(check, 0);
    peer_echo(&late, 64);
    peer_close(&late);
    await_strike(check, strikes[0]);
  }
  check_end_helper(storm);
  check_thaw(check);
  for (int i = 0; i < AT_REST && check_rests(check); i++) {
    strike(check, handled);
    peers_echo(peers, PEERS, 64);
  }
  check_serves(check);
}

/* The server is frozen, so that bytes and a connection are in its queues when the signal comes. */
CHECK_CASE(sigterm_drains, .name = "sigterm-drains", .theme = CHECK_LIFE,
           .property = "SIGTERM: what was received before it is echoed, then FIN, then exit 0",
           .advice = "after SIGTERM stop accepting, echo what the queues hold, then close with FIN",
           .needs = CHECK_OWN, .bound_s = 40, .quick = true) {
  enum { PEERS = 20, BYTES = 20000 };
  if (!check_catches(check, SIGTERM))
    check_skip(check, "it does not handle SIGTERM and so promises nothing");
  struct peer *peers = peers_open(check, PEERS, 0);
  peers_echo(peers, PEERS - 2, 64);
  check_freeze(check);
  for (int i = 0; i < PEERS; i++) /* the last two are still in the accept queue, or fresh */
    peer_send(&peers[i], BYTES);
  kill(mux_server_pid(check->server), SIGTERM);
  check_thaw(check);
  check_doing(check, "waiting for the echoes of what was sent before SIGTERM");
  for (int i = 0; i < PEERS; i++)
    peer_expect_rest_and_eof(&peers[i]);
  if (!check_ends_within(check, check_drain_ns(check) + 2 * MUX_S))
    check_fail(check, "does not end after SIGTERM");
  int status = check_stop(check);
  if (status != 0)
    check_fail(check, "ends with %s %d after SIGTERM", status > 128 ? "signal" : "exit status",
               status > 128 ? status - 128 : status);
}

CHECK_CASE(sigterm_with_stuck_peer, .name = "sigterm-with-stuck-peer", .theme = CHECK_LIFE,
           .property = "SIGTERM ends the server within its drain time even if a peer does not read",
           .advice = "draining needs a deadline, after which what is left is closed",
           .needs = CHECK_STARTS, .bound_s = 40, .quick = true) {
  if (check->backend != NULL)
    check->spec.drain_ns = 300 * MUX_MS; /* foreign servers choose their own */
  check_start(check);
  struct peer stuck = peer_open(check, SMALL_BUFFER);
  peer_fill(&stuck, 8 << 20);
  check_let_run(check, PROBE_NS); /* on a busy host a window may open late */
  peer_fill(&stuck, 8 << 20);
  int64_t start = mux_now_ns();
  int64_t most = check_drain_ns(check) + MUX_S * check_slowness();
  kill(mux_server_pid(check->server), SIGTERM);
  check_doing(check, "waiting for the server to end after SIGTERM");
  if (!check_ends_within(check, most))
    check_fail(check, "still runs %.1f s after SIGTERM, because of a peer that does not read",
               (double)(mux_now_ns() - start) / 1e9);
  check_note(check, "ended after %.2f s", (double)(mux_now_ns() - start) / 1e9);
  int status = check_stop(check);
  if (check->backend != NULL && status != 0)
    check_fail(check, "ends with status %d after SIGTERM", status);
}

/* What holds the port is TIME_WAIT on the server's side. A host with no room for more of these
 * (net.ipv4.tcp_max_tw_buckets) still keeps the echoes and the FIN for a client that has not read.
 */
CHECK_CASE(restart_same_port, .name = "restart-same-port", .theme = CHECK_LIFE,
           .property = "after a stop it starts again on the same port right away",
           .advice = "set SO_REUSEADDR before bind: connections in TIME_WAIT hold the port",
           .needs = CHECK_STARTS, .bound_s = 20, .quick = true) {
  enum { PEERS = 10, UNREAD = 60000 };
  check_start(check);
  struct peer *peers = peers_open(check, PEERS, 0);
  peers_echo(peers, PEERS, 64);
  struct peer late = peer_open(check, SMALL_BUFFER);
  peer_send(&late, UNREAD);
  check_stop(check);
  peers_close(peers, PEERS); /* after the server: TIME_WAIT is on its side */
  check_start_again(check, "after a stop", false);
}

CHECK_CASE(restart_under_connections, .name = "restart-under-connections", .theme = CHECK_LIFE,
           .property = "killed with 50 busy connections, it starts again on the same port",
           .advice = "only the socket may tell that a server is running: no lock or pid file",
           .needs = CHECK_STARTS, .fds = 100, .bound_s = 20, .quick = true) {
  enum { PEERS = 50 };
  check_start(check);
  struct peer *peers = peers_open(check, PEERS, SMALL_BUFFER);
  for (int i = 0; i < PEERS; i++) {
    peers[i].tolerant = true;
    peer_push(&peers[i], 60000);
  }
  check_signal(check, SIGKILL);
  check_stop(check);
  check_start_again(check, "after it was killed", true);
  peers_close(peers, PEERS);
  check_serves(check);
}

CHECK_CASE(fd_and_memory_soak, .name = "fd-and-memory-soak", .theme = CHECK_LIFE,
           .property = "after 3000 connections descriptors and memory are back where they were",
           .advice = "free everything that belongs to a connection on every path that ends it",
           .needs = CHECK_OWN, .bound_s = 30) {
  enum { WARM = 500, ROUNDS = 3000, MOST = 2 << 20 };
  int fds = 0;
  int64_t memory = 0;
  for (int i = 0; i < WARM + ROUNDS; i++) {
    if (i == WARM) {
      fds = check_fds_settled(check);
      memory = check_memory_bytes(check);
    }
    struct peer peer = peer_open(check, 0);
    peer_echo(&peer, 1 + check_random(check, 4000));
    if (i % 4 == 0)
      peer_push(&peer, 4000);
    if (i % 3 == 0)
      peer_reset(&peer);
    else
      peer_close(&peer);
  }
  check_fds_return(check, fds, "3000 connections");
  int64_t grown = check_memory_bytes(check) - memory;
  if (grown > MOST && !check_is_sanitized(check))
    check_fail(check, "its memory has grown by %" PRId64 " KiB over %d connections", grown / 1024,
               ROUNDS);
  check_note(check, "memory grows by %" PRId64 " KiB", grown / 1024);
}
