/* proof.c: proof of life. The kernel establishes connections; the server may never accept them, or
 * accept and not serve them. A connection is held if the server has echoed something on it. One
 * that was never used, because it is silent (--idle) or the schedule did not come to it, is sent
 * one byte after the run, when nothing is measured any more; if that is echoed, the connection was
 * held all the time. Streams only: a lost datagram would prove nothing. */
#include "common/clock.h"
#include "loadgen/worker.h"

/* All are asked at once. */
enum { PER_CONNECTION_NS = 100 * 1000 };

/* Nothing was ever sent on it. */
static bool never_asked(const struct load_connection *c) {
  return c->state == LOAD_OPEN && !c->held && c->sent == c->received;
}

void load_proof_begin(struct load_worker *w, int64_t now) {
  load_worker_enter(w, LOAD_PROOF);
  for (uint32_t i = 0; i < w->total && w->datagrams == NULL; i++) {
    struct load_connection *c = &w->connections[i];
    if (!never_asked(c))
      continue;
    c->proving = true;
    w->proof.out++;
    c->queued++; /* the next byte of its stream; it belongs to no message */
    w->engine->flush(w, c, now);
  }
  w->proof.end_ns = mux_now_ns() + w->config->timeout_ns + w->proof.out * PER_CONNECTION_NS;
}

void load_proof_received(struct load_worker *w, struct load_connection *c) {
  if (!c->proving)
    return;
  c->held = true;
  load_proof_end(w, c);
}

void load_proof_end(struct load_worker *w, struct load_connection *c) {
  if (!c->proving)
    return;
  c->proving = false;
  if (--w->proof.out == 0)
    load_worker_due(w, 0);
}
