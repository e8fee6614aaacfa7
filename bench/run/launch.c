/* launch.c: see launch.h. */
#include "bench/run/launch.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/run/launch_groups.h"
#include "bench/run/trial_columns.h"
#include "bench/run/trial_floor.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"

/* Turns of a round: each rival once, the baseline some times, the floor. */
enum { FLOOR_TURN = -1, TURNS_MAX = 3 * EXPERIMENT_LABELS };

struct rounds {
  struct launch *launch;
  struct slices *slices;
  struct session *floor; /* NULL: none */
  int group, baseline;   /* baseline: index into the trials; -1: none */
  uint64_t random;
};

static bool is_in_group(const struct trial *trial, int group) {
  return trial->alive && trial->group == group;
}

/* Rivals in random order, the baseline's turns spread over them evenly: one in each of as many
 * parts, at a random place. Returns how many turns there are. */
static int draw_turns(struct rounds *r, int turns[TURNS_MAX]) {
  const struct launch *launch = r->launch;
  int rivals[EXPERIMENT_LABELS];
  int n = 0;
  int count = 0;
  for (int i = 0; i < launch->count; i++)
    if (is_in_group(&launch->trials[i], r->group) && i != r->baseline)
      rivals[n++] = i;
  for (int i = n - 1; i > 0; i--) {
    int j = (int)mux_random_below(&r->random, (uint64_t)(i + 1));
    int swapped = rivals[i];
    rivals[i] = rivals[j];
    rivals[j] = swapped;
  }
  int parts = r->baseline >= 0 ? launch->pace->turns : 1;
  int next = 0;
  for (int part = 0; part < parts; part++) {
    int end = n * (part + 1) / parts;
    int at = next + (int)mux_random_below(&r->random, (uint64_t)(end - next) + 1);
    for (; next <= end; next++) {
      if (next == at && r->baseline >= 0)
        turns[count++] = r->baseline;
      if (next == end)
        break;
      turns[count++] = rivals[next];
    }
  }
  if (r->floor != NULL)
    turns[count++] = FLOOR_TURN;
  return count;
}

static void keep(struct rounds *r, struct slice *slice, int64_t began_ns, int round, int turn) {
  slice->t_s = (double)(began_ns - r->launch->began_ns) / 1e9;
  slice->round = round;
  slice->turn = turn;
  slices_add(r->slices, slice);
}

/* One kind of slice of one label. Returns 0 or -EINTR. */
static int run_slice(struct rounds *r, struct trial *trial, enum slice_kind kind, int round,
                     int turn) {
  struct slice slice;
  const struct launch *launch = r->launch;
  int64_t began_ns = mux_now_ns();
  int rc = trial_slice(launch->setting, trial, launch->pace, kind, &slice);
  if (rc == 0 && trial->alive) {
    keep(r, &slice, began_ns, round, turn);
    trial->rounds = round;
  }
  return rc;
}

static int run_turn(struct rounds *r, int which, int round, int turn) {
  struct launch *launch = r->launch;
  if (which == FLOOR_TURN) {
    struct slice slice;
    int64_t began_ns = mux_now_ns();
    int rc = trial_floor_slice(launch->setting, r->floor, launch->pace, &slice);
    if (rc == 0) {
      slice.cell = launch->cell;
      slice.block = launch->block;
      slice.group = r->group;
      keep(r, &slice, began_ns, round, turn);
    } else if (rc != -EINTR) {
      r->floor = NULL;
    }
    return rc == -EINTR ? rc : 0;
  }
  struct trial *trial = &launch->trials[which];
  if (!trial->alive)
    return 0;
  if (launch->watch.slice != NULL)
    launch->watch.slice(launch->watch.data, trial->plan.label, round, launch->pace->rounds);
  int rc = run_slice(r, trial, SLICE_COST, round, turn);
  bool open_loop = trial_number(launch->setting->plan, &trial->plan, "rate") > 0;
  if (rc == 0 && trial->alive && open_loop && launch->pace->slices)
    rc = run_slice(r, trial, SLICE_LATENCY, round, turn);
  return rc;
}

/* Every label has traffic once, uncounted: caches, buffers and windows get to their size. */
static int settle_all(struct rounds *r) {
  int rc = 0;
  for (int i = 0; i < r->launch->count && rc == 0; i++)
    if (is_in_group(&r->launch->trials[i], r->group))
      rc =
          trial_slice(r->launch->setting, &r->launch->trials[i], r->launch->pace, SLICE_COST, NULL);
  return rc;
}

static int count_all(struct rounds *r) {
  struct trial_setting *setting = r->launch->setting;
  int rc = 0;
  for (int i = 0; i < r->launch->count && rc == 0; i++)
    if (is_in_group(&r->launch->trials[i], r->group) && !r->launch->trials[i].repeated &&
        setting->plan->experiment->count_ns > 0 && setting->count_why[0] == 0)
      rc = trial_count(setting, &r->launch->trials[i], r->launch->pace);
  return rc;
}

static int run_rounds(struct rounds *r) {
  struct launch *launch = r->launch;
  int64_t began_ns = mux_now_ns();
  int rc = 0;
  launch->rounds = 0;
  for (int round = 1; round <= launch->pace->rounds && rc == 0; round++) {
    int turns[TURNS_MAX];
    if (round > 1 && launch->deadline_ns > 0 && mux_now_ns() >= launch->deadline_ns)
      break;
    int count = draw_turns(r, turns);
    for (int turn = 0; turn < count && rc == 0; turn++)
      rc = run_turn(r, turns[turn], round, turn + 1);
    launch->rounds = round;
  }
  launch->round_ns += mux_now_ns() - began_ns;
  return rc;
}

