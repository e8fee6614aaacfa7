/* ring.h: one io_uring with its receive buffers, for the io_uring backends and the load.
 *
 * Words. A *chunk* is one receive buffer with its bookkeeping. A chunk is in one of three places:
 * provided (the kernel may fill it), held by a connection (filled, waiting to be sent), or free.
 * The kernel takes provided chunks first in, first out; to keep few cache lines in use only `live`
 * of them are provided at a time, each taken one is replaced by the most recently freed, and `live`
 * doubles only when the kernel ran out within one batch (-ENOBUFS).
 *
 * Chunks are malloc'ed in slabs as they are needed and kept until the end: the number held is
 * bounded by the connections' own limits. Nothing here is locked: one thread owns the ring
 * (IORING_SETUP_SINGLE_ISSUER).
 *
 * Sources: io_uring(7), io_uring_setup(2), io_uring_register_buf_ring(3). Debian 12's liburing 2.3
 * has no io_uring_setup_buf_ring(), so the ring of buffers is mapped and registered by hand. */
#ifndef MUX_RING_H
#define MUX_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <liburing.h>

/* Filled bytes [head, tail) wait to be sent. */
struct mux_uring_chunk {
  struct mux_uring_chunk *next;
  uint32_t head;
  uint32_t tail;
  unsigned char bytes[];
};

struct mux_uring_config {
  unsigned entries;      /* of the submission queue */
  unsigned completions;  /* of the completion queue */
  uint32_t buffers;      /* most chunks to provide at a time; rounded up to a power of two */
  uint32_t buffer_bytes; /* of a chunk */
  unsigned files;        /* size of the table of direct descriptors; 0: none */
  bool defer_taskrun;    /* where the kernel has it */
  bool sqpoll;
};

struct mux_uring {
  struct io_uring ring;
  bool sqpoll;
  struct io_uring_buf_ring *provided;
  size_t provided_bytes;         /* of the mapping */
  struct mux_uring_chunk **lent; /* the chunk of each buffer id; NULL: the id is vacant */
  uint32_t capacity;             /* buffer ids there are */
  uint32_t live;                 /* ids 0 … live-1 are in use */
  uint32_t vacant;               /* ... of these, without a chunk, for lack of memory */
  uint32_t chunk_bytes;
  struct mux_uring_chunk *free;
  struct mux_uring_slab *slabs;
  int error;                  /* -errno; the ring takes no more */
  struct io_uring_sqe unused; /* what is given out then */
};

enum { MUX_URING_BUFFER_GROUP = 0 };

/* Returns 0 or -errno with a reason in why. After a failure nothing is left to close. */
int mux_uring_open(struct mux_uring *uring, const struct mux_uring_config *config, char *why,
                   size_t why_bytes);
void mux_uring_close(struct mux_uring *uring);

/* Whether this kernel has an operation. It does not tell of flags: ask for an operation that came
 * with them. */
bool mux_uring_knows(int operation);

/* The next submission, never NULL; queued ones are submitted when there is no room. If the kernel
 * takes none of them, the ring is broken: what is written then is lost, and the next wait returns
 * the error. */
struct io_uring_sqe *mux_uring_sqe(struct mux_uring *uring);

/* Submits, and waits for a completion, or up to timeout_ns (-1: for ever). Returns 0 or -errno;
 * a timeout and a signal are 0. After an error the ring is unusable. */
int mux_uring_wait(struct mux_uring *uring, int64_t timeout_ns);

/* The chunk of a completion with IORING_CQE_F_BUFFER. Another takes its place. */
struct mux_uring_chunk *mux_uring_take(struct mux_uring *uring, const struct io_uring_cqe *cqe);
/* Gives a chunk back. */
void mux_uring_put(struct mux_uring *uring, struct mux_uring_chunk *chunk);
/* After -ENOBUFS: provides more. False if there is no memory for a single one. */
bool mux_uring_provide_more(struct mux_uring *uring);

#endif
