/* cmd_check.c: `muxbench check`: whether a server is correct, and if not, why. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/registry.h"
#include "backends/serve_options.h"
#include "check/isolate.h"
#include "check/formats.h"
#include "common/addr.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/memory.h"
#include "common/option_table.h"
#include "process/preload.h"

enum { NAMED_MAX = 64, ALL_CASES_S = 120 };

/* The formats, in the order of `outputs` below. */
static const struct format {
  const char *option;
  void (*write)(const struct check_report *report, FILE *out);
} formats[] = {
    {"--json", check_report_json}, {"--tap", check_report_tap}, {"--junit", check_report_junit}};
enum { FORMATS = sizeof formats / sizeof *formats };

struct named_cases {
  const char *names[NAMED_MAX];
  int count;
};

struct check_options {
  struct check_setup setup;
  struct named_cases cases; /* none: all */
  bool quick, list, allow_remote;
  const char *backend_options;
  const char *extra[4];         /* of serve */
  const char *outputs[FORMATS]; /* a path, or "-": stdout; NULL: not asked for */
};

static int read_case(void *field, const char *text, char *why, size_t why_bytes) {
  struct named_cases *cases = field;
  char shown[64];
  if (check_find(text) == NULL) {
    snprintf(why, why_bytes, "there is no case '%s'; see 'muxbench check --list'",
             mux_printable(shown, sizeof shown, text));
    return -EINVAL;
  }
  if (cases->count == NAMED_MAX) {
    snprintf(why, why_bytes, "at most %d cases can be named", NAMED_MAX);
    return -ERANGE;
  }
  cases->names[cases->count++] = text;
  return 0;
}

#define OPTION(member) MUX_FIELD(struct check_options, member)
#define SPEC(member)   MUX_FIELD(struct check_options, setup.spec.member)
#define TEXT           .kind = MUX_VALUE_TEXT
#define FLAG           .kind = MUX_VALUE_FLAG
#define OUTPUT         TEXT, .argument = "FILE", .alone = "-", .group = 3

static const struct mux_option_row table[] = {
    {"backend", .letter = 'b', TEXT, SPEC(backend), .argument = "NAME|PLUGIN.so", .absent = "none",
     .help = "Check this backend or plug-in"},
    {"exec", .letter = 'e', TEXT, SPEC(command), .argument = "COMMAND", .absent = "none",
     .help = "Check any server: {port} and {workers} are replaced, no shell runs"},
    {"target", .letter = 't', TEXT, SPEC(target), .argument = "ADDR", .absent = "none",
     .help = "Check a server that is already running (cases that need its process are skipped)"},
    {"case", .letter = 'c', .kind = MUX_VALUE_CUSTOM, OPTION(cases), .read = read_case, .group = 1,
     .argument = "NAME", .absent = "all", .help = "Run only this case; may be given several times"},
    {"quick", FLAG, OPTION(quick), .group = 1,
     .help = "Run only the cases that take a second or less"},
    {"list", FLAG, OPTION(list), .group = 1,
     .help = "List the cases and what each needs, and exit"},
    {"seed", .kind = MUX_VALUE_COUNT, OPTION(setup.seed), .max = INT64_MAX, .fallback = "1",
     .group = 1, .help = "Seed of the bytes and sizes sent, to repeat a failure"},
    {"patience", .kind = MUX_VALUE_TIME, OPTION(setup.patience_ns), .min = 10 * MUX_MS,
     .max = 60 * MUX_S, .fallback = "3s", .group = 1,
     .help = "How long no byte may move before a connection counts as stuck; time in which the "
             "server waits for a CPU does not count"},
    {"listen", TEXT, SPEC(listen), .argument = "ADDR", .absent = "tcp://127.0.0.1:0", .group = 2,
     .help = "Where the server listens; port 0: a free one is picked"},
    {"workers", .kind = MUX_VALUE_COUNT, SPEC(workers), .min = 1, .max = 1024, .group = 2,
     .absent = "the server's own", .help = "Workers of the server"},
    {"options", TEXT, OPTION(backend_options), .argument = "KEY=VALUE,...", .group = 2,
     .absent = "each has its own", .help = "Options of the backend, as for serve"},
    {"preload", TEXT, SPEC(preload), .argument = "LIBRARY.so", .group = 2, .absent = "none",
     .help = "LD_PRELOAD of the server, such as a fault shim"},
    {"allow-remote", FLAG, OPTION(allow_remote), .group = 2,
     .help = "Permit addresses other than loopback"},
    {"json", OUTPUT, OPTION(outputs[0]), .absent = "none",
     .help = "Write JSON to FILE, or to stdout instead of the table"},
    {"tap", OUTPUT, OPTION(outputs[1]), .absent = "none", .help = "The same as TAP 13"},
    {"junit", OUTPUT, OPTION(outputs[2]), .absent = "none", .help = "The same as JUnit XML"},
    {0},
};

