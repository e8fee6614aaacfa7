/* peer.h: the client's side of a connection under test. It sends the bytes of its pattern stream
 * (common/pattern.h), verifies what comes back, and fails the case with the offset and the kind of
 * the damage. All sockets are non-blocking; nothing waits without a limit.
 *
 * Invariant: got <= sent. A byte that comes back before it was sent is damage. */
#ifndef MUX_CHECK_PEER_H
#define MUX_CHECK_PEER_H

#include <poll.h>

#include "check/case.h"

struct peer {
  struct check *check;
  int fd;
  uint32_t id;   /* number of its stream in the pattern */
  bool tolerant; /* EOF, resets and refusals go to `error` and do not fail the case */
  bool eof;      /* the server has closed its side */
  bool shut;     /* we have shut down ours for sending */
  int error;     /* 0, or the -errno that ended it (tolerant peers) */
  uint64_t sent; /* bytes of the stream that were sent, and */
  uint64_t got;  /* ... that came back right */

  /* What peers_move does; 0 means nothing to do, or no limit. */
  uint64_t send_goal;
  uint64_t get_goal;
  size_t send_most;   /* bytes per send() */
  size_t get_most;    /* bytes per recv() */
  int send_flags;     /* further flags for send(2) */
  bool random_sizes;  /* every call takes a random size up to these */
  uint64_t get_per_s; /* bytes per second that the reader is throttled to */
  int64_t get_since_ns;
};

/* Connects. buffer_bytes sets SO_SNDBUF and SO_RCVBUF first (0: the system's default): the kernel
 * buffers up to 40 MB for a loopback connection, and what a server loses would not be missed. */
struct peer peer_open(struct check *check, int buffer_bytes);
/* Opens n of them. The caller frees. */
struct peer *peers_open(struct check *check, int n, int buffer_bytes);
/* A tolerant peer. If it cannot connect its fd is -1. */
struct peer peer_try_open(struct check *check, int64_t timeout_ns);
void peer_close(struct peer *peer);
void peer_reset(struct peer *peer); /* RST instead of FIN (SO_LINGER 0) */
void peers_close(struct peer *peers, int n);

/* One call of send(2) or recv(2) of at most `most` bytes, and at most 64 KiB. Return the bytes
 * moved; 0 if it would block. */
size_t peer_push(struct peer *peer, size_t most);
size_t peer_pull(struct peer *peer, size_t most);

/* Sends n bytes and reads nothing. */
void peer_send(struct peer *peer, uint64_t n);
/* Sends without reading until nothing has moved for a tenth of a second in which the server could
 * run: then all buffers on the way are full. Returns the bytes sent, at most `most`. */
uint64_t peer_fill(struct peer *peer, uint64_t most);
/* The same on n peers at once, each of which stops when it has sent `most` in all. */
void peers_fill(struct peer *peers, int n, uint64_t most);
/* Expects the next n bytes of the echo. */
void peer_expect(struct peer *peer, uint64_t n);
/* Expects everything that was sent, then FIN and not RST. */
void peer_expect_rest_and_eof(struct peer *peer);
/* Sends n bytes and expects them back, both at the same time. */
void peer_echo(struct peer *peer, uint64_t n);
void peer_shutdown(struct peer *peer);
/* Waits for poll(2) events; the timeout is patience (patience.h). */
bool peer_wait(struct peer *peer, short events, int64_t timeout_ns);

/* Moves the bytes of all peers until each has reached its goals. */
void peers_move(struct peer *peers, int n);
/* Sends so many bytes on every peer and expects them back. */
void peers_echo(struct peer *peers, int n, uint64_t bytes);

/* The time that a message takes there and back, without what a busy host adds (patience.h). */
int64_t peer_round_trip_ns(struct peer *peer, size_t bytes);

#endif
