/* connection.c: the life of a message, without any I/O: queued, sent, received and compared,
 * completed or lost. Everything is counted and recorded here. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/cli.h"
#include "common/clock.h"
#include "loadgen/datagram.h"
#include "loadgen/worker.h"

static void record(struct load_worker *w, enum load_kind kind, int64_t ns) {
  mux_hdr_record(w->interval->hdr[kind], ns);
}

void load_record_peaks(struct load_worker *w, int64_t now) {
  for (int i = 0; i < 2; i++) {
    if (w->peaks.most[i] >= 0)
      record(w, LOAD_RESPONSE_PEAK + (enum load_kind)i, w->peaks.most[i]);
    w->peaks.most[i] = -1;
  }
  w->peaks.end_ns = (now / MUX_HDR_PEAK_NS + 1) * MUX_HDR_PEAK_NS;
}

inline void load_record_time(struct load_worker *w, enum load_kind kind, int64_t ns, int64_t now) {
  record(w, kind, ns);
  if (now >= w->peaks.end_ns)
    load_record_peaks(w, now);
  if (ns > w->peaks.most[kind])
    w->peaks.most[kind] = ns;
}

static uint32_t pool_take(struct load_pool *pool) {
  uint32_t i = pool->free;
  if (i != LOAD_NONE) {
    pool->free = pool->at[i].next;
    return i;
  }
  /* It has room for the whole schedule (open loop) or depth (closed loop). */
  assert(pool->used < pool->capacity);
  return pool->used++;
}

inline void load_pool_give(struct load_pool *pool, uint32_t i) {
  pool->at[i].next = pool->free;
  pool->free = i;
}

/* The worker now tries to send this message; if that is later than intended, it slipped. In a
 * closed loop the intended time is the actual one; in crr a send begins with connecting. */
static void attempted(struct load_worker *w, const struct load_connection *c,
                      const struct load_message *m, int64_t now) {
  if (w->open_loop && load_in_window(w, m->intended_ns))
    record(w, LOAD_SLIP, (w->crr ? c->connect_ns : now) - m->intended_ns);
}

void load_connection_queue(struct load_worker *w, struct load_connection *c, int64_t intended,
                           int64_t now) {
  uint32_t i = pool_take(&w->pool);
  struct load_message *m = &w->pool.at[i];
  *m = (struct load_message){.intended_ns = intended, .next = LOAD_NONE, .prev = c->tail};
  if (c->head == LOAD_NONE) {
    c->head = i;
    c->head_end = c->queued + w->payload_bytes;
  } else {
    w->pool.at[c->tail].next = i;
  }
  c->tail = i;
  if (c->unsent == LOAD_NONE) {
    c->unsent = i;
    c->unsent_start = c->queued;
  }
  c->queued += w->payload_bytes;
  c->outstanding++;
  w->outstanding++;
  if (c->untried == LOAD_NONE)
    c->untried = i;
  if (c->blocked)
    load_connection_blocked(w, c, now);
}

void load_connection_sent(struct load_worker *w, struct load_connection *c, uint64_t n,
                          int64_t now) {
  c->sent += n;
  while (c->unsent != LOAD_NONE && c->unsent_start < c->sent) {
    struct load_message *m = &w->pool.at[c->unsent];
    if (!w->open_loop && !w->crr)
      m->intended_ns = now;
    bool counts = load_in_window(w, m->intended_ns);
    if (c->untried == c->unsent) {
      attempted(w, c, m, now);
      c->untried = m->next;
    } else if (counts) {
      record(w, LOAD_BACKPRESSURE, now + m->actual_ns);
    }
    m->actual_ns = now;
    w->count.sent += counts;
    if (load_in_window(w, now)) {
      w->count.sent_within++;
      c->asked = true;
    }
    c->unsent_start += w->payload_bytes;
    c->unsent = m->next;
  }
}

void load_connection_blocked(struct load_worker *w, struct load_connection *c, int64_t now) {
  c->blocked = true;
  while (c->untried != LOAD_NONE) {
    struct load_message *m = &w->pool.at[c->untried];
    attempted(w, c, m, now);
    m->actual_ns = -now;
    c->untried = m->next;
  }
}

inline void load_message_echoed(struct load_worker *w, struct load_connection *c,
                                const struct load_message *m, int64_t now) {
  w->use.echoes++;
  if (load_in_window(w, m->intended_ns)) {
    w->count.completed++;
    load_record_time(w, LOAD_RESPONSE, now - m->intended_ns, now);
    if (w->open_loop)
      load_record_time(w, LOAD_SERVICE, now - (w->crr ? c->connect_ns : m->actual_ns), now);
  }
  if (load_in_window(w, now)) {
    w->count.completed_within++;
    w->interval->completed++;
    c->served++;
  }
  c->held = true;
}

inline void load_message_settled(struct load_worker *w, struct load_connection *c) {
  c->outstanding--;
  if (--w->outstanding == 0 && w->stage == LOAD_DRAIN)
    load_worker_due(w, 0);
}

void load_message_drop(struct load_worker *w, struct load_connection *c) {
  uint32_t i = c->head;
  const struct load_message *m = &w->pool.at[i];
  c->head = m->next;
  if (w->datagrams != NULL && m->actual_ns > 0)
    load_datagram_forget(w, i);
  load_pool_give(&w->pool, i);
  c->outstanding--;
  w->outstanding--;
}

/* The head is echoed in full. */
static void complete(struct load_worker *w, struct load_connection *c, int64_t now) {
  uint32_t i = c->head;
  load_message_echoed(w, c, &w->pool.at[i], now);
  c->head = w->pool.at[i].next;
  c->head_end += w->payload_bytes;
  load_pool_give(&w->pool, i);
  load_message_settled(w, c);
}

