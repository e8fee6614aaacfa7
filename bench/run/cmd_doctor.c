/* cmd_doctor.c: muxbench doctor. */
#include <stdio.h>

#include "bench/run/doctor.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/units.h"

struct doctor_options {
  bool json;
  const char *path;
  long connections;
  const char *apply, *restore; /* files; NULL: not asked for */
};

enum { CONNECTIONS_MAX = 100000000 };
enum { OPT_CONNECTIONS = 'c', OPT_JSON = 'j', OPT_APPLY = 256, OPT_RESTORE };

static const struct argp_option option_table[] = {
    {"connections", OPT_CONNECTIONS, "N", 0, "For so many connections (default: 10000)", 0},
    {"apply", OPT_APPLY, "FILE", 0,
     "Raise the settings that are too low, and write what they were into FILE", 0},
    {"restore", OPT_RESTORE, "FILE", 0, "Set again what --apply has written into FILE", 0},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Findings as JSON, to FILE or stdout", 0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct doctor_options *options = state->input;
  int64_t count;
  char shown[64];
  switch (key) {
  case OPT_JSON:
    options->json = true;
    options->path = arg;
    return 0;
  case OPT_CONNECTIONS:
    if (mux_parse_count(arg, &count) != 0 || count < 1 || count > CONNECTIONS_MAX)
      mux_die(MUX_EXIT_USAGE, "--connections: '%s' is not a count from 1 to %d",
              mux_printable(shown, sizeof shown, arg), CONNECTIONS_MAX);
    options->connections = (long)count;
    return 0;
  case OPT_APPLY:
    options->apply = arg;
    return 0;
  case OPT_RESTORE:
    options->restore = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .doc = "Is this machine fit to measure? Each finding that is not fine comes with the command "
           "that fixes it. Needs no root, but for --apply and --restore.\v"
           "Exit: 0 fine, or warnings only; 1 a failure, which also stops `muxbench run`.\n\n"
           "Example: muxbench doctor --json=doctor.json"};

static int write_json(const struct doctor_options *options, struct mux_output *out,
                      const struct doctor_report *report) {
  json_t *object = json_pack("{s:s, s:o}", "worst", doctor_level_names[report->worst], "findings",
                             doctor_json(report));
  json_dumpf(object, out->stream, JSON_INDENT(2));
  fputc('\n', out->stream);
  json_decref(object);
  return mux_result_commit(out, "--json", options->path);
}

int cmd_doctor(int argc, char **argv) {
  struct doctor_options options = {.connections = DOCTOR_CONNECTIONS};
  struct doctor_report report;
  struct mux_output out;
  mux_parse_args(&parser, argc, argv, &options);
  if (options.restore != NULL && (options.apply != NULL || options.json))
    mux_die(MUX_EXIT_USAGE, "doctor: --restore stands alone");
  if (options.restore != NULL)
    return doctor_restore(options.restore, stdout) == 0 ? MUX_EXIT_OK : MUX_EXIT_FAILED;
  if (options.json && mux_result_open(&out, "--json", options.path) != 0)
    return MUX_EXIT_USAGE;
  int rc = 0;
  doctor_examine(&report, options.connections);
  if (options.apply != NULL && (rc = doctor_apply(&report, options.apply, stdout)) == 0)
    doctor_examine(&report, options.connections);
  if (options.json)
    rc |= write_json(&options, &out, &report);
  else
    doctor_print(&report, DOCTOR_FINE, stdout);
  return rc == 0 && report.worst < DOCTOR_FAILURE ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}
