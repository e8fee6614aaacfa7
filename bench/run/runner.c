/* runner.c: see runner.h. */
#include "bench/run/runner.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/results/summary.h"
#include "bench/run/gates.h"
#include "bench/run/launch.h"
#include "bench/run/progress.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/memory.h"

struct runner {
  struct runner_setting *setting;
  struct rows *rows;
  struct slices *slices;
  struct pace *pace;
  struct trial_setting trial;
  struct progress progress;
  json_t *trials; /* of run.json */
  int64_t began_ns, deadline_ns;
  struct gates gates;
};

int runner_count(const struct rows *rows, const char *status) {
  int n = 0;
  for (size_t i = 0; i < rows->count; i++)
    n += strcmp(row_text(&rows->rows[i], COL_status), status) == 0;
  return n;
}

/* ---- The run directory -------------------------------------------------------------------------
 */

static void set_status(json_t *run, const char *status) {
  json_object_set_new(run, "status", json_string(status));
}

static int save_run(struct runner *r) {
  json_t *run = r->setting->run;
  if (r->trial.count_why[0] != 0)
    json_object_set_new(run, "counting", json_string(r->trial.count_why));
  json_object_set_new(run, "spent_s",
                      json_real((double)(r->setting->spent_ns + mux_now_ns() - r->began_ns) / 1e9));
  return rundir_write_json(r->setting->dir, "run.json", run);
}

/* What has come since: slices first, as the rows say that a launch is complete. */
static int save(struct runner *r, size_t rows_before, size_t slices_before) {
  char path[RUNDIR_PATH];
  const struct plan *plan = r->setting->plan;
  int rc = slices_append(r->slices, slices_before, &plan->names,
                         rundir_file(r->setting->dir, path, "slices.csv"));
  if (rc == 0)
    rc = rows_append(r->rows, rows_before, rundir_file(r->setting->dir, path, "measurements.csv"));
  if (rc == 0)
    rc = save_run(r);
  if (rc != 0)
    mux_note("%s: cannot write the results: %s", r->setting->dir->path, strerror(-rc));
  return rc;
}

/* Why a trial has no figures; the same reason for a label and cell once. */
static void record(struct runner *r, const struct trial *trial) {
  const struct plan *plan = r->setting->plan;
  char shown[512];
  if (trial->status == NULL || (strcmp(trial->status, "skipped") == 0 && trial->plan.block > 1))
    return;
  mux_printable(shown, sizeof shown, trial->why);
  json_array_append_new(r->trials,
                        json_pack("{s:i, s:s, s:i, s:s, s:s, s:s}", "trial", trial->plan.number,
                                  "cell_id", plan->cells[trial->plan.cell].id, "block",
                                  trial->plan.block, "label", plan->labels[trial->plan.label].name,
                                  "status", trial->status, "reason", shown));
  progress_trouble(&r->progress, &trial->plan, trial->status, shown);
}

/* ---- Launches ---------------------------------------------------------------------------------
 */

bool runner_has_launch(const struct plan *plan, const struct rows *rows, int cell, int block) {
  for (size_t i = rows->count; i-- > 0;) { /* mostly asked for one of the last */
    struct plan_trial trial;
    if (plan_find(plan, &rows->rows[i], &trial) && trial.cell == cell && trial.block == block)
      return true;
  }
  return false;
}

/* What this launch has really taken replaces the estimate; a few mislead less together. */
static void learn(struct pace_cell *pace, const struct launch *launch) {
  int64_t round_ns = launch->round_ns / (launch->rounds > 0 ? launch->rounds : 1);
  bool first = launch->block == 1;
  pace->overhead_ns = first ? launch->overhead_ns : (pace->overhead_ns + launch->overhead_ns) / 2;
  pace->round_ns = first ? round_ns : (pace->round_ns + round_ns) / 2;
}

static void show_slice(void *data, int label, int round, int rounds) {
  struct runner *r = data;
  progress_slice(&r->progress, label, round, rounds);
}

