/* cmd_check.c: `muxbench check`: whether a server is correct, and if not, why. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/registry.h"
#include "check/isolate.h"
#include "check/output.h"
#include "common/addr.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/memory.h"
#include "common/units.h"
#include "process/preload.h"

enum { NAMED_MAX = 64, ALL_CASES_S = 120 };

enum {
  KEY_BACKEND = 'b',
  KEY_TARGET = 't',
  KEY_EXEC = 'e',
  KEY_CASE = 'c',
  KEY_LISTEN = 0x100,
  KEY_LIST,
  KEY_SEED,
  KEY_QUICK,
  KEY_WORKERS,
  KEY_OPTIONS,
  KEY_PATIENCE,
  KEY_PRELOAD,
  KEY_REMOTE,
  KEY_JSON,
  KEY_TAP,
  KEY_JUNIT,
};

static const struct argp_option options[] = {
    {"backend", KEY_BACKEND, "NAME|PLUGIN.so", 0, "Check this backend or plug-in", 0},
    {"exec", KEY_EXEC, "COMMAND", 0,
     "Check any server: {port} and {workers} are replaced, no shell runs", 0},
    {"target", KEY_TARGET, "ADDR", 0,
     "Check a server that is already running (cases that need its process are skipped)", 0},
    {"case", KEY_CASE, "NAME", 0, "Run only this case; may be given several times", 1},
    {"quick", KEY_QUICK, NULL, 0, "Run only the cases that take a second or less", 1},
    {"list", KEY_LIST, NULL, 0, "List the cases and what each needs, and exit", 1},
    {"seed", KEY_SEED, "N", 0, "Seed of the bytes and sizes sent, to repeat a failure (default 1)",
     1},
    {"patience", KEY_PATIENCE, "TIME", 0,
     "How long no byte may move before a connection counts as stuck; time in which the server "
     "waits "
     "for a CPU does not count (default 3s)",
     1},
    {"listen", KEY_LISTEN, "ADDR", 0,
     "Where the server listens (default tcp://127.0.0.1:0; port 0: a free one is picked)", 2},
    {"workers", KEY_WORKERS, "N", 0, "Workers of the server (default: the server's own)", 2},
    {"options", KEY_OPTIONS, "KEY=VALUE,...", 0, "Options of the backend, as for serve", 2},
    {"preload", KEY_PRELOAD, "LIBRARY.so", 0, "LD_PRELOAD of the server, such as a fault shim", 2},
    {"allow-remote", KEY_REMOTE, NULL, 0, "Allow addresses that are not loopback", 2},
    {"json", KEY_JSON, "FILE", OPTION_ARG_OPTIONAL,
     "Write JSON to FILE, or to stdout instead of the table", 3},
    {"tap", KEY_TAP, "FILE", OPTION_ARG_OPTIONAL, "The same as TAP 13", 3},
    {"junit", KEY_JUNIT, "FILE", OPTION_ARG_OPTIONAL, "The same as JUnit XML", 3},
    {0},
};

/* The formats, and where each goes if it was asked for. */
static const struct format {
  const char *option;
  int (*write)(const struct check_report *report, FILE *out);
} formats[] = {
    {"--json", check_report_json}, {"--tap", check_report_tap}, {"--junit", check_report_junit}};
enum { FORMATS = sizeof formats / sizeof *formats };
struct sink {
  bool wanted;
  const char *path; /* NULL: stdout */
  struct mux_output output;
};

struct arguments {
  struct check_setup setup;
  const char *options; /* --options */
  const char *extra[4];
  const char *names[NAMED_MAX];
  int named;
  bool quick, list, allow_remote;
  struct sink sinks[FORMATS];
};

