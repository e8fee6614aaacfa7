/* datagram.c: see datagram.h. */
#include "loadgen/datagram.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/cli.h"

enum { REMEMBERED_MOST = 1 << 20, BUCKET_BITS_LEAST = 4, BUCKET_BITS_MOST = 20 };

struct entry { /* of the message with the same index in the pool, while that is out or lost */
  uint64_t offset;
  uint32_t chain; /* the next in the bucket, plus 1; 0: none */
  uint32_t connection;
  bool lost;
};

struct load_datagrams {
  struct entry *entries;
  uint32_t *buckets; /* index plus 1; 0: none */
  int shift;         /* 64 − log2(number of buckets) */
  size_t bytes;      /* of a datagram */
  int64_t timeout_ns;
  /* Lost messages, oldest loss first. */
  uint32_t lost_head, lost_tail, lost_count, lost_most;
};

uint64_t load_message_bytes(const struct load_config *config) {
  uint64_t bytes = (uint64_t)config->payload_bytes;
  return config->target.kind == MUX_ADDR_UDP ? (bytes + 7) & ~UINT64_C(7) : bytes;
}

uint64_t load_datagrams_remembered(const struct load_config *config, uint64_t places) {
  int64_t total_ns = config->warmup_ns + config->duration_ns;
  uint64_t losses = places * (uint64_t)(total_ns / config->timeout_ns + 2);
  return losses < REMEMBERED_MOST ? losses : REMEMBERED_MOST;
}

int load_datagrams_init(struct load_worker *w) {
  const struct load_config *config = w->config;
  struct load_datagrams *d = calloc(1, sizeof *d);
  if (d == NULL)
    return -ENOMEM;
  w->datagrams = d;
  int bits = BUCKET_BITS_LEAST;
  while (bits < BUCKET_BITS_MOST && UINT64_C(1) << bits < w->pool.capacity)
    bits++;
  *d = (struct load_datagrams){
      .entries = load_reserve(w->pool.capacity * sizeof *d->entries),
      .buckets = calloc((size_t)1 << bits, sizeof *d->buckets),
      .shift = 64 - bits,
      .bytes = (size_t)config->payload_bytes,
      .timeout_ns = config->timeout_ns,
      .lost_head = LOAD_NONE,
      .lost_tail = LOAD_NONE,
      /* The pool of an open loop has room for every message: none need be forgotten. */
      .lost_most = w->open_loop ? UINT32_MAX
                                : (uint32_t)load_datagrams_remembered(
                                      config, (uint64_t)w->active * (uint64_t)config->depth),
  };
  return d->entries != NULL && d->buckets != NULL ? 0 : -ENOMEM;
}

void load_datagrams_free(struct load_worker *w) {
  struct load_datagrams *d = w->datagrams;
  if (d == NULL)
    return;
  if (d->entries != NULL)
    munmap(d->entries, w->pool.capacity * sizeof *d->entries);
  free(d->buckets);
  free(d);
  w->datagrams = NULL;
}

/* ---- The table ------------------------------------------------------------------------------ */

/* Multiplicative hashing (Knuth, TAOCP 3, 6.4). */
static uint32_t *bucket_of(const struct load_datagrams *d, uint32_t connection, uint64_t offset) {
  uint64_t key = (uint64_t)connection << 40 ^ offset >> 3;
  return &d->buckets[key * UINT64_C(0x9e3779b97f4a7c15) >> d->shift];
}

static void enter(struct load_datagrams *d, uint32_t i, uint32_t connection, uint64_t offset) {
  uint32_t *bucket = bucket_of(d, connection, offset);
  d->entries[i] = (struct entry){.offset = offset, .connection = connection, .chain = *bucket};
  *bucket = i + 1;
}

static uint32_t find(const struct load_datagrams *d, uint32_t connection, uint64_t offset) {
  uint32_t next = *bucket_of(d, connection, offset);
  while (next != 0) {
    const struct entry *entry = &d->entries[next - 1];
    if (entry->offset == offset && entry->connection == connection)
      return next - 1;
    next = entry->chain;
  }
  return LOAD_NONE;
}

