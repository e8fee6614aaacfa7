/* parts.c: see parts.h. */
#include "loadgen/parts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/memory.h"
#include "loadgen/engine.h"

#define COUNT_MAX 1e15 /* so that sums of LOAD_PARTS_MOST parts fit */
#define SUM_MAX   1e30 /* of squares, too */

/* What is added up, or taken of the parts: fields of struct load_result. */
enum how { SUM_COUNT, SUM_INT, SUM, MOST, ANY };
static const struct field {
  const char *key;
  enum how how;
  size_t offset;
} fields[] = {
#define OF(member) offsetof(struct load_result, member)
    {"sent", SUM_COUNT, OF(count.sent)},
    {"completed", SUM_COUNT, OF(count.completed)},
    {"in_flight", SUM_COUNT, OF(count.in_flight)},
    {"unsent", SUM_COUNT, OF(count.unsent)},
    {"sent_within", SUM_COUNT, OF(count.sent_within)},
    {"completed_within", SUM_COUNT, OF(count.completed_within)},
    {"errors_connect", SUM_COUNT, OF(count.errors[LOAD_ERR_CONNECT])},
    {"errors_reset", SUM_COUNT, OF(count.errors[LOAD_ERR_RESET])},
    {"errors_timeout", SUM_COUNT, OF(count.errors[LOAD_ERR_TIMEOUT])},
    {"errors_mismatch", SUM_COUNT, OF(count.errors[LOAD_ERR_MISMATCH])},
    {"errors_closed", SUM_COUNT, OF(count.errors[LOAD_ERR_CLOSED])},
    {"connections_lost", SUM_COUNT, OF(count.lost)},
    {"syn_retransmits", SUM_COUNT, OF(count.syn_retransmits)},
    {"waits", SUM_COUNT, OF(count.waits)},
    {"events", SUM_COUNT, OF(count.events)},
    {"calls", SUM_COUNT, OF(count.calls)},
    {"datagrams_lost", SUM_COUNT, OF(count.datagrams.lost)},
    {"datagrams_reordered", SUM_COUNT, OF(count.datagrams.reordered)},
    {"datagrams_duplicated", SUM_COUNT, OF(count.datagrams.duplicated)},
    {"datagrams_late", SUM_COUNT, OF(count.datagrams.late)},
    {"datagrams_waited_ns", SUM_COUNT, OF(count.datagrams.waited_ns)},
    {"offered", SUM_COUNT, OF(offered)},
    {"never_served", SUM_COUNT, OF(never_served)},
    {"established", SUM_INT, OF(established)},
    {"idle_established", SUM_INT, OF(idle_established)},
    {"held", SUM_INT, OF(held)},
    {"idle_held", SUM_INT, OF(idle_held)},
    {"unused", SUM_INT, OF(unused)},
    {"client_cpu_s", SUM, OF(client_cpu_s)},
    {"spin_s", SUM, OF(spin_s)},
    {"served", SUM, OF(served.sum)},
    {"served_squares", SUM, OF(served.squares)},
    {"served_connections", SUM, OF(served.connections)},
    {"connecting_s", MOST, OF(connecting_s)},
    {"closing_s", MOST, OF(closing_s)},
    {"duration_s", MOST, OF(duration_s)},
    {"server_cpu_s", ANY, OF(server_cpu_s)}, /* they watch the same server, if they see it */
#undef OF
};
enum { FIELDS = sizeof fields / sizeof *fields };

static double get(const struct load_result *r, const struct field *field) {
  const char *at = (const char *)r + field->offset;
  if (field->how == SUM_COUNT)
    return (double)*(const uint64_t *)(const void *)at;
  if (field->how == SUM_INT)
    return *(const int *)(const void *)at;
  return *(const double *)(const void *)at;
}

static void put(struct load_result *r, const struct field *field, double value) {
  char *at = (char *)r + field->offset;
  if (field->how == SUM_COUNT)
    *(uint64_t *)(void *)at += (uint64_t)value;
  else if (field->how == SUM_INT)
    *(int *)(void *)at += (int)value;
  else if (field->how == SUM)
    *(double *)(void *)at += value;
  else if (field->how == MOST)
    *(double *)(void *)at = fmax(*(double *)(void *)at, value);
  else if (isfinite(value))
    *(double *)(void *)at = value;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static json_t *common_to_json(const struct load_config *config) {
  char target[MUX_ADDR_TEXT];
  return json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "target",
                   mux_addr_print(target, &config->target), "mode", load_mode_names[config->mode],
                   "arrival", load_arrival_names[config->arrival], "engine", config->engine->name,
                   "depth", config->depth, "payload_bytes", (json_int_t)config->payload_bytes,
                   "rate_per_s", (json_int_t)config->rate_per_s, "duration_ns",
                   (json_int_t)config->duration_ns, "timeout_ns", (json_int_t)config->timeout_ns,
                   "seed", (json_int_t)config->seed);
}

