/* plan.c: see plan.h. How long trials take is in plan_time.c. */
#include "bench/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/experiment_options.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"

/* Fisher and Yates. */
static void shuffle(int *list, int n, uint64_t *state) {
  for (int i = n - 1; i > 0; i--) {
    int j = (int)mux_random_below(state, (uint64_t)(i + 1));
    int swapped = list[i];
    list[i] = list[j];
    list[j] = swapped;
  }
}

bool plan_is_moot(const struct experiment *e, const struct plan_cell *cell,
                  const struct experiment_axis *axis) {
  const struct experiment_axis *workers = experiment_axis(e, OPTION_SERVE, "workers");
  return axis->group == OPTION_SERVE && strcmp(axis->option->key, "accept") == 0 &&
         workers != NULL && workers->values[cell->choice[workers - e->axes]].number == 1;
}

const struct experiment_value *plan_value(const struct plan *plan, const struct plan_cell *cell,
                                          const struct experiment_server *server,
                                          enum option_group group, const char *key) {
  const struct experiment *e = plan->experiment;
  for (int i = 0; server != NULL && group == OPTION_SERVE && i < server->own_count; i++)
    if (strcmp(server->own[i].option->key, key) == 0)
      return &server->own[i].values[0];
  const struct experiment_axis *axis = experiment_axis(e, group, key);
  if (axis == NULL || plan_is_moot(e, cell, axis))
    return NULL;
  return &axis->values[cell->choice[axis - e->axes]];
}

/* ---- Cells ----------------------------------------------------------------------------------- */

/* Options that have a column, or that belong to the run rather than the cell. */
static bool has_column(const struct mux_option_row *option) {
  static const char *const keys[] = {"connections", "idle",     "threads", "payload",  "depth",
                                     "rate",        "arrival",  "mode",    "duration", "workers",
                                     "warmup",      "interval", NULL};
  int i = 0;
  while (keys[i] != NULL && strcmp(keys[i], option->key) != 0)
    i++;
  return keys[i] != NULL;
}

static void append(char **text, const char *key, const char *value) {
  char *longer =
      mux_format("%s%s%s=%s", *text != NULL ? *text : "", *text != NULL ? ";" : "", key, value);
  free(*text);
  *text = longer;
}

static void cell_describe(const struct experiment *e, struct plan_cell *cell) {
  for (int i = 0; i < e->axis_count; i++) {
    const struct experiment_axis *axis = &e->axes[i];
    const char *value = axis->values[cell->choice[i]].text;
    if (plan_is_moot(e, cell, axis))
      continue;
    if (axis->count > 1)
      append(&cell->id, axis->option->key, value);
    const char *standard = experiment_option_default(e, axis->group, axis->option->key);
    bool usual = standard != NULL && strcmp(standard, value) == 0;
    if (!has_column(axis->option) && (axis->count > 1 || !usual))
      append(&cell->params, axis->option->key, value);
  }
  if (cell->id == NULL)
    cell->id = mux_copy("all");
  if (cell->params == NULL)
    cell->params = mux_copy("");
}

/* True if another cell, with the first value of that axis, is the same. */
static bool is_repeated(const struct experiment *e, const struct plan_cell *cell) {
  for (int i = 0; i < e->axis_count; i++)
    if (cell->choice[i] > 0 && plan_is_moot(e, cell, &e->axes[i]))
      return true;
  return false;
}

/* The first axis of the file varies slowest. */
static void cells_make(struct plan *plan) {
  const struct experiment *e = plan->experiment;
  int points = 1;
  for (int i = 0; i < e->axis_count; i++)
    points *= e->axes[i].count;
  plan->cells = mux_new((size_t)points, sizeof *plan->cells);
  for (int point = 0; point < points; point++) {
    struct plan_cell *cell = &plan->cells[plan->cell_count];
    int rest = point;
    for (int i = e->axis_count - 1; i >= 0; i--) {
      cell->choice[i] = rest % e->axes[i].count;
      rest /= e->axes[i].count;
    }
    if (is_repeated(e, cell))
      continue;
    cell_describe(e, cell);
    plan->cell_count++;
  }
}

/* ---- Labels and trials ----------------------------------------------------------------------- */

static void labels_make(struct plan *plan) {
  const struct experiment *e = plan->experiment;
  plan->labels = mux_new((size_t)e->server_count + 1, sizeof *plan->labels);
  plan->baseline = -1;
  plan->twin = -1;
  for (int i = 0; i < e->server_count; i++) {
    struct plan_label *label = &plan->labels[plan->label_count++];
    label->server = &e->servers[i];
    label->name = mux_copy(e->servers[i].label);
    if (strcmp(label->name, e->baseline) == 0)
      plan->baseline = i;
  }
  if (plan->baseline < 0 || !e->twin)
    return;
  plan->twin = plan->label_count++;
  struct plan_label *twin = &plan->labels[plan->twin];
  twin->server = plan->labels[plan->baseline].server;
  twin->twin = true;
  twin->name = mux_format("%s-twin", twin->server->label);
}

static void trials_make(struct plan *plan, plan_skip_rule skip) {
  uint64_t state = (uint64_t)plan->experiment->seed;
  size_t total = (size_t)plan->blocks * (size_t)plan->cell_count * (size_t)plan->label_count;
  plan->trials = mux_new(total, sizeof *plan->trials);
  int *order = mux_new((size_t)plan->label_count + 1, sizeof *order);
  for (int block = 1; block <= plan->blocks; block++)
    for (int cell = 0; cell < plan->cell_count; cell++) {
      for (int i = 0; i < plan->label_count; i++)
        order[i] = i;
      shuffle(order, plan->label_count, &state);
      for (int i = 0; i < plan->label_count; i++) {
        struct plan_trial *trial = &plan->trials[plan->trial_count++];
        *trial = (struct plan_trial){
            .number = plan->trial_count, .cell = cell, .block = block, .label = order[i]};
        if (skip != NULL)
          trial->skip = skip(plan->experiment, &plan->cells[cell], plan->labels[order[i]].server);
      }
    }
  free(order);
}

struct plan *plan_new(const struct experiment *experiment, int blocks, plan_skip_rule skip) {
  struct plan *plan = mux_new(1, sizeof *plan);
  plan->experiment = experiment;
  plan->blocks = blocks;
  labels_make(plan);
  cells_make(plan);
  plan_estimate_overheads(plan);
  trials_make(plan, skip);
  return plan;
}

void plan_free(struct plan *plan) {
  if (plan == NULL)
    return;
  for (int i = 0; i < plan->label_count; i++)
    free(plan->labels[i].name);
  for (int i = 0; i < plan->cell_count; i++) {
    free(plan->cells[i].id);
    free(plan->cells[i].params);
  }
  for (int i = 0; i < plan->trial_count; i++)
    free(plan->trials[i].skip);
  free(plan->labels);
  free(plan->cells);
  free(plan->trials);
  free(plan);
}