void load_datagram_forget(struct load_worker *w, uint32_t i) {
  struct load_datagrams *d = w->datagrams;
  uint32_t *link = bucket_of(d, d->entries[i].connection, d->entries[i].offset);
  while (*link != i + 1)
    link = &d->entries[*link - 1].chain;
  *link = d->entries[i].chain;
}

/* Takes message i out of a list. */
static void unlink_message(struct load_message *at, uint32_t *head, uint32_t *tail, uint32_t i) {
  uint32_t next = at[i].next;
  uint32_t prev = *head == i ? LOAD_NONE : at[i].prev;
  *(prev == LOAD_NONE ? head : &at[prev].next) = next;
  if (next == LOAD_NONE)
    *tail = prev;
  else
    at[next].prev = prev;
}

/* ---- Fates of a message --------------------------------------------------------------------- */

static uint32_t index_of(const struct load_worker *w, const struct load_connection *c) {
  return (uint32_t)(c - w->connections);
}

static void take_out(struct load_worker *w, struct load_connection *c, uint32_t i) {
  unlink_message(w->pool.at, &c->head, &c->tail, i);
  load_message_settled(w, c);
}

/* Its echo has come, right or wrong: its place is free. */
static void finish(struct load_worker *w, struct load_connection *c, uint32_t i, int64_t now) {
  take_out(w, c, i);
  load_datagram_forget(w, i);
  load_pool_give(&w->pool, i);
  load_connection_go_on(w, c, now);
}

/* Forgets a lost one. */
static void drop_lost(struct load_worker *w, uint32_t i) {
  struct load_datagrams *d = w->datagrams;
  unlink_message(w->pool.at, &d->lost_head, &d->lost_tail, i);
  d->lost_count--;
  load_datagram_forget(w, i);
  load_pool_give(&w->pool, i);
}

static void remember_lost(struct load_worker *w, uint32_t i) {
  struct load_datagrams *d = w->datagrams;
  if (d->lost_count == d->lost_most)
    drop_lost(w, d->lost_head);
  w->pool.at[i].next = LOAD_NONE;
  w->pool.at[i].prev = d->lost_tail;
  *(d->lost_head == LOAD_NONE ? &d->lost_head : &w->pool.at[d->lost_tail].next) = i;
  d->lost_tail = i;
  d->lost_count++;
  d->entries[i].lost = true;
}

/* How much of [from, to] lies in the window. */
static int64_t part_in_window(const struct load_worker *w, int64_t from, int64_t to) {
  int64_t end = w->window.start_ns + (int64_t)w->window.length_ns;
  from = from > w->window.start_ns ? from : w->window.start_ns;
  to = to < end ? to : end;
  return to > from ? to - from : 0;
}

static void lose(struct load_worker *w, struct load_connection *c, uint32_t i, int64_t now) {
  const struct load_message *m = &w->pool.at[i];
  w->count.datagrams.waited_ns += part_in_window(w, m->actual_ns, now);
  if (c->wrong > 0) {
    c->wrong--;
  } else if (load_in_window(w, m->intended_ns)) {
    w->count.errors[c->refused ? LOAD_ERR_RESET : LOAD_ERR_TIMEOUT]++;
    w->count.datagrams.lost++;
  }
  take_out(w, c, i);
  remember_lost(w, i);
  load_connection_go_on(w, c, now);
}

void load_datagrams_expire(struct load_worker *w, struct load_connection *c, int64_t now) {
  /* Messages out are in the order of sending. */
  while (load_datagrams_out(c) && now - w->pool.at[c->head].actual_ns >= w->datagrams->timeout_ns)
    lose(w, c, c->head, now);
  if (c->state == LOAD_OPEN && !c->blocked && c->sent < c->queued)
    w->engine->flush(w, c, now);
}

/* ---- Sending and receiving ------------------------------------------------------------------ */

void load_datagram_fill(const struct load_worker *w, const struct load_connection *c, void *to) {
  mux_pattern_fill(&w->pattern, c->id, c->sent, to, w->datagrams->bytes);
}

