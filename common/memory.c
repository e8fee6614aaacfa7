/* memory.c: see memory.h. */
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"

void *mux_made(void *object) {
  if (object == NULL)
    mux_die(MUX_EXIT_FAILED, "out of memory");
  return object;
}

void *mux_new(size_t n, size_t bytes) {
  return mux_made(calloc(n > 0 ? n : 1, bytes));
}

void *mux_resize(void *old, size_t n, size_t bytes) {
  return mux_made(reallocarray(old, n > 0 ? n : 1, bytes));
}

char *mux_copy(const char *text) {
  return mux_made(strdup(text));
}

char *mux_vformat(const char *format, va_list args) {
  char *text;
  return mux_made(vasprintf(&text, format, args) >= 0 ? text : NULL);
}

char *mux_format(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = mux_vformat(format, args);
  va_end(args);
  return text;
}
