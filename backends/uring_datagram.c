/* uring_datagram.c: UDP for uring_engine.h (RFC 862: a datagram goes back to where it came from).
 *
 * There are no connections. Instead of an accept, a receive is submitted for the listener, either
 * one for all datagrams to come or one for each. Both take a provided buffer that any datagram fits
 * into. The echo is sent from that buffer by a request that does not wait: if the network refuses
 * it, it is lost, as in echo_datagram.c. So no more than a batch or two is held.
 *
 * Sources: RFC 768; io_uring_prep_recvmsg_multishot(3), io_uring_prep_send_set_addr(3). */
#if __has_include(<liburing.h>)

#include "backends/uring_engine.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>

/* UDP's length field has 16 bits. A multishot receive puts a header and the sender in front. */
enum {
  SENDER_BYTES = sizeof(struct sockaddr_in6),
  BUFFER_BYTES = 65536 + sizeof(struct io_uring_recvmsg_out) + SENDER_BYTES,
  BUFFERS = 64,     /* datagrams received before the first of them is handled */
  SENDS_MOST = 512, /* in flight; a kernel thread (sqpoll) may be late */
};

int uring_prepare_datagrams(struct uring_engine *engine, struct mux_uring_config *config) {
  if (!mux_uring_knows(IORING_OP_SEND_ZC)) { /* sending to an address came with it */
    engine->worker->host->log(engine->worker, "UDP needs Linux 6.0 here");
    return -ENOSYS;
  }
  config->buffer_bytes = BUFFER_BYTES;
  config->buffers = BUFFERS;
  engine->message.msg_name = &engine->sender;
  return 0;
}

void uring_receive_datagrams(struct uring_engine *engine) {
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  engine->message.msg_namelen = SENDER_BYTES; /* a single-shot receive has overwritten it */
  if (engine->multishot)
    io_uring_prep_recvmsg_multishot(sqe, engine->worker->listen_fd, &engine->message, 0);
  else
    io_uring_prep_recvmsg(sqe, engine->worker->listen_fd, &engine->message, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = MUX_URING_BUFFER_GROUP;
  uring_tag(sqe, NULL, OP_ACCEPT);
  engine->accepting = true;
}

/* An empty datagram may arrive without a buffer. */
static void put(struct uring_engine *engine, struct mux_uring_chunk *chunk) {
  if (chunk != NULL)
    mux_uring_put(&engine->uring, chunk);
}

/* Requests are carried out in the order in which they were queued: the sender's address has been
 * read before the next single-shot receive overwrites it. */
static void send_back(struct uring_engine *engine, struct mux_uring_chunk *chunk,
                      const void *payload, size_t bytes, const struct sockaddr *to,
                      socklen_t to_bytes) {
  struct mux_worker *worker = engine->worker;
  MUX_COUNT(worker, datagrams, 1);
  if (worker->work_ns > 0)
    worker->host->work(worker);
  if (engine->echoes >= SENDS_MOST) {
    put(engine, chunk);
    return;
  }
  struct io_uring_sqe *sqe = mux_uring_sqe(&engine->uring);
  io_uring_prep_send(sqe, worker->listen_fd, payload, bytes, MSG_DONTWAIT);
  io_uring_prep_send_set_addr(sqe, to, (uint16_t)to_bytes);
  uring_tag(sqe, chunk, OP_SEND_DATAGRAM);
  engine->echoes++;
}

static void echo_datagram(struct uring_engine *engine, struct mux_uring_chunk *chunk, int bytes) {
  struct msghdr *message = &engine->message;
  if (!engine->multishot) {
    send_back(engine, chunk, chunk != NULL ? chunk->bytes : NULL, (size_t)bytes,
              &engine->sender.any, message->msg_namelen);
    return;
  }
  struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(chunk->bytes, bytes, message);
  assert(out != NULL && out->namelen <= SENDER_BYTES);
  send_back(engine, chunk, io_uring_recvmsg_payload(out, message),
            io_uring_recvmsg_payload_length(out, bytes, message), io_uring_recvmsg_name(out),
            out->namelen);
}

void uring_on_datagram(struct uring_engine *engine, const struct io_uring_cqe *cqe) {
  struct mux_uring_chunk *chunk = NULL;
  if ((cqe->flags & IORING_CQE_F_BUFFER) != 0)
    chunk = mux_uring_take(&engine->uring, cqe);
  if (cqe->res >= 0 && (chunk != NULL || !engine->multishot))
    echo_datagram(engine, chunk, cqe->res);
  else
    put(engine, chunk);
  if (cqe->res == -EBADF || cqe->res == -ENOTSOCK || cqe->res == -EINVAL)
    engine->error = cqe->res; /* else it is about an earlier datagram, or no buffer was left */
  else if (cqe->res == -ENOBUFS && !mux_uring_provide_more(&engine->uring))
    engine->error = -ENOMEM;
}

void uring_on_datagram_sent(struct uring_engine *engine, struct mux_uring_chunk *chunk) {
  engine->echoes--;
  put(engine, chunk);
}

#endif
