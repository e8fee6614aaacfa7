/* csv.c: see csv.h. */
#include "bench/data/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_number(const char *text) {
  char *end;
  if (*text == 0)
    return false;
  strtod(text, &end);
  return *end == 0;
}

void csv_put(FILE *to, const char *field, bool first) {
  if (!first)
    fputc(',', to);
  if (field == NULL || *field == 0)
    return;
  bool formula = strchr("=+-@\t\r", *field) != NULL && !is_number(field);
  bool quote = strpbrk(field, ",\"\r\n") != NULL;
  if (quote)
    fputc('"', to);
  if (formula)
    fputc('\'', to);
  for (const char *p = field; *p != 0; p++) {
    if (*p == '"')
      fputc('"', to);
    fputc(*p, to);
  }
  if (quote)
    fputc('"', to);
}

void csv_end_row(FILE *to) {
  fputc('\n', to);
}

int csv_append_begin(struct csv_appender *to) {
  *to = (struct csv_appender){0};
  to->stream = open_memstream(&to->text, &to->bytes);
  return to->stream != NULL ? 0 : -errno;
}

bool csv_is_new(const char *path) {
  struct stat status;
  return stat(path, &status) != 0 || status.st_size == 0;
}

static int append(const char *path, const char *text, size_t bytes) {
  struct stat before;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || fstat(fd, &before) != 0)
    return -errno;
  int rc = 0;
  for (size_t done = 0; rc == 0 && done < bytes;) {
    ssize_t n = write(fd, text + done, bytes - done);
    if (n > 0)
      done += (size_t)n;
    else if (errno != EINTR)
      rc = errno != 0 ? -errno : -EIO;
  }
  if (rc != 0)
    (void)!ftruncate(fd, before.st_size); /* what went wrong first is what is told */
  if (close(fd) != 0 && rc == 0)
    rc = -errno;
  return rc;
}

int csv_append_end(struct csv_appender *to, const char *path) {
  int rc = fclose(to->stream) == 0 ? 0 : -errno;
  if (rc == 0)
    rc = append(path, to->text, to->bytes);
  free(to->text);
  return rc;
}

static int malformed(struct csv *csv, const char *why) {
  csv->why = why;
  return -EINVAL;
}

/* Where the parser of a row is. */
enum state { FIELD_START, PLAIN, QUOTED, QUOTE_SEEN };

struct parser {
  struct csv *csv;
  enum state state;
  size_t used;
};

static void end_field(struct parser *p) {
  p->csv->text[p->used++] = 0;
  p->state = FIELD_START;
}

static int begin_field(struct parser *p) {
  struct csv *csv = p->csv;
  if (csv->count == MUX_CSV_FIELDS)
    return malformed(csv, "too many fields in a row");
  csv->fields[csv->count++] = csv->text + p->used;
  return 0;
}

/* Takes one character. Returns 1 when the row is complete, 0 to go on, or -EINVAL. */
static int take(struct parser *p, int c) {
  struct csv *csv = p->csv;
  if (p->state == QUOTED) {
    if (c == '"')
      p->state = QUOTE_SEEN;
    else
      csv->text[p->used++] = (char)c;
    return 0;
  }
  if (c == '"') {
    if (p->state == PLAIN)
      return malformed(csv, "a quote inside a field that is not quoted");
    if (p->state == QUOTE_SEEN)
      csv->text[p->used++] = '"';
    p->state = QUOTED;
    return 0;
  }
  if (c == ',') {
    end_field(p);
    return begin_field(p);
  }
  if (c == '\n') {
    end_field(p);
    return 1;
  }
  if (c == '\r')
    return 0; /* of CRLF */
  if (p->state == QUOTE_SEEN)
    return malformed(csv, "text behind a closing quote");
  p->state = PLAIN;
  csv->text[p->used++] = (char)c;
  return 0;
}

int csv_next(struct csv *csv) {
  struct parser p = {.csv = csv};
  csv->count = 0;
  csv->line = ++csv->next_line;
  if (csv->line > MUX_CSV_ROWS)
    return malformed(csv, "too many lines");
  if (csv->text == NULL) {
    csv->text_bytes = MUX_CSV_ROW_BYTES;
    csv->text = malloc(csv->text_bytes);
    if (csv->text == NULL)
      return -ENOMEM;
  }
  int rc = begin_field(&p);
  while (rc == 0) {
    int c = getc_unlocked(csv->from);
    if (c == EOF) {
      if (ferror(csv->from))
        return errno != 0 ? -errno : -EIO;
      if (p.state == QUOTED && !csv->lenient)
        return malformed(csv, "the file ends inside a quoted field");
      if (csv->lenient || (p.used == 0 && p.state == FIELD_START))
        return 0;
      return malformed(csv, "the last line is cut short");
    }
    if (c == 0)
      return malformed(csv, "a zero byte");
    if (c == '\n' && p.state == QUOTED)
      csv->next_line++;
    if (p.used + 2 >= csv->text_bytes)
      return malformed(csv, "a row is too long");
    rc = take(&p, c);
  }
  return rc;
}

void csv_free(struct csv *csv) {
  free(csv->text);
  csv->text = NULL;
}
