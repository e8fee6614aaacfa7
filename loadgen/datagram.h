/* datagram.h: messages over UDP: one datagram each, which may be lost, doubled or overtaken.
 *
 * A message's bytes are those of the pattern at its place in the connection's stream, and as a
 * message takes whole words of the stream (payload_bytes rounded up to 8), the first 8 bytes of a
 * datagram name connection and place: they are its sequence number, and all of it is verified.
 * An echo completes the message it names and no other, in O(1): a table over all messages out.
 *
 * - lost: no echo within --timeout. Its place in the closed loop is free again; it counts as
 *   errors.timeout (errors.reset: the target's port was found closed) and never as a response time.
 *   The connection goes on.
 * - late: the echo of a lost one. A closed loop remembers a bounded number of lost ones for it.
 * - duplicated: an echo whose message is neither out nor lost.
 * - reordered: an echo in time, after that of a message sent later. A gap alone is no reordering
 *   (RFC 4737, 3.3).
 * - mismatch: of another length, with wrong bytes, or of nothing ever sent there. If it names a
 *   message that is out, that one is done with; else the next one to expire on this connection is
 *   taken for it, so that no message counts twice.
 *
 * In a connection `sent` and `queued` count as for a stream; `received` is the end of the furthest
 * message echoed. */
#ifndef MUX_DATAGRAM_H
#define MUX_DATAGRAM_H

#include "loadgen/worker.h"

enum { LOAD_DATAGRAM_LEAST = 8, LOAD_DATAGRAM_MOST = 65507 /* RFC 768 over IPv4 */ };

struct load_datagrams;

/* What a message of the run takes in the stream of its connection. */
uint64_t load_message_bytes(const struct load_config *config);
/* Lost messages a closed loop of so many places remembers; the pool holds them besides. */
uint64_t load_datagrams_remembered(const struct load_config *config, uint64_t places);
/* For the worker's pool, which exists. Returns 0 or -ENOMEM. */
int load_datagrams_init(struct load_worker *worker);
void load_datagrams_free(struct load_worker *worker);

/* The engine sends payload_bytes of config from `to` on, filled with the first unsent message. */
void load_datagram_fill(const struct load_worker *worker, const struct load_connection *c,
                        void *to);
/* ... and has sent them. */
void load_datagram_sent(struct load_worker *worker, struct load_connection *c, int64_t now);
/* The network said no (ICMP): something sent before will have no echo. */
void load_datagram_refused(struct load_connection *c);
/* A datagram came. The engine flushes then. */
void load_datagram_received(struct load_worker *worker, struct load_connection *c, const void *data,
                            size_t n, int64_t now);
/* Is any message out, so that more echoes may come? */
static inline bool load_datagrams_out(const struct load_connection *c) {
  return c->head != c->unsent;
}
/* Gives up what is older than --timeout, and sends what may follow. */
void load_datagrams_expire(struct load_worker *worker, struct load_connection *c, int64_t now);
/* The message is taken back to the pool by other means. */
void load_datagram_forget(struct load_worker *worker, uint32_t i);

#endif
