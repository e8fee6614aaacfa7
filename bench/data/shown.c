/* shown.c: see shown.h. */
#include "bench/data/shown.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/data/stats.h"
#include "common/cli.h"
#include "common/units.h"

enum column shown_column(const char *name) {
  int column = 0;
  while (column < COLUMN_COUNT && strcmp(column_names[column], name) != 0)
    column++;
  return (enum column)column;
}

static char *show_number(char out[SHOWN_TEXT], enum column column, double value) {
  const char *name = column_names[column];
  char text[MUX_UNIT_TEXT];
  if (strstr(name, "_bytes") != NULL)
    mux_show_size(text, value);
  else if (strstr(name, "_us") != NULL)
    mux_show_time(text, value * 1e3);
  else
    snprintf(text, sizeof text, "%.4g", value);
  snprintf(out, SHOWN_TEXT, "%s", text);
  return out;
}

char *shown_value(char out[SHOWN_TEXT], const struct rows *rows, const char *cell_id,
                  const char *label, enum column column) {
  double values[STATS_BLOCKS_MAX];
  int n = 0;
  snprintf(out, SHOWN_TEXT, "-");
  for (size_t i = 0; i < rows->count && n < STATS_BLOCKS_MAX; i++) {
    const struct row *row = &rows->rows[i];
    if (strcmp(row_text(row, COL_cell_id), cell_id) != 0 ||
        strcmp(row_text(row, COL_label), label) != 0 || !row_has_result(row))
      continue;
    double value = row_number(row, column);
    if (!isnan(value))
      values[n++] = value;
    else if (*row_text(row, column) != 0)
      mux_printable(out, SHOWN_TEXT, row_text(row, column));
  }
  return n > 0 ? show_number(out, column, stats_median(values, n)) : out;
}