static json_t *histograms_to_json(const struct load_result *r) {
  json_t *object = json_object();
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    char *text = mux_hdr_encode(r->hdr[kind]);
    if (text != NULL)
      json_object_set_new(object, load_kind_names[kind], json_string(text));
    free(text);
  }
  return object;
}

json_t *load_part_to_json(const struct load_config *config, const struct load_result *r) {
  json_t *counts = json_object();
  json_t *shares = json_array();
  for (int i = 0; i < FIELDS; i++)
    if (isfinite(get(r, &fields[i])))
      json_object_set_new(counts, fields[i].key,
                          fields[i].how <= SUM_INT ? json_integer((json_int_t)get(r, &fields[i]))
                                                   : json_real(get(r, &fields[i])));
  for (int i = 0; i < r->threads; i++)
    json_array_append_new(shares, json_real(isfinite(r->thread_share[i]) ? r->thread_share[i] : 0));
  return json_pack("{s:i, s:i, s:o, s:i, s:i, s:i, s:i, s:b, s:o, s:o, s:o}", "number",
                   config->part.index + 1, "of", config->part.others + 1, "common",
                   common_to_json(config), "connections", config->connections, "idle", config->idle,
                   "threads", config->threads, "server_cpus", r->server_cpus, "interrupted",
                   (int)r->interrupted, "counts", counts, "thread_share", shares, "histograms",
                   histograms_to_json(r));
}

/* ---- Reading -------------------------------------------------------------------------------- */

static int complain(char *why, size_t why_bytes, const char *what) {
  snprintf(why, why_bytes, "%s", what);
  return -EINVAL;
}

static int find(const char *const *names, const char *name) {
  int i = 0;
  while (names[i] != NULL && (name == NULL || strcmp(names[i], name) != 0))
    i++;
  return names[i] != NULL ? i : -1;
}

/* The options that all parts have in common. Returns 0 or -EINVAL. */
static int read_common(struct load_config *config, const json_t *common) {
  json_int_t depth, payload, rate, duration, timeout, seed;
  const char *target, *mode, *arrival, *engine;
  char why[160];
  if (json_unpack((json_t *)common, "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "target",
                  &target, "mode", &mode, "arrival", &arrival, "engine", &engine, "depth", &depth,
                  "payload_bytes", &payload, "rate_per_s", &rate, "duration_ns", &duration,
                  "timeout_ns", &timeout, "seed", &seed) != 0)
    return -EINVAL;
  int mode_at = find(load_mode_names, mode);
  int arrival_at = find(load_arrival_names, arrival);
  for (int i = 0; load_engines[i] != NULL; i++)
    if (strcmp(load_engines[i]->name, engine) == 0)
      config->engine = load_engines[i];
  if (mode_at < 0 || arrival_at < 0 || config->engine == NULL || depth < 1 || depth > INT32_MAX ||
      payload < 1 || rate < 0 || duration < 0 || timeout < 0 ||
      mux_addr_parse(&config->target, target, true, why, sizeof why) != 0)
    return -EINVAL;
  config->mode = (enum load_mode)mode_at;
  config->arrival = (enum load_arrival)arrival_at;
  config->depth = (int)depth;
  config->payload_bytes = payload;
  config->rate_per_s = rate;
  config->duration_ns = duration;
  config->timeout_ns = timeout;
  config->seed = (uint64_t)seed;
  return 0;
}

static int begin(struct load_whole *whole, int parts, json_t *common) {
  *whole = (struct load_whole){.parts = parts};
  if (read_common(&whole->config, common) != 0)
    return -EINVAL;
  whole->common = json_incref(common);
  whole->have = mux_new((size_t)parts, sizeof *whole->have);
  whole->result.server_cpu_s = NAN;
  whole->result.server_cpus = 1;
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    if ((whole->result.hdr[kind] = mux_hdr_new_latency()) == NULL)
      return -ENOMEM;
  return 0;
}

struct mux_hdr *load_part_histogram(const json_t *result, enum load_kind kind) {
  const json_t *histograms = json_object_get(json_object_get(result, "part"), "histograms");
  const json_t *text = json_object_get(histograms, load_kind_names[kind]);
  return json_is_string(text) ? mux_hdr_decode(json_string_value(text), json_string_length(text))
                              : NULL;
}

