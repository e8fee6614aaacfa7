/* merge.c: see merge.h. */
#include "loadgen/merge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"

static void add_counters(struct load_counters *to, const struct load_worker *w) {
  const struct load_counters *from = &w->count;
  to->sent += from->sent;
  to->completed += from->completed;
  to->in_flight += from->in_flight;
  to->unsent += from->unsent;
  to->sent_within += from->sent_within;
  to->completed_within += from->completed_within;
  for (int i = 0; i < LOAD_ERRORS; i++)
    to->errors[i] += from->errors[i];
  to->lost += from->lost;
  to->datagrams.lost += from->datagrams.lost;
  to->datagrams.reordered += from->datagrams.reordered;
  to->datagrams.duplicated += from->datagrams.duplicated;
  to->datagrams.late += from->datagrams.late;
  to->datagrams.waited_ns += from->datagrams.waited_ns;
  to->syn_retransmits += from->syn_retransmits;
  to->waits += w->use.waits;
  to->events += w->use.events;
  to->calls += w->use.calls;
}

static void count_held(struct load_result *result, const struct load_worker *w) {
  for (uint32_t i = 0; i < w->total; i++) {
    const struct load_connection *c = &w->connections[i];
    *(c->silent ? &result->idle_held : &result->held) += c->held;
    result->unused += w->crr && !c->silent && c->connect_ns == 0;
  }
}

/* Jain, Chiu, Hawe 1984: (Σx)² / (n·Σx²), over the connections that sent anything: at a rate below
 * the number of connections some have nothing to send, which is not unfair. */
static void judge_fairness(struct load_result *result, const struct load_worker *workers,
                           int threads) {
  struct load_served *served = &result->served;
  for (int i = 0; i < threads; i++)
    for (uint32_t k = 0; k < workers[i].active; k++) {
      const struct load_connection *c = &workers[i].connections[k];
      if (!c->asked)
        continue;
      double x = c->served;
      served->connections += 1;
      served->sum += x;
      served->squares += x * x;
      result->never_served += c->served == 0;
    }
  result->fairness = served->squares > 0
                         ? served->sum * served->sum / (served->connections * served->squares)
                         : NAN;
}

int load_merge(struct load_result *r, const struct load_config *config,
               const struct load_worker *workers, struct load_collector *collector,
               const struct load_edges *edges) {
  r->threads = config->threads;
  r->thread_share = calloc((size_t)config->threads, sizeof *r->thread_share);
  if (r->thread_share == NULL)
    return -ENOMEM;
  for (int i = 0; i < config->threads; i++) {
    const struct load_worker *w = &workers[i];
    add_counters(&r->count, w);
    r->offered += w->timers.offered;
    r->established += (int)w->connecting.established;
    r->idle_established += (int)w->connecting.silent_established;
    count_held(r, w);
    if (r->connect_errno == 0)
      r->connect_errno = w->connecting.error;
    const struct load_usage *used = &w->use.sum;
    r->spin_s += (double)used->spin_ns / (double)MUX_S;
    if (used->wall_ns > 0)
      r->thread_share[i] = (double)(used->thread_ns - used->spin_ns) / (double)used->wall_ns;
  }
  judge_fairness(r, workers, config->threads);
  r->duration_s = edges->window_s > 0 ? edges->window_s : 0;
  /* Readings are a little off the edges; what they measure is the rate of use. */
  const struct load_usage *first = &workers[0].use.sum;
  double scale = first->wall_ns > 0 ? r->duration_s / (double)first->wall_ns : 0;
  r->client_cpu_s = (double)first->process_ns * scale;
  r->server_cpu_s = edges->server_known && scale > 0 ? (double)first->server_ns * scale : NAN;
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    r->hdr[kind] = collector->total[kind];
    collector->total[kind] = NULL;
  }
  /* Messages that the socket took at once did not wait. */
  int64_t at_once = (int64_t)r->count.sent - r->hdr[LOAD_BACKPRESSURE]->total;
  if (at_once > 0)
    mux_hdr_record_n(r->hdr[LOAD_BACKPRESSURE], 0, at_once);
  r->points = collector->points;
  r->points_count = collector->points_count;
  collector->points = NULL;
  return 0;
}

void load_result_free(struct load_result *r) {
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    mux_hdr_free(r->hdr[kind]);
  free(r->thread_share);
  free(r->points);
  free(r->agents);
  *r = (struct load_result){0};
}

bool load_percentile_known(const struct load_result *r, enum load_kind kind, double percentile) {
  if (kind > LOAD_SERVICE)
    return mux_hdr_is_known(r->hdr[kind], percentile);
  const struct mux_hdr *peaks = r->hdr[LOAD_RESPONSE_PEAK + kind];
  return mux_hdr_is_spread(r->hdr[kind], peaks, r->threads, percentile);
}

double load_wakeup_share(const struct load_result *r) {
  double service = mux_hdr_mean(r->hdr[LOAD_SERVICE]);
  if (r->hdr[LOAD_WAKEUP]->total == 0 || service <= 0)
    return NAN;
  return mux_hdr_mean(r->hdr[LOAD_WAKEUP]) / service;
}

double load_per_s(const struct load_result *r) {
  return r->duration_s > 0 ? (double)r->count.completed_within / r->duration_s : 0;
}

uint64_t load_errors_total(const struct load_result *r) {
  uint64_t sum = 0;
  for (int i = 0; i < LOAD_ERRORS; i++)
    sum += r->count.errors[i];
  return sum;
}
