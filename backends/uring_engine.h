/* uring_engine.h: an echo server on one io_uring, for all io_uring backends.
 *
 * Received bytes stay in the buffer that the kernel chose for them (common/ring.h) and are sent
 * from there. A connection's chunks wait in a queue with one send in flight, because two could
 * overtake each other. Bytes that arrive in the meantime are packed into the last chunk if they
 * fit, so that small messages hold few buffers. Idle connections hold none.
 *
 * Back-pressure: nothing is received from a connection that holds `limit` chunks until half of them
 * have gone. A multishot receive is cancelled for that; what the kernel has received by then is at
 * most one more batch.
 *
 * A connection is freed only when the kernel holds none of its requests, so a completion's pointer
 * is always valid. Its fd is closed only then, too: a request keeps the socket open, so that
 * close() would send no FIN. */
#ifndef MUX_URING_ENGINE_H
#define MUX_URING_ENGINE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "backends/mux_backend.h"
#include "common/ring.h"

/* In the low bits of user_data; the high bits hold the connection, if there is one. */
enum uring_op {
  OP_IGNORE,
  OP_ACCEPT, /* for UDP: the receive of datagrams */
  OP_STOP,
  OP_RECEIVE,
  OP_SEND,
  OP_SEND_DATAGRAM, /* with the chunk in the high bits */
  OP_MASK = 7,
};

struct uring_connection {
  struct uring_connection *next, *prev; /* in engine.connections */
  struct mux_uring_chunk *first, *last;
  uint32_t chunks;
  int fd; /* or the index of a direct descriptor */
  int error;
  uint8_t fixed;  /* IOSQE_FIXED_FILE if fd is such an index, else 0 */
  bool receiving; /* the kernel holds a receive request ... */
  bool sending;   /* ... a send of first's bytes */
  bool cancelled; /* it has been asked to cancel the receive */
  bool eof;
  bool more; /* the receive queue was not empty after the last receive */
};

struct uring_engine {
  struct mux_uring uring;
  struct mux_worker *worker;
  bool multishot;
  bool direct;
  unsigned free_files; /* of the table of direct descriptors */
  uint32_t limit;      /* chunks of a connection at which receiving stops */
  /* After this many bytes a multishot receive ends by itself and is submitted again, so that little
   * arrives beyond the limit. 0: this kernel cannot do it (Linux 6.17 can). */
  uint32_t receive_bytes;
  struct uring_connection *connections;
  bool accepting; /* the kernel holds an accept request, or a receive request of UDP */
  bool draining;
  bool expired;        /* the drain's deadline has passed */
  int64_t resume_ns;   /* when to accept again; 0: not paused */
  int64_t deadline_ns; /* of the drain */
  int error;           /* of the listener */

  /* UDP only. */
  bool datagrams;
  uint32_t echoes; /* being sent */
  struct msghdr message;
  union uring_address {
    struct sockaddr any;
    struct sockaddr_in6 v6;
  } sender;
};

/* Says what the completion will belong to. */
static inline void uring_tag(struct io_uring_sqe *sqe, const void *object, enum uring_op op) {
  io_uring_sqe_set_data64(sqe, (uintptr_t)object | op);
}

/* Cancels the request (object, op). It completes with -ECANCELED, or with what it has done. */
void uring_cancel(struct uring_engine *engine, const void *object, enum uring_op op);

/* ---- uring_connection.c */

/* Takes over an accepted connection that has been counted. */
void uring_add_connection(struct uring_engine *engine, int fd, uint8_t fixed);
/* Completions. The connection may be gone afterwards. */
void uring_on_receive(struct uring_engine *engine, struct uring_connection *conn,
                      const struct io_uring_cqe *cqe);
void uring_on_send(struct uring_engine *engine, struct uring_connection *conn,
                   const struct io_uring_cqe *cqe);
/* `draining` has been set: from now on receives do not wait, and an empty queue is the end. Cancels
 * those that are waiting. */
void uring_drain_connections(struct uring_engine *engine);
/* Ends every connection as soon as the kernel holds none of its requests. */
void uring_abort_connections(struct uring_engine *engine, int error);

/* ---- uring_datagram.c */

/* Before the ring is opened: configures it for UDP. Returns 0 or -errno. */
int uring_prepare_datagrams(struct uring_engine *engine, struct mux_uring_config *config);
void uring_receive_datagrams(struct uring_engine *engine);
/* Completions. */
void uring_on_datagram(struct uring_engine *engine, const struct io_uring_cqe *cqe);
void uring_on_datagram_sent(struct uring_engine *engine, struct mux_uring_chunk *chunk);

/* ---- uring_engine.c: the whole run() of a backend. `direct`: connections without an fd. */
int uring_serve(struct mux_worker *worker, struct mux_uring_config *config, bool multishot,
                bool direct);

#endif
