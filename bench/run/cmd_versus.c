/* cmd_versus.c: muxbench versus A B [C…]: an interleaved comparison without a file. From what was
 * typed follows an experiment of one cell; the rest is `run`'s. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/registry.h"
#include "bench/data/stats.h"
#include "bench/plan/experiment_options.h"
#include "bench/plan/servers.h"
#include "bench/results/export.h"
#include "bench/results/forest.h"
#include "bench/results/verdict_text.h"
#include "bench/run/run.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/memory.h"
#include "common/sock.h"
#include "common/units.h"
#include "common/words.h"

enum { SERVERS_MAX = 20, EXPORTS_MAX = 8, LABEL_MAX = 48 };

struct exported {
  enum export_format format;
  const char *path; /* NULL: stdout */
  struct mux_output output;
};

struct versus_options {
  struct {
    const char *at[SERVERS_MAX];
    int count;
  } servers;
  const char *load[6]; /* connections, idle, rate, payload, depth, arrival: as typed, or NULL */
  int transport;
  int64_t budget_ns;
  double precision, margin;
  double allowed; /* by --fail-if-worse; NAN: no gate */
  const char *metric;
  const char *out;
  const char *agents;
  bool force, dry_run;
  struct {
    struct exported at[EXPORTS_MAX];
    int count;
  } exports;
};

/* ---- Options --------------------------------------------------------------------------------- */

static const char *const transports[] = {"tcp", "tcp6", "unix", "udp", "udp6", NULL};
static const char *const listens[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", "unix",
                                      "udp://127.0.0.1:0", "udp://[::1]:0"};
static const char *const load_keys[] = {"connections", "idle",  "rate",
                                        "payload",     "depth", "arrival"};

static int read_server(void *field, const char *text, char *why, size_t why_bytes) {
  struct versus_options *options = field; /* its first member */
  if (options->servers.count == SERVERS_MAX) {
    snprintf(why, why_bytes, "%d at most", SERVERS_MAX);
    return -EINVAL;
  }
  options->servers.at[options->servers.count++] = text;
  return 0;
}

static int read_percent(void *field, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  if (mux_parse_percent(text, field) == 0 && *(double *)field <= 10)
    return 0;
  snprintf(why, why_bytes, "'%s' is not a percentage such as 5%%",
           mux_printable(shown, sizeof shown, text));
  return -EINVAL;
}

static int read_export(void *field, const char *text, char *why, size_t why_bytes) {
  struct versus_options *options =
      (struct versus_options *)((char *)field - offsetof(struct versus_options, exports));
  size_t length = strcspn(text, "=");
  char shown[64];
  for (int i = 0; export_format_names[i] != NULL; i++) {
    if (strlen(export_format_names[i]) != length ||
        strncmp(export_format_names[i], text, length) != 0)
      continue;
    if (options->exports.count == EXPORTS_MAX) {
      snprintf(why, why_bytes, "%d at most", EXPORTS_MAX);
      return -EINVAL;
    }
    options->exports.at[options->exports.count++] = (struct exported){
        .format = (enum export_format)i, .path = text[length] == '=' ? text + length + 1 : NULL};
    return 0;
  }
  snprintf(why, why_bytes,
           "'%s' is not FORMAT[=FILE] with one of markdown, json, junit, benchfmt, openmetrics",
           mux_printable(shown, sizeof shown, text));
  return -EINVAL;
}

#define FIELD(member) MUX_FIELD(struct versus_options, member)
#define TEXT          .kind = MUX_VALUE_TEXT
#define CUSTOM        .kind = MUX_VALUE_CUSTOM