static void tell_mismatch(struct load_worker *w, const struct load_connection *c, const void *data,
                          size_t n) {
  if (atomic_exchange(&w->shared->mismatch_told, true))
    return;
  char text[200];
  if (c->received + n > c->sent) {
    mux_note("load: connection %u got %llu bytes that it never sent, after offset %llu", c->id,
             (unsigned long long)(c->received + n - c->sent), (unsigned long long)c->sent);
    return;
  }
  uint32_t ids = load_numbers(w->config);
  struct mux_diagnosis what =
      mux_pattern_diagnose(&w->pattern, c->id, c->received, data, n, ids, UINT64_MAX);
  mux_note("load: wrong echo on connection %u: %s", c->id,
           mux_diagnosis_print(text, sizeof text, &what));
}

void load_connection_next(struct load_worker *w, struct load_connection *c, int64_t now) {
  if (now >= w->window.end_ns)
    return;
  if (w->crr)
    load_connect_request(w, c, now, now);
  else
    load_connection_queue(w, c, now, now);
}

inline void load_connection_go_on(struct load_worker *w, struct load_connection *c, int64_t now) {
  if (w->crr)
    load_connection_close(w, c);
  if (w->open_loop) {
    if (w->crr)
      load_live_add(w, c);
  } else if (w->config->think_ns == 0) {
    load_connection_next(w, c, now);
  } else {
    struct load_timers *t = &w->timers;
    assert(t->think_count < t->think_capacity);
    uint32_t slot = (t->think_head + t->think_count++) % t->think_capacity;
    t->thinkers[slot] = (struct load_thinker){.due_ns = now + w->config->think_ns,
                                              .index = (uint32_t)(c - w->connections)};
    load_worker_due(w, t->thinkers[t->think_head].due_ns);
  }
}

bool load_connection_received(struct load_worker *w, struct load_connection *c, const void *data,
                              size_t n, int64_t now) {
  if (n > c->sent - c->received ||
      mux_pattern_match(&w->pattern, c->id, c->received, data, n) != n) {
    tell_mismatch(w, c, data, n);
    load_connection_end(w, c, LOAD_ERR_MISMATCH, now);
    return false;
  }
  c->received += n;
  if (c->head == LOAD_NONE)
    load_proof_received(w, c);
  while (c->head != LOAD_NONE && c->received >= c->head_end) {
    complete(w, c, now);
    load_connection_go_on(w, c, now);
    if (w->crr)
      return false;
  }
  return true;
}

void load_connection_close(struct load_worker *w, struct load_connection *c) {
  if (c->state == LOAD_CLOSED)
    return;
  if (c->state == LOAD_CONNECTING)
    w->connecting.under_way--;
  c->state = LOAD_CLOSED;
  c->generation++;
  c->blocked = false;
  if (c->fd < 0) /* it waits for a place in the accept queue */
    return;
  if (w->config->linger0) {
    struct linger reset = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  w->engine->release(w, c);
  c->fd = -1;
}

void load_live_add(struct load_worker *w, struct load_connection *c) {
  if (c->live || c->silent || c->over)
    return;
  c->live = true;
  c->live_at = w->live.count;
  w->live.at[w->live.count++] = (uint32_t)(c - w->connections);
  if (w->crr && w->open_loop) /* a slot may be waiting for it */
    load_worker_due(w, 0);
}

void load_live_remove(struct load_worker *w, struct load_connection *c) {
  if (!c->live)
    return;
  c->live = false;
  uint32_t last = w->live.at[--w->live.count];
  w->live.at[c->live_at] = last;
  w->connections[last].live_at = c->live_at;
}

void load_connection_end(struct load_worker *w, struct load_connection *c, enum load_error error,
                         int64_t now) {
  uint64_t lost = 0;
  while (c->head != LOAD_NONE) {
    const struct load_message *m = &w->pool.at[c->head];
    bool sent = m->actual_ns > 0;
    bool counts = (sent || w->open_loop) && load_in_window(w, m->intended_ns);
    lost += counts && sent;
    w->count.unsent += counts && !sent;
    if (counts && (error == LOAD_ERR_TIMEOUT || !sent)) /* a lower bound */
      load_record_time(w, LOAD_RESPONSE, now - m->intended_ns, now);
    load_message_drop(w, c);
  }
  c->unsent = c->untried = LOAD_NONE;
  /* If it is made again (crr), its stream continues after what was lost. */
  c->sent = c->received = c->queued;
  w->count.errors[error] += lost > 0 ? lost : 1;
  w->count.lost += c->state == LOAD_OPEN;
  c->retry = w->crr && c->ever && !c->silent;
  c->over = !c->retry;
  load_live_remove(w, c);
  load_proof_end(w, c);
  load_connection_close(w, c);
  load_worker_due(w, 0);
}

void load_connection_abandon(struct load_worker *w, struct load_connection *c) {
  while (c->head != LOAD_NONE) {
    uint32_t i = c->head;
    c->head = w->pool.at[i].next;
    if (w->datagrams != NULL && w->pool.at[i].actual_ns > 0)
      load_datagram_forget(w, i);
    load_pool_give(&w->pool, i);
  }
  w->outstanding -= c->outstanding;
  c->outstanding = 0;
  c->unsent = c->untried = LOAD_NONE;
  c->sent = c->received = c->queued;
  c->over = !w->crr;
  load_live_remove(w, c);
  load_connection_close(w, c);
}

void load_connection_lost(struct load_worker *w, struct load_connection *c, int error) {
  enum load_error kind = error == 0           ? LOAD_ERR_CLOSED
                         : error == ETIMEDOUT ? LOAD_ERR_TIMEOUT
                                              : LOAD_ERR_RESET;
  load_connection_end(w, c, kind, mux_now_ns());
}
