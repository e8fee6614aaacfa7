/* slice.c: see slice.h. */
#include "loadgen/slice.h"

#include "common/clock.h"
#include "loadgen/worker.h"

enum { SPREAD_PART = 4 }; /* connections start over this part of the warm-up */

void load_slice_begin(struct load_worker *w, uint32_t number) {
  const struct load_config *config = w->config;
  const struct load_slice *slice = &w->slice;
  int64_t start_ns = slice->start_ns + slice->order.warmup_ns;
  w->slices = number;
  w->window =
      (struct load_window){.start_ns = start_ns, .end_ns = start_ns + slice->order.duration_ns};
  if (slice->order.record) /* what is not recorded is in no window */
    w->window.length_ns = (uint64_t)slice->order.duration_ns;
  w->use.last = (struct load_usage){0};
  w->use.echoes_before = w->use.echoes;
  w->timers.drain_end_ns = INT64_MAX;
  w->timers.interval_end_ns = start_ns;
  w->timers.think_count = 0;
  w->timers.start_at = 0;
  load_worker_enter(w, LOAD_TRAFFIC);
  int64_t rate_per_s = slice->order.rate_per_s > 0 ? slice->order.rate_per_s : config->rate_per_s;
  if (w->open_loop)
    load_schedule_init(&w->timers.schedule, config->arrival, rate_per_s, slice->start_ns, w->place,
                       w->places, config->seed + number - 1);
}

int64_t load_slice_start_connections(struct load_worker *w, int64_t now) {
  int64_t spread_ns = w->slice.order.warmup_ns / SPREAD_PART;
  while (w->timers.start_at < w->active) {
    int64_t due = w->slice.start_ns + spread_ns * w->timers.start_at / w->active;
    if (due > now)
      return due;
    struct load_connection *c = &w->connections[w->timers.start_at++];
    if (!c->live)
      continue;
    for (int i = 0; i < (w->crr ? 1 : w->config->depth); i++)
      load_connection_next(w, c, now);
    now = mux_now_ns();
    if (c->state == LOAD_OPEN)
      w->engine->flush(w, c, now);
  }
  return INT64_MAX;
}

/* The server's clocks are read first at the start and last at the end, so that the load is not
 * charged for reading them. */
static void read_clocks(struct load_worker *w, int sign) {
  struct load_usage *usage = &w->use.last;
  bool first = w->index == 0;
  if (sign < 0 && first)
    usage->server_ns -= load_target_cpu_ns(&w->shared->target);
  usage->wall_ns += sign * mux_now_ns();
  usage->echoes += (uint64_t)sign * w->use.echoes;
  usage->spin_ns += sign * w->use.spin_ns;
  usage->thread_ns += sign * mux_thread_cpu_ns();
  if (first)
    usage->process_ns += sign * mux_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (sign > 0 && first)
    usage->server_ns += load_target_cpu_ns(&w->shared->target);
}

static void add_counters(struct load_worker *w, int sign) {
  w->use.waits += (uint64_t)sign * w->count.waits;
  w->use.events += (uint64_t)sign * w->count.events;
  w->use.calls += (uint64_t)sign * w->count.calls;
}

void load_window_open(struct load_worker *w) {
  w->window.open = true;
  if (w->slice.order.record) {
    add_counters(w, -1);
    for (uint32_t i = 0; i < w->active; i++)
      w->connections[i].asked |= w->connections[i].head != LOAD_NONE;
  }
  read_clocks(w, -1);
}

void load_window_close(struct load_worker *w) {
  const struct load_usage *last = &w->use.last;
  struct load_usage *sum = &w->use.sum;
  read_clocks(w, 1);
  w->window.closed = true;
  if (!w->slice.order.record)
    return;
  add_counters(w, 1);
  sum->wall_ns += last->wall_ns;
  sum->thread_ns += last->thread_ns;
  sum->spin_ns += last->spin_ns;
  sum->process_ns += last->process_ns;
  sum->server_ns += last->server_ns;
  sum->echoes += last->echoes;
}
