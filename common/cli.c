/* cli.c: see cli.h. */
#include "common/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/option_table.h"

static void message(const char *kind, const char *format, va_list args) {
  char text[1024];
  char line[1200];
  vsnprintf(text, sizeof text, format, args);
  int n = snprintf(line, sizeof line, "muxbench: %s%s\n", kind, text);
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

char *mux_printable(char *out, size_t out_bytes, const char *text) {
  size_t at = 0;
  for (const unsigned char *p = (const unsigned char *)text; *p != 0 && at + 5 < out_bytes; p++) {
    if (*p >= 0x20 && *p < 0x7f)
      out[at++] = (char)*p;
    else
      at += (size_t)snprintf(out + at, out_bytes - at, "\\x%02x", *p);
  }
  if (out_bytes > 0)
    out[at] = 0;
  return out;
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

void mux_parse_args(const struct argp *argp, int argc, char **argv, void *input) {
  static char name[64];
  snprintf(name, sizeof name, "muxbench %s", argv[0]);
  argv[0] = name;
  argp_err_exit_status = MUX_EXIT_USAGE;
  error_t error = argp_parse(argp, argc, argv, 0, NULL, input);
  if (error != 0)
    mux_die(MUX_EXIT_USAGE, "%s: %s", name, strerror(error));
}

/* Leaves `out` empty. */
static void output_free(struct mux_output *out) {
  free(out->temporary);
  free(out->path);
  *out = (struct mux_output){0};
}

int mux_output_open(struct mux_output *out, const char *path) {
  *out = (struct mux_output){0};
  if (path == NULL || strcmp(path, "-") == 0) {
    out->stream = stdout;
    return 0;
  }
  struct stat status;
  bool exists = stat(path, &status) == 0;
  if (exists && S_ISDIR(status.st_mode))
    return -EISDIR;
  if (*path == 0)
    return -ENOENT;
  out->path = strdup(path);
  bool replaced = !exists || S_ISREG(status.st_mode); /* never a device or a pipe */
  if (replaced && asprintf(&out->temporary, "%s.tmp-%ld", path, (long)getpid()) < 0)
    out->temporary = NULL;
  if (out->path != NULL && (!replaced || out->temporary != NULL))
    out->stream = replaced ? fopen(out->temporary, "wxe") : fopen(path, "we");
  if (out->stream == NULL) {
    int error = errno;
    output_free(out);
    return -error;
  }
  return 0;
}

int mux_output_commit(struct mux_output *out) {
  int error = 0;
  if (out->stream == NULL)
    return -EBADF;
  if (fflush(out->stream) != 0 || ferror(out->stream))
    error = errno != 0 ? errno : EIO;
  if (out->path != NULL && fclose(out->stream) != 0 && error == 0)
    error = errno;
  if (out->temporary != NULL) {
    if (error == 0 && rename(out->temporary, out->path) != 0)
      error = errno;
    if (error != 0)
      unlink(out->temporary);
  }
  output_free(out);
  return -error;
}

void mux_output_abort(struct mux_output *out) {
  if (out->path != NULL)
    fclose(out->stream);
  if (out->temporary != NULL)
    unlink(out->temporary);
  output_free(out);
}
