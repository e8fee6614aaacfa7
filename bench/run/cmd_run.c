/* cmd_run.c: muxbench run EXPERIMENT.cfg. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "backends/registry.h"
#include "bench/plan/experiment.h"
#include "bench/plan/plan.h"
#include "bench/plan/plan_options.h"
#include "bench/plan/servers.h"
#include "bench/results/conclusions.h"
#include "bench/results/derive.h"
#include "bench/results/post_checks.h"
#include "bench/results/report.h"
#include "bench/results/summary.h"
#include "bench/results/table.h"
#include "bench/run/doctor.h"
#include "bench/run/run_json.h"
#include "bench/run/runner.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/memory.h"
#include "common/sock.h"
#include "common/units.h"

enum { SETS_MAX = 64 };

struct run_options {
  const char *experiment; /* path of a file */
  const char *out;
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
    {"blocks", OPT_BLOCKS, "N", 0, "Repetitions of everything; fewer than 6 give no interval", 0},
    {"set", OPT_SET, "KEY=VALUE", 0,
     "Override a key of the file, or an option of load or serve: --set connections=1,100", 0},
    {"backends", OPT_BACKENDS, "A,B", 0, "These servers alone", 0},
    {"dry-run", OPT_DRY_RUN, NULL, 0, "Show cells, trials and the time they need; run nothing", 0},
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
    .doc = "Run an experiment: every server in every cell, in blocks of random order, each trial "
           "against a server started afresh. Writes a run directory.\v"
           "Exit: 0 fine; 1 a trial failed; 2 usage or configuration; 130 interrupted, what was "
           "finished is kept and --resume goes on.\n\n"
           "Example: muxbench run bench/experiments/quick.cfg --backends epoll-lt,poll"};

/* ---- Preparing --------------------------------------------------------------------------------
 */

/* A seed that was not given is drawn, and recorded with the rest. */
static void draw_seed(struct experiment *e) {
  uint32_t seed = 0;
  if (e->seed >= 0)
    return;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
    seed = (uint32_t)mux_now_ns();
  e->seed = seed;
}

/* Which cores. Returns true if server and load share one. */
static bool choose_cpus(struct experiment *e, cpu_set_t *server, cpu_set_t *load) {
  bool shared = false;
  if (CPU_COUNT(&e->server_cpus) == 0 || CPU_COUNT(&e->load_cpus) == 0) {
    const struct experiment_axis *workers = experiment_axis(e, OPTION_SERVE, "workers");
    int64_t cores = 1;
    for (int i = 0; workers != NULL && i < workers->count; i++)
      cores = workers->values[i].number > cores ? workers->values[i].number : cores;
    shared = mux_cpus_split(server, load, (int)cores) == -ENODEV;
  }
  if (CPU_COUNT(&e->server_cpus) > 0)
    *server = e->server_cpus;
  if (CPU_COUNT(&e->load_cpus) > 0)
    *load = e->load_cpus;
  cpu_set_t both;
  CPU_AND(&both, server, load);
  e->server_cpus = *server;
  e->load_cpus = *load;
  return shared || CPU_COUNT(&both) > 0;
}

/* ---- Running ----------------------------------------------------------------------------------
 */

/* Everything that follows from the rows. Returns 0 or -errno. */
static int write_derived(const struct rundir *dir, const struct plan *plan,
                         const struct summary *summary, struct rows *rows) {
  char path[RUNDIR_PATH];
  post_checks_flag(dir, summary, rows);
  int rc = rows_write(rows, rundir_file(dir, path, "measurements.csv"));
  if (rc == 0)
    rc = summary_write(summary, rundir_file(dir, path, "summary.csv"));
  if (rc == 0)
    rc = derive_timeline(dir, rows);
  if (rc == 0)
    rc = derive_percentiles(dir, plan, rows);
  if (rc != 0)
    mux_note("%s: cannot write the summary: %s", dir->path, strerror(-rc));
  return rc;
}

