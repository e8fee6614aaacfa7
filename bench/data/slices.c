/* slices.c: see slices.h. */
#include "bench/data/slices.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/csv.h"
#include "common/cli.h"
#include "common/input.h"
#include "common/memory.h"

const char *const slice_kind_names[SLICE_KINDS] = {"cost", "latency", "capacity", "floor"};

void slices_add(struct slices *slices, const struct slice *slice) {
  if (slices->count == slices->room) {
    slices->room = slices->room * 2 + 64;
    slices->at = mux_resize(slices->at, slices->room, sizeof *slices->at);
  }
  slices->at[slices->count++] = *slice;
}

void slices_free(struct slices *slices) {
  free(slices->at);
  *slices = (struct slices){0};
}

/* ---- slices.csv -------------------------------------------------------------------------------
 */

#define COLUMNS(X)                                                                                 \
  X(trial)                                                                                         \
  X(cell_id)                                                                                       \
  X(block)                                                                                         \
  X(round)                                                                                         \
  X(turn)                                                                                          \
  X(label)                                                                                         \
  X(t_s)                                                                                           \
  X(duration_s)                                                                                    \
  X(completed)                                                                                     \
  X(server_cpu_s) X(client_cpu_s) X(status) X(flags) X(kind) X(group) X(offered_per_s) X(late)
enum slice_column {
#define COLUMN_ID(name) SLICE_COL_##name,
  COLUMNS(COLUMN_ID)
#undef COLUMN_ID
      SLICE_COLUMNS
};
static const char *const slice_column_names[SLICE_COLUMNS] = {
#define COLUMN_NAME(name) #name,
    COLUMNS(COLUMN_NAME)
#undef COLUMN_NAME
};
static const char floor_label[] = "floor";

static void put_number(FILE *to, double value) {
  char text[32] = "";
  if (isfinite(value))
    snprintf(text, sizeof text, "%.9g", value);
  csv_put(to, text, false);
}

static void put_head(FILE *to) {
  for (int i = 0; i < SLICE_COLUMNS; i++)
    csv_put(to, slice_column_names[i], i == 0);
  csv_end_row(to);
}

static void put_slice(const struct slice *s, const struct slice_names *names, FILE *to) {
  char trial[16] = "";
  if (s->trial > 0)
    snprintf(trial, sizeof trial, "%d", s->trial);
  csv_put(to, trial, true);
  csv_put(to, names->cells[s->cell], false);
  put_number(to, s->block);
  put_number(to, s->round);
  put_number(to, s->turn);
  csv_put(to, s->kind == SLICE_FLOOR ? floor_label : names->labels[s->label], false);
  put_number(to, s->t_s);
  put_number(to, s->duration_s);
  put_number(to, (double)s->completed);
  put_number(to, s->server_cpu_s);
  put_number(to, s->client_cpu_s);
  csv_put(to, s->failed ? "failed" : "ok", false);
  csv_put(to, "", false);
  csv_put(to, slice_kind_names[s->kind], false);
  put_number(to, s->group);
  put_number(to, s->offered_per_s);
  put_number(to, s->late);
  csv_end_row(to);
}

int slices_write(const struct slices *slices, const struct slice_names *names, const char *path) {
  struct mux_output out;
  int rc = mux_output_open(&out, path);
  if (rc != 0)
    return rc;
  put_head(out.stream);
  for (size_t i = 0; i < slices->count; i++)
    put_slice(&slices->at[i], names, out.stream);
  return mux_output_commit(&out);
}

int slices_append(const struct slices *slices, size_t first, const struct slice_names *names,
                  const char *path) {
  struct csv_appender to;
  int rc = csv_append_begin(&to);
  if (rc != 0)
    return rc;
  if (csv_is_new(path))
    put_head(to.stream);
  for (size_t i = first; i < slices->count; i++)
    put_slice(&slices->at[i], names, to.stream);
  return csv_append_end(&to, path);
}

/* Its place in the list, -1 if it is not there. */
static int find_name(const char *const *names, int count, const char *name, int hint) {
  if (hint >= 0 && hint < count && strcmp(names[hint], name) == 0)
    return hint;
  int i = 0;
  while (i < count && strcmp(names[i], name) != 0)
    i++;
  return i < count ? i : -1;
}

