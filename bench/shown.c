/* shown.c: see shown.h. */
#include "bench/shown.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/stats.h"
#include "common/cli.h"
#include "common/units.h"

enum mux_column shown_column(const char *name) {
  int column = 0;
  while (column < MUX_COLUMN_COUNT && strcmp(mux_column_names[column], name) != 0)
    column++;
  return (enum mux_column)column;
}

static char *show_number(char out[SHOWN_TEXT], enum mux_column column, double value) {
  const char *name = mux_column_names[column];
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

char *shown_value(char out[SHOWN_TEXT], const struct mux_rows *rows, const char *cell_id,
                  const char *label, enum mux_column column) {
  double values[MUX_STATS_BLOCKS_MAX];
  int n = 0;
  snprintf(out, SHOWN_TEXT, "-");
  for (size_t i = 0; i < rows->count && n < MUX_STATS_BLOCKS_MAX; i++) {
    const struct mux_row *row = &rows->rows[i];
    const char *status = mux_row_text(row, MUX_COL_status);
    if (strcmp(mux_row_text(row, MUX_COL_cell_id), cell_id) != 0 ||
        strcmp(mux_row_text(row, MUX_COL_label), label) != 0 ||
        (strcmp(status, "ok") != 0 && strcmp(status, "invalid") != 0))
      continue;
    double value = mux_row_number(row, column);
    if (!isnan(value))
      values[n++] = value;
    else if (*mux_row_text(row, column) != 0)
      mux_printable(out, SHOWN_TEXT, mux_row_text(row, column));
  }
  return n > 0 ? show_number(out, column, mux_stats_median(values, n)) : out;
}
