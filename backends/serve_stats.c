/* serve_stats.c: the counters of a running server as JSON, for --stats. */
#include "backends/serve.h"

#include <errno.h>
#include <jansson.h>

#include "common/cli.h"

static const struct field {
  const char *name;
  size_t offset;
} fields[] = {
    {"accepted", offsetof(struct mux_counters, accepted)},
    {"refused", offsetof(struct mux_counters, refused)},
    {"closed", offsetof(struct mux_counters, closed)},
    {"resets", offsetof(struct mux_counters, resets)},
    {"paused", offsetof(struct mux_counters, paused)},
    {"waits", offsetof(struct mux_counters, waits)},
    {"events", offsetof(struct mux_counters, events)},
    {"datagrams", offsetof(struct mux_counters, datagrams)},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static uint64_t read_field(const struct mux_counters *counters, const struct field *field) {
  const char *at = (const char *)counters + field->offset;
  return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED);
}

static json_t *totals_of(const struct mux_counters *counters, uint32_t workers) {
  json_t *totals = json_object();
  for (size_t f = 0; f < FIELDS; f++) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < workers; i++)
      sum += read_field(&counters[i], &fields[f]);
    json_object_set_new(totals, fields[f].name, json_integer((json_int_t)sum));
  }
  return totals;
}

int mux_serve_write_stats(const char *path, const struct mux_serve_config *config,
                          const struct mux_addr *addr, const char *congestion,
                          const struct mux_counters *counters, double uptime_s) {
  char address[MUX_ADDR_TEXT];
  json_t *workers = json_array();
  for (uint32_t i = 0; i < config->workers; i++)
    json_array_append_new(workers, totals_of(&counters[i], 1));
  json_t *root =
      json_pack("{s:s, s:s, s:o, s:f, s:o, s:o}", "backend", config->backend->name, "address",
                mux_addr_print(address, addr), "congestion",
                *congestion != 0 ? json_string(congestion) : json_null(), "uptime_s", uptime_s,
                "totals", totals_of(counters, config->workers), "workers", workers);
  struct mux_output out;
  int rc = root == NULL ? -ENOMEM : mux_output_open(&out, path);
  if (rc == 0) {
    json_dumpf(root, out.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', out.stream);
    rc = mux_output_commit(&out);
  }
  json_decref(root);
  return rc;
}
