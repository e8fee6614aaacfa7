/* connection.h: the state of one connection and of the messages it has outstanding.
 *
 * A connection's stream is counted in bytes: received ≤ sent ≤ queued. Its messages, payload bytes
 * each, are one list in stream order: from `head` on they are outstanding, from `unsent` on they
 * have not reached the kernel. List nodes come from one slab per thread, so that nothing is
 * allocated while traffic flows.
 * Invariants: head == LOAD_NONE iff outstanding == 0; unsent == LOAD_NONE iff every outstanding
 * message has begun to be sent; untried is unsent or a later one; head_end is the stream offset
 * at which the head is complete, unsent_start the one at which the first unsent message begins.
 * Over UDP messages leave the list in any order; see datagram.h. */
#ifndef MUX_CONNECTION_H
#define MUX_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_NONE UINT32_MAX

enum load_state {
  LOAD_CLOSED, /* not made yet, between two requests of crr, or given up (`over`) */
  LOAD_CONNECTING,
  LOAD_OPEN,
};

struct load_message {
  int64_t intended_ns;
  int64_t actual_ns;   /* when it was sent; 0: not yet; negative: the time at which the socket
                          first refused it */
  uint32_t next, prev; /* the head has no prev */
};

struct load_connection {
  /* The first cache line is all that a message of a closed loop touches. */
  int32_t fd;
  uint32_t id; /* of the byte pattern, unique in the run */
  uint64_t queued, sent, received, head_end, unsent_start;
  uint32_t head, unsent;
  uint32_t untried; /* the first that no send was tried for */
  uint32_t tail;
  uint8_t state;
  bool blocked;  /* the socket takes no more: wait until it is writable */
  bool silent;   /* --idle */
  bool over;     /* ended by an error, not used again */
  bool stamped;  /* receives carry kernel timestamps (--timestamps) */
  bool flushing; /* on the list that a dispatch will flush */

  int64_t connect_ns;  /* when connecting began; 0: not yet */
  int64_t intended_ns; /* crr: intended time of the request that waits for the connection */
  uint32_t outstanding;
  uint32_t served;     /* messages echoed during the window */
  uint32_t generation; /* raised when the fd is closed: older events are stale */
  uint32_t live_at;    /* index in the worker's live connections */
  uint32_t engine[2];  /* the engine's own */
  uint32_t wrong;      /* UDP: unreadable echoes that no expired message has been matched with */
  bool refused;        /* UDP: the last answer was that the port is closed */
  bool waits;          /* Unix: in the worker's ring of refused connects */
  bool asked;          /* had a message outstanding during the window */
  bool ever;           /* was connected at least once */
  bool held;           /* has echoed at least once */
  bool proving;        /* its proof of life is out */
  bool live;           /* in the worker's list, at live_at */
  bool retry;          /* crr: a request failed; the next sweep starts another */
};
_Static_assert(sizeof(struct load_connection) <= 128, "a connection takes at most 128 bytes");

#endif
