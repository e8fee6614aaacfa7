/* experiment.c: see experiment.h. From an untrusted tree of JSON to struct experiment with every
 * default filled in, and back. Servers are read in experiment_servers.c. */
#include "bench/plan/experiment.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/shown.h"
#include "bench/data/stats.h"
#include "bench/plan/experiment_options.h"
#include "bench/plan/experiment_reader.h"
#include "common/cli.h"
#include "common/memory.h"

void reader_blame(struct reader *r, const char *path, const char *format, ...) {
  char place[256];
  char text[512];
  char shown[512]; /* one line, whatever the file holds */
  if (r->failed)
    return;
  r->failed = true;
  r->source->locate(r->source, path, place, sizeof place);
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(r->why, r->why_bytes, "%s: %s", place, mux_printable(shown, sizeof shown, text));
}

char *reader_place(const struct reader *r, const char *path) {
  char place[256];
  r->source->locate(r->source, path, place, sizeof place);
  return mux_copy(place);
}

/* The text of a string or whole number; NULL (and blamed) for anything else. */
static const char *scalar(struct reader *r, const json_t *value, const char *path,
                          char buffer[32]) {
  if (json_is_string(value))
    return json_string_value(value);
  if (json_is_integer(value)) {
    snprintf(buffer, 32, "%lld", (long long)json_integer_value(value));
    return buffer;
  }
  reader_blame(r, path, "%s: expected a string or a whole number%s", path,
               json_is_real(value) ? " (write fractions in quotes)" : "");
  return NULL;
}

static char *read_text(struct reader *r, const json_t *tree, const char *key,
                       const char *fallback) {
  const json_t *value = json_object_get(tree, key);
  if (value == NULL)
    return mux_copy(fallback);
  if (!json_is_string(value)) {
    reader_blame(r, key, "%s: expected a text in quotes", key);
    return mux_copy("");
  }
  return mux_copy(json_string_value(value));
}

/* A mistake in the value of an option. libconfig takes numbers above 2147483647 for negative. */
static void blame_value(struct reader *r, const char *path, const char *text,
                        const struct mux_option_error *error) {
  reader_blame(r, path, "%s: %s%s", error->key, error->text,
               *text == '-' ? " (write numbers above 2147483647 in quotes)" : "");
}

/* The keys that hold one value. */
static void read_keys(struct reader *r, const json_t *tree, struct experiment *e) {
  mux_option_table_defaults(experiment_keys, e);
  for (const struct mux_option_row *key = experiment_keys; key->key != NULL && !r->failed; key++) {
    const json_t *value = json_object_get(tree, key->key);
    struct mux_option_error error;
    char buffer[32];
    const char *text = value != NULL ? scalar(r, value, key->key, buffer) : NULL;
    if (text != NULL && mux_option_row_read(key, text, e, &error) != 0)
      blame_value(r, key->key, text, &error);
  }
}

