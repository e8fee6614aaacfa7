/* result_json.c: the result as one JSON object. What was not measured is null. */
#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "loadgen/engine.h"
#include "loadgen/load.h"
#include "loadgen/parts.h"

/* 12 significant digits: enough for ns in a day, and 1.1 stays 1.1. */
enum { FORMAT = JSON_INDENT(2) | JSON_REAL_PRECISION(12) };

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}
static json_t *count(uint64_t value) {
  return json_integer((json_int_t)value);
}

static json_t *percentile(const struct load_result *r, enum load_kind kind, double p) {
  if (!load_percentile_known(r, kind, p))
    return json_null();
  return json_real((double)mux_hdr_percentile(r->hdr[kind], p) / 1e3);
}

static json_t *distribution(const struct load_result *r, enum load_kind kind) {
  static const struct {
    const char *name;
    double p;
  } rows[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p999", 99.9}, {"p9999", 99.99}};
  const struct mux_hdr *h = r->hdr[kind];
  bool any = h->total > 0;
  json_t *object = json_object();
  json_object_set_new(object, "count", json_integer(h->total));
  json_object_set_new(object, "clamped", json_integer(h->clamped));
  json_object_set_new(object, "min", any ? json_real((double)h->min / 1e3) : json_null());
  json_object_set_new(object, "mean", any ? json_real(mux_hdr_mean(h) / 1e3) : json_null());
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    json_object_set_new(object, rows[i].name, percentile(r, kind, rows[i].p));
  json_object_set_new(object, "max", any ? json_real((double)h->max / 1e3) : json_null());
  return object;
}

static json_t *timeline(const struct load_result *r) {
  json_t *array = json_array();
  for (int i = 0; i < r->points_count; i++) {
    const struct load_point *p = &r->points[i];
    json_t *point = json_object();
    json_object_set_new(point, "t_s", number(p->t_s));
    json_object_set_new(point, "completed", count(p->completed));
    json_object_set_new(point, "errors", count(p->errors));
    json_object_set_new(point, "response_p50_us", number(p->response_p50_us));
    json_object_set_new(point, "response_p99_us", number(p->response_p99_us));
    json_object_set_new(point, "response_max_us", number(p->response_max_us));
    json_array_append_new(array, point);
  }
  return array;
}

static void add_setup(json_t *root, const struct load_config *config, const struct load_result *r) {
  char target[MUX_ADDR_TEXT];
  bool open = config->rate_per_s > 0;
  bool datagrams = config->target.kind == MUX_ADDR_UDP;
  json_object_set_new(root, "target", json_string(mux_addr_print(target, &config->target)));
  json_object_set_new(root, "loop", json_string(open ? "open" : "closed"));
  json_object_set_new(root, "mode", json_string(load_mode_names[config->mode]));
  json_object_set_new(root, "engine", json_string(config->engine->name));
  json_object_set_new(root, "connections", json_integer(config->connections));
  json_object_set_new(root, "established", json_integer(r->established));
  json_object_set_new(root, "held", json_integer(r->held));
  json_object_set_new(root, "idle_connections", json_integer(config->idle));
  json_object_set_new(root, "idle_established", json_integer(r->idle_established));
  json_object_set_new(root, "idle_held", datagrams ? json_null() : json_integer(r->idle_held));
  json_object_set_new(root, "threads", json_integer(config->threads));
  json_object_set_new(root, "payload_bytes", json_integer(config->payload_bytes));
  json_object_set_new(root, "depth", open ? json_null() : json_integer(config->depth));
  json_object_set_new(root, "offered_per_s",
                      open ? json_real((double)config->rate_per_s) : json_null());
  json_object_set_new(root, "arrival",
                      open ? json_string(load_arrival_names[config->arrival]) : json_null());
  json_object_set_new(root, "seed", count(config->seed));
  json_object_set_new(root, "connecting_s", number(r->connecting_s));
  json_object_set_new(root, "closing_s", number(r->closing_s));
  json_object_set_new(root, "duration_s", number(r->duration_s));
}

/* null for streams, which lose nothing. */
static json_t *datagrams(const struct load_config *config, const struct load_losses *n) {
  if (config->target.kind != MUX_ADDR_UDP)
    return json_null();
  json_t *object = json_object();
  json_object_set_new(object, "lost", count(n->lost));
  json_object_set_new(object, "reordered", count(n->reordered));
  json_object_set_new(object, "duplicated", count(n->duplicated));
  json_object_set_new(object, "late", count(n->late));
  json_object_set_new(object, "waited_s", json_real((double)n->waited_ns / 1e9));
  return object;
}

static void add_counts(json_t *root, const struct load_config *config,
                       const struct load_result *r) {
  const struct load_counters *n = &r->count;
  json_object_set_new(root, "sent", count(n->sent));
  json_object_set_new(root, "completed", count(n->completed));
  json_object_set_new(root, "in_flight_end", count(n->in_flight));
  json_object_set_new(root, "unsent", count(n->unsent));
  json_object_set_new(root, "completed_per_s", number(load_per_s(r)));
  json_object_set_new(root, "bytes_per_s", number(load_per_s(r) * (double)config->payload_bytes));
  json_t *errors = json_object();
  for (int i = 0; i < LOAD_ERRORS; i++)
    json_object_set_new(errors, load_error_names[i], count(n->errors[i]));
  json_object_set_new(root, "errors", errors);
  json_object_set_new(root, "datagrams", datagrams(config, &n->datagrams));
  json_object_set_new(root, "connections_lost", count(n->lost));
  json_object_set_new(root, "syn_retransmits", count(n->syn_retransmits));
}

static void add_cost(json_t *root, const struct load_config *config, const struct load_result *r) {
  double requests = (double)r->count.completed_within;
  double calls = (double)r->count.calls;
  if (config->mode == LOAD_CRR) /* the calls for connecting are not counted */
    calls = NAN;
  double cpu_s = r->client_cpu_s - r->spin_s;
  json_object_set_new(root, "client_cpu_us_per_req", number(cpu_s * 1e6 / requests));
  json_object_set_new(root, "client_cores_used", number(cpu_s / r->duration_s));
  json_object_set_new(root, "client_spin_cores", number(r->spin_s / r->duration_s));
  json_object_set_new(root, "server_cores_used", number(r->server_cpu_s / r->duration_s));
  json_object_set_new(root, "server_cpu_us_per_req", number(r->server_cpu_s * 1e6 / requests));
  json_t *shares = json_array();
  for (int i = 0; i < r->threads; i++)
    json_array_append_new(shares, number(r->thread_share[i]));
  json_object_set_new(root, "client_thread_share", shares);
  json_object_set_new(root, "client_syscalls_per_req", number(calls / requests));
  json_object_set_new(root, "client_events_per_wait",
                      number((double)r->count.events / (double)r->count.waits));
}

static json_t *agents(const struct load_result *r) {
  json_t *array = json_array();
  for (int i = 0; i < r->agents_count; i++) {
    const struct load_agent *a = &r->agents[i];
    json_t *agent = json_object();
    json_object_set_new(agent, "prefix", json_string(a->prefix));
    json_object_set_new(agent, "host", json_string(a->host));
    json_object_set_new(agent, "clock_offset_ns", json_integer((json_int_t)a->clock_offset_ns));
    json_object_set_new(agent, "clock_error_ns", json_integer((json_int_t)a->clock_error_ns));
    json_object_set_new(agent, "start_late_ns", json_integer((json_int_t)a->late_ns));
    json_object_set_new(agent, "completed", count(a->completed));
    json_object_set_new(agent, "response_p99_us", number(a->response_p99_us));
    json_object_set_new(agent, "others_p99_us", number(a->others_p99_us));
    json_object_set_new(agent, "shifts_p99", json_boolean(a->shifts_p99));
    json_object_set_new(agent, "lost", a->lost[0] != 0 ? json_string(a->lost) : json_null());
    json_array_append_new(array, agent);
  }
  return array;
}

int load_result_json(const struct load_config *config, const struct load_result *r, FILE *to) {
  json_t *root = json_object();
  if (root == NULL)
    return -ENOMEM;
  add_setup(root, config, r);
  add_counts(root, config, r);
  for (enum load_kind kind = 0; kind < LOAD_TIMES; kind++) {
    char name[32];
    snprintf(name, sizeof name, "%s_us", load_kind_names[kind]);
    json_object_set_new(root, name, distribution(r, kind));
  }
  add_cost(root, config, r);
  json_object_set_new(root, "client_wakeup_share", number(load_wakeup_share(r)));
  json_object_set_new(root, "fairness_jain", number(r->fairness));
  json_object_set_new(root, "never_served", count(r->never_served));
  json_object_set_new(root, "timeline", timeline(r));
  json_t *flags = json_array();
  for (unsigned i = 0; load_flag_names[i] != NULL; i++)
    if (r->flags & 1u << i)
      json_array_append_new(flags, json_string(load_flag_names[i]));
  json_object_set_new(root, "flags", flags);
  if (config->part.is_part)
    json_object_set_new(root, "part", load_part_to_json(config, r));
  if (r->agents_count > 0)
    json_object_set_new(root, "agents", agents(r));
  json_object_set_new(root, "interrupted", json_boolean(r->interrupted));
  json_object_set_new(root, "valid", json_boolean(r->valid));
  int rc = json_dumpf(root, to, FORMAT) == 0 && fputc('\n', to) != EOF ? 0 : -EIO;
  json_decref(root);
  return rc;
}