/* One cell in one launch. Returns 0, -EINTR, or -errno of writing. */
static int run_launch(struct runner *r, int cell, int block) {
  const struct plan *plan = r->setting->plan;
  const char **closed = mux_new((size_t)plan->label_count, sizeof *closed);
  struct launch launch = {.setting = &r->trial,
                          .cell = cell,
                          .block = block,
                          .pace = &r->pace->cells[cell],
                          .closed = closed,
                          .deadline_ns = r->deadline_ns,
                          .watch = {.slice = show_slice, .data = r}};
  size_t rows_before = r->rows->count;
  size_t slices_before = r->slices->count;
  progress_launch(&r->progress, r->pace, cell, block);
  int missing = gates_missing(&r->gates, plan, cell, block);
  if (missing > 0)
    progress_gates(&r->progress, missing);
  int rc = gates_ask(&r->gates, &r->trial, cell, block, closed);
  if (rc == 0)
    rc = launch_run(&launch, r->rows, r->slices);
  if (rc == 0) {
    learn(&r->pace->cells[cell], &launch);
    for (int i = 0; i < launch.count; i++)
      record(r, &launch.trials[i]);
    rc = save(r, rows_before, slices_before);
  }
  launch_free(&launch);
  free(closed);
  return rc;
}

/* True when the budget has no room for another launch of this cell. */
static bool is_late(const struct runner *r, int cell) {
  return r->deadline_ns > 0 &&
         mux_now_ns() + pace_cell_ns(&r->pace->cells[cell]) * 3 / 4 > r->deadline_ns;
}

/* How precise the cells are by now. True if all are as precise as was asked. */
static bool judge_precision(struct runner *r, int block) {
  const struct plan *plan = r->setting->plan;
  double asked = plan->experiment->precision;
  bool all = asked > 0;
  if (block < FAMILY_LAUNCHES_MIN || (asked <= 0 && plan->cell_count > 1))
    return false;
  struct summary *summary = summary_new(plan, r->rows, r->slices);
  for (int cell = 0; cell < plan->cell_count; cell++) {
    struct pace_cell *pace = &r->pace->cells[cell];
    double half_width = summary_half_width(summary, cell);
    pace->precise = asked > 0 && half_width <= log1p(asked);
    all = all && pace->precise;
    progress_precision(&r->progress, plan->cell_count == 1 ? half_width : INFINITY);
  }
  summary_free(summary);
  return all;
}

static int run_launches(struct runner *r) {
  const struct plan *plan = r->setting->plan;
  bool precise = false;
  int rc = 0;
  for (int block = 1; block <= pace_launches(r->pace, plan) && !precise && rc == 0; block++) {
    for (int cell = 0; cell < plan->cell_count && rc == 0; cell++) {
      const struct pace_cell *pace = &r->pace->cells[cell];
      bool wanted = !pace->precise && block <= pace->launches && (block == 1 || !is_late(r, cell));
      if (wanted && !runner_has_launch(plan, r->rows, cell, block))
        rc = run_launch(r, cell, block);
    }
    precise = judge_precision(r, block);
    if (r->deadline_ns > 0)
      pace_fit(r->pace, plan, block, r->deadline_ns - mux_now_ns());
  }
  return rc;
}

int runner_run(struct runner_setting *setting, struct rows *rows, struct slices *slices) {
  const struct plan *plan = setting->plan;
  struct runner r = {.setting = setting,
                     .rows = rows,
                     .slices = slices,
                     .pace = pace_new(plan),
                     .began_ns = mux_now_ns()};
  if (plan->experiment->budget_ns > 0)
    r.deadline_ns = r.began_ns + plan->experiment->budget_ns * 94 / 100 - setting->spent_ns;
  r.trial = (struct trial_setting){.plan = plan,
                                   .dir = setting->dir,
                                   .server_cpus = setting->server_cpus,
                                   .load_cpus = setting->load_cpus,
                                   .shared_core = setting->shared_core,
                                   .stop_fd = setting->stop_fd};
  r.trials = json_object_get(setting->run, "trials");
  if (!json_is_array(r.trials)) {
    r.trials = json_array();
    json_object_set_new(setting->run, "trials", r.trials);
  }
  set_status(setting->run, "running");
  progress_begin(&r.progress, plan, r.deadline_ns);
  rundir_sweep(setting->dir);
  int rc = save(&r, rows->count, slices->count);
  if (rc == 0)
    rc = run_launches(&r);
  rundir_sweep(setting->dir);
  progress_end(&r.progress);
  if (rc == 0 || rc == -EINTR) {
    set_status(setting->run, rc == 0 ? "finished" : "interrupted");
    int written = save_run(&r);
    rc = written != 0 ? written : rc;
  }
  pace_free(r.pace);
  return rc == -EINTR ? RUNNER_INTERRUPTED : rc;
}
