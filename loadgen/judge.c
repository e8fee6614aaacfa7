/* judge.c: was it the server that was measured? Sets the flags, and says for each the likely cause
 * and the option to change. Thresholds: less than 99 % of the offered messages sent; slip p99 above
 * max(50 µs, 10 % of response p99); a load thread more than 90 % busy. UDP may lose datagrams, but
 * 1 in 1,000 is too many for a p99, and so is waiting for them for 1 % of a closed loop's time, as
 * that part of the load was missing. */
#include <errno.h>
#include <string.h>

#include "common/cli.h"
#include "common/units.h"
#include "loadgen/load.h"

static const double busy_share = 0.90;
static const double slip_floor_ns = 50e3;
static const double slip_part = 0.10;
static const double lost_share = 0.001;
static const double waited_share = 0.01;

static double busiest_thread(const struct load_result *r) {
  double busiest = 0;
  for (int i = 0; i < r->threads; i++)
    busiest = r->thread_share[i] > busiest ? r->thread_share[i] : busiest;
  return busiest;
}

static int connections_wanted(const struct load_config *config, const struct load_result *r) {
  return config->connections + config->idle - r->unused;
}

/* Over UDP the server holds nothing. */
static bool short_of_connections(const struct load_config *config, const struct load_result *r) {
  int have = config->target.kind == MUX_ADDR_UDP ? r->established + r->idle_established
                                                 : r->held + r->idle_held;
  return have < connections_wanted(config, r);
}

static bool rate_missed(const struct load_config *config, const struct load_result *r) {
  if (config->rate_per_s == 0 || r->offered <= r->count.sent_within)
    return false;
  uint64_t missed = r->offered - r->count.sent_within;
  return missed > r->offered / 100 && missed > 1;
}

static bool slip_high(const struct load_config *config, const struct load_result *r) {
  double slip = (double)mux_hdr_percentile(r->hdr[LOAD_SLIP], 99);
  double response = (double)mux_hdr_percentile(r->hdr[LOAD_RESPONSE], 99);
  return config->rate_per_s > 0 && slip > slip_floor_ns && slip > slip_part * response;
}

static bool client_bound(const struct load_result *r) {
  double server = r->server_cpu_s / r->duration_s / r->server_cpus;
  /* A server whose CPU time is unknown (NaN) counts as less busy. */
  return busiest_thread(r) > busy_share && !(server >= busiest_thread(r));
}

double load_waited_share(const struct load_config *config, const struct load_result *r) {
  double places_s = (double)config->connections * config->depth * r->duration_s;
  return config->rate_per_s > 0 || places_s <= 0
             ? 0
             : (double)r->count.datagrams.waited_ns / 1e9 / places_s;
}

static bool datagrams_lost(const struct load_config *config, const struct load_result *r) {
  return (double)r->count.datagrams.lost > lost_share * (double)r->count.sent ||
         load_waited_share(config, r) > waited_share;
}

void load_judge(const struct load_config *config, struct load_result *r) {
  bool lost = false;
  for (int i = 0; i < r->agents_count; i++)
    lost = lost || r->agents[i].lost[0] != 0;
  if (lost || short_of_connections(config, r))
    r->flags |= LOAD_SHORT_OF_CONNECTIONS;
  if (rate_missed(config, r))
    r->flags |= LOAD_RATE_MISSED;
  if (slip_high(config, r))
    r->flags |= LOAD_SLIP_HIGH;
  if (r->count.in_flight + r->count.unsent > 0)
    r->flags |= LOAD_UNANSWERED;
  if (client_bound(r))
    r->flags |= LOAD_CLIENT_BOUND;
  if (datagrams_lost(config, r))
    r->flags |= LOAD_DATAGRAMS_LOST;
  r->valid = r->flags == 0 && !load_failed(r) && !r->interrupted;
}

bool load_failed(const struct load_result *r) {
  return load_errors_total(r) > r->count.datagrams.lost ||
         (r->flags & (LOAD_SHORT_OF_CONNECTIONS | LOAD_UNANSWERED | LOAD_DATAGRAMS_LOST)) != 0;
}

static void explain_connections(const struct load_config *config, const struct load_result *r) {
  char target[MUX_ADDR_TEXT];
  int established = r->established + r->idle_established;
  int wanted = connections_wanted(config, r);
  mux_addr_print(target, &config->target);
  if (established >= wanted) {
    mux_note("load: %s held %d of %d connection%s, the rest echoed nothing: it may serve fewer at "
             "a time, or have left them in its accept queue; lower --connections",
             target, r->held + r->idle_held, wanted, wanted == 1 ? "" : "s");
    return;
  }
  const char *reason = r->connect_errno != 0 ? strerror(r->connect_errno) : "the run ended before";
  const char *hint = "";
  if (r->connect_errno == EAGAIN)
    reason = "its accept queue stayed full";
  else if (r->connect_errno == EADDRNOTAVAIL)
    hint = "; no source port was left, try --sources 127.0.0.0/8";
  else if (r->connect_errno == ETIMEDOUT)
    hint = "; its accept queue may be too short, try --ramp";
  mux_note("load: established %d of %d connection%s to %s: %s%s", established, wanted,
           wanted == 1 ? "" : "s", target, reason, hint);
}