/* The floor of this launch: CPU time ÷ messages of its slices. */
static void set_floor(struct launch *launch, const struct slices *slices, size_t first) {
  double cpu_s = 0;
  int64_t messages = 0;
  for (size_t i = first; i < slices->count; i++)
    if (slices->at[i].kind == SLICE_FLOOR) {
      cpu_s += slices->at[i].server_cpu_s;
      messages += slices->at[i].completed;
    }
  if (messages > 0)
    launch->floor_us = cpu_s * 1e6 / (double)messages;
}

/* The calibration is made dearer by a share of what the baseline costs in this very launch. */
static int calibrate(struct rounds *r, struct trial *trial) {
  struct launch *launch = r->launch;
  double host_us = NAN;
  int rc = 0;
  if (r->baseline >= 0)
    rc = trial_cost(launch->setting, &launch->trials[r->baseline], launch->pace, &host_us);
  if (rc == 0 && host_us > 0)
    trial->work_ns = (int64_t)(launch->setting->plan->experiment->calibration * host_us * 1e3);
  if (rc == 0 && trial->work_ns == 0) {
    trial->status = "failed";
    snprintf(trial->why, sizeof trial->why, "the baseline's cost is not known");
  }
  return rc;
}

/* The calibration comes last, as it needs the baseline. */
static int start_all(struct rounds *r) {
  struct launch *launch = r->launch;
  const struct plan *plan = launch->setting->plan;
  int rc = 0;
  r->baseline = -1;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < launch->count && rc == 0; i++) {
      struct trial *trial = &launch->trials[i];
      bool last = trial->plan.label == plan->calibration;
      if (last != (pass == 1) || trial->group != r->group || trial->status != NULL)
        continue;
      if (last)
        rc = calibrate(r, trial);
      if (rc == 0 && trial->status == NULL)
        rc = trial_start(launch->setting, trial, launch->pace);
      if (trial->alive && trial->plan.label == plan->baseline)
        r->baseline = i;
    }
  return rc;
}

static int finish_all(struct rounds *r, struct rows *rows) {
  struct launch *launch = r->launch;
  int rc = 0;
  for (int i = 0; i < launch->count && rc == 0; i++) {
    struct trial *trial = &launch->trials[i];
    struct row row = {0};
    if (trial->group != r->group)
      continue;
    rc = trial_finish(launch->setting, trial, &row);
    trial_floor_columns(&row, launch->floor_us);
    if (rc == 0 && !trial->repeated)
      rows_add(rows, &row);
    row_clear(&row);
  }
  return rc;
}

/* The labels that run side by side, from start to end. */
static int run_group(struct launch *launch, int group, struct rows *rows, struct slices *slices) {
  struct session floor;
  struct rounds r = {.launch = launch,
                     .slices = slices,
                     .group = group,
                     .random = (uint64_t)launch->setting->plan->experiment->seed ^
                               (uint64_t)launch->trials[0].plan.number << 20};
  size_t first = slices->count;
  int rc = start_all(&r);
  if (rc == 0 && launch->pace->slices)
    rc = settle_all(&r);
  bool has_floor = rc == 0 && isnan(launch->floor_us) &&
                   trial_floor_start(launch->setting, &launch->trials[0].plan, &floor) == 0;
  r.floor = has_floor ? &floor : NULL;
  if (rc == 0)
    rc = run_rounds(&r);
  if (has_floor)
    session_close(&floor);
  if (rc == 0)
    rc = count_all(&r);
  set_floor(launch, slices, first);
  return rc == 0 ? finish_all(&r, rows) : rc;
}

static void prepare(struct launch *launch) {
  const struct plan *plan = launch->setting->plan;
  struct plan_trial *order = mux_new((size_t)plan->label_count, sizeof *order);
  launch->floor_us = NAN;
  plan_launch(plan, launch->cell, launch->block, order);
  launch_group(launch, order);
  for (int i = 0; i < launch->count; i++) {
    struct trial *trial = &launch->trials[i];
    const char *skip = plan->cells[launch->cell].skip[trial->plan.label];
    const char *closed = launch->closed[trial->plan.label];
    session_init(&trial->session, launch->setting->stop_fd);
    trial->status = skip != NULL ? "skipped" : closed != NULL ? "failed" : NULL;
    snprintf(trial->why, sizeof trial->why, "%s",
             skip != NULL     ? skip
             : closed != NULL ? closed
                              : "");
  }
  free(order);
}

int launch_run(struct launch *launch, struct rows *rows, struct slices *slices) {
  launch->began_ns = mux_now_ns();
  size_t rows_before = rows->count;
  size_t slices_before = slices->count;
  int rc = 0;
  prepare(launch);
  for (int group = 1; group <= launch_group_count(launch) && rc == 0; group++)
    rc = run_group(launch, group, rows, slices);
  for (int i = 0; i < launch->count; i++)
    trial_close(&launch->trials[i]);
  launch->overhead_ns = mux_now_ns() - launch->began_ns - launch->round_ns;
  if (rc != 0) {
    rows_cut(rows, rows_before);
    slices->count = slices_before;
  }
  return rc;
}

void launch_free(struct launch *launch) {
  free(launch->trials);
}
