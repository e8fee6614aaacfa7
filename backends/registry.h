/* registry.h: finds backends. Those of the tree register themselves in a linker section
 * (MUX_BACKEND); others are loaded from a shared object (MUX_PLUGIN). */
#ifndef MUX_REGISTRY_H
#define MUX_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/mux_backend.h"

/* The backends of the tree by name, NULL-terminated; they are the program's. */
const struct mux_backend *const *mux_registry_all(size_t *count);

/* A backend of the tree, or NULL. */
const struct mux_backend *mux_registry_find(const char *name);

/* Their names in one line: "epoll-et, epoll-lt, …". Returns out. */
char *mux_registry_names(char *out, size_t out_bytes);

/* Whether it can run here, asking its probe. Returns 0 or -errno with the reason in why. */
int mux_backend_probe(const struct mux_backend *backend, char *why, size_t why_bytes);

/* The first descriptor it cannot hold, 0 if there is none: with these values of its options, or
 * with
 * --options as typed (NULL, or what does not parse: the defaults). */
uint32_t mux_backend_fd_limit(const struct mux_backend *backend, const int64_t *options);
uint32_t mux_backend_fd_limit_of(const struct mux_backend *backend, const char *options);

/* True for what --backend takes as a file: it ends in ".so" or has a slash. */
bool mux_plugin_is_path(const char *text);

/* Loads a plug-in for the rest of the program's life, after a child has tried it: it can run here,
 * mux_backend_probe() need not be asked. Returns 0 and *backend, or with the reason in why -ENOENT
 * (no such file), -ENOEXEC (not an object that can be loaded, or it crashes, hangs or ends the
 * process), -EINVAL (not a plug-in of this interface), or the -errno of its probe. */
int mux_plugin_load(const struct mux_backend **backend, const char *path, char *why,
                    size_t why_bytes);

#endif
