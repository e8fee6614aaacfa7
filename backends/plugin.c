/* plugin.c: backends from outside the tree. A plug-in exports one symbol, `mux_plugin`, and is
 * checked in full before anything of it is called. */
#include "backends/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the first version of the interface had, up to and including `run`. */
static const size_t LEAST_BYTES = offsetof(struct mux_backend, run) + sizeof(void *);

/* Those in use; never unloaded. */
struct loaded {
  struct mux_backend backend;
  struct loaded *next;
};
static struct loaded *loaded;

bool mux_plugin_is_path(const char *text) {
  size_t length = strlen(text);
  return strchr(text, '/') != NULL || (length > 3 && strcmp(text + length - 3, ".so") == 0);
}

int mux_plugin_adopt(struct mux_backend *own, const struct mux_backend *given, char *why,
                     size_t why_bytes) {
  if (given == NULL) {
    snprintf(why, why_bytes, "its mux_plugin points nowhere");
    return -EINVAL;
  }
  if (given->abi_version != MUX_ABI_VERSION) {
    snprintf(why, why_bytes, "it was built for interface version %u, this program has %d: rebuild",
             given->abi_version, MUX_ABI_VERSION);
    return -EINVAL;
  }
  if (given->struct_bytes < LEAST_BYTES) {
    snprintf(why, why_bytes, "its struct mux_backend has %u bytes, at least %zu are needed",
             given->struct_bytes, LEAST_BYTES);
    return -EINVAL;
  }
  *own = (struct mux_backend){0};
  memcpy(own, given, given->struct_bytes < sizeof *own ? given->struct_bytes : sizeof *own);
  return mux_backend_validate(own, why, why_bytes);
}

int mux_plugin_load(const struct mux_backend **backend, const char *path, char *why,
                    size_t why_bytes) {
  if (access(path, R_OK) != 0) {
    int error = errno;
    snprintf(why, why_bytes, "%s", strerror(error));
    return -error;
  }
  /* Without a slash dlopen() would search the library path instead. */
  char here[4096];
  int n = snprintf(here, sizeof here, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
  if (n < 0 || (size_t)n >= sizeof here)
    return -ENAMETOOLONG;
  void *object = dlopen(here, RTLD_NOW | RTLD_LOCAL);
  if (object == NULL) {
    snprintf(why, why_bytes, "it cannot be loaded (%s)", dlerror());
    return -ENOEXEC;
  }
  const struct mux_backend *const *symbol = dlsym(object, "mux_plugin");
  struct loaded *own = malloc(sizeof *own);
  int rc = own == NULL ? -ENOMEM : -EINVAL;
  if (own != NULL && symbol == NULL)
    snprintf(why, why_bytes, "it has no symbol mux_plugin (MUX_PLUGIN(backend) exports it)");
  else if (own != NULL)
    rc = mux_plugin_adopt(&own->backend, *symbol, why, why_bytes);
  if (rc != 0) {
    free(own);
    dlclose(object);
    return rc;
  }
  own->next = loaded;
  loaded = own;
  *backend = &own->backend;
  return 0;
}