void load_datagram_sent(struct load_worker *w, struct load_connection *c, int64_t now) {
  assert(c->unsent != LOAD_NONE);
  enter(w->datagrams, c->unsent, index_of(w, c), c->sent);
  load_connection_sent(w, c, w->payload_bytes, now);
}

void load_datagram_refused(struct load_connection *c) {
  c->refused = true;
}

static void tell_mismatch(struct load_worker *w, const struct load_connection *c, uint32_t i,
                          const void *data, size_t n) {
  size_t bytes = w->datagrams->bytes;
  if (i == LOAD_NONE && load_datagrams_out(c))
    i = c->head; /* the likely one */
  uint64_t offset = i != LOAD_NONE ? w->datagrams->entries[i].offset : c->sent;
  char text[200];
  if (atomic_exchange(&w->shared->mismatch_told, true))
    return;
  if (n != bytes) {
    mux_note("load: connection %u got a datagram of %zu bytes, its messages have %zu", c->id, n,
             bytes);
    return;
  }
  uint32_t ids = load_numbers(w->config);
  struct mux_diagnosis what =
      mux_pattern_diagnose(&w->pattern, c->id, offset, data, n, ids, UINT64_MAX);
  mux_note("load: wrong datagram on connection %u: %s", c->id,
           mux_diagnosis_print(text, sizeof text, &what));
}

/* It names message i, if `named`; LOAD_NONE: one that is neither out nor remembered. */
static void mismatch(struct load_worker *w, struct load_connection *c, bool named, uint32_t i,
                     int64_t now) {
  w->count.errors[LOAD_ERR_MISMATCH]++;
  if (!named)
    c->wrong++;
  else if (i != LOAD_NONE && !w->datagrams->entries[i].lost)
    finish(w, c, i, now);
}

/* Reads the place in this connection's stream that a datagram names. False: nothing sent there. */
static bool read_offset(const struct load_worker *w, const struct load_connection *c,
                        const void *data, size_t n, uint64_t *offset) {
  if (n < LOAD_DATAGRAM_LEAST)
    return false;
  struct mux_pattern_place place = mux_pattern_place(&w->pattern, data);
  /* Places repeat after MUX_PATTERN_BYTES: take the last one before what is sent next. */
  uint64_t back = (c->sent - place.offset) & (MUX_PATTERN_BYTES - 1);
  *offset = c->sent - back;
  return place.connection == c->id && back != 0 && back <= c->sent;
}

void load_datagram_received(struct load_worker *w, struct load_connection *c, const void *data,
                            size_t n, int64_t now) {
  struct load_datagrams *d = w->datagrams;
  uint64_t offset = 0;
  if (w->stage != LOAD_TRAFFIC && w->stage != LOAD_DRAIN) /* nothing is counted */
    return;
  bool named = read_offset(w, c, data, n, &offset);
  uint32_t i = named ? find(d, index_of(w, c), offset) : LOAD_NONE;
  named = named && (i != LOAD_NONE || offset % w->payload_bytes == 0);
  if (!named || n != d->bytes || mux_pattern_match(&w->pattern, c->id, offset, data, n) != n) {
    tell_mismatch(w, c, i, data, n);
    mismatch(w, c, named, i, now);
    return;
  }
  c->refused = false;
  if (i == LOAD_NONE) {
    w->count.datagrams.duplicated += w->window.length_ns > 0 && now >= w->window.start_ns;
    return;
  }
  const struct load_message *m = &w->pool.at[i];
  bool counts = load_in_window(w, m->intended_ns);
  if (!d->entries[i].lost && now - m->actual_ns >= d->timeout_ns)
    lose(w, c, i, now); /* expired, and no sweep has noticed */
  if (d->entries[i].lost) {
    w->count.datagrams.late += counts;
    drop_lost(w, i);
    return;
  }
  load_message_echoed(w, c, m, now);
  w->count.datagrams.reordered += counts && offset < c->received;
  if (offset >= c->received)
    c->received = offset + w->payload_bytes;
  finish(w, c, i, now);
}
