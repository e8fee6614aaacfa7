/* experiment_options.c: see experiment_options.h. The tables of load and serve say what their
 * options take; an experiment takes the same. */
#include "bench/plan/experiment_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/serve_options.h"
#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/units.h"
#include "loadgen/load_options.h"

#define KEY(member) MUX_FIELD(struct experiment, member)

static const char *const answers[] = {"best", "slope", "capacity", "contrast", NULL};

static const char *const methods[] = {"slices", "fresh", NULL};

static int read_percent(void *field, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  double value;
  if (mux_parse_percent(text, &value) == 0 && value <= 1) {
    *(double *)field = value;
    return 0;
  }
  snprintf(why, why_bytes, "'%s' is not a percentage such as 2%% (0 to 100%%)",
           mux_printable(shown, sizeof shown, text));
  return -EINVAL;
}

static char *print_percent(char out[MUX_OPTION_TEXT], const void *field) {
  snprintf(out, MUX_OPTION_TEXT, "%.9g%%", *(const double *)field * 100);
  return out;
}

const struct mux_option_row experiment_keys[] = {
    {"method", .kind = MUX_VALUE_CHOICE, KEY(method), .choices = methods, .fallback = "slices"},
    {"rounds", .kind = MUX_VALUE_COUNT, KEY(rounds), .min = 0, .max = 1000, .fallback = "0"},
    {"slice", .kind = MUX_VALUE_TIME, KEY(slice_ns), .min = 0, .max = 60 * MUX_S, .fallback = "0s"},
    {"precision", .kind = MUX_VALUE_CUSTOM, KEY(precision), .read = read_percent,
     .print = print_percent, .fallback = "0%"},
    {"margin", .kind = MUX_VALUE_CUSTOM, KEY(margin), .read = read_percent, .print = print_percent,
     .fallback = "5%"},
    {"calibration", .kind = MUX_VALUE_CUSTOM, KEY(calibration), .read = read_percent,
     .print = print_percent, .fallback = "0%"},
    {"blocks", .kind = MUX_VALUE_COUNT, KEY(blocks), .min = 1, .max = STATS_BLOCKS_MAX,
     .fallback = "10"},
    {"seed", .kind = MUX_VALUE_COUNT, KEY(seed), .min = 0, .max = INT64_MAX, .absent = "drawn"},
    {"budget", .kind = MUX_VALUE_TIME, KEY(budget_ns), .min = 0, .max = 7 * 86400 * MUX_S,
     .fallback = "0s"},
    {"min_duration", .kind = MUX_VALUE_TIME, KEY(min_duration_ns), .min = MUX_MS,
     .max = 3600 * MUX_S, .fallback = "200ms"},
    {"count", .kind = MUX_VALUE_TIME, KEY(count_ns), .min = 0, .max = 60 * MUX_S,
     .fallback = "250ms"},
    {"answer", .kind = MUX_VALUE_CHOICE, KEY(answer), .choices = answers, .fallback = "best"},
    {"server_cpus", .kind = MUX_VALUE_CPUS, KEY(server_cpus), .absent = "chosen"},
    {"load_cpus", .kind = MUX_VALUE_CPUS, KEY(load_cpus), .absent = "chosen"},
    {0},
};

/* Set in every experiment, as cells and columns are made of them. */
static const struct {
  enum option_group group;
  const char *key, *value;
} defaults[] = {
    {OPTION_LOAD, "connections", "1"},    {OPTION_LOAD, "idle", "0"},
    {OPTION_LOAD, "threads", "1"},        {OPTION_LOAD, "payload", "64"},
    {OPTION_LOAD, "depth", "1"},          {OPTION_LOAD, "rate", "closed"},
    {OPTION_LOAD, "arrival", "constant"}, {OPTION_LOAD, "mode", "echo"},
    {OPTION_LOAD, "duration", "2s"},      {OPTION_LOAD, "warmup", "500ms"},
    {OPTION_LOAD, "timeout", "5s"},       {OPTION_SERVE, "listen", "tcp://127.0.0.1:0"},
};

static const struct {
  const char *name;
  const struct mux_option_row *rows;
  size_t config_bytes; /* of what the rows are read into */
} groups[] = {
    [OPTION_LOAD] = {"load", load_option_table, sizeof(struct load_options)},
    [OPTION_SERVE] = {"serve", mux_serve_option_table, sizeof(struct mux_serve_options)},
};

const struct mux_option_row *experiment_rows(enum option_group group) {
  return groups[group].rows;
}

const char *experiment_group_name(enum option_group group) {
  return groups[group].name;
}

const struct mux_option_row *experiment_option_find(enum option_group group, const char *key) {
  const struct mux_option_row *row = mux_option_table_find(groups[group].rows, key);
  return row != NULL && (row->flags & MUX_OPTION_EXPERIMENT) != 0 ? row : NULL;
}

/* A stream's payload and depth depend on each other: load chooses them. */
static bool is_of_stream(const struct experiment *e, enum option_group group, const char *key) {
  const struct experiment_axis *mode = experiment_axis(e, OPTION_LOAD, "mode");
  if (group != OPTION_LOAD || (strcmp(key, "payload") != 0 && strcmp(key, "depth") != 0))
    return false;
  for (int i = 0; mode != NULL && i < mode->count; i++)
    if (mode->values[i].number == LOAD_STREAM)
      return true;
  return false;
}

const char *experiment_option_default(const struct experiment *e, enum option_group group,
                                      const char *key) {
  if (is_of_stream(e, group, key))
    return NULL;
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
    if (defaults[i].group == group && strcmp(defaults[i].key, key) == 0)
      return defaults[i].value;
  return NULL;
}

/* A value is part of CSV fields, ids of cells and lists: a quote, ';' or control character would
 * break them. */
static bool is_plain(const char *text) {
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++)
    if (iscntrl((unsigned char)text[i]) || text[i] == ';' || text[i] == '"')
      return false;
  return length <= EXPERIMENT_TEXT;
}

int experiment_value_read(struct experiment_value *value, enum option_group group,
                          const struct mux_option_row *option, const char *text,
                          struct mux_option_error *error) {
  char out[MUX_OPTION_TEXT];
  char shown[64];
  *value = (struct experiment_value){0};
  if (!is_plain(text))
    return mux_option_error_set(error, option->key,
                                "'%s' is too long or has a ';', quote or control character",
                                mux_printable(shown, sizeof shown, text));
  void *config = mux_new(1, groups[group].config_bytes);
  int rc = mux_option_row_read(option, text, config, error);
  if (rc == 0) {
    const char *canonical = mux_option_row_print(option, out, config);
    value->number = mux_option_row_number(option, config);
    value->text = mux_copy(canonical != NULL ? canonical : text);
  }
  free(config);
  return rc;
}