static bool read_bool(struct reader *r, const json_t *tree, const char *key, bool fallback) {
  const json_t *value = json_object_get(tree, key);
  if (value == NULL)
    return fallback;
  if (json_is_boolean(value))
    return json_is_true(value);
  const char *text = json_string_value(value);
  if (text != NULL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
    return *text == 't';
  reader_blame(r, key, "%s: expected true or false", key);
  return fallback;
}

/* One name of a column or a list of them. */
static void read_columns(struct reader *r, const json_t *tree, struct experiment *e) {
  const json_t *list = json_object_get(tree, "columns");
  size_t n = list == NULL ? 0 : json_is_array(list) ? json_array_size(list) : 1;
  if (n > EXPERIMENT_COLUMNS)
    reader_blame(r, "columns", "columns: at most %d", EXPERIMENT_COLUMNS);
  for (size_t i = 0; i < n && !r->failed; i++) {
    const char *name = json_string_value(json_is_array(list) ? json_array_get(list, i) : list);
    enum column column = shown_column(name != NULL ? name : "");
    if (column == COLUMN_COUNT)
      reader_blame(r, "columns", "columns: '%s' is not a column of measurements.csv",
                   name != NULL ? name : "");
    else
      e->columns[e->column_count++] = column;
  }
}

/* ---- Axes ------------------------------------------------------------------------------------ */

void reader_axis_free(struct experiment_axis *axis) {
  for (int i = 0; i < axis->count; i++)
    free(axis->values[i].text);
  free(axis->values);
  free(axis->place);
  *axis = (struct experiment_axis){0};
}

void reader_axis_read(struct reader *r, struct experiment_axis *axis, enum option_group group,
                      const struct mux_option_row *option, const json_t *value, const char *path) {
  size_t n = json_is_array(value) ? json_array_size(value) : 1;
  axis->group = group;
  axis->option = option;
  axis->place = reader_place(r, path);
  if (n == 0 || n > EXPERIMENT_VALUES) {
    reader_blame(r, path, "%s: a list has 1 to %d values", path, EXPERIMENT_VALUES);
    return;
  }
  axis->values = mux_new(n, sizeof *axis->values);
  for (size_t i = 0; i < n && !r->failed; i++) {
    struct mux_option_error error;
    char buffer[32];
    const json_t *element = json_is_array(value) ? json_array_get(value, i) : value;
    const char *text = scalar(r, element, path, buffer);
    struct experiment_value *read = &axis->values[axis->count];
    if (text == NULL)
      return;
    if (experiment_value_read(read, group, option, text, &error) != 0) {
      blame_value(r, path, text, &error);
      return;
    }
    axis->count++;
    for (int j = 0; j < axis->count - 1; j++)
      if (strcmp(axis->values[j].text, read->text) == 0)
        reader_blame(r, path, "%s: %s is in the list twice", option->key, read->text);
  }
}

/* Options of one group, in the order of the file. */
static void axes_read(struct reader *r, struct experiment *e, enum option_group group,
                      const json_t *tree) {
  const char *name = experiment_group_name(group);
  const json_t *options = json_object_get(tree, name);
  const char *key;
  json_t *value;
  if (options != NULL && !json_is_object(options)) {
    reader_blame(r, name, "%s: expected a group { option = value; … }", name);
    return;
  }
  json_object_foreach((json_t *)options, key, value) {
    char path[128];
    char shown[64];
    snprintf(path, sizeof path, "%s.%s", name, mux_printable(shown, sizeof shown, key));
    const struct mux_option_row *option = experiment_option_find(group, key);
    if (option == NULL) {
      reader_blame(r, path, "'%s' is not an option of %s that an experiment may set", shown, name);
      return;
    }
    assert(e->axis_count < EXPERIMENT_AXES);
    reader_axis_read(r, &e->axes[e->axis_count++], group, option, value, path);
    if (r->failed)
      return;
  }
}

static void axes_fill_defaults(struct reader *r, struct experiment *e, enum option_group group) {
  for (const struct mux_option_row *option = experiment_rows(group); option->key != NULL;
       option++) {
    const char *text = experiment_option_default(e, group, option->key);
    char path[128];
    if (text == NULL || experiment_axis(e, group, option->key) != NULL)
      continue;
    snprintf(path, sizeof path, "%s.%s", experiment_group_name(group), option->key);
    json_t *value = json_string(text);
    reader_axis_read(r, &e->axes[e->axis_count++], group, option, value, path);
    json_decref(value);
  }
}

const struct experiment_axis *experiment_axis(const struct experiment *experiment,
                                              enum option_group group, const char *key) {
  for (int i = 0; i < experiment->axis_count; i++) {
    const struct experiment_axis *axis = &experiment->axes[i];
    if (axis->group == group && strcmp(axis->option->key, key) == 0)
      return axis;
  }
  return NULL;
}

const struct experiment_axis *experiment_along(const struct experiment *experiment) {
  const struct experiment_axis *axis = experiment_axis(experiment, OPTION_LOAD, experiment->along);
  return axis != NULL ? axis : experiment_axis(experiment, OPTION_SERVE, experiment->along);
}

/* A prefix, or a list of them. NULL: none. */
static char *read_agents(struct reader *r, const json_t *value) {
  char *all = NULL;
  size_t i;
  json_t *prefix;
  if (value == NULL)
    return NULL;
  if (json_is_string(value))
    return mux_copy(json_string_value(value));
  json_array_foreach(value, i, prefix) {
    char *before = all;
    if (!json_is_string(prefix))
      break;
    all = mux_format("%s%s%s", i > 0 ? before : "", i > 0 ? "," : "", json_string_value(prefix));
    free(before);
  }
  if (all == NULL || i < json_array_size(value))
    reader_blame(r, "agents", "agents: expected command prefixes such as (\"ssh a\", \"ssh b\")");
  return all;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void check_keys(struct reader *r, const json_t *tree) {
  static const char *const keys[] = {
      "name",    "question",  "objective",   "answer",    "along",  "baseline",
      "columns", "blocks",    "twin",        "servers",   "budget", "min_duration",
      "count",   "seed",      "server_cpus", "load_cpus", "method", "rounds",
      "slice",   "precision", "margin",      "load",      "serve",  "calibration",
      "agents",  NULL};
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)tree, key, value) {
    int i = 0;
    while (keys[i] != NULL && strcmp(keys[i], key) != 0)
      i++;
    if (keys[i] == NULL) {
      char shown[64];
      reader_blame(r, key, "unknown key '%s'", mux_printable(shown, sizeof shown, key));
      return;
    }
  }
}

static void check_sense(struct reader *r, const struct experiment *e) {
  if (shown_column(e->objective) == COLUMN_COUNT)
    reader_blame(r, "objective", "objective: '%s' is not a column of measurements.csv",
                 e->objective);
  if (e->answer == ANSWER_SLOPE && experiment_axis(e, OPTION_LOAD, e->along) == NULL)
    reader_blame(r, "along", "along: '%s' is not an option of load", e->along);
  if (e->answer == ANSWER_CONTRAST && experiment_along(e) == NULL)
    reader_blame(r, "along", "along: '%s' is not an option that this experiment sets", e->along);
  bool found = e->all_available || *e->baseline == 0;
  for (int i = 0; i < e->server_count; i++)
    found = found || strcmp(e->servers[i].label, e->baseline) == 0;
  if (!found)
    reader_blame(r, "baseline", "baseline: '%s' is not among the servers", e->baseline);
  int64_t cells = 1;
  for (int i = 0; i < e->axis_count && cells <= EXPERIMENT_CELLS; i++)
    cells *= e->axes[i].count;
  if (cells > EXPERIMENT_CELLS)
    reader_blame(r, "load", "the matrix has more than %d cells", EXPERIMENT_CELLS);
}