static const char doc[] =
    "Check whether an echo server is correct, and if not, say why.\v"
    "The verdict on each case is pass, FAIL, skip (does not apply) or exempt (declared by the "
    "backend). All cases together take at most 120 s. Exit status: 0 no case failed, 1 a case "
    "failed, 2 usage, 130 interrupted.\n\n"
    "Example:\n"
    "  muxbench check --exec './my-echo-server {port}'\n"
    "  muxbench check --backend epoll-lt --case half-close --seed 7";

/* ---- Set-up --------------------------------------------------------------------------------- */

/* What serve would refuse, and how many descriptors the backend can serve with these options. */
static void resolve_backend(struct check_options *options) {
  const struct mux_server_spec *spec = &options->setup.spec;
  struct mux_serve_options serve;
  struct mux_option_error error = {.key = "backend"};
  mux_serve_options_default(&serve);
  if (check_describe(&options->setup, error.text, sizeof error.text) != 0)
    mux_option_error_die(&error);
  serve.config.backend = options->setup.backend;
  serve.config.workers = (uint32_t)spec->workers;
  serve.listen = spec->listen != NULL ? spec->listen : serve.listen;
  serve.options = options->backend_options;
  serve.allow_remote = options->allow_remote;
  if (mux_serve_options_resolve(&serve, &error) != 0)
    mux_option_error_die(&error);
  options->setup.fd_limit = mux_backend_fd_limit(serve.config.backend, serve.config.options);
}

