/* runner.c: see runner.h. */
#include "bench/run/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/run/progress.h"
#include "bench/run/trial.h"
#include "bench/run/trial_columns.h"
#include "bench/run/trial_floor.h"
#include "bench/run/trial_server.h"
#include "common/cli.h"
#include "common/clock.h"

struct runner {
  struct runner_setting *setting;
  struct rows *rows;
  struct trial_setting trial;
  struct progress progress;
  json_t *trials; /* of run.json */
  int64_t began_ns, usable_ns;
  int64_t estimated_ns, real_ns; /* overheads of the trials so far */
  struct gate {
    bool asked, closed;
    char why[512];
  } gates[EXPERIMENT_SERVERS + 1][MUX_ADDR_KINDS]; /* by label and kind of socket */
};

int runner_count(const struct rows *rows, const char *status) {
  int n = 0;
  for (size_t i = 0; i < rows->count; i++)
    n += strcmp(row_text(&rows->rows[i], COL_status), status) == 0;
  return n;
}

static bool is_done(const struct rows *rows, int trial) {
  for (size_t i = 0; i < rows->count; i++)
    if (row_number(&rows->rows[i], COL_trial) == trial)
      return true;
  return false;
}

static void record(struct runner *r, const struct plan_trial *trial, struct row *row,
                   const char *reason) {
  json_t *entry = json_array_get(r->trials, (size_t)trial->number - 1);
  char shown[512];
  json_object_set_new(entry, "status", json_string(row_text(row, COL_status)));
  if (reason != NULL && *reason != 0)
    json_object_set_new(entry, "reason", json_string(mux_printable(shown, sizeof shown, reason)));
  progress_row(&r->progress, trial, row, reason != NULL ? reason : "");
  rows_add(r->rows, row);
}

static void set_status(json_t *run, const char *status) {
  json_object_set_new(run, "status", json_string(status));
}

static int save(struct runner *r) {
  char path[RUNDIR_PATH];
  if (r->trial.count_why[0] != 0)
    json_object_set_new(r->setting->run, "counting", json_string(r->trial.count_why));
  json_object_set_new(r->setting->run, "accounting_share_max", json_real(r->trial.edge_share));
  int rc = rows_write(r->rows, rundir_file(r->setting->dir, path, "measurements.csv"));
  if (rc == 0)
    rc = rundir_write_json(r->setting->dir, "run.json", r->setting->run);
  if (rc != 0)
    mux_note("%s: cannot write the results: %s", r->setting->dir->path, strerror(-rc));
  return rc;
}

static void fail_trial(struct runner *r, const struct plan_trial *trial, const char *reason) {
  struct row row;
  trial_skip(&r->trial, trial, &row);
  row_set(&row, COL_status, "failed");
  record(r, trial, &row, reason);
}

/* The first trial of a server on a kind of socket is preceded by the gate: wrong bytes have no
 * performance. Returns NULL, or why it is closed. */
static const char *ask_gate(struct runner *r, const struct plan_trial *trial) {
  struct gate *gate = &r->gates[trial->label][trial_transport(r->setting->plan, trial)];
  if (!gate->asked) {
    char why[400];
    gate->asked = true;
    gate->closed = trial_gate(&r->trial, trial, why, sizeof why) != 0;
    if (gate->closed)
      snprintf(gate->why, sizeof gate->why, "not measured, it is no correct echo server: %s", why);
  }
  return gate->closed ? gate->why : NULL;
}

/* One trial that is not skipped. Returns 0, -EINTR or -ETIME. */
static int run_trial(struct runner *r, const struct plan_trial *trial, struct plan_times times) {
  struct row row;
  char reason[512];
  int64_t began_ns = mux_now_ns();
  progress_trial(&r->progress, trial);
  int rc = trial_run(&r->trial, trial, times, &row, reason, sizeof reason);
  r->real_ns += mux_now_ns() - began_ns - times.warmup_ns - times.duration_ns;
  r->estimated_ns += r->setting->plan->cells[trial->cell].overhead_ns;
  if (rc != 0)
    return rc;
  trial_floor(&r->trial, trial, &row);
  record(r, trial, &row, reason);
  return 0;
}

static void skip_trial(struct runner *r, const struct plan_trial *trial, const char *reason) {
  struct row row;
  trial_skip(&r->trial, trial, &row);
  record(r, trial, &row, reason);
}

/* What the trials of the group that begins at `first` may take, from what is left of the budget and
 * what trials have really cost so far. */