static error_t parse(int key, char *text, struct argp_state *state) {
  struct arguments *arguments = state->input;
  struct mux_server_spec *spec = &arguments->setup.spec;
  switch (key) {
  case KEY_BACKEND:
    spec->backend = text;
    return 0;
  case KEY_TARGET:
    spec->target = text;
    return 0;
  case KEY_EXEC:
    spec->command = text;
    return 0;
  case KEY_CASE:
    if (check_find(text) == NULL)
      mux_die(MUX_EXIT_USAGE, "--case: there is no case '%s'; see 'muxbench check --list'", text);
    if (arguments->named == NAMED_MAX)
      mux_die(MUX_EXIT_USAGE, "--case: may be given at most %d times", NAMED_MAX);
    arguments->names[arguments->named++] = text;
    return 0;
  case KEY_QUICK:
    arguments->quick = true;
    return 0;
  case KEY_LIST:
    arguments->list = true;
    return 0;
  case KEY_SEED:
    arguments->setup.seed = (uint64_t)mux_option_count("--seed", text, 0, INT64_MAX);
    return 0;
  case KEY_PATIENCE:
    arguments->setup.patience_ns = mux_option_time("--patience", text, 10 * MUX_MS, 60 * MUX_S);
    return 0;
  case KEY_LISTEN:
    spec->listen = text;
    return 0;
  case KEY_WORKERS:
    spec->workers = (int)mux_option_count("--workers", text, 1, 1024);
    return 0;
  case KEY_OPTIONS:
    arguments->options = text;
    return 0;
  case KEY_PRELOAD:
    spec->preload = text;
    return 0;
  case KEY_REMOTE:
    arguments->allow_remote = true;
    return 0;
  case KEY_JSON:
  case KEY_TAP:
  case KEY_JUNIT:
    arguments->sinks[key - KEY_JSON].wanted = true;
    arguments->sinks[key - KEY_JSON].path = text;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Check whether an echo server is correct, and if not, say why.\v"
        "The verdict on each case is pass, FAIL, skip (does not apply) or exempt (declared by the "
        "backend). All cases together take at most 120 s. Exit status: 0 no case failed, 1 a case "
        "failed, 2 usage, 130 interrupted.\n\n"
        "Example:\n"
        "  muxbench check --exec './my-echo-server {port}'\n"
        "  muxbench check --backend epoll-lt --case half-close --seed 7",
};

/* ---- Set-up --------------------------------------------------------------------------------- */

static void check_address(const char *option, const char *text, bool allow_remote) {
  struct mux_addr addr;
  mux_option_addr(&addr, option, text, allow_remote);
}

static void settle(struct arguments *arguments) {
  struct mux_server_spec *spec = &arguments->setup.spec;
  int servers = (spec->backend != NULL) + (spec->target != NULL) + (spec->command != NULL);
  if (servers != 1)
    mux_die(MUX_EXIT_USAGE, "check takes exactly one of --backend, --exec and --target");
  if (spec->target != NULL && spec->listen != NULL)
    mux_die(MUX_EXIT_USAGE, "--listen: a --target is already listening");
  if (arguments->options != NULL && spec->backend == NULL)
    mux_die(MUX_EXIT_USAGE, "--options: only a --backend has options");
  if (spec->target != NULL)
    check_address("--target", spec->target, arguments->allow_remote);
  if (spec->listen != NULL)
    check_address("--listen", spec->listen, arguments->allow_remote);
  int extra = 0;
  if (arguments->options != NULL) {
    arguments->extra[extra++] = "--options";
    arguments->extra[extra++] = arguments->options;
  }
  if (arguments->allow_remote)
    arguments->extra[extra++] = "--allow-remote";
  spec->extra = arguments->extra;
  char why[256];
  if (check_describe(&arguments->setup, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--backend %s: %s", spec->backend, why);
  if (arguments->setup.backend != NULL)
    arguments->setup.fd_limit =
        mux_backend_fd_limit_of(arguments->setup.backend, arguments->options);
  if (spec->preload != NULL && spec->target != NULL)
    mux_die(MUX_EXIT_USAGE, "--preload: a --target is already running");
  if (spec->preload != NULL && mux_preload_try(spec->preload, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--preload: '%s': %s", spec->preload, why);
}

static bool selected(const struct arguments *arguments, const struct check_case *one) {
  for (int i = 0; i < arguments->named; i++)
    if (strcmp(arguments->names[i], one->name) == 0)
      return true;
  return arguments->named == 0 && (one->quick || !arguments->quick);
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

/* Returns 0, or -errno if a case could not be run at all; the report has those before. */
static int run_all(const struct arguments *arguments, struct check_report *report) {
  int count;
  int rc = 0;
  const struct check_case *const *cases = check_cases(&count);
  int64_t deadline = mux_now_ns() + ALL_CASES_S * MUX_S * check_slowness();
  bool terminal = isatty(STDERR_FILENO) != 0;
  for (int i = 0; i < count && rc == 0; i++) {
    if (!selected(arguments, cases[i]))
      continue;
    struct check_line *line = &report->lines[report->count++];
    line->one = cases[i];
    if (terminal)
      fprintf(stderr, "\r\033[K%s ...", cases[i]->name);
    rc = check_run(&arguments->setup, cases[i], deadline, &line->result);
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
static void open_sinks(struct arguments *arguments) {
  for (int i = 0; i < FORMATS; i++) {
    struct sink *sink = &arguments->sinks[i];
    int rc = sink->wanted ? mux_output_open(&sink->output, sink->path) : 0;
    if (rc == 0)
      continue;
    for (int k = 0; k < i; k++)
      mux_output_abort(&arguments->sinks[k].output);
    mux_die(MUX_EXIT_USAGE, "%s: cannot write %s: %s", formats[i].option, sink->path,
            strerror(-rc));
  }
}

/* Writes every format asked for; the table goes to stdout unless one of them does. Returns 0 or
 * -errno. */
static int write_report(struct arguments *arguments, const struct check_report *report) {
  bool table = true;
  int failed = 0;
  for (int i = 0; i < FORMATS; i++) {
    struct sink *sink = &arguments->sinks[i];
    if (!sink->wanted)
      continue;
    table = table && sink->output.stream != stdout;
    int rc = formats[i].write(report, sink->output.stream);
    if (rc != 0)
      mux_output_abort(&sink->output);
    else
      rc = mux_output_commit(&sink->output);
    if (rc != 0)
      mux_note("%s: cannot write %s: %s", formats[i].option,
               sink->path != NULL ? sink->path : "standard output", strerror(-rc));
    failed = rc != 0 ? rc : failed;
  }
  if (table) {
    int rc = check_report_table(report, stdout);
    failed = rc != 0 ? rc : failed;
  }
  return failed;
}

int cmd_check(int argc, char **argv) {
  int count;
  struct arguments arguments = {.setup.seed = 1};
  mux_parse_args(&argp, argc, argv, &arguments);
  if (arguments.list) {
    list_cases();
    return MUX_EXIT_OK;
  }
  settle(&arguments);
  check_cases(&count);
  const struct mux_server_spec *spec = &arguments.setup.spec;
  const char *server = spec->backend != NULL   ? spec->backend
                       : spec->command != NULL ? spec->command
                                               : spec->target;
  char shown[512];
  struct check_report report = {
      .server = mux_printable(shown, sizeof shown, server),
      .transport = check_transport(&arguments.setup),
      .seed = arguments.setup.seed,
      .lines = mux_new((size_t)count, sizeof *report.lines),
  };
  /* Blocked from here on, they end the run with its results written and nothing else left. */
  sigset_t signals;
  check_ending_signals(&signals);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  open_sinks(&arguments);
  int rc = run_all(&arguments, &report);
  if (write_report(&arguments, &report) != 0)
    rc = -EIO;
  int failed = check_report_count(&report, CHECK_FAIL);
  free(report.lines);
  if (report.interrupted)
    return MUX_EXIT_INTERRUPTED;
  return failed > 0 || rc != 0 ? MUX_EXIT_FAILED : MUX_EXIT_OK;
}
