/* judge.c: was it the server that was measured? Flags what forbids a claim, and says for each the
 * likely cause and the option to change. Thresholds are those of methodology: sent below 99 % of
 * offered, slip p99 above max(50 µs, 10 % of response p99), a load thread above 90 %. */
#include <string.h>

#include "common/cli.h"
#include "common/units.h"
#include "loadgen/load.h"

static const double busy_share = 0.90;
static const double slip_floor_ns = 50e3;
static const double slip_part = 0.10;

const char *const load_flag_names[] = {"client_bound",         "rate_missed", "slip_high",
                                       "short_of_connections", "unanswered",  NULL};

static void judge_connections(const struct load_config *config, struct load_result *r) {
  int asked = config->connections + config->idle;
  int got = r->established + r->idle_established;
  if (got == asked)
    return;
  char target[MUX_ADDR_TEXT];
  r->flags |= LOAD_SHORT_OF_CONNECTIONS;
  if (r->interrupted)
    return;
  const char *hint = "";
  if (r->connect_errno == EADDRNOTAVAIL)
    hint = "; the source ports ran out: --sources 127.0.0.0/8 spreads them";
  else if (r->connect_errno == ETIMEDOUT)
    hint = "; its accept queue may be too short, --ramp slows the connecting down";
  mux_note("load: established %d of %d connections to %s: %s%s", got, asked,
           mux_addr_print(target, &config->target),
           r->connect_errno != 0 ? strerror(r->connect_errno) : "the target closed them", hint);
}

static void judge_rate(const struct load_config *config, struct load_result *r) {
  if (config->rate_per_s == 0)
    return;
  uint64_t missed = r->offered > r->count.sent_within ? r->offered - r->count.sent_within : 0;
  if (missed > r->offered / 100 && missed > 1) {
    char rate[MUX_UNIT_TEXT];
    r->flags |= LOAD_RATE_MISSED;
    mux_warn("rate_missed: %s messages/s were asked for, %.1f %% of them were sent in time; "
             "%s",
             mux_show_count(rate, (double)config->rate_per_s),
             100.0 * (double)r->count.sent_within / (double)r->offered,
             r->hdr[LOAD_BACKPRESSURE]->max > 0 ? "the server took no more, lower --rate"
                                                : "the load could not, raise --threads or --cpus");
  }
  double slip = (double)mux_hdr_percentile(r->hdr[LOAD_SLIP], 99);
  double response = (double)mux_hdr_percentile(r->hdr[LOAD_RESPONSE], 99);
  if (slip > slip_floor_ns && slip > slip_part * response) {
    char text[MUX_UNIT_TEXT];
    r->flags |= LOAD_SLIP_HIGH;
    mux_warn("slip_high: the load itself sent late (p99 %s); give it a core of its own (--cpus), "
             "more --threads, or --spin 100us",
             mux_show_time(text, slip));
  }
}

static void judge_answers(const struct load_config *config, struct load_result *r) {
  uint64_t open = r->count.in_flight + r->count.unsent;
  if (open == 0)
    return;
  char timeout[MUX_UNIT_TEXT];
  r->flags |= LOAD_UNANSWERED;
  mux_warn("unanswered: %llu messages were not echoed %s after the end and enter response as lower "
           "bounds; lower --rate, or raise --timeout",
           (unsigned long long)open, mux_show_time(timeout, (double)config->timeout_ns));
}

static void judge_client(struct load_result *r) {
  double busiest = 0;
  for (int i = 0; i < r->threads; i++)
    busiest = r->thread_share[i] > busiest ? r->thread_share[i] : busiest;
  double server = r->server_cpu_s / r->duration_s / r->server_cpus;
  /* A server that cannot be seen is taken for less busy. */
  if (busiest <= busy_share || server >= busiest)
    return;
  r->flags |= LOAD_CLIENT_BOUND;
  mux_warn(
      "client_bound: a load thread was busy %.0f %% of the time, so throughput and latency may "
      "be its own; raise --threads or --cpus, or lower --rate",
      100 * busiest);
}

static void tell_errors(const struct load_result *r) {
  char text[200] = "";
  for (int i = 0; i < LOAD_ERRORS; i++) {
    size_t used = strlen(text);
    if (r->count.errors[i] > 0 && i != LOAD_ERR_CONNECT)
      snprintf(text + used, sizeof text - used, " %s %llu", load_error_names[i],
               (unsigned long long)r->count.errors[i]);
  }
  if (text[0] != 0)
    mux_note("load: errors:%s", text);
}

void load_judge(const struct load_config *config, struct load_result *r) {
  judge_connections(config, r);
  tell_errors(r);
  judge_rate(config, r);
  judge_answers(config, r);
  judge_client(r);
  r->valid = r->flags == 0 && load_errors_total(r) == 0 && !r->interrupted;
}