static void explain_errors(const struct load_result *r) {
  static const char *const what[LOAD_ERRORS] = {
      [LOAD_ERR_RESET] = "reset by the target",
      [LOAD_ERR_TIMEOUT] = "not echoed in time",
      [LOAD_ERR_MISMATCH] = "echoed wrong bytes",
      [LOAD_ERR_CLOSED] = "closed by the target",
  };
  char text[300] = "";
  for (int i = 0; i < LOAD_ERRORS; i++) {
    size_t used = strlen(text);
    if (r->count.errors[i] > 0 && what[i] != NULL)
      snprintf(text + used, sizeof text - used, "%s %llu %s", used > 0 ? "," : "",
               (unsigned long long)r->count.errors[i], what[i]);
  }
  if (text[0] != 0)
    mux_note("load: errors:%s", text);
}

static void explain_rate(const struct load_config *config, const struct load_result *r) {
  char rate[MUX_UNIT_TEXT];
  mux_warn("rate_missed: of %s messages/s asked for, %.1f %% were sent in time; %s",
           mux_show_count(rate, (double)config->rate_per_s),
           100.0 * (double)r->count.sent_within / (double)r->offered,
           r->hdr[LOAD_BACKPRESSURE]->max > 0 ? "the server took no more: lower --rate"
           : config->mode == LOAD_CRR         ? "raise --connections, --threads or --cpus"
                                      : "the load could not keep up: raise --threads or --cpus");
}

static void explain_losses(const struct load_config *config, const struct load_result *r) {
  mux_warn(
      "datagrams_lost: %llu of %llu messages were lost, and waiting for them took %.1f %% of a "
      "closed loop's time; %s",
      (unsigned long long)r->count.datagrams.lost, (unsigned long long)r->count.sent,
      100 * load_waited_share(config, r),
      r->count.errors[LOAD_ERR_RESET] > 0
          ? "nothing listens on the target's port"
          : "its receive queue may be too short: lower --rate or --connections, or raise "
            "net.core.rmem_max");
}

static void explain_unanswered(const struct load_config *config, const struct load_result *r) {
  char text[MUX_UNIT_TEXT];
  unsigned long long missing = r->count.in_flight + r->count.unsent;
  mux_warn("unanswered: %llu message%s had no echo %s after the window; response includes lower "
           "bounds for %s; lower --rate, or raise --timeout",
           missing, missing == 1 ? "" : "s", mux_show_time(text, (double)config->timeout_ns),
           missing == 1 ? "it" : "them");
}

/* Histograms end at 60 s. In a closed loop service is response. */
static void explain_clamped(const struct load_config *config, const struct load_result *r) {
  char text[MUX_UNIT_TEXT];
  for (int kind = 0; kind < LOAD_TIMES; kind++) {
    const struct mux_hdr *h = r->hdr[kind];
    if (h->clamped > 0 && (kind != LOAD_SERVICE || config->rate_per_s > 0))
      mux_warn("%lld of %lld %s times were above %s and count as that: percentiles in that range "
               "are lower bounds",
               (long long)h->clamped, (long long)h->total, load_kind_names[kind],
               mux_show_time(text, (double)h->highest));
  }
}

void load_explain(const struct load_config *config, const struct load_result *r) {
  char text[MUX_UNIT_TEXT];
  if (r->flags & LOAD_SHORT_OF_CONNECTIONS && !r->interrupted)
    explain_connections(config, r);
  explain_errors(r);
  if (r->flags & LOAD_RATE_MISSED)
    explain_rate(config, r);
  if (r->flags & LOAD_SLIP_HIGH)
    mux_warn("slip_high: the load itself sent late (p99 %s); give it a core of its own (--cpus), "
             "more --threads, or --spin 100us",
             mux_show_time(text, (double)mux_hdr_percentile(r->hdr[LOAD_SLIP], 99)));
  if (r->flags & LOAD_UNANSWERED)
    explain_unanswered(config, r);
  if (r->flags & LOAD_DATAGRAMS_LOST)
    explain_losses(config, r);
  explain_clamped(config, r);
  if (r->flags & LOAD_CLIENT_BOUND)
    mux_warn(
        "client_bound: a load thread was busy %.0f %% of the time, more than the server, so that "
        "throughput and latency are those of the load; raise --threads or --cpus%s",
        100 * busiest_thread(r),
        config->rate_per_s > 0 ? ", or lower --rate"
        /* connect(2) searches longer for a port the more of them are in TIME_WAIT */
        : config->mode == LOAD_CRR && config->sources.count == 0 && !config->linger0
            ? "; --sources 127.0.0.0/8 makes finding a free port cheaper"
            : "");
}