static void conclude(const struct rundir *dir, const struct plan *plan, const struct rows *rows,
                     const struct summary *summary) {
  printf("\n");
  conclusions_print(summary, rows, stdout);
  table_print(summary, rows, stdout);
  int skipped = runner_count(rows, "skipped");
  int failed = runner_count(rows, "failed");
  if (skipped + failed > 0)
    printf("%d of %d trials were skipped, %d failed; run.json says why.\n", skipped,
           plan->trial_count, failed);
  printf("Results: %s\n", dir->path);
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

static int carry_out(struct experiment *e, struct plan *plan, const struct rundir *dir, json_t *run,
                     struct rows *rows, struct run_options *options, bool shared_core) {
  struct runner_setting setting = {.plan = plan,
                                   .dir = dir,
                                   .server_cpus = e->server_cpus,
                                   .load_cpus = e->load_cpus,
                                   .shared_core = shared_core,
                                   .run = run};
  int end = runner_run(&setting, rows);
  if (end < 0) {
    mux_output_abort(&options->json_output);
    return MUX_EXIT_FAILED;
  }
  struct summary *summary = summary_new(plan, rows);
  json_object_set_new(run, "ended", run_json_time());
  json_object_set_new(run, "answer", run_json_answer(summary, rows));
  int rc = write_derived(dir, plan, summary, rows);
  if (rc == 0)
    rc = rundir_write_json(dir, "run.json", run);
  if (rc == 0 && options->json == NULL)
    conclude(dir, plan, rows, summary);
  summary_free(summary);
  char *runs[] = {(char *)dir->path};
  fflush(stdout);
  if (rc == 0) /* without node it says how to get it; the run has succeeded all the same */
    report_build(runs, 1, options->json == NULL ? STDOUT_FILENO : -1);
  if (rc == 0)
    rc = write_json(options, run);
  mux_output_abort(&options->json_output);
  if (end == RUNNER_INTERRUPTED) {
    mux_note("interrupted; to go on: muxbench run --resume %s", dir->path);
    return MUX_EXIT_INTERRUPTED;
  }
  return rc != 0 || runner_count(rows, "failed") > 0 ? MUX_EXIT_FAILED : MUX_EXIT_OK;
}

/* What the machine is like goes into run.json; a failure ends the run before it has begun. */
static void examine(struct doctor_report *report, bool force) {
  doctor_examine(report);
  if (report->worst < DOCTOR_FAILURE || force)
    return;
  doctor_print(report, DOCTOR_FAILURE, stderr);
  mux_die(MUX_EXIT_FAILED, "this machine is not fit to measure; --force runs all the same");
}

static int begin(struct run_options *options, int argc, char **argv) {
  char why[768];
  struct rundir dir;
  cpu_set_t server;
  cpu_set_t load;
  struct rows rows = {0};
  struct experiment *e =
      experiment_read(options->experiment, options->sets, options->set_count, why, sizeof why);
  if (e == NULL || servers_resolve(e, options->backends, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  draw_seed(e);
  bool shared_core = choose_cpus(e, &server, &load);
  int blocks = e->budget_ns > 0 ? plan_fit_budget(e, servers_skip) : e->blocks;
  struct plan *plan = plan_new(e, blocks, servers_skip);
  if (plan_check(plan, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s", why);
  int status = MUX_EXIT_OK;
  if (options->dry_run) {
    plan_print(plan, stdout);
    goto out;
  }
  struct doctor_report report;
  examine(&report, options->force);
  open_json(options);
  if (rundir_create(&dir, options->out, e->name, why, sizeof why) != 0) {
    mux_output_abort(&options->json_output);
    mux_die(MUX_EXIT_USAGE, "--out: %s", why);
  }
  json_t *effective = experiment_to_json(e);
  json_object_set_new(effective, "planned_blocks", json_integer(blocks));
  int rc = rundir_copy(&dir, "experiment.cfg", options->experiment);
  if (rc == 0)
    rc = rundir_write_json(&dir, "effective.json", effective);
  json_decref(effective);
  if (rc != 0) {
    mux_output_abort(&options->json_output);
    mux_die(MUX_EXIT_USAGE, "--out: %s: %s", dir.path, strerror(-rc));
  }
  json_t *run = run_json_new(e, &dir, argc, argv, shared_core);
  json_object_set_new(run, "doctor", doctor_json(&report));
  doctor_print(&report, DOCTOR_WARNING, stderr);
  status = carry_out(e, plan, &dir, run, &rows, options, shared_core);
  json_decref(run);
out:
  rows_free(&rows);
  plan_free(plan);
  experiment_free(e);
  return status;
}

/* Where a mistake in effective.json is. */
static void locate_effective(const struct experiment_source *source, const char *path, char *out,
                             size_t out_bytes) {
  (void)path;
  snprintf(out, out_bytes, "%s/effective.json", ((const struct rundir *)source->data)->path);
}

static int resume(struct run_options *options) {
  char why[768];
  char path[RUNDIR_PATH];
  struct rundir dir;
  struct rows rows = {0};
  if (rundir_open(&dir, options->resume, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--resume: %s", why);
  struct experiment_source source = {.locate = locate_effective, .data = &dir};
  json_t *effective = rundir_read_json(&dir, "effective.json", why, sizeof why);
  json_t *run = rundir_read_json(&dir, "run.json", why, sizeof why);
  if (effective == NULL || run == NULL ||
      rows_read(&rows, rundir_file(&dir, path, "measurements.csv"), why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--resume: %s", why);
  int64_t blocks = json_integer_value(json_object_get(effective, "planned_blocks"));
  json_object_del(effective, "planned_blocks");
  struct experiment *e = experiment_from_json(effective, "resumed", &source, why, sizeof why);
  json_decref(effective);
  if (e == NULL || servers_resolve(e, NULL, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--resume: %s", why);
  if (blocks < 1 || blocks > e->blocks)
    mux_die(MUX_EXIT_USAGE, "--resume: %s/effective.json: planned_blocks is out of range",
            dir.path);
  struct plan *plan = plan_new(e, (int)blocks, servers_skip);
  if (plan_check(plan, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--resume: %s", why);
  if (plan->trial_count > 0 && e->budget_ns > 0) /* what is left to do gets its part of it */
    e->budget_ns = e->budget_ns * (plan->trial_count - (int64_t)rows.count) / plan->trial_count;
  open_json(options);
  bool shared_core = json_is_true(json_object_get(run, "shared_core"));
  int status = carry_out(e, plan, &dir, run, &rows, options, shared_core);
  json_decref(run);
  rows_free(&rows);
  plan_free(plan);
  experiment_free(e);
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
