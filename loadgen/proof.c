/* proof.c: proof of life. That a connection is established is the word of the kernel alone: the
 * server may never accept it, or accept and not serve it. It is held if the server has echoed
 * something on it. A connection that was never asked, as it is silent (--idle) or as the schedule
 * has not come to it, is asked for a byte when the run is over: nothing that is measured can see
 * that, and what answers then has been there all the time. Streams only: a datagram that is lost
 * would prove nothing. */
#include "loadgen/worker.h"

/* Nothing is out on it, and nothing has ever come back. */
static bool never_asked(const struct load_connection *c) {
  return c->state == LOAD_OPEN && !c->held && c->sent == c->received;
}

void load_proof_begin(struct load_worker *w, int64_t now) {
  w->proof.end_ns = now + w->config->timeout_ns;
  load_worker_enter(w, LOAD_PROOF);
  for (uint32_t i = 0; i < w->total && w->datagrams == NULL; i++) {
    struct load_connection *c = &w->connections[i];
    if (!never_asked(c))
      continue;
    c->proving = true;
    w->proof.out++;
    c->queued++; /* the next byte of its stream, of no message */
    w->engine->flush(w, c, now);
  }
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
