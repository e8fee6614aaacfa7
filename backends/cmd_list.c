/* cmd_list.c: `muxbench list`, every backend as a table or as JSON. */
#include <errno.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "backends/accept.h"
#include "backends/backend_options.h"
#include "backends/registry.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/memory.h"

struct list_args {
  bool json;
  const char *json_path;
};

static const char *model_of(const struct mux_backend *backend) {
  static const struct {
    uint32_t flag;
    const char *name;
  } models[] = {
      {MUX_THREAD_PER_CONNECTION, "blocking, one thread or process each"},
      {MUX_ONE_AT_A_TIME, "blocking, one at a time"},
      {MUX_COMPLETION, "completion"},
      {MUX_SPINS, "busy polling"},
      {MUX_EDGE_TRIGGERED, "readiness, edge-triggered"},
      {MUX_ONESHOT, "readiness, one-shot"},
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if ((backend->flags & models[i].flag) != 0)
      return models[i].name;
  return "readiness, level-triggered";
}

/* As --listen spells them. */
static char *transports_of(char out[32], const struct mux_backend *backend) {
  static const char *const names[] = {"tcp", "unix", "udp"};
  out[0] = 0;
  for (unsigned bit = 0; bit < 3; bit++)
    if ((backend->transports & 1u << bit) != 0) {
      size_t used = strlen(out);
      snprintf(out + used, 32 - used, "%s%s", used > 0 ? " " : "", names[bit]);
    }
  return out;
}

static char *workers_of(char out[16], const struct mux_backend *backend) {
  if (backend->max_workers == 1)
    strcpy(out, "1");
  else if (backend->max_workers > 0)
    snprintf(out, 16, "1-%u", backend->max_workers);
  else
    strcpy(out, "any");
  return out;
}

static char *limit_of(char out[32], const struct mux_backend *backend) {
  uint32_t limit = mux_backend_fd_limit_of(backend, NULL);
  out[0] = 0;
  if (limit > 0)
    snprintf(out, 32, "fd < %u", limit);
  return out;
}

/* fd_limit with one option at this choice and the others at their defaults. */
static uint32_t limit_with(const struct mux_backend *backend, const struct mux_option *option,
                           size_t choice) {
  char text[128];
  snprintf(text, sizeof text, "%s=%s", option->key, option->choices[choice]);
  return mux_backend_fd_limit_of(backend, text);
}

/* How many choices an option has that could change the limit. */
static size_t choices_of(const struct mux_backend *backend, const struct mux_option *option) {
  size_t count = 0;
  if (backend->fd_limit_with != NULL && option->kind == MUX_OPT_CHOICE)
    while (option->choices[count] != NULL)
      count++;
  return count;
}

/* ---- As a table ----------------------------------------------------------------------------- */

static void add_line(struct libscols_table *table, const struct mux_backend *backend) {
  char transports[32];
  char workers[16];
  char limit[32];
  char why[256];
  bool available = mux_backend_probe(backend, why, sizeof why) == 0;
  const char *const cells[] = {backend->name,
                               model_of(backend),
                               transports_of(transports, backend),
                               workers_of(workers, backend),
                               limit_of(limit, backend),
                               available ? "yes" : why,
                               backend->summary};
  struct libscols_line *line = scols_table_new_line(table, NULL);
  for (size_t i = 0; line != NULL && i < sizeof cells / sizeof *cells; i++)
    scols_line_set_data(line, i, cells[i]);
}

static void print_options(const struct mux_backend *backend) {
  for (size_t row = 0; row < mux_options_count(backend->options); row++) {
    const struct mux_option *option = &backend->options[row];
    char domain[256];
    printf("%s --options %s=%s (default %s): %s", backend->name, option->key,
           mux_options_domain(domain, sizeof domain, option), option->fallback, option->help);
    for (size_t i = 0; i < choices_of(backend, option); i++)
      if (limit_with(backend, option, i) > 0)
        printf("; %s: fd < %u", option->choices[i], limit_with(backend, option, i));
    putchar('\n');
  }
}

static void print_table(void) {
  static const char *const columns[] = {"BACKEND", "MODEL",     "TRANSPORTS", "WORKERS",
                                        "LIMIT",   "AVAILABLE", "SUMMARY"};
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  scols_init_debug(0);
  struct libscols_table *table = mux_made(scols_new_table());
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    /* On a terminal the last column is cut to fit. */
    scols_table_new_column(table, columns[i], 0,
                           i + 1 == sizeof columns / sizeof *columns ? SCOLS_FL_TRUNC : 0);
  for (size_t i = 0; i < count; i++)
    add_line(table, all[i]);
  scols_print_table(table);
  scols_unref_table(table);
  puts("\ntcp and udp: over IPv4 and IPv6. WORKERS any: no limit.\n");
  for (size_t i = 0; i < count; i++)
    print_options(all[i]);
}

/* ---- As JSON -------------------------------------------------------------------------------- */

static json_t *limits_json(const struct mux_backend *backend, const struct mux_option *option) {
  json_t *object = json_object();
  for (size_t i = 0; i < choices_of(backend, option); i++)
    if (limit_with(backend, option, i) > 0)
      json_object_set_new(object, option->choices[i], json_integer(limit_with(backend, option, i)));
  return object;
}

static json_t *options_json(const struct mux_backend *backend) {
  json_t *array = json_array();
  for (size_t row = 0; row < mux_options_count(backend->options); row++) {
    const struct mux_option *option = &backend->options[row];
    char domain[256];
    json_array_append_new(array,
                          json_pack("{s:s, s:s, s:s, s:s, s:o}", "key", option->key, "values",
                                    mux_options_domain(domain, sizeof domain, option), "default",
                                    option->fallback, "help", option->help, "fd_limits",
                                    limits_json(backend, option)));
  }
  return array;
}

static json_t *exemptions_json(const struct mux_backend *backend) {
  json_t *object = json_object();
  for (const struct mux_exemption *row = backend->exemptions; row != NULL && row->test != NULL;
       row++)
    json_object_set_new(object, row->test, json_string(row->reason));
  return object;
}

static json_t *transports_json(const struct mux_backend *backend) {
  char text[32];
  json_t *array = json_array();
  char *rest = NULL;
  for (char *word = strtok_r(transports_of(text, backend), " ", &rest); word != NULL;
       word = strtok_r(NULL, " ", &rest))
    json_array_append_new(array, json_string(word));
  return array;
}

/* The policies of --accept that several workers of this backend support over TCP. */
static json_t *accept_json(const struct mux_backend *backend) {
  json_t *array = json_array();
  for (int i = 0; mux_accept_names[i] != NULL && backend->max_workers != 1; i++)
    if (mux_accept_refusal(backend, MUX_ADDR_TCP, MUX_ACCEPT_REUSEPORT + (enum mux_accept)i) ==
        NULL)
      json_array_append_new(array, json_string(mux_accept_names[i]));
  return array;
}

static json_t *backend_json(const struct mux_backend *backend) {
  char why[256];
  bool available = mux_backend_probe(backend, why, sizeof why) == 0;
  uint32_t workers = backend->default_workers > 0 ? backend->default_workers : 1;
  uint32_t limit = mux_backend_fd_limit_of(backend, NULL);
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:o, s:o, s:b, s:o, s:o, s:o}", "name",
                backend->name, "summary", backend->summary, "model", model_of(backend),
                "transports", transports_json(backend), "max_workers",
                backend->max_workers > 0 ? json_integer(backend->max_workers) : json_null(),
                "default_workers", (int)workers, "accept", accept_json(backend), "fd_limit",
                limit > 0 ? json_integer(limit) : json_null(), "available", available, "reason",
                available ? json_null() : json_string(why), "options", options_json(backend),
                "exemptions", exemptions_json(backend));
  return object;
}

