/* hdr_log.c: see hdr_log.h. */
#include "hdr/hdr_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* No histogram in practical use takes a longer line. */
enum { LINE_BYTES_MAX = 16 << 20 };

int mux_hdr_log_begin(FILE *to, double start_epoch_s) {
  time_t seconds = (time_t)start_epoch_s;
  struct tm utc;
  char date[64] = "?";
  if (gmtime_r(&seconds, &utc) != NULL)
    strftime(date, sizeof date, "%a %b %d %H:%M:%S UTC %Y", &utc);
  fprintf(to, "#[Histogram log format version 1.3]\n");
  fprintf(to, "#[StartTime: %.3f (seconds since epoch), %s]\n", start_epoch_s, date);
  fprintf(to, "#[BaseTime: %.3f (seconds since epoch)]\n", start_epoch_s);
  fprintf(to, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
              "\"Interval_Compressed_Histogram\"\n");
  return ferror(to) ? -EIO : 0;
}

int mux_hdr_log_write(FILE *to, const char *tag, double start_s, double length_s,
                      const struct mux_hdr *h) {
  char *text = mux_hdr_encode(h);
  if (text == NULL)
    return -ENOMEM;
  /* Interval_Max is in milliseconds, as HdrHistogram writes it for nanosecond values. */
  fprintf(to, "Tag=%s,%.3f,%.3f,%.3f,%s\n", tag, start_s, length_s, (double)h->max / 1e6, text);
  free(text);
  return ferror(to) ? -EIO : 0;
}

/* Reads a line, without its end, into *text, which grows. Returns 1, 0 at the end, or -errno. */
static int read_line(FILE *from, char **text, size_t *capacity, size_t *length) {
  *length = 0;
  for (;;) {
    if (*capacity - *length < 2) {
      size_t wider = *capacity == 0 ? 4096 : *capacity * 2;
      if (wider > LINE_BYTES_MAX)
        return -EINVAL;
      char *grown = realloc(*text, wider);
      if (grown == NULL)
        return -ENOMEM;
      *text = grown;
      *capacity = wider;
    }
    int c = getc(from);
    if (c == EOF && ferror(from))
      return -EIO;
    if (c == EOF && *length == 0)
      return 0;
    if (c == EOF || c == '\n')
      break;
    if (c == 0)
      return -EINVAL;
    (*text)[(*length)++] = (char)c;
  }
  if (*length > 0 && (*text)[*length - 1] == '\r')
    (*length)--;
  (*text)[*length] = 0;
  return 1;
}

/* Reads a finite number and a comma, and moves *at past them. */
static bool take_number(char **at, double *value) {
  char *end;
  *value = strtod(*at, &end);
  if (end == *at || *end != ',' || !isfinite(*value))
    return false;
  *at = end + 1;
  return true;
}

static int parse_line(char *text, size_t length, struct mux_hdr_log_line *line) {
  char *at = text;
  *line = (struct mux_hdr_log_line){0};
  if (strncmp(at, "Tag=", 4) == 0) {
    char *comma = strchr(at, ',');
    if (comma == NULL || (size_t)(comma - at - 4) >= sizeof line->tag)
      return -EINVAL;
    memcpy(line->tag, at + 4, (size_t)(comma - at - 4));
    at = comma + 1;
  }
  double interval_max;
  if (!take_number(&at, &line->start_s) || !take_number(&at, &line->length_s) ||
      !take_number(&at, &interval_max))
    return -EINVAL;
  line->histogram = mux_hdr_decode(at, length - (size_t)(at - text));
  return line->histogram != NULL ? 1 : -errno;
}

int mux_hdr_log_next(FILE *from, struct mux_hdr_log_line *line, long *number) {
  char *text = NULL;
  size_t capacity = 0;
  size_t length = 0;
  int rc;
  do {
    rc = read_line(from, &text, &capacity, &length);
    if (rc != 0)
      ++*number;
  } while (rc > 0 && (length == 0 || text[0] == '#' || text[0] == '"'));
  if (rc > 0)
    rc = parse_line(text, length, line);
  free(text);
  return rc;
}
