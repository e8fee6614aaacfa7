/* result_text.c: the result for people: one sentence to quote, then the figures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/units.h"
#include "loadgen/load.h"

static const double shown[] = {50, 90, 95, 99, 99.9, 99.99};
enum { SHOWN = sizeof shown / sizeof *shown };

static void print_row(FILE *to, const struct load_result *r, enum load_kind kind) {
  char text[MUX_UNIT_TEXT];
  const struct mux_hdr *h = r->hdr[kind];
  fprintf(to, "  %-12s", load_kind_names[kind]);
  for (int i = 0; i < SHOWN; i++)
    fprintf(to, " %9s",
            load_percentile_known(r, kind, shown[i])
                ? mux_show_time(text, (double)mux_hdr_percentile(h, shown[i]))
                : "-");
  fprintf(to, " %9s\n", h->total > 0 ? mux_show_time(text, (double)h->max) : "-");
}

static void print_sentence(const struct load_config *config, const struct load_result *r,
                           FILE *to) {
  char rate[MUX_UNIT_TEXT];
  char p99[MUX_UNIT_TEXT] = "too few to tell";
  char bytes[MUX_UNIT_TEXT];
  const struct mux_hdr *response = r->hdr[LOAD_RESPONSE];
  if (load_percentile_known(r, LOAD_RESPONSE, 99))
    mux_show_time(p99, (double)mux_hdr_percentile(response, 99));
  /* Over UDP the server holds nothing. */
  int held = config->target.kind == MUX_ADDR_UDP ? r->established : r->held;
  char of[32] = "";
  if (held < config->connections)
    snprintf(of, sizeof of, " of %d", config->connections);
  fprintf(to, "%s %s of %lld bytes per second (%s/s) over %d%s connection%s, response p99 %s.\n",
          mux_show_count(rate, load_per_s(r)),
          config->mode == LOAD_CRR ? "connects with one echo" : "echoes",
          (long long)config->payload_bytes,
          mux_show_size(bytes, load_per_s(r) * (double)config->payload_bytes), held, of,
          config->connections == 1 ? "" : "s", p99);
}

static void print_agents(const struct load_result *r, FILE *to) {
  char completed[MUX_UNIT_TEXT];
  char time[MUX_UNIT_TEXT];
  for (int i = 0; i < r->agents_count; i++) {
    const struct load_agent *a = &r->agents[i];
    fprintf(to, "  agent %d, %s%s%s: ", i + 1, a->host[0] != 0 ? a->host : "unknown host",
            a->prefix[0] != 0 ? " by " : "", a->prefix);
    if (a->lost[0] != 0) {
      fprintf(to, "lost: %s\n", a->lost);
      continue;
    }
    fprintf(to, "%s echoes, response p99 %s; ", mux_show_count(completed, (double)a->completed),
            isnan(a->response_p99_us) ? "-" : mux_show_time(time, a->response_p99_us * 1e3));
    if (llabs(a->clock_offset_ns) <= a->clock_error_ns)
      fprintf(to, "our clock");
    else
      fprintf(to, "clock %+.6f s", (double)a->clock_offset_ns / 1e9);
    fprintf(to, " ±%s", mux_show_time(time, (double)a->clock_error_ns));
    if (a->late_ns > 0)
      fprintf(to, ", began %s late", mux_show_time(time, (double)a->late_ns));
    fputc('\n', to);
    if (a->shifts_p99)
      fprintf(to, "    it shifts the p99 of all: without it that would be %s\n",
              mux_show_time(time, a->others_p99_us * 1e3));
  }
}

void load_result_text(const struct load_config *config, const struct load_result *r, FILE *to) {
  const struct load_counters *n = &r->count;
  print_sentence(config, r, to);
  fprintf(to, "\n  %-12s %9s %9s %9s %9s %9s %9s %9s\n", "", "p50", "p90", "p95", "p99", "p99.9",
          "p99.99", "max");
  for (enum load_kind kind = 0; kind < LOAD_TIMES; kind++) {
    bool always_zero = r->hdr[kind]->max == 0;
    if (kind == LOAD_RESPONSE || !always_zero)
      print_row(to, r, kind);
  }
  if (config->idle > 0 && config->target.kind != MUX_ADDR_UDP)
    fprintf(to, "\n  idle connections: %d established, %d held", r->idle_established, r->idle_held);
  fprintf(to, "\n  sent %llu, completed %llu, in flight at the end %llu, in %.3g s\n",
          (unsigned long long)n->sent, (unsigned long long)n->completed,
          (unsigned long long)n->in_flight, r->duration_s);
  fprintf(to, "  errors:");
  for (int i = 0; i < LOAD_ERRORS; i++)
    fprintf(to, " %s %llu", load_error_names[i], (unsigned long long)n->errors[i]);
  fprintf(to, "; SYN retransmits %llu\n", (unsigned long long)n->syn_retransmits);
  const struct load_losses *d = &n->datagrams;
  if (config->target.kind == MUX_ADDR_UDP)
    fprintf(to, "  datagrams: lost %llu (%.3g %%), late %llu, reordered %llu, duplicated %llu\n",
            (unsigned long long)d->lost,
            n->sent > 0 ? 100.0 * (double)d->lost / (double)n->sent : 0,
            (unsigned long long)d->late, (unsigned long long)d->reordered,
            (unsigned long long)d->duplicated);
  double requests = (double)n->completed_within;
  double cpu_s = r->client_cpu_s - r->spin_s;
  if (requests > 0) {
    fprintf(to, "  client: %.2f cores, %.2f us CPU per request", cpu_s / r->duration_s,
            cpu_s * 1e6 / requests);
    if (config->mode != LOAD_CRR) /* the calls for connecting are not counted */
      fprintf(to, ", %.2f system calls", (double)n->calls / requests);
    fputc('\n', to);
  }
  if (requests > 0 && !isnan(r->server_cpu_s))
    fprintf(to, "  server: %.2f cores, %.2f us CPU per request\n", r->server_cpu_s / r->duration_s,
            r->server_cpu_s * 1e6 / requests);
  if (!isnan(load_wakeup_share(r)))
    fprintf(
        to,
        "  %.0f %% of the service time was the load's own, from an echo's arrival to taking it\n",
        100 * load_wakeup_share(r));
  if (!isnan(r->fairness))
    fprintf(to, "  fairness %.3f, never served %llu\n", r->fairness,
            (unsigned long long)r->never_served);
  print_agents(r, to);
  if (r->valid)
    return;
  fprintf(to, "  no claim can be based on this:%s",
          load_errors_total(r) > n->datagrams.lost ? " errors" : "");
  for (unsigned i = 0; load_flag_names[i] != NULL; i++)
    if (r->flags & 1u << i)
      fprintf(to, " %s", load_flag_names[i]);
  fprintf(to, "%s\n", r->interrupted ? " interrupted" : "");
}