static struct plan_times times_now(const struct runner *r, int first, bool *fits) {
  const struct plan *plan = r->setting->plan;
  double scale = 1;
  if (r->estimated_ns > 0)
    scale = (double)r->real_ns / (double)r->estimated_ns;
  /* A few trials may mislead. */
  double known = (double)first / (double)plan->trial_count * 4;
  known = known < 1 ? known : 1;
  return plan_times_for(plan, &plan->cells[plan->trials[first].cell], first,
                        r->began_ns + r->usable_ns - r->usable_ns / 32 - mux_now_ns(),
                        1 + (scale - 1) * known, fits);
}

/* One cell in one block: trials [first, end). Returns 0, -EINTR, or -errno of writing. */
static int run_group(struct runner *r, int first, int end) {
  const struct plan *plan = r->setting->plan;
  bool budgeted = plan->experiment->budget_ns > 0;
  bool fits;
  struct plan_times times = times_now(r, first, &fits);
  bool late = budgeted && mux_now_ns() >= r->trial.deadline_ns;
  int rc = 0;
  for (int i = first; i < end && rc == 0; i++) {
    const struct plan_trial *trial = &plan->trials[i];
    if (is_done(r->rows, trial->number))
      continue;
    if (trial->skip != NULL) {
      skip_trial(r, trial, trial->skip);
      continue;
    }
    const char *closed = late ? NULL : ask_gate(r, trial);
    if (closed != NULL) {
      fail_trial(r, trial, closed);
      continue;
    }
    if (!late)
      rc = run_trial(r, trial, times);
    if (rc == -ETIME) {
      late = true;
      rc = 0;
    }
    if (rc == 0 && late)
      skip_trial(r, trial, "the run's time budget was used up");
  }
  int written = save(r);
  if (rc == 0)
    progress_group(&r->progress, &plan->trials[end - 1], end);
  return rc != 0 ? rc : written;
}

static int run_groups(struct runner *r) {
  const struct plan *plan = r->setting->plan;
  int rc = 0;
  for (int first = 0; first < plan->trial_count && rc == 0;) {
    int end = first;
    bool open = false;
    while (end < plan->trial_count && plan->trials[end].cell == plan->trials[first].cell &&
           plan->trials[end].block == plan->trials[first].block)
      open = !is_done(r->rows, plan->trials[end++].number) || open;
    if (open)
      rc = run_group(r, first, end);
    first = end;
  }
  return rc;
}

/* The order of everything, with room for what became of it. A resumed run has it already. */
static json_t *trials_json(const struct runner_setting *setting) {
  json_t *trials = json_object_get(setting->run, "trials");
  const struct plan *plan = setting->plan;
  if (json_is_array(trials) && json_array_size(trials) == (size_t)plan->trial_count)
    return trials;
  trials = json_array();
  for (int i = 0; i < plan->trial_count; i++) {
    const struct plan_trial *trial = &plan->trials[i];
    json_array_append_new(trials,
                          json_pack("{s:i, s:s, s:i, s:s, s:s}", "trial", trial->number, "cell_id",
                                    plan->cells[trial->cell].id, "block", trial->block, "label",
                                    plan->labels[trial->label].name, "status", "planned"));
  }
  json_object_set_new(setting->run, "trials", trials);
  return trials;
}

/* Signals that end a run in good order arrive on a descriptor; the old mask goes to *old. */
static int catch_signals(sigset_t *old) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, old);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int runner_run(struct runner_setting *setting, struct rows *rows) {
  const struct experiment *e = setting->plan->experiment;
  struct runner r = {.setting = setting, .rows = rows, .began_ns = mux_now_ns()};
  sigset_t old;
  r.usable_ns = plan_usable_ns(e->budget_ns);
  r.trial = (struct trial_setting){
      .plan = setting->plan,
      .dir = setting->dir,
      .server_cpus = setting->server_cpus,
      .load_cpus = setting->load_cpus,
      .shared_core = setting->shared_core,
      .stop_fd = catch_signals(&old),
      .deadline_ns = e->budget_ns > 0 ? r.began_ns + r.usable_ns : 0,
  };
  r.trials = trials_json(setting);
  set_status(setting->run, "running");
  progress_begin(&r.progress, setting->plan);
  rundir_sweep(setting->dir);
  int rc = save(&r);
  if (rc == 0)
    rc = run_groups(&r);
  rundir_sweep(setting->dir);
  progress_end(&r.progress);
  if (rc == 0 || rc == -EINTR) {
    set_status(setting->run, rc == 0 ? "finished" : "interrupted");
    int written = save(&r);
    rc = written != 0 ? written : rc;
  }
  struct signalfd_siginfo taken; /* what is still pending would end us when it is unblocked */
  while (read(r.trial.stop_fd, &taken, sizeof taken) > 0)
    ;
  close(r.trial.stop_fd);
  sigprocmask(SIG_SETMASK, &old, NULL);
  return rc == -EINTR ? RUNNER_INTERRUPTED : rc;
}
