/* rows.c: see rows.h. */
#include "bench/data/rows.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/csv.h"
#include "common/cli.h"
#include "common/input.h"
#include "common/memory.h"

const char *const column_names[COLUMN_COUNT] = {
#define MUX_COLUMN_NAME(name) #name,
    MUX_COLUMNS(MUX_COLUMN_NAME)
#undef MUX_COLUMN_NAME
};

void row_set(struct row *row, enum column column, const char *format, ...) {
  va_list args;
  va_start(args, format);
  free(row->field[column]);
  row->field[column] = mux_vformat(format, args);
  va_end(args);
}

void row_set_number(struct row *row, enum column column, double value) {
  if (isfinite(value))
    row_set(row, column, "%.9g", value);
}

const char *row_text(const struct row *row, enum column column) {
  return row->field[column] != NULL ? row->field[column] : "";
}

double row_number(const struct row *row, enum column column) {
  const char *text = row_text(row, column);
  char *end;
  double value = strtod(text, &end);
  return end == text || *end != 0 || !isfinite(value) ? NAN : value;
}

bool row_has_flag(const struct row *row, const char *flag) {
  size_t length = strlen(flag);
  for (const char *p = row_text(row, COL_flags); *p != 0;) {
    const char *end = strchrnul(p, ';');
    if ((size_t)(end - p) == length && memcmp(p, flag, length) == 0)
      return true;
    p = *end == ';' ? end + 1 : end;
  }
  return false;
}

void row_flag(struct row *row, const char *flag) {
  if (row_has_flag(row, flag))
    return;
  char *before = row->field[COL_flags];
  row->field[COL_flags] = NULL;
  if (before == NULL)
    row_set(row, COL_flags, "%s", flag);
  else
    row_set(row, COL_flags, "%s;%s", before, flag);
  free(before);
}

void row_unflag(struct row *row, const char *flag) {
  char *flags = row->field[COL_flags];
  row->field[COL_flags] = NULL;
  char *rest = flags;
  for (char *one; (one = strsep(&rest, ";")) != NULL;)
    if (*one != 0 && strcmp(one, flag) != 0)
      row_flag(row, one);
  free(flags);
}

bool row_has_result(const struct row *row) {
  const char *status = row_text(row, COL_status);
  return strcmp(status, "ok") == 0 || strcmp(status, "invalid") == 0;
}

void row_clear(struct row *row) {
  for (int i = 0; i < COLUMN_COUNT; i++)
    free(row->field[i]);
  *row = (struct row){0};
}

void rows_add(struct rows *rows, struct row *row) {
  if ((rows->count & (rows->count - 1)) == 0) { /* grows at powers of two */
    size_t room = rows->count > 0 ? rows->count * 2 : 1;
    rows->rows = mux_resize(rows->rows, room, sizeof *rows->rows);
  }
  rows->rows[rows->count++] = *row;
  *row = (struct row){0};
}

void rows_cut(struct rows *rows, size_t count) {
  while (rows->count > count)
    row_clear(&rows->rows[--rows->count]);
}

void rows_free(struct rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    row_clear(&rows->rows[i]);
  free(rows->rows);
  *rows = (struct rows){0};
}

static void put_head(FILE *to) {
  for (int i = 0; i < COLUMN_COUNT; i++)
    csv_put(to, column_names[i], i == 0);
  csv_end_row(to);
}

static void put_rows(const struct rows *rows, size_t first, FILE *to) {
  for (size_t row = first; row < rows->count; row++) {
    for (int i = 0; i < COLUMN_COUNT; i++)
      csv_put(to, rows->rows[row].field[i], i == 0);
    csv_end_row(to);
  }
}

int rows_write(const struct rows *rows, const char *path) {
  struct mux_output out;
  int rc = mux_output_open(&out, path);
  if (rc != 0)
    return rc;
  put_head(out.stream);
  put_rows(rows, 0, out.stream);
  return mux_output_commit(&out);
}

int rows_append(const struct rows *rows, size_t first, const char *path) {
  struct csv_appender to;
  int rc = csv_append_begin(&to);
  if (rc != 0)
    return rc;
  if (csv_is_new(path))
    put_head(to.stream);
  put_rows(rows, first, to.stream);
  return csv_append_end(&to, path);
}

/* Where each column of ours is in the file. Returns the missing one's name, or NULL. */
static const char *map_columns(const struct csv *csv, int at[COLUMN_COUNT]) {
  for (int column = 0; column < COLUMN_COUNT; column++) {
    at[column] = -1;
    for (int i = 0; i < csv->count && at[column] < 0; i++)
      if (strcmp(csv->fields[i], column_names[column]) == 0)
        at[column] = i;
    if (at[column] < 0 && column <= COL_flags) /* later ones were appended since */
      return column_names[column];
  }
  return NULL;
}

static int read_rows(struct rows *rows, struct csv *csv, const char *path, char *why,
                     size_t why_bytes) {
  int at[COLUMN_COUNT];
  int columns = 0;
  int rc;
  while ((rc = csv_next(csv)) == 1) {
    if (columns == 0) {
      const char *missing = map_columns(csv, at);
      columns = csv->count;
      if (missing == NULL)
        continue;
      snprintf(why, why_bytes, "%s:%ld: column '%s' is missing", path, csv->line, missing);
      return -EINVAL;
    }
    if (csv->count != columns) {
      snprintf(why, why_bytes, "%s:%ld: %d fields where the header has %d", path, csv->line,
               csv->count, columns);
      return -EINVAL;
    }
    struct row row = {0};
    for (int i = 0; i < COLUMN_COUNT; i++)
      if (at[i] >= 0 && csv->fields[at[i]][0] != 0)
        row_set(&row, (enum column)i, "%s", csv->fields[at[i]]);
    rows_add(rows, &row);
  }
  if (rc == -EINVAL)
    snprintf(why, why_bytes, "%s:%ld: %s", path, csv->line, csv->why);
  else if (rc != 0)
    snprintf(why, why_bytes, "%s: %s", path, strerror(-rc));
  else if (columns == 0)
    snprintf(why, why_bytes, "%s: it is empty", path);
  return rc == 0 && columns == 0 ? -EINVAL : rc;
}

int rows_read(struct rows *rows, const char *path, char *why, size_t why_bytes) {
  *rows = (struct rows){0};
  struct csv csv = {.from = mux_input_open(path, 0, why, why_bytes), .lenient = true};
  if (csv.from == NULL)
    return -errno;
  int rc = read_rows(rows, &csv, path, why, why_bytes);
  fclose(csv.from);
  csv_free(&csv);
  if (rc != 0)
    rows_free(rows);
  return rc;
}