static const struct mux_option_row table[] = {
    {"server", CUSTOM, FIELD(servers), .argument = "A B C…", .read = read_server,
     .flags = MUX_OPTION_POSITIONAL | MUX_OPTION_HIDDEN, .help = "A server", .absent = "none"},
    {"connections", .letter = 'c', TEXT, FIELD(load[0]), .argument = "N", .group = 1,
     .absent = "100", .help = "Connections that carry traffic"},
    {"idle", TEXT, FIELD(load[1]), .argument = "N", .group = 1, .absent = "0",
     .help = "Additional connections that stay open and silent"},
    {"rate", .letter = 'R', TEXT, FIELD(load[2]), .argument = "MSGS_PER_S", .group = 1,
     .absent = "closed loop", .help = "Open loop at this rate, over all connections"},
    {"arrival", TEXT, FIELD(load[5]), .argument = "KIND", .group = 1, .absent = "constant",
     .help = "Open loop: constant, poisson or bursty"},
    {"payload", TEXT, FIELD(load[3]), .argument = "BYTES", .group = 1, .absent = "64",
     .help = "Size of a message"},
    {"depth", TEXT, FIELD(load[4]), .argument = "N", .group = 1, .absent = "1",
     .help = "Closed loop: messages outstanding per connection"},
    {"transport", .kind = MUX_VALUE_CHOICE, FIELD(transport), .group = 1, .choices = transports,
     .fallback = "tcp", .help = "What the servers listen on"},
    {"agents", TEXT, FIELD(agents), .argument = "PREFIX,PREFIX...", .group = 1,
     .absent = "the load is here", .help = "Load from several hosts, as load --agents"},
    {"metric", TEXT, FIELD(metric), .argument = "COLUMN", .group = 2,
     .fallback = "host_cpu_us_per_req", .help = "The column of measurements.csv to judge by"},
    {"budget", .kind = MUX_VALUE_TIME, FIELD(budget_ns), .group = 2, .min = 5 * MUX_S,
     .max = 24 * 3600 * MUX_S, .fallback = "60s", .help = "Time for everything"},
    {"precision", CUSTOM, FIELD(precision), .argument = "PCT", .group = 2, .read = read_percent,
     .absent = "use the budget up", .help = "End as soon as every interval is within ± this"},
    {"margin", CUSTOM, FIELD(margin), .argument = "PCT", .group = 2, .read = read_percent,
     .fallback = "5%", .help = "Call servers equivalent that differ by less"},
    {"fail-if-worse", CUSTOM, FIELD(allowed), .argument = "PCT", .group = 3, .read = read_percent,
     .absent = "no gate",
     .help = "A gate: exit 3 if a server is proved to be worse than A by more than this, 0 if all "
             "are proved not to be, else 4"},
    {"export", CUSTOM, FIELD(exports), .argument = "FORMAT[=FILE]", .group = 3, .read = read_export,
     .absent = "none",
     .help = "Also write markdown, json, junit, benchfmt or openmetrics; may be repeated"},
    {"out", TEXT, FIELD(out), .argument = "DIR", .group = 3, .fallback = "results",
     .help = "Where the run directory is made"},
    {"dry-run", .kind = MUX_VALUE_FLAG, FIELD(dry_run), .group = 3,
     .help = "Show what would run, how long it takes and what it could show"},
    {"force", .kind = MUX_VALUE_FLAG, FIELD(force), .group = 3,
     .help = "Run even if `muxbench doctor` finds a failure"},
    {0},
};

static const char doc[] =
    "Compare servers side by side: all are alive at once and take turns of some ten milliseconds, "
    "so that whatever else the machine does, it does to all of them. A is the baseline. A server "
    "is a backend's name, ./plugin.so, either with options of serve ('epoll-lt --workers 2'), or a "
    "command that serves on {port} ('node echo.js {port}').\v"
    "Exit: 0 fine; 1 a server failed; 2 usage; 3 and 4 see --fail-if-worse; 130 interrupted.\n\n"
    "Example: muxbench versus epoll-lt ./mine.so --connections 1000 --fail-if-worse 5%";

/* ---- The experiment -------------------------------------------------------------------------- */

/* A name out of what was typed: its words without paths, {port} and dashes, joined. */
static void make_label(char out[LABEL_MAX + 8], char *const *words, const json_t *servers) {
  size_t used = 0;
  for (int i = 0; words[i] != NULL; i++) {
    const char *slash = strrchr(words[i], '/');
    const char *word = slash != NULL && slash[1] != 0 ? slash + 1 : words[i];
    if (strchr(word, '{') != NULL)
      continue;
    word += strspn(word, "-");
    if (used > 0 && used < LABEL_MAX && *word != 0)
      out[used++] = '-';
    for (; *word != 0 && used < LABEL_MAX; word++)
      out[used++] = isalnum((unsigned char)*word) || strchr("._", *word) != NULL ? *word : '-';
  }
  if (used == 0)
    out[used++] = 'x';
  out[used] = 0;
  if (used > 3 && strcmp(out + used - 3, ".so") == 0)
    out[used -= 3] = 0;
  size_t i;
  json_t *other;
  int same = 1;
  json_array_foreach(servers, i, other) {
    const char *name = json_string_value(json_object_get(other, "name"));
    same += strncmp(name, out, used) == 0 && (name[used] == 0 || name[used] == '_');
  }
  if (same > 1)
    snprintf(out + used, 8, "_%d", same % 100);
}

