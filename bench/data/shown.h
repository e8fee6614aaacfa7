/* shown.h: columns of measurements.csv that an experiment wants in its table beside the usual ones
 * (its key `columns`). */
#ifndef MUX_SHOWN_H
#define MUX_SHOWN_H

#include "bench/data/rows.h"

enum { SHOWN_TEXT = 64 };

/* What the trials of a label in a cell have in that column, for people: the median, or the last
 * text if it holds no numbers; "-" if nothing was measured. Returns out. */
char *shown_value(char out[SHOWN_TEXT], const struct rows *rows, const char *cell_id,
                  const char *label, enum column column);

/* The column of that name, or COLUMN_COUNT. */
enum column shown_column(const char *name);

#endif
