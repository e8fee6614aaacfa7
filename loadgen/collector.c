/* collector.c: see collector.h. */
#include "loadgen/collector.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/units.h"
#include "hdr/hdr_log.h"

enum { PROGRESS_NS = 500000000 };

static double to_s(int64_t ns) {
  return (double)ns / (double)MUX_S;
}

int load_collector_init(struct load_collector *c, const struct load_config *config,
                        struct load_worker *workers, int64_t now) {
  *c = (struct load_collector){
      .config = config, .workers = workers, .start_ns = now, .zero_ns = INT64_MAX, .p99_us = NAN};
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    c->total[kind] = mux_hdr_new_latency();
    c->merged.hdr[kind] = mux_hdr_new_latency();
    if (c->total[kind] == NULL || c->merged.hdr[kind] == NULL)
      return -ENOMEM;
  }
  return config->hlog == NULL ? 0
                              : mux_hdr_log_begin(config->hlog, to_s(mux_clock_ns(CLOCK_REALTIME)));
}

void load_collector_free(struct load_collector *c) {
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    mux_hdr_free(c->total[kind]);
    mux_hdr_free(c->merged.hdr[kind]);
  }
  free(c->points);
}

static void write_log(struct load_collector *c, enum load_kind kind) {
  const struct load_interval *m = &c->merged;
  int rc =
      mux_hdr_log_write(c->config->hlog, load_kind_names[kind], to_s(m->start_ns - c->start_ns),
                        to_s(m->end_ns - m->start_ns), m->hdr[kind]);
  if (rc != 0 && c->error == 0)
    c->error = rc;
}

/* NaN if too few are beyond it. An interval is short: a stall may be all that there is to see. */
static double percentile_us(const struct mux_hdr *h, double p) {
  return mux_hdr_is_known(h, p) ? (double)mux_hdr_percentile(h, p) / 1e3 : NAN;
}

static void add_point(struct load_collector *c) {
  const struct load_interval *m = &c->merged;
  if (c->points_count == c->points_capacity) {
    int wider = c->points_capacity * 2 + 16;
    struct load_point *grown = reallocarray(c->points, (size_t)wider, sizeof *grown);
    if (grown == NULL) {
      c->error = -ENOMEM;
      return;
    }
    c->points = grown;
    c->points_capacity = wider;
  }
  const struct mux_hdr *response = m->hdr[LOAD_RESPONSE];
  c->p99_us = percentile_us(response, 99);
  c->points[c->points_count++] = (struct load_point){
      .t_s = to_s(m->end_ns - c->zero_ns),
      .completed = m->completed,
      .errors = m->errors,
      .response_p50_us = percentile_us(response, 50),
      .response_p99_us = c->p99_us,
      .response_max_us = response->total > 0 ? (double)response->max / 1e3 : NAN,
  };
}

/* In a closed loop messages are sent as intended: service is response, slip is 0. */
static void derive(struct load_collector *c) {
  struct mux_hdr *const *hdr = c->merged.hdr;
  if (c->config->rate_per_s > 0)
    return;
  mux_hdr_add(hdr[LOAD_SERVICE], hdr[LOAD_RESPONSE]);
  mux_hdr_add(hdr[LOAD_SERVICE_PEAK], hdr[LOAD_RESPONSE_PEAK]);
  mux_hdr_record_n(hdr[LOAD_SLIP], 0, hdr[LOAD_RESPONSE]->total);
}

static void take(struct load_collector *c, struct load_interval *from) {
  struct load_interval *m = &c->merged;
  if (m->end_ns == 0 || from->start_ns < m->start_ns)
    m->start_ns = from->start_ns;
  m->end_ns = from->end_ns > m->end_ns ? from->end_ns : m->end_ns;
  m->part = from->part;
  m->completed += from->completed;
  m->errors += from->errors;
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    mux_hdr_add(m->hdr[kind], from->hdr[kind]);
    mux_hdr_reset(from->hdr[kind]);
  }
  from->completed = 0;
  from->errors = 0;
}