/* "--workers 2" and "--workers=2" as keys of a server. */
static void add_serve_options(json_t *server, char *const *words) {
  for (int i = 0; words[i] != NULL; i++) {
    char shown[64];
    const char *key = words[i] + strspn(words[i], "-");
    const char *equals = strchr(key, '=');
    char *name = equals != NULL ? mux_format("%.*s", (int)(equals - key), key) : mux_copy(key);
    const struct mux_option_row *row = experiment_option_find(OPTION_SERVE, name);
    if (key == words[i] || row == NULL)
      mux_die(MUX_EXIT_USAGE, "versus: '%s' is not an option of serve that a server may have",
              mux_printable(shown, sizeof shown, words[i]));
    const char *value = equals != NULL                ? equals + 1
                        : row->kind == MUX_VALUE_FLAG ? "yes"
                        : words[i + 1] != NULL        ? words[++i]
                                                      : "";
    json_object_set_new(server, name, json_string(value));
    free(name);
  }
}

static bool is_backend(const char *word) {
  return mux_plugin_is_path(word) || mux_registry_find(word) != NULL;
}

static json_t *server_json(const char *text, const json_t *servers) {
  char label[LABEL_MAX + 8];
  char shown[96];
  char **words = mux_words_split(text);
  if (words == NULL)
    mux_die(MUX_EXIT_USAGE, "versus: '%s' has an open quote or no word",
            mux_printable(shown, sizeof shown, text));
  json_t *server = json_object();
  make_label(label, words, servers);
  json_object_set_new(server, "name", json_string(label));
  if (strstr(text, "{port}") != NULL) { /* before plug-ins: ./server {port} has a slash, too */
    json_object_set_new(server, "command", json_string(text));
  } else if (strstr(words[0], "://") != NULL) {
    json_object_set_new(server, "target", json_string(text));
  } else if (is_backend(words[0])) {
    json_object_set_new(server, "backend", json_string(words[0]));
    add_serve_options(server, words + 1);
  } else {
    mux_die(MUX_EXIT_USAGE,
            "versus: '%s' is no backend ('muxbench list' has them), plug-in or command with {port}",
            mux_printable(shown, sizeof shown, text));
  }
  free(words);
  return server;
}

static json_t *experiment_json(const struct versus_options *options) {
  char text[MUX_UNIT_TEXT];
  char percent[32];
  json_t *servers = json_array();
  for (int i = 0; i < options->servers.count; i++)
    json_array_append_new(servers, server_json(options->servers.at[i], servers));
  json_t *load = json_pack("{s:s}", "connections", "100");
  for (size_t i = 0; i < sizeof load_keys / sizeof *load_keys; i++)
    if (options->load[i] != NULL)
      json_object_set_new(load, load_keys[i], json_string(options->load[i]));
  char *listen = options->transport == 2
                     ? mux_format("unix:///tmp/muxbench-versus-%ld.sock", (long)getpid())
                     : mux_copy(listens[options->transport]);
  const char *baseline = json_string_value(json_object_get(json_array_get(servers, 0), "name"));
  json_t *tree =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:{s:s}, s:s, s:s, s:b, s:s*, s:i}", "name", "versus",
                "objective", options->metric, "baseline", baseline, "servers", servers, "load",
                load, "serve", "listen", listen, "budget", mux_print_time(text, options->budget_ns),
                "count", "0s", "twin", 1, "agents", options->agents, "blocks", STATS_BLOCKS_MAX);
  snprintf(percent, sizeof percent, "%.9g%%", options->precision * 100);
  json_object_set_new(tree, "precision", json_string(percent));
  snprintf(percent, sizeof percent, "%.9g%%", options->margin * 100);
  json_object_set_new(tree, "margin", json_string(percent));
  free(listen);
  return tree;
}

/* Where a mistake is: what was typed. */
static void locate(const struct experiment_source *source, const char *path, char *out,
                   size_t out_bytes) {
  (void)source;
  const char *key = strncmp(path, "load.", 5) == 0 ? path + 5 : path;
  if (strcmp(path, "objective") == 0)
    key = "metric";
  if (strncmp(path, "servers", 7) == 0)
    snprintf(out, out_bytes, "versus");
  else
    snprintf(out, out_bytes, "--%s", key);
}

