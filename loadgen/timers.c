/* timers.c: what a worker does by the clock: slots of the schedule, think times, timeouts, ends
 * of intervals, edges of the window; and its stages. See worker.h. */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/datagram.h"
#include "loadgen/worker.h"

enum {
  /* Slots sent before events are handled again. A late worker sends those of a connection together.
   */
  DISPATCH_SLOTS = 2048,
  DISPATCH_TOUCHED = 128,  /* ... and their connections */
  SWEEPS = 64,             /* a sweep looks at 1/64 of the connections */
  SWEEPS_PER_TIMEOUT = 512 /* and so at each eight times per --timeout */
};

static int64_t min_time(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void poke(int fd) {
  uint64_t one = 1;
  ssize_t written = write(fd, &one, sizeof one);
  (void)written; /* if the counter is full, it is readable anyway */
}

void load_worker_wake(struct load_worker *w) {
  poke(w->wake_fd);
}

void load_worker_enter(struct load_worker *w, enum load_stage stage) {
  w->stage = stage;
  atomic_store(&w->told.stage, (int)stage);
  load_worker_due(w, 0);
  poke(w->shared->poke_fd);
}

uint64_t load_worker_errors(const struct load_worker *w) {
  uint64_t sum = 0;
  for (int i = 0; i < LOAD_ERRORS; i++)
    sum += w->count.errors[i];
  return sum;
}

/* Ends the interval at `edge` and hands it to the coordinator. If that has not returned the other
 * one yet, the interval continues. Returns whether it has ended. */
static bool swap_interval(struct load_worker *w, int64_t edge, enum load_part part) {
  struct load_interval *spare = atomic_exchange(&w->told.spare, NULL);
  if (spare == NULL)
    return false;
  if (part == LOAD_AFTER)
    load_record_peaks(w, edge);
  uint64_t errors = load_worker_errors(w);
  w->interval->errors = errors - w->timers.errors_told;
  w->timers.errors_told = errors;
  w->interval->end_ns = edge;
  w->interval->part = part;
  spare->start_ns = edge;
  atomic_store(&w->told.filled, w->interval);
  w->interval = spare;
  poke(w->shared->poke_fd);
  return true;
}

/* Queues the slots that are due, then sends: late ones of a connection go out together. Returns
 * when the next slot is due. */
static int64_t dispatch(struct load_worker *w, int64_t now) {
  struct load_connection *touched[DISPATCH_TOUCHED];
  int count = 0;
  int slots = 0;
  int64_t end = w->window.end_ns;
  struct load_schedule *schedule = &w->timers.schedule;
  while (schedule->next_ns <= now && schedule->next_ns < end && w->live.count > 0 &&
         count < DISPATCH_TOUCHED && slots++ < DISPATCH_SLOTS) {
    int64_t slot = schedule->next_ns;
    load_schedule_advance(schedule);
    w->timers.offered += load_in_window(w, slot);
    if (w->live.next >= w->live.count)
      w->live.next = 0;
    struct load_connection *c = &w->connections[w->live.at[w->live.next++]];
    if (w->crr) {
      load_connect_request(w, c, slot, now);
      continue;
    }
    load_connection_queue(w, c, slot, now);
    if (!c->blocked && !c->flushing) {
      c->flushing = true;
      touched[count++] = c;
    }
  }
  for (int i = 0; i < count; i++) {
    touched[i]->flushing = false;
    if (touched[i]->state == LOAD_OPEN && !touched[i]->blocked)
      w->engine->flush(w, touched[i], mux_now_ns());
  }
  /* A slot without a free connection waits for one: load_live_add makes the timer due. */
  return schedule->next_ns < end && w->live.count > 0 ? schedule->next_ns : INT64_MAX;
}

static int64_t think(struct load_worker *w, int64_t now) {
  struct load_timers *t = &w->timers;
  while (t->think_count > 0 && t->thinkers[t->think_head].due_ns <= now) {
    struct load_connection *c = &w->connections[t->thinkers[t->think_head].index];
    t->think_head = (t->think_head + 1) % t->think_capacity;
    t->think_count--;
    if (c->over)
      continue;
    load_connection_next(w, c, now);
    now = mux_now_ns();
    if (c->state == LOAD_OPEN && !c->blocked)
      w->engine->flush(w, c, now);
  }
  return t->think_count > 0 ? t->thinkers[t->think_head].due_ns : INT64_MAX;
}

static void look_at(struct load_worker *w, struct load_connection *c, int64_t now) {
  int64_t since = now;
  if (c->state == LOAD_CONNECTING) {
    since = c->connect_ns;
  } else if (c->head != LOAD_NONE) {
    int64_t actual = w->pool.at[c->head].actual_ns;
    since = actual > 0 ? actual : actual < 0 ? -actual : now;
  } else if (c->retry) {
    c->retry = false;
    if (w->open_loop)
      load_live_add(w, c);
    else
      load_connection_next(w, c, now);
  }
  if (now - since < w->config->timeout_ns)
    return;
  bool connecting = c->state == LOAD_CONNECTING;
  if (!connecting && w->datagrams != NULL) {
    load_datagrams_expire(w, c, now);
    return;
  }
  if (connecting && w->connecting.error == 0)
    w->connecting.error = c->fd < 0 ? EAGAIN : ETIMEDOUT;
  load_connection_end(w, c, connecting ? LOAD_ERR_CONNECT : LOAD_ERR_TIMEOUT, now);
}

/* Searches some of the connections for timeouts. */
static int64_t sweep(struct load_worker *w, int64_t now) {
  struct load_timers *t = &w->timers;
  if (w->total == 0)
    return INT64_MAX;
  if (now < t->sweep_ns)
    return t->sweep_ns;
  for (uint32_t n = w->total / SWEEPS + 1; n > 0; n--) {
    look_at(w, &w->connections[t->sweep_at], now);
    t->sweep_at = (t->sweep_at + 1) % w->total;
  }
  t->sweep_ns = now + w->config->timeout_ns / SWEEPS_PER_TIMEOUT + MUX_MS;
  return t->sweep_ns;
}

/* An interrupted window ends now, not when it was interrupted: messages have been counted since. */
static void look_for_stop(struct load_worker *w) {
  int64_t stop = atomic_load(&w->shared->stop_ns);
  if (stop == INT64_MAX)
    return;
  int64_t noticed = mux_now_ns();
  stop = stop > noticed ? stop : noticed;
  if (stop < w->window.end_ns) {
    w->window.end_ns = stop;
    if (w->slice.order.record)
      w->window.length_ns = stop > w->window.start_ns ? (uint64_t)(stop - w->window.start_ns) : 0;
  }
}

/* Intervals end at fixed times, counted from the start of the window. Returns the next edge. */
static int64_t edges(struct load_worker *w, int64_t now) {
  struct load_timers *t = &w->timers;
  look_for_stop(w);
  int64_t end = w->window.end_ns;
  if (now >= w->window.start_ns && !w->window.open)
    load_window_open(w);
  int64_t edge = 0;
  while (t->interval_end_ns <= now && t->interval_end_ns <= end) {
    edge = t->interval_end_ns;
    /* The last one ends with the window. */
    t->interval_end_ns = edge == end ? INT64_MAX : min_time(edge + w->config->interval_ns, end);
  }
  if (edge != 0)
    swap_interval(w, edge, edge == w->window.start_ns ? LOAD_BEFORE : LOAD_WITHIN);
  if (now >= end && w->stage == LOAD_TRAFFIC) {
    if (w->window.open)
      load_window_close(w);
    t->drain_end_ns = end + w->config->timeout_ns;
    if (w->datagrams != NULL) /* echoed or lost by then; late slots take longer */
      t->drain_end_ns += w->config->timeout_ns;
    load_worker_enter(w, LOAD_DRAIN);
  }
  int64_t next = w->stage == LOAD_TRAFFIC ? end : t->drain_end_ns;
  return min_time(next, w->window.open ? t->interval_end_ns : w->window.start_ns);
}

/* Is there nothing left to send or to await? */
static bool finished(const struct load_worker *w, int64_t now) {
  bool slots_left = w->open_loop && w->timers.schedule.next_ns < w->window.end_ns;
  bool anybody = false;
  if (w->crr) /* its connections come and go */
    for (uint32_t i = 0; i < w->active && !anybody; i++)
      anybody = !w->connections[i].over;
  else
    anybody = w->live.count > 0;
  if (!anybody)
    return true;
  if (w->stage != LOAD_DRAIN)
    return false;
  return now >= w->timers.drain_end_ns ||
         (w->outstanding == 0 && w->connecting.under_way == 0 && !slots_left);
}

static int64_t traffic_tick(struct load_worker *w, int64_t now) {
  int64_t next = edges(w, now);
  if (w->open_loop)
    next = min_time(next, dispatch(w, now));
  else
    next = min_time(next, min_time(load_slice_start_connections(w, now), think(w, now)));
  if (finished(w, now)) {
    if (w->window.open && !w->window.closed)
      load_window_close(w);
    load_worker_settle(w, now);
    load_worker_enter(w, LOAD_SETTLED);
  }
  atomic_store_explicit(&w->told.completed, w->count.completed_within, memory_order_relaxed);
  return next;
}

static int64_t ready_tick(struct load_worker *w, int64_t now) {
  uint32_t number = atomic_load(&w->shared->slice_number);
  if (number != w->slices) {
    w->slice = w->shared->slice;
    if (now >= w->slice.start_ns)
      load_slice_begin(w, number);
    return w->slice.start_ns;
  }
  if (atomic_load(&w->shared->allowed) >= LOAD_PROOF)
    load_proof_begin(w, now);
  return INT64_MAX;
}

/* Does the work of the stage, and enters the next one when it is done: that has its tick at once.
 * Returns when it wants its next tick. */
static int64_t stage_tick(struct load_worker *w, int64_t now) {
  switch (w->stage) {
  case LOAD_CONNECTS: {
    int64_t next = load_connect_more(w, now);
    atomic_store_explicit(&w->told.established, w->connecting.established, memory_order_relaxed);
    if (w->connecting.next == w->total && w->connecting.under_way == 0)
      load_worker_enter(w, LOAD_READY);
    return next;
  }
  case LOAD_READY:
    return ready_tick(w, now);
  case LOAD_TRAFFIC:
  case LOAD_DRAIN:
    return traffic_tick(w, now);
  case LOAD_SETTLED:
    if (!swap_interval(w, now, LOAD_AFTER))
      return now + MUX_MS / 10; /* the coordinator has the other one */
    atomic_store(&w->told.slices, w->slices);
    load_worker_enter(w, LOAD_READY);
    return INT64_MAX;
  case LOAD_PROOF:
    if (w->proof.out == 0 || now >= w->proof.end_ns)
      load_worker_enter(w, LOAD_PROVED);
    return w->proof.end_ns;
  default:
    return INT64_MAX;
  }
}

void load_worker_tick(struct load_worker *w, int64_t now) {
  w->timer_ns = INT64_MAX; /* what happens below may make it due earlier */
  int64_t next = stage_tick(w, now);
  if (w->connecting.refused_count > 0)
    next = min_time(next, load_connect_refused(w, now));
  next = min_time(next, sweep(w, now));
  if (atomic_load(&w->shared->allowed) == LOAD_DONE && w->stage != LOAD_DONE)
    load_worker_stop(w, now);
  load_worker_due(w, next);
}
