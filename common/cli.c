/* cli.c: see cli.h. */
#include "common/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/option_table.h"

/* Reads the character of UTF-8 that text begins with (RFC 3629). Returns its bytes, 0 if it is
 * none. */
static size_t decode(const unsigned char *text, uint32_t *code) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of so many bytes */
  size_t bytes = text[0] < 0x80         ? 1
                 : text[0] >> 5 == 0x06 ? 2
                 : text[0] >> 4 == 0x0e ? 3
                 : text[0] >> 3 == 0x1e ? 4
                                        : 0;
  *code = bytes == 1 ? text[0] : text[0] & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if (text[i] >> 6 != 2)
      return 0;
    *code = *code << 6 | (text[i] & 0x3f);
  }
  bool valid = *code >= least[bytes] && *code <= 0x10ffff && *code >> 11 != 0x1b; /* surrogates */
  return valid ? bytes : 0;
}

/* What moves a terminal's cursor or turns the direction of text around: C0, DEL, C1, line and
 * paragraph separators, and bidirectional controls (Unicode, UAX #9). */
static bool is_control(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
         (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

enum { PIECE_BYTES = 5 };

/* The character that *text begins with, or its first byte as \xNN: those of a control character
 * that follow its first are no beginning. Moves *text on. Returns its bytes in out. */
static size_t printable_piece(char out[PIECE_BYTES], const char **text) {
  const unsigned char *p = (const unsigned char *)*text;
  uint32_t code;
  size_t bytes = decode(p, &code);
  if (bytes == 0 || is_control(code)) {
    *text += 1;
    return (size_t)snprintf(out, PIECE_BYTES, "\\x%02x", *p);
  }
  memcpy(out, p, bytes);
  *text += bytes;
  return bytes;
}

char *mux_printable(char *out, size_t out_bytes, const char *text) {
  char piece[PIECE_BYTES];
  size_t at = 0;
  while (*text != 0) {
    size_t bytes = printable_piece(piece, &text);
    if (at + bytes >= out_bytes)
      break;
    memcpy(out + at, piece, bytes);
    at += bytes;
  }
  if (out_bytes > 0)
    out[at] = 0;
  return out;
}

void mux_put_printable(const char *text, FILE *to) {
  char piece[PIECE_BYTES];
  while (*text != 0)
    fwrite(piece, 1, printable_piece(piece, &text), to);
}

static void message(const char *kind, const char *format, va_list args) {
  char text[1024];
  char shown[1024];
  char line[1200];
  vsnprintf(text, sizeof text, format, args);
  int n = snprintf(line, sizeof line, "muxbench: %s%s\n", kind,
                   mux_printable(shown, sizeof shown, text));
  if (n < 0)
    return;
  size_t bytes = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
  /* One write, so that lines of several threads and processes do not mix. */
  ssize_t written = write(STDERR_FILENO, line, bytes);
  (void)written;
}

void mux_note(const char *format, ...) {
  va_list args;
  va_start(args, format);
  message("", format, args);
  va_end(args);
}

void mux_warn(const char *format, ...) {
  va_list args;
  va_start(args, format);
  message("warning: ", format, args);
  va_end(args);
}

_Noreturn void mux_die(int status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  message("", format, args);
  va_end(args);
  exit(status);
}

static int64_t read_value(const char *option, const char *text, struct mux_option_row row) {
  int64_t value = 0;
  struct mux_option_error error;
  row.key = option;
  row.bytes = sizeof value;
  if (mux_option_row_read(&row, text, &value, &error) != 0)
    mux_die(MUX_EXIT_USAGE, "%s: %s", option, error.text);
  return value;
}

int64_t mux_option_count(const char *option, const char *text, int64_t min, int64_t max) {
  return read_value(option, text,
                    (struct mux_option_row){.kind = MUX_VALUE_COUNT, .min = min, .max = max});
}

int64_t mux_option_size(const char *option, const char *text, int64_t min, int64_t max) {
  return read_value(option, text,
                    (struct mux_option_row){.kind = MUX_VALUE_SIZE, .min = min, .max = max});
}

int64_t mux_option_time(const char *option, const char *text, int64_t min_ns, int64_t max_ns) {
  return read_value(option, text,
                    (struct mux_option_row){.kind = MUX_VALUE_TIME, .min = min_ns, .max = max_ns});
}

static void blame_output(const char *option, const char *path, int rc) {
  bool standard = path == NULL || strcmp(path, "-") == 0;
  mux_note("%s: cannot write %s: %s", option, standard ? "to standard output" : path,
           rc == -ENXIO ? "nobody reads it" : strerror(-rc));
}

int mux_result_open(struct mux_output *out, const char *option, const char *path) {
  int rc = mux_output_open(out, path);
  if (rc != 0)
    blame_output(option, path, rc);
  return rc;
}

int mux_result_commit(struct mux_output *out, const char *option, const char *path) {
  int rc = mux_output_commit(out);
  if (rc != 0)
    blame_output(option, path, rc);
  return rc;
}

int mux_stdout_flush(void) {
  bool failed = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && !failed)
    return 0;
  int error = errno != 0 ? errno : EIO;
  mux_note("cannot write to standard output%s%s", errno != 0 ? ": " : "",
           errno != 0 ? strerror(errno) : "");
  clearerr(stdout);
  return -error;
}