/* All of them, or none. Returns 0 or -EINVAL. */
static int read_histograms(struct mux_hdr *hdr[LOAD_KINDS], const json_t *result) {
  int rc = 0;
  for (int kind = 0; kind < LOAD_KINDS; kind++) {
    hdr[kind] = load_part_histogram(result, (enum load_kind)kind);
    rc = hdr[kind] != NULL ? rc : -EINVAL;
  }
  for (int kind = 0; kind < LOAD_KINDS && rc != 0; kind++)
    mux_hdr_free(hdr[kind]);
  return rc;
}

static double count_of(const json_t *counts, const struct field *field) {
  const json_t *value = json_object_get(counts, field->key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool are_counts(const json_t *counts) {
  for (int i = 0; i < FIELDS; i++) {
    double value = count_of(counts, &fields[i]);
    double most = fields[i].how == SUM_INT     ? 1e9 / LOAD_PARTS_MOST * 10
                  : fields[i].how == SUM_COUNT ? COUNT_MAX
                                               : SUM_MAX;
    bool lacks = isnan(value) && fields[i].how == ANY;
    if (!lacks && !(value >= 0 && value <= most))
      return false;
  }
  return true;
}

/* Everything was looked at before. */
static int add(struct load_result *r, const json_t *counts, const json_t *shares,
               struct mux_hdr *const hdr[LOAD_KINDS]) {
  int rc = 0;
  for (int i = 0; i < FIELDS; i++)
    put(r, &fields[i], count_of(counts, &fields[i]));
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    rc |= mux_hdr_add(r->hdr[kind], hdr[kind]);
  int threads = (int)json_array_size(shares);
  r->thread_share = mux_resize(r->thread_share, (size_t)(r->threads + threads), sizeof(double));
  for (int i = 0; i < threads; i++)
    r->thread_share[r->threads + i] = json_number_value(json_array_get(shares, (size_t)i));
  r->threads += threads;
  return rc;
}

int load_whole_add(struct load_whole *whole, const json_t *result, char *why, size_t why_bytes) {
  int number, of, connections, idle, threads, server_cpus, interrupted;
  json_t *common, *counts, *shares;
  if (json_unpack(json_object_get(result, "part"),
                  "{s:i, s:i, s:o, s:i, s:i, s:i, s:i, s:b, s:o, s:o}", "number", &number, "of",
                  &of, "common", &common, "connections", &connections, "idle", &idle, "threads",
                  &threads, "server_cpus", &server_cpus, "interrupted", &interrupted, "counts",
                  &counts, "thread_share", &shares) != 0 ||
      of < 1 || of > LOAD_PARTS_MOST || number < 1 || number > of || connections < 0 || idle < 0 ||
      connections > 100000000 || idle > 100000000 || threads < 1 || threads > 1024)
    return complain(why, why_bytes, "it is not the JSON result of a load with --part");
  if (whole->parts == 0 && begin(whole, of, common) != 0) {
    load_whole_free(whole);
    return complain(why, why_bytes, "its options make no sense");
  }
  if (of != whole->parts || !json_equal(common, whole->common))
    return complain(why, why_bytes, "it was made with other options than the parts before it");
  if (whole->have[number - 1]) {
    snprintf(why, why_bytes, "part %d of %d is there twice", number, of);
    return -EINVAL;
  }
  struct load_result *r = &whole->result;
  struct mux_hdr *hdr[LOAD_KINDS];
  if (!are_counts(counts) || json_array_size(shares) != (size_t)threads ||
      read_histograms(hdr, result) != 0)
    return complain(why, why_bytes, "its counts make no sense");
  int rc = add(r, counts, shares, hdr);
  for (int kind = 0; kind < LOAD_KINDS; kind++)
    mux_hdr_free(hdr[kind]);
  if (rc != 0)
    return complain(why, why_bytes, "its histograms are of another kind");
  whole->added++;
  whole->have[number - 1] = true;
  whole->config.connections += connections;
  whole->config.idle += idle;
  whole->config.threads += threads;
  r->interrupted = r->interrupted || interrupted != 0;
  r->server_cpus = server_cpus > r->server_cpus ? server_cpus : r->server_cpus;
  return 0;
}

int load_whole_finish(struct load_whole *whole, char *why, size_t why_bytes) {
  struct load_result *r = &whole->result;
  size_t used = 0;
  for (int i = 0; i < whole->parts && used < why_bytes; i++)
    if (!whole->have[i])
      used += (size_t)snprintf(why + used, why_bytes - used, "%s %d",
                               used > 0 ? "," : "missing:", i + 1);
  r->fairness = r->served.squares > 0
                    ? r->served.sum * r->served.sum / (r->served.connections * r->served.squares)
                    : NAN;
  load_judge(&whole->config, r);
  return used > 0 ? -ENOENT : 0;
}

void load_whole_free(struct load_whole *whole) {
  load_result_free(&whole->result);
  json_decref(whole->common);
  free(whole->have);
  *whole = (struct load_whole){0};
}
