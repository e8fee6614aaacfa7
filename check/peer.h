/* peer.h: the client's side of a connection under test: sends the bytes of its pattern stream
 * (common/pattern.h), verifies what comes back, and fails the case with the offset and the kind of
 * damage. All sockets are non-blocking; nothing waits without a limit.
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
  bool tolerant; /* EOF, resets and refusals are noted in `error`, and do not fail the case */
  bool eof;      /* the server has closed its side */
  bool shut;     /* we have closed ours for sending */
  int error;     /* 0 or the -errno that ended it (tolerant peers) */
  uint64_t sent; /* bytes of the stream sent, and */
  uint64_t got;  /* ... come back right */

  /* The work of peers_move; 0 means none or no limit. */
  uint64_t send_goal;
  uint64_t get_goal;
  size_t send_most;   /* bytes per send() */
  size_t get_most;    /* bytes per recv() */
  int send_flags;     /* of send(2), besides what is needed anyway */
  bool random_sizes;  /* every call takes a random size up to these */
  uint64_t get_per_s; /* throttle of the reader */
  int64_t get_since_ns;
};

/* Connects. buffer_bytes: SO_SNDBUF and SO_RCVBUF set before (0: the system's), because the kernel
 * holds up to some 40 MB of a loopback connection and hides a server's losses in them. */
struct peer peer_open(struct check *check, int buffer_bytes);
/* The same for n of them at once, none of which waits for another. Caller frees. */
struct peer *peers_open(struct check *check, int n, int buffer_bytes);
/* A tolerant one may fail to connect: fd is -1 then. */
struct peer peer_try_open(struct check *check, int64_t timeout_ns);
void peer_close(struct peer *peer);
void peer_reset(struct peer *peer); /* RST instead of FIN (SO_LINGER 0) */
void peers_close(struct peer *peers, int n);

/* One call of send or recv, at most so many bytes (and 64 KiB). Return bytes moved, 0: not now. */
size_t peer_push(struct peer *peer, size_t most);
size_t peer_pull(struct peer *peer, size_t most);

/* All of n bytes are sent; what comes back stays in the kernel. */
void peer_send(struct peer *peer, uint64_t n);
/* Sends without reading until nothing has moved for a tenth of a second in which the server could
 * run: all buffers on the way are full. Returns the bytes sent, at most `most`. */
uint64_t peer_fill(struct peer *peer, uint64_t most);
/* The same on all of them at once. */
void peers_fill(struct peer *peers, int n, uint64_t most);
/* The next n bytes come back right. */
void peer_expect(struct peer *peer, uint64_t n);
/* Everything sent comes back, then the server closes, with FIN and not with RST. */
void peer_expect_rest_and_eof(struct peer *peer);
/* n bytes there and back, full duplex. */
void peer_echo(struct peer *peer, uint64_t n);
void peer_shutdown(struct peer *peer);
/* Waits for poll(2) events; the timeout is patience (patience.h). */
bool peer_wait(struct peer *peer, short events, int64_t timeout_ns);

/* Moves bytes of all peers until each has reached its goals. */
void peers_move(struct peer *peers, int n);
/* Gives every peer the goal of n more bytes there and back, then moves them. */
void peers_echo(struct peer *peers, int n, uint64_t bytes);

/* Time of one message there and back, without what a busy host adds (patience.h). */
int64_t peer_round_trip_ns(struct peer *peer, size_t bytes);

#endif
