/* csv.h: comma-separated values after RFC 4180, written for tools and read back with distrust.
 *
 * Written: CRLF is not used (every reader takes LF, and so do diff and git), fields with a comma,
 * quote or line break are quoted, and a text that a spreadsheet would run as a formula (=, +, -, @
 * in front, unless it is a number) gets an apostrophe in front. Numbers are written by printf in
 * the C locale, which muxbench never leaves. */
#ifndef MUX_CSV_H
#define MUX_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One field, with a comma before it unless it is the first of its row. NULL is an empty field. */
void csv_put(FILE *to, const char *field, bool first);
void csv_end_row(FILE *to);

/* Rows that are added to a file in one piece: written to `stream`, which is memory, then appended
 * by csv_append_end. A file that could not take them all is left as it was. */
struct csv_appender {
  FILE *stream;
  char *text;
  size_t bytes;
};
int csv_append_begin(struct csv_appender *to);
int csv_append_end(struct csv_appender *to, const char *path);
/* True if the file is not there, or empty: it needs a header row. */
bool csv_is_new(const char *path);

enum {
  MUX_CSV_FIELDS = 256,          /* at most, in a row */
  MUX_CSV_ROW_BYTES = 1 << 20,   /* at most, of a row */
  MUX_CSV_ROWS = 4 * 1000 * 1000 /* at most, of a file */
};

struct csv {
  FILE *from;
  long line; /* of the file, where the current row began */
  long next_line;
  int count; /* fields of the current row */
  char *fields[MUX_CSV_FIELDS];
  char *text; /* what they point into */
  size_t text_bytes;
  bool lenient;    /* a last line that is cut short is the end of the file */
  const char *why; /* after an error */
};

/* Reads the next row. Returns 1, 0 at the end of the file, -EINVAL (see csv->why; csv->line says
 * where) or -errno. Start with a zeroed struct and `from` set (common/input.h), end with csv_free.
 */
int csv_next(struct csv *csv);
void csv_free(struct csv *csv);

#endif
