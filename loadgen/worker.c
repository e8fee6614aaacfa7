/* worker.c: a load thread's set-up, main function and end; its engine and timers.c drive the rest.
 * See worker.h. */
#include "loadgen/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "loadgen/datagram.h"

/* ---- Set-up --------------------------------------------------------------------------------- */

/* How many messages of this thread can be outstanding: the whole schedule, or the depth. */
static uint64_t pool_capacity(const struct load_worker *w) {
  const struct load_config *config = w->config;
  uint64_t places = (uint64_t)w->active * (uint64_t)config->depth;
  if (!w->open_loop && config->target.kind == MUX_ADDR_UDP)
    return places + load_datagrams_remembered(config, places);
  if (!w->open_loop)
    return places;
  double slots = (double)config->rate_per_s * (double)(config->warmup_ns + config->duration_ns) /
                 (double)MUX_S / w->places;
  /* A Poisson process may exceed its mean: eight standard deviations are enough. */
  return (uint64_t)(slots + 8 * __builtin_sqrt(slots)) + 64;
}

void *load_reserve(size_t bytes) {
  void *at =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at != MAP_FAILED ? at : NULL;
}

static int pool_init(struct load_pool *pool, uint64_t capacity) {
  if (capacity >= LOAD_NONE)
    return -EOVERFLOW;
  pool->capacity = (uint32_t)capacity;
  pool->bytes = capacity * sizeof *pool->at;
  pool->free = LOAD_NONE;
  /* It takes as many pages as the largest backlog needs. */
  pool->at = load_reserve(pool->bytes);
  return pool->at != NULL ? 0 : -ENOMEM;
}

static int interval_init(struct load_interval *interval) {
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    if ((interval->hdr[kind] = mux_hdr_new_latency()) == NULL)
      return -ENOMEM;
  return 0;
}

/* Thread `index` of n has the connections k with k mod n = index. */
static uint32_t share_of(int whole, int index, int threads) {
  return (uint32_t)(whole / threads + (index < whole % threads));
}

/* No two connections of all parts have the same number, which says what bytes are theirs. */
static uint32_t number_of(const struct load_config *config, int thread, bool silent, uint32_t nth) {
  uint32_t of_part = nth * (uint32_t)config->threads + (uint32_t)thread;
  of_part += silent ? (uint32_t)config->connections : 0;
  return of_part * (uint32_t)(config->part.others + 1) + (uint32_t)config->part.index;
}

int load_worker_init(struct load_worker *w, struct load_shared *shared, int index) {
  const struct load_config *config = shared->config;
  *w = (struct load_worker){
      .config = config,
      .engine = config->engine,
      .pattern = shared->pattern,
      .payload_bytes = load_message_bytes(config),
      .open_loop = config->rate_per_s > 0,
      .crr = config->mode == LOAD_CRR,
      .active = share_of(config->connections, index, config->threads),
      .window.end_ns = INT64_MAX,
      .peaks.most = {-1, -1},
      .wake_fd = -1,
      .shared = shared,
      .index = index,
      .threads = config->threads,
      .place = index * (config->part.others + 1) + config->part.index,
      .places = config->threads * (config->part.others + 1),
  };
  w->total = w->active + share_of(config->idle, index, config->threads);
  void *aligned = NULL; /* aligned_alloc needs a multiple of 64 bytes */
  if (posix_memalign(&aligned, 64, ((size_t)w->total + 1) * sizeof *w->connections) != 0)
    return -ENOMEM;
  w->connections = aligned;
  w->live.at = calloc(w->active + 1, sizeof *w->live.at);
  if (w->live.at == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < w->total; i++) {
    bool silent = i >= w->active;
    w->connections[i] = (struct load_connection){
        .fd = -1,
        .id = number_of(config, index, silent, silent ? i - w->active : i),
        .head = LOAD_NONE,
        .unsent = LOAD_NONE,
        .untried = LOAD_NONE,
        .silent = silent,
    };
  }
  if (config->target.kind == MUX_ADDR_UNIX) {
    w->connecting.refused = calloc(w->total + 1, sizeof *w->connecting.refused);
    if (w->connecting.refused == NULL)
      return -ENOMEM;
  }
  if (config->think_ns > 0) {
    w->timers.think_capacity = w->active * (uint32_t)config->depth;
    w->timers.thinkers = calloc(w->timers.think_capacity + 1, sizeof *w->timers.thinkers);
    if (w->timers.thinkers == NULL)
      return -ENOMEM;
  }
  int rc = pool_init(&w->pool, pool_capacity(w));
  if (rc == 0 && config->target.kind == MUX_ADDR_UDP)
    rc = load_datagrams_init(w);
  for (int i = 0; rc == 0 && i < 2; i++)
    rc = interval_init(&w->intervals[i]);
  if (rc != 0)
    return rc;
  w->interval = &w->intervals[0];
  atomic_store(&w->told.spare, &w->intervals[1]);
  w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return w->wake_fd >= 0 ? 0 : -errno;
}