static void resolve(struct check_options *options) {
  struct mux_server_spec *spec = &options->setup.spec;
  struct mux_addr addr;
  char why[256];
  int servers = (spec->backend != NULL) + (spec->target != NULL) + (spec->command != NULL);
  if (servers != 1)
    mux_die(MUX_EXIT_USAGE, "check takes exactly one of --backend, --exec and --target");
  if (spec->target != NULL && spec->listen != NULL)
    mux_die(MUX_EXIT_USAGE, "--listen: a --target is already listening");
  if (spec->target != NULL && spec->preload != NULL)
    mux_die(MUX_EXIT_USAGE, "--preload: a --target is already running");
  if (options->backend_options != NULL && spec->backend == NULL)
    mux_die(MUX_EXIT_USAGE, "--options: only a --backend has options");
  if (spec->target != NULL)
    mux_option_addr(&addr, "--target", spec->target, options->allow_remote);
  if (spec->listen != NULL)
    mux_option_addr(&addr, "--listen", spec->listen, options->allow_remote);
  if (spec->backend != NULL)
    resolve_backend(options);
  if (spec->preload != NULL && mux_preload_try(spec->preload, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--preload: '%s': %s", spec->preload, why);
  int extra = 0;
  if (options->backend_options != NULL) {
    options->extra[extra++] = "--options";
    options->extra[extra++] = options->backend_options;
  }
  if (options->allow_remote)
    options->extra[extra++] = "--allow-remote";
  spec->extra = options->extra;
}

static bool selected(const struct check_options *options, const struct check_case *one) {
  for (int i = 0; i < options->cases.count; i++)
    if (strcmp(options->cases.names[i], one->name) == 0)
      return true;
  return options->cases.count == 0 && (one->quick || !options->quick);
}

static void list_cases(void) {
  int count;
  const struct check_case *const *cases = check_cases(&count);
  for (int i = 0; i < count; i++) {
    unsigned needs = cases[i]->needs;
    printf("%-34s %s%s%s%s%s%s\n", cases[i]->name, cases[i]->property,
           (needs & (CHECK_OWN | CHECK_STARTS)) != 0 ? " [owns the process]" : "",
           (needs & CHECK_TCP) != 0 ? " [tcp]" : "", (needs & CHECK_UDP) != 0 ? " [udp]" : "",
           (needs & CHECK_UNIX) != 0 ? " [unix]" : "", cases[i]->quick ? " [quick]" : "");
  }
}

/* ---- Running -------------------------------------------------------------------------------- */

/* Returns 0, or -errno if a case could not be run at all; the report has those before it. */
static int run_all(const struct check_options *options, struct check_report *report) {
  int count;
  int rc = 0;
  const struct check_case *const *cases = check_cases(&count);
  int64_t deadline = mux_now_ns() + ALL_CASES_S * MUX_S * check_slowness();
  bool terminal = isatty(STDERR_FILENO) != 0;
  for (int i = 0; i < count && rc == 0; i++) {
    if (!selected(options, cases[i]))
      continue;
    struct check_line *line = &report->lines[report->count++];
    line->one = cases[i];
    if (terminal)
      fprintf(stderr, "\r\033[K%s ...", cases[i]->name);
    rc = check_run(&options->setup, cases[i], deadline, &line->result);
  }
  if (terminal)
    fputs("\r\033[K", stderr);
  report->interrupted = rc == -EINTR;
  if (rc != 0 && rc != -EINTR)
    mux_note("cannot run a case: %s", strerror(-rc));
  return rc;
}

/* Opens the outputs before any case runs, so that one that cannot be written is reported at once.
 */
static void open_outputs(const struct check_options *options, struct mux_output outputs[FORMATS]) {
  for (int i = 0; i < FORMATS; i++) {
    const char *path = options->outputs[i];
    if (path == NULL || mux_result_open(&outputs[i], formats[i].option, path) == 0)
      continue;
    for (int k = 0; k < i; k++)
      mux_output_abort(&outputs[k]);
    exit(MUX_EXIT_USAGE);
  }
}

/* Writes every format asked for; the table goes to stdout unless one of them does. Returns 0 or
 * -errno. */
static int write_report(const struct check_options *options, const struct check_report *report,
                        struct mux_output outputs[FORMATS]) {
  bool table_wanted = true;
  int failed = 0;
  for (int i = 0; i < FORMATS; i++) {
    if (options->outputs[i] == NULL)
      continue;
    table_wanted = table_wanted && outputs[i].stream != stdout;
    formats[i].write(report, outputs[i].stream);
    int rc = mux_result_commit(&outputs[i], formats[i].option, options->outputs[i]);
    failed = rc != 0 ? rc : failed;
  }
  if (table_wanted)
    check_report_table(report, stdout);
  return failed;
}

int cmd_check(int argc, char **argv) {
  struct check_options options = {0};
  struct mux_output outputs[FORMATS] = {0};
  char shown[512];
  int count;
  mux_option_table_defaults(table, &options);
  mux_option_table_parse(table, doc, argc, argv, &options);
  if (options.list) {
    list_cases();
    return MUX_EXIT_OK;
  }
  resolve(&options);
  check_cases(&count);
  const struct mux_server_spec *spec = &options.setup.spec;
  const char *server = spec->backend != NULL   ? spec->backend
                       : spec->command != NULL ? spec->command
                                               : spec->target;
  struct check_report report = {
      .server = mux_printable(shown, sizeof shown, server),
      .transport = check_transport(&options.setup),
      .seed = options.setup.seed,
      .lines = mux_new((size_t)count, sizeof *report.lines),
  };
  /* Blocked from here on, they end the run with its results written and nothing else left. */
  sigset_t signals;
  check_ending_signals(&signals);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  open_outputs(&options, outputs);
  int rc = run_all(&options, &report);
  int written = write_report(&options, &report, outputs);
  int failed = check_report_count(&report, CHECK_FAIL);
  free(report.lines);
  if (report.interrupted)
    return MUX_EXIT_INTERRUPTED;
  return failed > 0 || rc != 0 || written != 0 ? MUX_EXIT_FAILED : MUX_EXIT_OK;
}