static int print_json(const char *path) {
  size_t count;
  struct mux_output out;
  if (mux_result_open(&out, "--json", path) != 0)
    return MUX_EXIT_USAGE;
  const struct mux_backend *const *all = mux_registry_all(&count);
  json_t *array = json_array();
  for (size_t i = 0; i < count; i++)
    json_array_append_new(array, backend_json(all[i]));
  json_dumpf(array, out.stream, JSON_INDENT(2));
  fputc('\n', out.stream);
  json_decref(array);
  return mux_result_commit(&out, "--json", path) == 0 ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  struct list_args *args = state->input;
  if (key != 'j')
    return ARGP_ERR_UNKNOWN;
  args->json = true;
  args->json_path = text;
  return 0;
}

int cmd_list(int argc, char **argv) {
  static const struct argp_option options[] = {
      {"json", 'j', "FILE", OPTION_ARG_OPTIONAL, "Print JSON, or write it to FILE", 0}, {0}};
  static const struct argp argp = {
      .options = options,
      .parser = parse_option,
      .doc =
          "List the backends: model, transports, workers, limits, whether each can run here, and "
          "a one-line summary."
          "\vExample: muxbench list --json"};
  struct list_args args = {0};
  mux_parse_args(&argp, argc, argv, &args);
  if (args.json)
    return print_json(args.json_path);
  print_table();
  return MUX_EXIT_OK;
}
