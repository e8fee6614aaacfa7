/* cmd_run.c: muxbench run EXPERIMENT.cfg. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/servers.h"
#include "bench/results/conclusions.h"
#include "bench/results/table.h"
#include "bench/run/run.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/memory.h"
#include "common/sock.h"

enum { SETS_MAX = 64 };

struct run_options {
  const char *experiment; /* path of a file */
  const char *out;
  bool out_given;
  const char *resume;
  const char *backends;
  const char *json;              /* "-": stdout; NULL: none */
  struct mux_output json_output; /* opened before anything runs or is written */
  bool dry_run;
  bool force;
  char *sets[SETS_MAX];
  int set_count;
};

enum {
  OPT_OUT = 256,
  OPT_BLOCKS,
  OPT_SET,
  OPT_BACKENDS,
  OPT_DRY_RUN,
  OPT_RESUME,
  OPT_JSON,
  OPT_FORCE
};

static const struct argp_option option_table[] = {
    {"out", OPT_OUT, "DIR", 0, "Where run directories are made (results)", 0},
    {"blocks", OPT_BLOCKS, "N", 0, "Launches of everything; fewer than 6 carry no claim", 0},
    {"set", OPT_SET, "KEY=VALUE", 0,
     "Override a key of the file, or an option of load or serve: --set connections=1,100", 0},
    {"backends", OPT_BACKENDS, "A,B", 0, "These servers alone", 0},
    {"dry-run", OPT_DRY_RUN, NULL, 0,
     "Show cells, launches, the time they need and what they could show; run nothing", 0},
    {"resume", OPT_RESUME, "DIR", 0, "Finish a run that was interrupted; no experiment is named",
     0},
    {"force", OPT_FORCE, NULL, 0, "Run although `muxbench doctor` finds a failure", 0},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Also write run.json's content, to stdout", 0},
    {0}};

static void add_set(struct run_options *options, const char *key, const char *value) {
  if (options->set_count == SETS_MAX)
    mux_die(MUX_EXIT_USAGE, "--set: %d at most", SETS_MAX);
  options->sets[options->set_count++] = mux_format("%s%s", key, value);
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct run_options *options = state->input;
  switch (key) {
  case OPT_OUT:
    options->out = arg;
    options->out_given = true;
    return 0;
  case OPT_BLOCKS:
    mux_option_count("--blocks", arg, 1, 200);
    add_set(options, "blocks=", arg);
    return 0;
  case OPT_SET:
    add_set(options, "", arg);
    return 0;
  case OPT_BACKENDS:
    options->backends = arg;
    return 0;
  case OPT_DRY_RUN:
    options->dry_run = true;
    return 0;
  case OPT_FORCE:
    options->force = true;
    return 0;
  case OPT_RESUME:
    options->resume = arg;
    return 0;
  case OPT_JSON:
    options->json = arg != NULL ? arg : "-";
    return 0;
  case ARGP_KEY_ARG:
    if (options->experiment != NULL)
      mux_die(MUX_EXIT_USAGE, "run: one experiment at a time");
    options->experiment = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "EXPERIMENT.cfg",
    .doc = "Run an experiment: in every launch all servers of a cell are started afresh and take "
           "turns in random order. Writes a run directory. EXPERIMENT.cfg is read twice, so a pipe "
           "will not do.\v"
           "Exit: 0 fine; 1 a trial failed; 2 usage or configuration; 130 interrupted, what was "
           "finished is kept and --resume goes on.\n\n"
           "Example: muxbench run bench/experiments/quick.cfg --backends epoll-lt,poll"};

/* ---- Running ----------------------------------------------------------------------------------
 */

static void conclude(const struct run *run) {
  printf("\n");
  conclusions_print(run->summary, stdout);
  table_print(run->summary, &run->rows, stdout);
  int skipped = runner_count(&run->rows, "skipped");
  int failed = runner_count(&run->rows, "failed");
  if (skipped + failed > 0)
    printf("%d of %zu rows are skipped, %d failed; run.json says why.\n", skipped, run->rows.count,
           failed);
  rundir_print_path(&run->dir, "Results", "", stdout);
}

static void open_json(struct run_options *options) {
  int rc = options->json != NULL ? mux_output_open(&options->json_output, options->json) : 0;
  if (rc != 0)
    mux_die(MUX_EXIT_USAGE, "--json: cannot write %s: %s", options->json, strerror(-rc));
}

static int write_json(struct run_options *options, const json_t *run) {
  struct mux_output *out = &options->json_output;
  if (out->stream == NULL)
    return 0;
  json_dumpf(run, out->stream, JSON_INDENT(2));
  fputc('\n', out->stream);
  int rc = mux_output_commit(out);
  if (rc != 0)
    mux_note("--json: cannot write %s: %s", options->json, strerror(-rc));
  return rc;
}

static int carry_out(struct run *run, struct run_options *options) {
  int rc = run_carry_out(run, RUN_REPORT);
  if (rc == 0 && options->json == NULL)
    conclude(run);
  if (rc == 0)
    rc = write_json(options, run->json);
  mux_output_abort(&options->json_output);
  if (rc == 0 && run->end == RUNNER_INTERRUPTED) {
    mux_note("interrupted; to go on: muxbench run --resume %s", run->dir.path);
    return MUX_EXIT_INTERRUPTED;
  }
  return rc != 0 || runner_count(&run->rows, "failed") > 0 ? MUX_EXIT_FAILED : MUX_EXIT_OK;
}

static int begin(struct run_options *options, int argc, char **argv) {
  char why[768];
  struct run run = {.stop_fd = -1};
  struct doctor_report report;
  struct experiment *e =
      experiment_read(options->experiment, options->sets, options->set_count, why, sizeof why);
  if (e == NULL || servers_resolve(e, options->backends, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  run_catch_signals(&run);
  if (run_plan(&run, e, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  int status = MUX_EXIT_OK;
  if (options->dry_run) {
    run_print_plan(&run, stdout);
  } else {
    run_examine(&report, options->force);
    open_json(options);
    if (run_begin(&run, options->out, options->experiment, argc, argv, &report, why, sizeof why) !=
        0) {
      mux_output_abort(&options->json_output);
      mux_die(MUX_EXIT_USAGE, "--out: %s", why);
    }
    status = carry_out(&run, options);
  }
  run_free(&run);
  return status;
}

static int resume(struct run_options *options) {
  char why[768];
  struct run run = {.stop_fd = -1};
  if (options->dry_run || options->set_count > 0 || options->backends != NULL || options->out_given)
    mux_die(MUX_EXIT_USAGE, "--resume goes on with a run as it was planned: %s has no place there",
            options->dry_run            ? "--dry-run"
            : options->set_count > 0    ? "--set or --blocks"
            : options->backends != NULL ? "--backends"
                                        : "--out");
  run_catch_signals(&run);
  if (run_resume(&run, options->resume, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--resume: %s", why);
  open_json(options);
  int status = carry_out(&run, options);
  run_free(&run);
  return status;
}

int cmd_run(int argc, char **argv) {
  struct run_options options = {.out = "results"};
  mux_parse_args(&parser, argc, argv, &options);
  if ((options.experiment == NULL) == (options.resume == NULL))
    mux_die(MUX_EXIT_USAGE, "run: name one EXPERIMENT.cfg, or --resume DIR");
  mux_raise_nofile();
  int status = options.resume != NULL ? resume(&options) : begin(&options, argc, argv);
  for (int i = 0; i < options.set_count; i++)
    free(options.sets[i]);
  return status;
}