static double number_of(const char *text) {
  char *end;
  double value = strtod(text, &end);
  return end == text || *end != 0 || !isfinite(value) ? NAN : value;
}

static bool is_count(double value, double most) {
  return value >= 0 && value <= most && value == floor(value);
}

/* Returns the name of a field that makes no sense, or NULL. */
static const char *read_slice(char *const *field, const struct slice_names *names,
                              struct slice *s) {
  double number[SLICE_COLUMNS];
  int hint = s->cell;
  for (int i = 0; i < SLICE_COLUMNS; i++)
    number[i] = number_of(field[i]);
  int kind = find_name(slice_kind_names, SLICE_KINDS, field[SLICE_COL_kind], 0);
  static const enum slice_column counts[] = {SLICE_COL_block, SLICE_COL_round, SLICE_COL_turn,
                                             SLICE_COL_group};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (!is_count(number[counts[i]], 1e6))
      return slice_column_names[counts[i]];
  if (kind < 0)
    return "kind";
  if (!is_count(number[SLICE_COL_completed], 1e15))
    return "completed";
  *s = (struct slice){
      .trial = is_count(number[SLICE_COL_trial], INT32_MAX) ? (int)number[SLICE_COL_trial] : 0,
      .cell = find_name(names->cells, names->cell_count, field[SLICE_COL_cell_id], hint),
      .label = kind == SLICE_FLOOR
                   ? -1
                   : find_name(names->labels, names->label_count, field[SLICE_COL_label], -1),
      .block = (int)number[SLICE_COL_block],
      .group = (int)number[SLICE_COL_group],
      .round = (int)number[SLICE_COL_round],
      .turn = (int)number[SLICE_COL_turn],
      .kind = (enum slice_kind)kind,
      .t_s = number[SLICE_COL_t_s],
      .duration_s = number[SLICE_COL_duration_s],
      .completed = (int64_t)number[SLICE_COL_completed],
      .server_cpu_s = number[SLICE_COL_server_cpu_s],
      .client_cpu_s = number[SLICE_COL_client_cpu_s],
      .offered_per_s = number[SLICE_COL_offered_per_s],
      .late = number[SLICE_COL_late],
      .failed = strcmp(field[SLICE_COL_status], "ok") != 0};
  if (s->cell < 0)
    return "cell_id";
  return s->label < 0 && kind != SLICE_FLOOR ? "label" : NULL;
}

static int read_slices(struct slices *slices, const struct slice_names *names, struct csv *csv,
                       const char *path, char *why, size_t why_bytes) {
  struct slice slice = {0};
  bool head = true;
  int rc;
  while ((rc = csv_next(csv)) == 1) {
    const char *wrong = csv->count != SLICE_COLUMNS ? "the number of fields" : NULL;
    if (wrong == NULL && head)
      for (int i = 0; i < SLICE_COLUMNS && wrong == NULL; i++)
        wrong = strcmp(csv->fields[i], slice_column_names[i]) == 0 ? NULL : slice_column_names[i];
    else if (wrong == NULL && (wrong = read_slice(csv->fields, names, &slice)) == NULL)
      slices_add(slices, &slice);
    head = false;
    if (wrong == NULL)
      continue;
    snprintf(why, why_bytes, "%s:%ld: %s makes no sense", path, csv->line, wrong);
    return -EINVAL;
  }
  if (rc == -EINVAL)
    snprintf(why, why_bytes, "%s:%ld: %s", path, csv->line, csv->why);
  else if (rc != 0)
    snprintf(why, why_bytes, "%s: %s", path, strerror(-rc));
  return rc;
}

int slices_read(struct slices *slices, const struct slice_names *names, const char *path, char *why,
                size_t why_bytes) {
  *slices = (struct slices){0};
  struct csv csv = {.from = mux_input_open(path, 0, why, why_bytes), .lenient = true};
  if (csv.from == NULL)
    return -errno;
  int rc = read_slices(slices, names, &csv, path, why, why_bytes);
  fclose(csv.from);
  csv_free(&csv);
  if (rc != 0)
    slices_free(slices);
  return rc;
}