void load_worker_destroy(struct load_worker *w) {
  for (int i = 0; i < 2; i++)
    for (int kind = 0; kind < LOAD_KINDS; kind++)
      mux_hdr_free(w->intervals[i].hdr[kind]);
  load_datagrams_free(w);
  if (w->pool.at != NULL)
    munmap(w->pool.at, w->pool.bytes);
  if (w->wake_fd >= 0)
    close(w->wake_fd);
  free(w->connections);
  free(w->live.at);
  free(w->connecting.refused);
  free(w->timers.thinkers);
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* Messages in flight and messages unsent enter response as lower bounds. */
static void settle_connection(struct load_worker *w, struct load_connection *c, int64_t now) {
  if (w->datagrams != NULL) /* what no sweep has seen in time */
    load_datagrams_expire(w, c, now);
  while (c->head != LOAD_NONE) {
    const struct load_message *m = &w->pool.at[c->head];
    bool sent = m->actual_ns > 0;
    if (load_in_window(w, m->intended_ns) && (sent || w->open_loop)) {
      w->count.in_flight += sent;
      w->count.unsent += !sent;
      load_record_time(w, LOAD_RESPONSE, now - m->intended_ns, now);
      if (sent && w->open_loop)
        load_record_time(w, LOAD_SERVICE, now - m->actual_ns, now);
    }
    load_message_drop(w, c);
  }
  c->unsent = c->untried = LOAD_NONE;
  c->queued = c->sent;
  if (w->crr && c->state == LOAD_CONNECTING) { /* its request never got a connection */
    if (w->open_loop && load_in_window(w, c->intended_ns)) {
      w->count.unsent++;
      load_record_time(w, LOAD_RESPONSE, now - c->intended_ns, now);
    }
    load_connection_close(w, c);
  }
}

void load_worker_settle(struct load_worker *w, int64_t now) {
  for (uint32_t n = 0; n < w->active; n++)
    settle_connection(w, &w->connections[n], now);
  /* Slots that no connection ever took. */
  while (w->open_loop && w->window.open && w->timers.schedule.next_ns < w->window.end_ns &&
         w->timers.schedule.next_ns <= now) {
    if (load_in_window(w, w->timers.schedule.next_ns)) {
      w->timers.offered++;
      w->count.unsent++;
      load_record_time(w, LOAD_RESPONSE, now - w->timers.schedule.next_ns, now);
    }
    load_schedule_advance(&w->timers.schedule);
  }
  uint64_t errors = load_worker_errors(w) - w->count.errors[LOAD_ERR_CONNECT];
  assert(w->count.sent <= w->count.completed + w->count.in_flight + errors);
}

void load_worker_stop(struct load_worker *w, int64_t now) {
  if (w->stage == LOAD_TRAFFIC || w->stage == LOAD_DRAIN)
    load_worker_settle(w, now);
  w->interval->end_ns = now;
  w->interval->errors = load_worker_errors(w) - w->timers.errors_told;
  load_worker_enter(w, LOAD_DONE);
}

/* A table of its own, before any thread connects. */
static int take_table(struct load_worker *w) {
  static const struct timespec pause = {.tv_nsec = 100000};
  struct load_shared *shared = w->shared;
  int rc = mux_descriptors_own();
  atomic_fetch_add(&shared->tables, 1);
  while (atomic_load(&shared->tables) < w->threads && atomic_load(&shared->allowed) != LOAD_DONE)
    nanosleep(&pause, NULL);
  return rc;
}

/* Pins the thread and opens its engine. */
static int start(struct load_worker *w) {
  char why[160] = "";
  prctl(PR_SET_TIMERSLACK, 1UL);
  int rc = 0;
  if (w->threads > 1 && w->config->descriptors == MUX_DESCRIPTORS_OWN)
    rc = take_table(w);
  if (rc != 0) {
    snprintf(w->failure.why, sizeof w->failure.why, "--descriptors: %s", strerror(-rc));
    return rc;
  }
  rc = mux_cpus_pin_nth(&w->config->cpus, w->index);
  if (rc != 0) {
    snprintf(w->failure.why, sizeof w->failure.why, "--cpus: %s", strerror(-rc));
    return rc;
  }
  rc = w->engine->open(w, why, sizeof why);
  if (rc != 0)
    snprintf(w->failure.why, sizeof w->failure.why, "--engine %s: %s", w->engine->name,
             why[0] != 0 ? why : strerror(-rc));
  return rc;
}

void *load_worker_main(void *argument) {
  struct load_worker *w = argument;
  int rc = start(w);
  if (rc == 0) {
    int64_t now = mux_now_ns();
    w->interval->start_ns = now;
    load_connect_init(w, now);
  }
  while (rc == 0 && w->stage != LOAD_DONE)
    rc = w->engine->wait(w);
  w->failure.error = rc;
  if (rc != 0)
    load_worker_stop(w, mux_now_ns());
  for (uint32_t i = 0; i < w->total; i++)
    load_connection_close(w, &w->connections[i]);
  w->engine->close(w);
  return NULL;
}