static struct experiment *make_experiment(const struct versus_options *options) {
  char why[512];
  struct experiment_source source = {.locate = locate};
  json_t *tree = experiment_json(options);
  struct experiment *e = experiment_from_json(tree, "versus", &source, why, sizeof why);
  json_decref(tree);
  if (e == NULL || servers_resolve(e, NULL, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  return e;
}

/* ---- The end --------------------------------------------------------------------------------- */

static void conclude(const struct run *run, FILE *to) {
  const struct summary *s = run->summary;
  int metric = summary_objective(s->plan);
  fputc('\n', to);
  for (int label = 0; label < s->plan->label_count; label++)
    if (plan_is_rival(s->plan, label))
      verdict_text_print(s, 0, metric, label, to);
  fputc('\n', to);
  forest_print(s, 0, metric, to);
  verdict_text_print_twin(s, 0, metric, to);
  rundir_print_path(&run->dir, "Results", "", to);
}

static int gate(const struct run *run, double allowed) {
  const struct summary *s = run->summary;
  int metric = summary_objective(s->plan);
  int status = MUX_EXIT_OK;
  for (int label = 0; label < s->plan->label_count; label++) {
    if (!plan_is_rival(s->plan, label))
      continue;
    enum gate of = summary_gate(summary_at(s, 0, metric, label),
                                summary_metrics[metric].better == BETTER_LOWER, allowed);
    verdict_text_print_gate(s, 0, metric, label, allowed, stderr);
    if (of == GATE_FAILED)
      status = MUX_EXIT_THRESHOLD;
    else if (of == GATE_UNDECIDED && status == MUX_EXIT_OK)
      status = MUX_EXIT_UNDECIDED;
  }
  return status;
}

static void open_exports(struct versus_options *options) {
  char shown[160];
  for (int i = 0; i < options->exports.count; i++) {
    struct exported *e = &options->exports.at[i];
    int rc = mux_output_open(&e->output, e->path);
    if (rc != 0)
      mux_die(MUX_EXIT_USAGE, "--export: cannot write %s: %s",
              mux_printable(shown, sizeof shown, e->path), strerror(-rc));
  }
}

/* Returns 0 or -errno. */
static int write_exports(struct versus_options *options, const struct summary *s) {
  int rc = 0;
  for (int i = 0; i < options->exports.count; i++) {
    struct exported *e = &options->exports.at[i];
    int written = export_write(s, e->format, isnan(options->allowed) ? 0 : options->allowed,
                               e->output.stream);
    int committed = mux_output_commit(&e->output);
    rc = rc != 0 ? rc : written != 0 ? written : committed;
    if (written != 0 || committed != 0)
      mux_note("--export: %s: %s", e->path != NULL ? e->path : "stdout",
               strerror(written != 0 ? -written : -committed));
  }
  return rc;
}

/* True if an export takes stdout: then the rest goes to stderr. */
static bool takes_stdout(const struct versus_options *options) {
  for (int i = 0; i < options->exports.count; i++)
    if (options->exports.at[i].path == NULL)
      return true;
  return false;
}

static int carry_out(struct run *run, struct versus_options *options) {
  int rc = run_carry_out(run, RUN_NO_REPORT);
  if (rc == 0)
    conclude(run, takes_stdout(options) ? stderr : stdout);
  if (rc == 0)
    rc = write_exports(options, run->summary);
  if (rc != 0 || run->end == RUNNER_INTERRUPTED)
    return rc != 0 ? MUX_EXIT_FAILED : MUX_EXIT_INTERRUPTED;
  if (runner_count(&run->rows, "failed") + runner_count(&run->rows, "skipped") > 0)
    return MUX_EXIT_FAILED;
  return isnan(options->allowed) ? MUX_EXIT_OK : gate(run, options->allowed);
}

int cmd_versus(int argc, char **argv) {
  struct versus_options options = {.allowed = NAN};
  struct run run = {.stop_fd = -1};
  struct doctor_report doctor;
  char why[768];
  mux_option_table_defaults(table, &options);
  mux_option_table_parse(table, doc, argc, argv, &options);
  if (options.servers.count < 2)
    mux_die(MUX_EXIT_USAGE, "versus: name two servers at least, the baseline first");
  mux_raise_nofile();
  run_catch_signals(&run);
  if (run_plan(&run, make_experiment(&options), why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  int status = MUX_EXIT_OK;
  if (options.dry_run) {
    run_print_plan(&run, stdout);
  } else {
    run_examine(&doctor, options.force);
    open_exports(&options);
    if (run_begin(&run, options.out, NULL, argc, argv, &doctor, why, sizeof why) != 0)
      mux_die(MUX_EXIT_USAGE, "--out: %s", why);
    status = carry_out(&run, &options);
  }
  for (int i = 0; i < options.exports.count; i++)
    mux_output_abort(&options.exports.at[i].output);
  run_free(&run);
  return status;
}
