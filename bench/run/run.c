/* run.c: see run.h. */
#include "bench/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bench/plan/plan_options.h"
#include "bench/plan/servers.h"
#include "bench/results/conclusions.h"
#include "bench/results/derive.h"
#include "bench/results/post_checks.h"
#include "bench/results/report.h"
#include "bench/run/fingerprint.h"
#include "bench/run/run_json.h"
#include "common/cli.h"
#include "common/clock.h"

void run_catch_signals(struct run *run) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, &run->old_mask);
  signal(SIGPIPE, SIG_IGN);
  run->stop_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What is still pending would end us when it is unblocked: it has been taken. */
static void release_signals(struct run *run) {
  struct signalfd_siginfo taken;
  while (read(run->stop_fd, &taken, sizeof taken) > 0)
    ;
  close(run->stop_fd);
  sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
}

/* ---- Planning ---------------------------------------------------------------------------------
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

/* Which cores: as many for the server as it has workers, the others for the load. */
static void choose_cpus(struct experiment *e) {
  cpu_set_t server;
  cpu_set_t load;
  if (CPU_COUNT(&e->server_cpus) > 0 && CPU_COUNT(&e->load_cpus) > 0)
    return;
  const struct experiment_axis *workers = experiment_axis(e, OPTION_SERVE, "workers");
  int64_t cores = 1;
  for (int i = 0; workers != NULL && i < workers->count; i++)
    cores = workers->values[i].number > cores ? workers->values[i].number : cores;
  mux_cpus_split(&server, &load, (int)cores);
  if (CPU_COUNT(&e->server_cpus) == 0)
    e->server_cpus = server;
  if (CPU_COUNT(&e->load_cpus) == 0)
    e->load_cpus = load;
}

static bool shares_core(const struct experiment *e) {
  cpu_set_t both;
  CPU_AND(&both, &e->server_cpus, &e->load_cpus);
  return CPU_COUNT(&both) > 0;
}

int run_plan(struct run *run, struct experiment *experiment, char *why, size_t why_bytes) {
  run->experiment = experiment;
  draw_seed(experiment);
  choose_cpus(experiment);
  run->plan = plan_new(experiment, servers_skip);
  return plan_check(run->plan, why, why_bytes);
}

void run_examine(struct doctor_report *report, bool force) {
  doctor_examine(report, DOCTOR_CONNECTIONS);
  if (report->worst < DOCTOR_FAILURE || force)
    return;
  doctor_print(report, DOCTOR_FAILURE, stderr);
  mux_die(MUX_EXIT_FAILED, "this machine is not fit to measure; --force runs all the same");
}

void run_print_plan(const struct run *run, FILE *to) {
  struct pace *pace = pace_new(run->plan);
  pace_print(pace, run->plan, to);
  pace_free(pace);
}

/* ---- The directory ----------------------------------------------------------------------------
 */

int run_begin(struct run *run, const char *out, const char *source, int argc, char **argv,
              const struct doctor_report *doctor, char *why, size_t why_bytes) {
  int rc = rundir_create(&run->dir, out, run->experiment->name, why, why_bytes);
  if (rc != 0)
    return rc;
  json_t *effective = experiment_to_json(run->experiment);
  if (source != NULL)
    rc = rundir_copy(&run->dir, "experiment.cfg", source);
  if (rc == 0)
    rc = rundir_write_json(&run->dir, "effective.json", effective);
  json_decref(effective);
  if (rc != 0) {
    snprintf(why, why_bytes, "%s: %s", run->dir.path, strerror(-rc));
    return rc;
  }
  run->json = run_json_new(run->experiment, &run->dir, argc, argv, shares_core(run->experiment));
  json_object_set_new(run->json, "doctor", doctor_json(doctor));
  json_object_set_new(run->json, "fingerprints", fingerprints(run->experiment, &run->dir));
  doctor_print(doctor, DOCTOR_WARNING, stderr);
  return 0;
}

/* Where a mistake in effective.json is. */
static void locate_effective(const struct experiment_source *source, const char *path, char *out,
                             size_t out_bytes) {
  (void)path;
  snprintf(out, out_bytes, "%s/effective.json", ((const struct rundir *)source->data)->path);
}

