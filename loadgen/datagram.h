/* datagram.h: messages over UDP, one datagram each, which may be lost, duplicated or reordered.
 *
 * A message's bytes are those of the pattern at its place in the connection's stream. As a message
 * takes whole words of the stream (payload_bytes rounded up to 8), the first 8 bytes of a datagram
 * name its connection and place: they serve as its sequence number. The whole datagram is verified.
 * An echo completes the message it names and no other, in O(1), by a table of all messages out.
 *
 * - lost: no echo within --timeout. Its place in the closed loop is free again; it counts as
 *   errors.timeout (errors.reset: the target's port was found closed) and never as a response time.
 *   The connection goes on.
 * - late: the echo of a lost message. A closed loop remembers a bounded number of these.
 * - duplicated: an echo whose message is neither out nor lost.
 * - reordered: an echo in time, but after that of a message sent later. A gap alone is no
 *   reordering (RFC 4737, 3.3).
 * - mismatch: a datagram of another length, with wrong bytes, or that names nothing sent there. If
 *   it names a message that is out, it ends that one; otherwise it is matched with the next message
 *   to expire on this connection, so that no message counts twice.
 *
 * In a connection `sent` and `queued` count as for a stream; `received` is the end of the furthest
 * message echoed. */
#ifndef MUX_DATAGRAM_H
#define MUX_DATAGRAM_H

#include "loadgen/worker.h"

enum { LOAD_DATAGRAM_LEAST = 8, LOAD_DATAGRAM_MOST = 65507 /* RFC 768 over IPv4 */ };

struct load_datagrams;

/* Bytes of its connection's stream that a message takes. */
uint64_t load_message_bytes(const struct load_config *config);
/* How many lost messages a closed loop with that many places remembers, in the pool as well. */
uint64_t load_datagrams_remembered(const struct load_config *config, uint64_t places);
/* The worker has its pool. Returns 0 or -ENOMEM. */
int load_datagrams_init(struct load_worker *worker);
void load_datagrams_free(struct load_worker *worker);

/* Fills `to` with the first unsent message, payload_bytes of the configuration. */
void load_datagram_fill(const struct load_worker *worker, const struct load_connection *c,
                        void *to);
/* The engine has sent it. */
void load_datagram_sent(struct load_worker *worker, struct load_connection *c, int64_t now);
/* An ICMP error came: something sent before will have no echo. */
void load_datagram_refused(struct load_connection *c);
/* A datagram arrived. The engine flushes next. */
void load_datagram_received(struct load_worker *worker, struct load_connection *c, const void *data,
                            size_t n, int64_t now);
/* Is a message out, so that an echo may come? */
static inline bool load_datagrams_out(const struct load_connection *c) {
  return c->head != c->unsent;
}
/* Gives up messages older than --timeout, and sends what may follow. */
void load_datagrams_expire(struct load_worker *worker, struct load_connection *c, int64_t now);
/* Drops message i from the table; the caller frees it. */
void load_datagram_forget(struct load_worker *worker, uint32_t i);

#endif