/* Adds the merged interval to the totals, the time series and the log. */
static void emit(struct load_collector *c) {
  struct load_interval *m = &c->merged;
  bool measured = m->part != LOAD_BEFORE;
  /* Draining is no point of the series, unless something happened in it. */
  bool drained = m->part == LOAD_AFTER && m->completed == 0 && m->errors == 0;
  derive(c);
  if (measured && !drained)
    add_point(c);
  if (c->config->hlog != NULL) {
    if (!measured || c->config->mode == LOAD_CRR)
      write_log(c, LOAD_CONNECT);
    for (enum load_kind kind = LOAD_RESPONSE; measured && kind <= LOAD_SLIP; kind++)
      write_log(c, kind);
    if (measured)
      write_log(c, LOAD_RESPONSE_PEAK);
  }
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    mux_hdr_add(c->total[kind], m->hdr[kind]);
    mux_hdr_reset(m->hdr[kind]);
  }
  m->start_ns = m->end_ns = 0;
  m->completed = m->errors = 0;
}

/* Will it end an interval by itself? */
static bool is_busy(const struct load_worker *w) {
  int stage = atomic_load(&w->told.stage);
  return stage != LOAD_READY && stage < LOAD_PROOF;
}

/* Emits one interval if every worker with traffic has ended one. Those of a worker that was kept
 * from running end later, and wait for their turn. */
static bool gather_one(struct load_collector *c, bool final) {
  int64_t earliest = INT64_MAX;
  for (int i = 0; i < c->config->threads; i++) {
    struct load_worker *w = &c->workers[i];
    const struct load_interval *filled = atomic_load(&w->told.filled);
    if (filled != NULL)
      earliest = filled->end_ns < earliest ? filled->end_ns : earliest;
    else if (!final && is_busy(w))
      return false;
  }
  if (earliest == INT64_MAX)
    return false;
  for (int i = 0; i < c->config->threads; i++) {
    struct load_worker *w = &c->workers[i];
    struct load_interval *filled = atomic_load(&w->told.filled);
    if (filled == NULL || filled->end_ns != earliest)
      continue;
    take(c, filled);
    atomic_store(&w->told.filled, NULL);
    atomic_store(&w->told.spare, filled);
  }
  emit(c);
  return true;
}

void load_collector_gather(struct load_collector *c) {
  while (gather_one(c, false)) {
  }
}

void load_collector_finish(struct load_collector *c) {
  while (gather_one(c, true)) {
  }
  bool anything = false;
  for (int i = 0; i < c->config->threads; i++) {
    struct load_interval *last = c->workers[i].interval;
    last->part = LOAD_AFTER;
    anything = anything || last->completed > 0 || last->errors > 0;
    for (int kind = 0; kind < LOAD_KINDS; kind++)
      anything = anything || last->hdr[kind]->total > 0;
    take(c, last);
  }
  if (anything)
    emit(c);
}

void load_collector_show(struct load_collector *c, const char *phase, int64_t now) {
  uint64_t completed = 0;
  uint32_t established = 0;
  for (int i = 0; i < c->config->threads; i++) {
    completed += atomic_load_explicit(&c->workers[i].told.completed, memory_order_relaxed);
    established += atomic_load_explicit(&c->workers[i].told.established, memory_order_relaxed);
  }
  char rate[MUX_UNIT_TEXT];
  char p99[MUX_UNIT_TEXT] = "-";
  double seconds = (double)(now - c->progress_ns + PROGRESS_NS) / (double)MUX_S;
  mux_show_count(rate, (double)(completed - c->progress_completed) / seconds);
  if (!isnan(c->p99_us))
    mux_show_time(p99, c->p99_us * 1e3);
  fprintf(stderr, "\r\033[K%s: %s, %u of %d connection%s, %s/s, p99 %s", c->config->label, phase,
          established, c->config->connections, c->config->connections == 1 ? "" : "s", rate, p99);
  fflush(stderr);
  c->progress_completed = completed;
  c->progress_ns = now + PROGRESS_NS;
}
