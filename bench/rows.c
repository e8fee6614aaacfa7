/* rows.c: see rows.h. */
#include "bench/rows.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/csv.h"
#include "common/cli.h"

const char *const mux_column_names[MUX_COLUMN_COUNT] = {
#define MUX_COLUMN_NAME(name) #name,
    MUX_COLUMNS(MUX_COLUMN_NAME)
#undef MUX_COLUMN_NAME
};

void mux_row_set(struct mux_row *row, enum mux_column column, const char *format, ...) {
  va_list args;
  va_start(args, format);
  free(row->field[column]);
  if (vasprintf(&row->field[column], format, args) < 0)
    abort();
  va_end(args);
}

void mux_row_set_number(struct mux_row *row, enum mux_column column, double value) {
  if (isfinite(value))
    mux_row_set(row, column, "%.9g", value);
}

const char *mux_row_text(const struct mux_row *row, enum mux_column column) {
  return row->field[column] != NULL ? row->field[column] : "";
}

double mux_row_number(const struct mux_row *row, enum mux_column column) {
  const char *text = mux_row_text(row, column);
  char *end;
  double value = strtod(text, &end);
  return end == text || *end != 0 || !isfinite(value) ? NAN : value;
}

bool mux_row_has_flag(const struct mux_row *row, const char *flag) {
  size_t length = strlen(flag);
  for (const char *p = mux_row_text(row, MUX_COL_flags); *p != 0;) {
    const char *end = strchrnul(p, ';');
    if ((size_t)(end - p) == length && memcmp(p, flag, length) == 0)
      return true;
    p = *end == ';' ? end + 1 : end;
  }
  return false;
}

void mux_row_flag(struct mux_row *row, const char *flag) {
  if (mux_row_has_flag(row, flag))
    return;
  char *before = row->field[MUX_COL_flags];
  row->field[MUX_COL_flags] = NULL;
  if (before == NULL)
    mux_row_set(row, MUX_COL_flags, "%s", flag);
  else
    mux_row_set(row, MUX_COL_flags, "%s;%s", before, flag);
  free(before);
}

void mux_row_unflag(struct mux_row *row, const char *flag) {
  char *flags = row->field[MUX_COL_flags];
  row->field[MUX_COL_flags] = NULL;
  char *rest = flags;
  for (char *one; (one = strsep(&rest, ";")) != NULL;)
    if (*one != 0 && strcmp(one, flag) != 0)
      mux_row_flag(row, one);
  free(flags);
}

void mux_row_clear(struct mux_row *row) {
  for (int i = 0; i < MUX_COLUMN_COUNT; i++)
    free(row->field[i]);
  *row = (struct mux_row){0};
}

void mux_rows_add(struct mux_rows *rows, struct mux_row *row) {
  if ((rows->count & (rows->count - 1)) == 0) { /* grows at powers of two */
    size_t room = rows->count > 0 ? rows->count * 2 : 1;
    struct mux_row *grown = realloc(rows->rows, room * sizeof *grown);
    if (grown == NULL)
      abort();
    rows->rows = grown;
  }
  rows->rows[rows->count++] = *row;
  *row = (struct mux_row){0};
}

void mux_rows_free(struct mux_rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    mux_row_clear(&rows->rows[i]);
  free(rows->rows);
  *rows = (struct mux_rows){0};
}

int mux_rows_write(const struct mux_rows *rows, const char *path) {
  struct mux_output out;
  int rc = mux_output_open(&out, path);
  if (rc != 0)
    return rc;
  for (int i = 0; i < MUX_COLUMN_COUNT; i++)
    mux_csv_put(out.stream, mux_column_names[i], i == 0);
  mux_csv_end_row(out.stream);
  for (size_t row = 0; row < rows->count; row++) {
    for (int i = 0; i < MUX_COLUMN_COUNT; i++)
      mux_csv_put(out.stream, rows->rows[row].field[i], i == 0);
    mux_csv_end_row(out.stream);
  }
  return mux_output_commit(&out);
}

/* Where each column of ours is in the file. Returns the missing one's name, or NULL. */
static const char *map_columns(const struct mux_csv *csv, int at[MUX_COLUMN_COUNT]) {
  for (int column = 0; column < MUX_COLUMN_COUNT; column++) {
    at[column] = -1;
    for (int i = 0; i < csv->count && at[column] < 0; i++)
      if (strcmp(csv->fields[i], mux_column_names[column]) == 0)
        at[column] = i;
    if (at[column] < 0 && column <= MUX_COL_flags) /* later ones were appended since */
      return mux_column_names[column];
  }
  return NULL;
}

static int read_rows(struct mux_rows *rows, struct mux_csv *csv, const char *path, char *why,
                     size_t why_bytes) {
  int at[MUX_COLUMN_COUNT];
  int columns = 0;
  int rc;
  while ((rc = mux_csv_next(csv)) == 1) {
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
    struct mux_row row = {0};
    for (int i = 0; i < MUX_COLUMN_COUNT; i++)
      if (at[i] >= 0 && csv->fields[at[i]][0] != 0)
        mux_row_set(&row, (enum mux_column)i, "%s", csv->fields[at[i]]);
    mux_rows_add(rows, &row);
  }
  if (rc == -EINVAL)
    snprintf(why, why_bytes, "%s:%ld: %s", path, csv->line, csv->why);
  else if (rc != 0)
    snprintf(why, why_bytes, "%s: %s", path, strerror(-rc));
  else if (columns == 0)
    snprintf(why, why_bytes, "%s: it is empty", path);
  return rc == 0 && columns == 0 ? -EINVAL : rc;
}

int mux_rows_read(struct mux_rows *rows, const char *path, char *why, size_t why_bytes) {
  *rows = (struct mux_rows){0};
  struct mux_csv csv = {.from = fopen(path, "re")};
  if (csv.from == NULL) {
    int error = errno;
    snprintf(why, why_bytes, "%s: %s", path, strerror(error));
    return -error;
  }
  int rc = read_rows(rows, &csv, path, why, why_bytes);
  fclose(csv.from);
  mux_csv_free(&csv);
  if (rc != 0)
    mux_rows_free(rows);
  return rc;
}
