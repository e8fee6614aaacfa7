/* timers.c: what a worker does because its time has come: slots of the schedule, thinking times,
 * timeouts, ends of intervals, the edges of the window. See worker.h. */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/datagram.h"
#include "loadgen/worker.h"

enum {
  /* Sent before events are looked at again. Slots of a late worker go out together, by connection.
   */
  DISPATCH_SLOTS = 2048,
  DISPATCH_TOUCHED = 128,  /* ... to so many connections at most */
  SWEEPS = 64,             /* a sweep looks at 1/64 of the connections, */
  SWEEPS_PER_TIMEOUT = 512 /* so that all are seen eight times per --timeout */
};

static int64_t min_time(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void poke(int fd) {
  uint64_t one = 1;
  ssize_t written = write(fd, &one, sizeof one);
  (void)written; /* full: it is readable anyway */
}

void load_worker_wake(struct load_worker *w) {
  poke(w->wake_fd);
}

void load_worker_enter(struct load_worker *w, enum load_stage stage) {
  w->stage = stage;
  atomic_store(&w->told_stage, (int)stage);
  poke(w->shared->poke_fd);
}

uint64_t load_worker_errors(const struct load_worker *w) {
  uint64_t sum = 0;
  for (int i = 0; i < LOAD_ERRORS; i++)
    sum += w->count.errors[i];
  return sum;
}

/* Ends the interval at `edge` and hands it to the coordinator; if that has not given back the other
 * one yet, the interval goes on. */
static void swap_interval(struct load_worker *w, int64_t edge) {
  struct load_interval *spare = atomic_exchange(&w->spare, NULL);
  if (spare == NULL)
    return;
  uint64_t errors = load_worker_errors(w);
  w->interval->errors = errors - w->errors_told;
  w->errors_told = errors;
  w->interval->end_ns = edge;
  spare->start_ns = edge;
  atomic_store(&w->filled, w->interval);
  w->interval = spare;
  poke(w->shared->poke_fd);
}

static void begin_traffic(struct load_worker *w, int64_t start, int64_t now) {
  const struct load_config *config = w->config;
  w->window_start_ns = start + config->warmup_ns;
  w->window_ns = (uint64_t)config->duration_ns;
  w->traffic_end_ns = w->window_start_ns + config->duration_ns;
  w->drain_end_ns = INT64_MAX;
  w->interval_end_ns = w->window_start_ns;
  load_worker_enter(w, LOAD_TRAFFIC);
  if (w->open_loop) {
    load_schedule_init(&w->schedule, config->arrival, config->rate_per_s, start, w->index,
                       w->threads, config->seed);
    return;
  }
  /* In crr every request takes its connection out of the list. */
  for (uint32_t n = w->live_count; n > 0; n--) {
    struct load_connection *c = &w->connections[w->live[n - 1]];
    for (int i = 0; i < (w->crr ? 1 : config->depth); i++)
      load_connection_next(w, c, now);
    now = mux_now_ns();
    if (c->state == LOAD_OPEN)
      w->engine->flush(w, c, now);
  }
}

/* Queues the slots that are due, then sends: late ones of a connection go out together. Returns
 * when the next is due. */
static int64_t dispatch(struct load_worker *w, int64_t now) {
  struct load_connection *touched[DISPATCH_TOUCHED];
  int count = 0;
  int slots = 0;
  int64_t end = w->traffic_end_ns;
  while (w->schedule.next_ns <= now && w->schedule.next_ns < end && w->live_count > 0 &&
         count < DISPATCH_TOUCHED && slots++ < DISPATCH_SLOTS) {
    int64_t slot = w->schedule.next_ns;
    load_schedule_advance(&w->schedule);
    w->offered += load_in_window(w, slot);
    if (w->live_at >= w->live_count)
      w->live_at = 0;
    struct load_connection *c = &w->connections[w->live[w->live_at++]];
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
  /* Without a free connection a slot waits for one: load_live_add makes the timer due. */
  return w->schedule.next_ns < end && w->live_count > 0 ? w->schedule.next_ns : INT64_MAX;
}

static int64_t think(struct load_worker *w, int64_t now) {
  while (w->think_count > 0 && w->thinkers[w->think_head].due_ns <= now) {
    struct load_connection *c = &w->connections[w->thinkers[w->think_head].index];
    w->think_head = (w->think_head + 1) % w->think_capacity;
    w->think_count--;
    if (c->over)
      continue;
    load_connection_next(w, c, now);
    now = mux_now_ns();
    if (c->state == LOAD_OPEN && !c->blocked)
      w->engine->flush(w, c, now);
  }
  return w->think_count > 0 ? w->thinkers[w->think_head].due_ns : INT64_MAX;
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
  if (connecting && w->connect_errno == 0)
    w->connect_errno = c->fd < 0 ? EAGAIN : ETIMEDOUT;
  load_connection_end(w, c, connecting ? LOAD_ERR_CONNECT : LOAD_ERR_TIMEOUT, now);
}

/* Looks at some connections for timeouts; all have been seen when a part of --timeout is over. */
static int64_t sweep(struct load_worker *w, int64_t now) {
  if (now < w->sweep_ns || w->total == 0)
    return w->total == 0 ? INT64_MAX : w->sweep_ns;
  for (uint32_t n = w->total / SWEEPS + 1; n > 0; n--) {
    look_at(w, &w->connections[w->sweep_at], now);
    w->sweep_at = (w->sweep_at + 1) % w->total;
  }
  w->sweep_ns = now + w->config->timeout_ns / SWEEPS_PER_TIMEOUT + MUX_MS;
  return w->sweep_ns;
}

/* The edges of the window: what is counted per window begins and ends. */
static void open_window(struct load_worker *w, int64_t now) {
  w->window_open = true;
  w->count.waits = w->count.events = w->count.calls = 0;
  w->spin_ns = 0;
  for (uint32_t i = 0; i < w->active; i++)
    w->connections[i].asked = w->connections[i].head != LOAD_NONE;
  w->wall_start_ns = now;
  w->cpu_start_ns = mux_thread_cpu_ns();
  w->process_cpu_ns = -mux_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void close_window(struct load_worker *w, int64_t now) {
  w->window_closed = true;
  w->at_close = w->count;
  w->wall_end_ns = now;
  w->cpu_end_ns = mux_thread_cpu_ns();
  w->process_cpu_ns += mux_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Intervals end at fixed edges from the start of the window on. Returns the next edge. */
static int64_t edges(struct load_worker *w, int64_t now) {
  int64_t stop = atomic_load(&w->shared->stop_ns);
  if (stop != INT64_MAX) { /* not before what has been sent and counted in the meantime */
    int64_t noticed = mux_now_ns();
    stop = stop > noticed ? stop : noticed;
  }
  if (stop < w->traffic_end_ns) {
    w->traffic_end_ns = stop;
    w->window_ns = stop > w->window_start_ns ? (uint64_t)(stop - w->window_start_ns) : 0;
  }
  if (now >= w->window_start_ns && !w->window_open)
    open_window(w, now);
  int64_t edge = 0;
  while (w->interval_end_ns <= now && w->interval_end_ns <= w->traffic_end_ns) {
    edge = w->interval_end_ns;
    int64_t next = edge + w->config->interval_ns;
    /* The last one ends with the window, and no other begins there. */
    w->interval_end_ns = edge == w->traffic_end_ns ? INT64_MAX : min_time(next, w->traffic_end_ns);
  }
  if (edge != 0)
    swap_interval(w, edge);
  if (now >= w->traffic_end_ns && w->stage == LOAD_TRAFFIC) {
    if (w->window_open)
      close_window(w, now);
    w->drain_end_ns = w->traffic_end_ns + w->config->timeout_ns;
    if (w->datagrams != NULL) /* each is echoed or lost within that time, late slots a bit later */
      w->drain_end_ns += w->config->timeout_ns;
    load_worker_enter(w, LOAD_DRAIN);
  }
  int64_t next = w->stage == LOAD_TRAFFIC ? w->traffic_end_ns : w->drain_end_ns;
  return min_time(next, w->window_open ? w->interval_end_ns : w->window_start_ns);
}

/* True when nothing is left to do. */
static bool finished(const struct load_worker *w, int64_t now) {
  bool slots_left = w->open_loop && w->schedule.next_ns < w->traffic_end_ns;
  bool anybody = false;
  if (w->crr) /* its connections come and go */
    for (uint32_t i = 0; i < w->active && !anybody; i++)
      anybody = !w->connections[i].over;
  else
    anybody = w->live_count > 0;
  if (!anybody)
    return true;
  if (w->stage != LOAD_DRAIN)
    return false;
  return now >= w->drain_end_ns || (w->outstanding == 0 && w->connecting == 0 && !slots_left);
}

static int64_t traffic_tick(struct load_worker *w, int64_t now) {
  int64_t next = edges(w, now);
  if (w->open_loop)
    next = min_time(next, dispatch(w, now));
  else
    next = min_time(next, think(w, now));
  if (finished(w, now)) {
    if (w->window_open && !w->window_closed)
      close_window(w, now);
    load_worker_settle(w, now);
    load_worker_enter(w, LOAD_DRAINED);
  }
  atomic_store_explicit(&w->told_completed, w->count.completed_within, memory_order_relaxed);
  return next;
}

void load_worker_tick(struct load_worker *w, int64_t now) {
  int64_t next = INT64_MAX;
  int allowed = atomic_load(&w->shared->allowed);
  w->timer_ns = INT64_MAX; /* what happens below may make it due earlier */
  if (w->stage == LOAD_CONNECTS) {
    next = load_connect_more(w, now);
    atomic_store_explicit(&w->told_established, w->established, memory_order_relaxed);
    if (w->connect_next == w->total && w->connecting == 0)
      load_worker_enter(w, LOAD_READY);
  }
  int64_t start = atomic_load(&w->shared->start_ns);
  if (w->stage == LOAD_READY && start != 0) {
    if (now >= start)
      begin_traffic(w, start, now);
    else
      next = start;
  }
  if (w->stage == LOAD_TRAFFIC || w->stage == LOAD_DRAIN)
    next = min_time(next, traffic_tick(w, now));
  next = min_time(next, load_connect_refused(w, now));
  next = min_time(next, sweep(w, now));
  if (w->stage == LOAD_DRAINED && allowed >= LOAD_PROOF)
    load_proof_begin(w, now);
  if (w->stage == LOAD_PROOF && (w->unproven == 0 || now >= w->proof_end_ns))
    load_worker_enter(w, LOAD_PROVED);
  else if (w->stage == LOAD_PROOF)
    next = min_time(next, w->proof_end_ns);
  if (allowed == LOAD_DONE && w->stage != LOAD_DONE)
    load_worker_stop(w, now);
  load_worker_due(w, next);
}
