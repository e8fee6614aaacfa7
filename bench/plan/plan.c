/* plan.c: see plan.h. How long trials take is in plan_time.c. */
#include "bench/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "bench/plan/experiment_options.h"
#include "bench/plan/plan_options.h"
#include "common/memory.h"
#include "common/random.h"

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

int64_t plan_number(const struct plan *plan, const struct plan_cell *cell, enum option_group group,
                    const char *key, int64_t fallback) {
  const struct experiment_value *value = plan_value(plan, cell, NULL, group, key);
  return value != NULL ? value->number : fallback;
}

struct load_objective plan_objective(const struct plan *plan, const struct plan_cell *cell) {
  const struct experiment_value *value = plan_value(plan, cell, NULL, OPTION_LOAD, "find-rate");
  struct load_objective objective = {0};
  if (value != NULL) /* it has been read before */
    load_objective_parse(&objective, value->text);
  return objective;
}

bool plan_slices(const struct plan *plan, const struct plan_cell *cell) {
  const struct experiment_value *mode = plan_value(plan, cell, NULL, OPTION_LOAD, "mode");
  return plan->experiment->method == METHOD_SLICES &&
         (mode == NULL || strcmp(mode->text, "crr") != 0);
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

/* ---- Labels and launches -----------------------------------------------------------------------
 */

static int add_control(struct plan *plan, const char *kind) {
  struct plan_label *label = &plan->labels[plan->label_count];
  label->server = plan->labels[plan->baseline].server;
  label->name = mux_format("%s-%s", label->server->label, kind);
  return plan->label_count++;
}

static void labels_make(struct plan *plan) {
  const struct experiment *e = plan->experiment;
  plan->labels = mux_new((size_t)e->server_count + 2, sizeof *plan->labels);
  plan->baseline = plan->twin = plan->calibration = -1;
  for (int i = 0; i < e->server_count; i++) {
    struct plan_label *label = &plan->labels[plan->label_count++];
    label->server = &e->servers[i];
    label->name = mux_copy(e->servers[i].label);
    if (strcmp(label->name, e->baseline) == 0)
      plan->baseline = i;
  }
  if (plan->baseline >= 0 && e->twin)
    plan->twin = add_control(plan, "twin");
  if (plan->baseline >= 0 && e->calibration > 0 && e->method == METHOD_SLICES &&
      plan_is_own(plan->labels[plan->baseline].server))
    plan->calibration = add_control(plan, "calibration");
}

bool plan_is_rival(const struct plan *plan, int label) {
  return label != plan->baseline && label != plan->twin && label != plan->calibration;
}

int plan_original(const struct plan *plan, int label) {
  return plan_is_rival(plan, label) ? label : plan->baseline;
}

int plan_rivals(const struct plan *plan, const struct plan_cell *cell) {
  int n = 0;
  for (int label = 0; label < plan->label_count; label++)
    n += plan_is_rival(plan, label) && cell->skip[label] == NULL;
  return n;
}

static void skips_make(struct plan *plan, plan_skip_rule skip) {
  for (int i = 0; i < plan->cell_count; i++) {
    struct plan_cell *cell = &plan->cells[i];
    cell->skip = mux_new((size_t)plan->label_count, sizeof *cell->skip);
    for (int label = 0; label < plan->label_count; label++) {
      if (skip != NULL)
        cell->skip[label] = skip(plan->experiment, cell, plan->labels[label].server);
      bool costs = plan_slices(plan, cell) && plan_objective(plan, cell).percentile == 0;
      if (label == plan->calibration && cell->skip[label] == NULL && !costs)
        cell->skip[label] = mux_copy("a calibration is of the cost of slices");
      cell->running += cell->skip[label] == NULL;
    }
  }
}

void plan_launch(const struct plan *plan, int cell, int block, struct plan_trial *trials) {
  uint64_t state = (uint64_t)plan->experiment->seed;
  /* Launches of cells are far apart in the generator's sequence of 2^64. */
  state += mux_random(&(uint64_t){(uint64_t)block << 32 | (uint64_t)cell});
  int first = ((block - 1) * plan->cell_count + cell) * plan->label_count + 1;
  for (int i = 0; i < plan->label_count; i++)
    trials[i] = (struct plan_trial){.number = first + i, .cell = cell, .block = block, .label = i};
  for (int i = plan->label_count - 1; i > 0; i--) { /* Fisher and Yates */
    int j = (int)mux_random_below(&state, (uint64_t)(i + 1));
    int swapped = trials[i].label;
    trials[i].label = trials[j].label;
    trials[j].label = swapped;
  }
}

bool plan_find(const struct plan *plan, const struct row *row, struct plan_trial *trial) {
  double number = row_number(row, COL_trial);
  const char *label = row_text(row, COL_label);
  int per_block = plan->cell_count * plan->label_count;
  if (!(number >= 1 && number <= (double)per_block * STATS_BLOCKS_MAX))
    return false;
  int at = (int)number - 1;
  *trial = (struct plan_trial){
      .number = at + 1, .block = at / per_block + 1, .cell = at % per_block / plan->label_count};
  while (trial->label < plan->label_count && strcmp(plan->labels[trial->label].name, label) != 0)
    trial->label++;
  return trial->label < plan->label_count;
}

static void names_make(struct plan *plan) {
  const char **cells = mux_new((size_t)plan->cell_count, sizeof *cells);
  const char **labels = mux_new((size_t)plan->label_count, sizeof *labels);
  for (int i = 0; i < plan->cell_count; i++)
    cells[i] = plan->cells[i].id;
  for (int i = 0; i < plan->label_count; i++)
    labels[i] = plan->labels[i].name;
  plan->names = (struct slice_names){.cells = cells,
                                     .labels = labels,
                                     .cell_count = plan->cell_count,
                                     .label_count = plan->label_count};
}

struct plan *plan_new(const struct experiment *experiment, plan_skip_rule skip) {
  struct plan *plan = mux_new(1, sizeof *plan);
  plan->experiment = experiment;
  labels_make(plan);
  cells_make(plan);
  skips_make(plan, skip);
  names_make(plan);
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
    for (int label = 0; label < plan->label_count; label++)
      free(plan->cells[i].skip[label]);
    free(plan->cells[i].skip);
  }
  free((void *)plan->names.cells);
  free((void *)plan->names.labels);
  free(plan->labels);
  free(plan->cells);
  free(plan);
}