struct experiment *experiment_from_json(const json_t *tree, const char *name,
                                        const struct experiment_source *source, char *why,
                                        size_t why_bytes) {
  struct reader r = {.source = source, .why = why, .why_bytes = why_bytes};
  struct experiment *e = mux_new(1, sizeof *e);
  e->seed = -1; /* none */
  check_keys(&r, tree);
  e->name = read_text(&r, tree, "name", name);
  if (!reader_label_is_fine(e->name))
    reader_blame(&r, "name", "name: use letters, digits, '.', '_' and '-', at most 64");
  e->question = read_text(&r, tree, "question", "");
  e->objective = read_text(&r, tree, "objective", "host_cpu_us_per_req");
  e->baseline = read_text(&r, tree, "baseline", "");
  e->along = read_text(&r, tree, "along", "");
  e->agents = read_agents(&r, json_object_get(tree, "agents"));
  read_keys(&r, tree, e);
  e->twin = read_bool(&r, tree, "twin", e->blocks >= STATS_BLOCKS_MIN);
  read_columns(&r, tree, e);
  axes_read(&r, e, OPTION_LOAD, tree);
  if (!r.failed)
    axes_read(&r, e, OPTION_SERVE, tree);
  if (!r.failed)
    reader_servers(&r, e, tree);
  if (!r.failed)
    axes_fill_defaults(&r, e, OPTION_LOAD);
  if (!r.failed)
    axes_fill_defaults(&r, e, OPTION_SERVE);
  if (!r.failed)
    check_sense(&r, e);
  if (r.failed) {
    experiment_free(e);
    return NULL;
  }
  return e;
}

static json_t *axis_to_json(const struct experiment_axis *axis) {
  json_t *list = json_array();
  for (int i = 0; i < axis->count; i++)
    json_array_append_new(list, json_string(axis->values[i].text));
  return list;
}

static json_t *server_to_json(const struct experiment_server *server) {
  json_t *object = json_pack("{s:s}", "name", server->label);
  if (server->command != NULL)
    json_object_set_new(object, "command", json_string(server->command));
  else if (server->target != NULL)
    json_object_set_new(object, "target", json_string(server->target));
  else
    json_object_set_new(object, "backend", json_string(server->backend));
  for (int i = 0; i < server->own_count; i++)
    json_object_set_new(object, server->own[i].option->key,
                        json_string(server->own[i].values[0].text));
  return object;
}

json_t *experiment_to_json(const struct experiment *e) {
  json_t *tree = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "name", e->name, "question",
                           e->question, "objective", e->objective, "along", e->along, "baseline",
                           e->baseline, "twin", (int)e->twin);
  for (const struct mux_option_row *key = experiment_keys; key->key != NULL; key++) {
    char out[MUX_OPTION_TEXT];
    const char *text = mux_option_row_print(key, out, e);
    if (text != NULL)
      json_object_set_new(tree, key->key,
                          key->kind == MUX_VALUE_COUNT
                              ? json_integer((json_int_t)mux_option_row_number(key, e))
                              : json_string(text));
  }
  if (e->agents != NULL)
    json_object_set_new(tree, "agents", json_string(e->agents));
  json_t *columns = json_array();
  for (int i = 0; i < e->column_count; i++)
    json_array_append_new(columns, json_string(column_names[e->columns[i]]));
  json_object_set_new(tree, "columns", columns);
  json_t *groups[] = {[OPTION_LOAD] = json_object(), [OPTION_SERVE] = json_object()};
  for (int i = 0; i < e->axis_count; i++)
    json_object_set_new(groups[e->axes[i].group], e->axes[i].option->key,
                        axis_to_json(&e->axes[i]));
  json_object_set_new(tree, "load", groups[OPTION_LOAD]);
  json_object_set_new(tree, "serve", groups[OPTION_SERVE]);
  json_t *servers = e->all_available ? json_string("available") : json_array();
  for (int i = 0; i < e->server_count && !e->all_available; i++)
    json_array_append_new(servers, server_to_json(&e->servers[i]));
  json_object_set_new(tree, "servers", servers);
  return tree;
}

void experiment_free(struct experiment *e) {
  if (e == NULL)
    return;
  free(e->name);
  free(e->question);
  free(e->objective);
  free(e->along);
  free(e->baseline);
  free(e->agents);
  for (int i = 0; i < e->axis_count; i++)
    reader_axis_free(&e->axes[i]);
  for (int i = 0; i < e->server_count; i++)
    experiment_server_free(&e->servers[i]);
  free(e->servers);
  free(e);
}
