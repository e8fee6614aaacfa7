/* cmd_doctor.c: muxbench doctor. */
#include <stdio.h>

#include "bench/run/doctor.h"
#include "common/cli.h"
#include "common/command.h"

struct doctor_options {
  bool json;
  const char *path;
};

static const struct argp_option option_table[] = {
    {"json", 'j', "FILE", OPTION_ARG_OPTIONAL, "Findings as JSON, to FILE or stdout", 0}, {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct doctor_options *options = state->input;
  if (key != 'j')
    return ARGP_ERR_UNKNOWN;
  options->json = true;
  options->path = arg;
  return 0;
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .doc = "Is this machine fit to measure? Each finding that is not fine comes with the command "
           "that fixes it. Needs no root.\v"
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
  struct doctor_options options = {0};
  struct doctor_report report;
  struct mux_output out;
  mux_parse_args(&parser, argc, argv, &options);
  if (options.json && mux_result_open(&out, "--json", options.path) != 0)
    return MUX_EXIT_USAGE;
  doctor_examine(&report);
  int rc = 0;
  if (options.json)
    rc = write_json(&options, &out, &report);
  else
    doctor_print(&report, DOCTOR_FINE, stdout);
  return rc == 0 && report.worst < DOCTOR_FAILURE ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}
