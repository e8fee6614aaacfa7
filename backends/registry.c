/* registry.c: see registry.h. */
#include "backends/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend_options.h"

/* The bounds of section mux_backends, made by the linker (ld, "--orphan-handling"; gold and lld
 * alike). Weak: a program without any backend still links. */
extern const struct mux_backend *const __start_mux_backends[] __attribute__((weak));
extern const struct mux_backend *const __stop_mux_backends[] __attribute__((weak));

enum { MAX_BACKENDS = 64 };

static int by_name(const void *a, const void *b) {
  const struct mux_backend *const *first = a;
  const struct mux_backend *const *second = b;
  return strcmp((*first)->name, (*second)->name);
}

const struct mux_backend *const *mux_registry_all(size_t *count) {
  static const struct mux_backend *sorted[MAX_BACKENDS + 1];
  static size_t known;
  if (known == 0) {
    for (const struct mux_backend *const *entry = __start_mux_backends;
         entry < __stop_mux_backends && known < MAX_BACKENDS; entry++)
      sorted[known++] = *entry;
    qsort(sorted, known, sizeof *sorted, by_name);
  }
  *count = known;
  return sorted;
}

const struct mux_backend *mux_registry_find(const char *name) {
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(all[i]->name, name) == 0)
      return all[i];
  return NULL;
}

char *mux_registry_names(char *out, size_t out_bytes) {
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  size_t at = 0;
  out[0] = 0;
  for (size_t i = 0; i < count && at < out_bytes; i++)
    at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i > 0 ? ", " : "", all[i]->name);
  return out;
}

int mux_backend_probe(const struct mux_backend *backend, char *why, size_t why_bytes) {
  why[0] = 0;
  int rc = backend->probe != NULL ? backend->probe(why, why_bytes) : 0;
  if (rc != 0 && why[0] == 0)
    snprintf(why, why_bytes, "%s", strerror(abs(rc)));
  return rc;
}

uint32_t mux_backend_fd_limit(const struct mux_backend *backend, const int64_t *options) {
  return backend->fd_limit_with != NULL ? backend->fd_limit_with(options) : backend->fd_limit;
}

uint32_t mux_backend_fd_limit_of(const struct mux_backend *backend, const char *options) {
  int64_t values[MUX_MAX_OPTIONS];
  char why[512];
  if (mux_options_parse(backend->options, options, values, why, sizeof why) != 0)
    mux_options_parse(backend->options, NULL, values, why, sizeof why);
  return mux_backend_fd_limit(backend, values);
}
