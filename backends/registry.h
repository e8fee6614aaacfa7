/* registry.h: finds backends. Those in the tree register themselves in a linker section
 * (MUX_BACKEND); others are loaded from a shared object (MUX_PLUGIN). */
#ifndef MUX_REGISTRY_H
#define MUX_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/mux_backend.h"

/* The backends in the tree, sorted by name and NULL-terminated. They belong to the program. */
const struct mux_backend *const *mux_registry_all(size_t *count);

/* A backend in the tree, or NULL. */
const struct mux_backend *mux_registry_find(const char *name);

/* Their names on one line: "epoll-et, epoll-lt, …". Returns out. */
char *mux_registry_names(char *out, size_t out_bytes);

/* Asks a backend's probe whether it can run here. Returns 0, or -errno with the reason in why. */
int mux_backend_probe(const struct mux_backend *backend, char *why, size_t why_bytes);

/* The first descriptor that a backend cannot hold, 0 if there is no limit: with these values of its
 * options, or with --options as typed (NULL or text that does not parse: the defaults). */
uint32_t mux_backend_fd_limit(const struct mux_backend *backend, const int64_t *options);
uint32_t mux_backend_fd_limit_of(const struct mux_backend *backend, const char *options);

/* True if --backend takes the text for a file: it ends in ".so" or has a slash. */
bool mux_plugin_is_path(const char *text);

/* Loads a plug-in for the rest of the program's life, after a child process has tried it and asked
 * its probe: what is loaded can run here. Returns 0 and *backend, or with the reason in why -ENOENT
 * (no such file), -ENOEXEC (cannot be loaded, or crashes, hangs or ends the process), -EINVAL (not
 * a plug-in for this interface), or the -errno of its probe. */
int mux_plugin_load(const struct mux_backend **backend, const char *path, char *why,
                    size_t why_bytes);

#endif
