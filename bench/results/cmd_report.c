/* cmd_report.c: `muxbench report RUN [RUN...]`: the report, rebuilt from a run's files. */
#include <string.h>
#include <unistd.h>

#include "bench/results/report.h"
#include "common/cli.h"
#include "common/command.h"

enum { OPT_TEXT = 256 };

struct report_options {
  char *runs[REPORT_RUNS_MAX];
  int count;
  bool text;
};

static const struct argp_option option_table[] = {
    {"text", OPT_TEXT, NULL, 0, "Print answer and rankings as text; needs no node", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct report_options *options = state->input;
  switch (key) {
  case OPT_TEXT:
    options->text = true;
    return 0;
  case ARGP_KEY_ARG:
    if (options->count == REPORT_RUNS_MAX)
      mux_die(MUX_EXIT_USAGE, "report: %d run directories at most", REPORT_RUNS_MAX);
    options->runs[options->count++] = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "RUN [RUN...]",
    .doc =
        "Write report.html and plots/*.svg into a run directory, from its files alone. Given two "
        "or more runs, write a comparison with the first one into the last one. Prints the path "
        "of the page."
        "\vExit: 0 fine; 1 node or the chart library is missing, or nothing could be written; "
        "2 usage, or not a run directory.\n\n"
        "Example: muxbench report results/latest"};

static int print_text(const struct report_options *options) {
  char why[1024];
  for (int i = 0; i < options->count; i++) {
    struct rundir dir;
    if (rundir_open(&dir, options->runs[i], why, sizeof why) != 0 ||
        report_text(&dir, stdout, why, sizeof why) != 0) {
      mux_note("report: %s", why);
      return MUX_EXIT_USAGE;
    }
  }
  return MUX_EXIT_OK;
}

int cmd_report(int argc, char **argv) {
  struct report_options options = {0};
  mux_parse_args(&parser, argc, argv, &options);
  if (options.count == 0)
    mux_die(MUX_EXIT_USAGE, "report: name a run directory, such as results/latest");
  return options.text ? print_text(&options)
                      : report_build(options.runs, options.count, STDOUT_FILENO);
}