static int read_directory(struct run *run, char *why, size_t why_bytes) {
  char path[RUNDIR_PATH];
  struct experiment_source source = {.locate = locate_effective, .data = &run->dir};
  json_t *effective = rundir_read_json(&run->dir, "effective.json", why, why_bytes);
  run->json = rundir_read_json(&run->dir, "run.json", why, why_bytes);
  int rc = effective == NULL || run->json == NULL ? -EINVAL : 0;
  if (rc == 0)
    rc = rows_read(&run->rows, rundir_file(&run->dir, path, "measurements.csv"), why, why_bytes);
  if (rc == 0) {
    run->experiment = experiment_from_json(effective, "resumed", &source, why, why_bytes);
    rc = run->experiment == NULL ? -EINVAL : 0;
  }
  if (rc == 0)
    rc = servers_resolve(run->experiment, NULL, why, why_bytes);
  json_decref(effective);
  return rc;
}

static void drop_unfinished(struct run *run) {
  size_t kept = 0;
  for (size_t i = 0; i < run->slices.count; i++) {
    const struct slice *slice = &run->slices.at[i];
    if (runner_has_launch(run->plan, &run->rows, slice->cell, slice->block))
      run->slices.at[kept++] = *slice;
  }
  run->slices.count = kept;
}

int run_resume(struct run *run, const char *path, char *why, size_t why_bytes) {
  char file[RUNDIR_PATH];
  int rc = rundir_open(&run->dir, path, why, why_bytes);
  if (rc == 0)
    rc = rundir_lock(&run->dir, why, why_bytes);
  if (rc == 0)
    rc = read_directory(run, why, why_bytes);
  if (rc == 0)
    rc = fingerprints_compare(json_object_get(run->json, "fingerprints"), run->experiment,
                              &run->dir, why, why_bytes);
  if (rc != 0)
    return rc;
  rc = run_plan(run, run->experiment, why, why_bytes);
  if (rc == 0)
    rc = slices_read(&run->slices, &run->plan->names, rundir_file(&run->dir, file, "slices.csv"),
                     why, why_bytes);
  double spent_s = rundir_number(run->json, "spent_s");
  run->spent_ns = spent_s > 0 ? (int64_t)(spent_s * 1e9) : 0;
  /* Of a launch that a crash has cut short there may be slices, and half a row. */
  drop_unfinished(run);
  if (rc == 0)
    rc = rows_write(&run->rows, rundir_file(&run->dir, file, "measurements.csv"));
  if (rc == 0)
    rc = slices_write(&run->slices, &run->plan->names, rundir_file(&run->dir, file, "slices.csv"));
  return rc;
}

/* ---- Running -----------------------------------------------------------------------------------
 */

/* Everything that follows from rows and slices. Returns 0 or -errno. */
static int write_derived(struct run *run) {
  char path[RUNDIR_PATH];
  post_checks_flag(&run->dir, run->summary, &run->rows);
  int rc = rows_write(&run->rows, rundir_file(&run->dir, path, "measurements.csv"));
  if (rc == 0)
    rc = summary_write(run->summary, rundir_file(&run->dir, path, "summary.csv"));
  if (rc == 0)
    rc = derive_timeline(&run->dir, &run->rows);
  if (rc == 0)
    rc = derive_percentiles(&run->dir, run->summary);
  if (rc == 0)
    rc = rundir_write_json(&run->dir, "run.json", run->json);
  if (rc != 0)
    mux_note("%s: cannot write the summary: %s", run->dir.path, strerror(-rc));
  return rc;
}

int run_carry_out(struct run *run, enum run_report report) {
  const struct experiment *e = run->experiment;
  struct runner_setting setting = {.plan = run->plan,
                                   .dir = &run->dir,
                                   .server_cpus = e->server_cpus,
                                   .load_cpus = e->load_cpus,
                                   .shared_core = shares_core(e),
                                   .stop_fd = run->stop_fd,
                                   .spent_ns = run->spent_ns,
                                   .run = run->json};
  int end = runner_run(&setting, &run->rows, &run->slices);
  if (end < 0)
    return end;
  run->end = (enum runner_end)end;
  run->summary = summary_new(run->plan, &run->rows, &run->slices);
  json_object_set_new(run->json, "ended", run_json_time());
  json_object_set_new(run->json, "answer", run_json_answer(run->summary));
  int rc = write_derived(run);
  char *runs[] = {run->dir.path};
  fflush(stdout);
  if (rc == 0 && report == RUN_REPORT && run->end == RUNNER_FINISHED &&
      report_build(runs, 1, -1) == MUX_EXIT_OK) /* without it the run has succeeded all the same */
    rundir_print_path(&run->dir, "Report", "report.html", stderr);
  return rc;
}

void run_free(struct run *run) {
  json_decref(run->json);
  summary_free(run->summary);
  rows_free(&run->rows);
  slices_free(&run->slices);
  plan_free(run->plan);
  experiment_free(run->experiment);
  rundir_unlock(&run->dir);
  release_signals(run);
}
