/* preload.h: whether a library can be preloaded. ld.so itself only warns and goes on without it
 * (ld.so(8), LD_PRELOAD). */
#ifndef MUX_PRELOAD_H
#define MUX_PRELOAD_H

#include <stddef.h>

/* Tries it on this program itself, which has to know --version. `libraries` is as in LD_PRELOAD.
 * Returns 0, or -errno with the reason in why: -EINVAL if it cannot be preloaded. */
int mux_preload_try(const char *libraries, char *why, size_t why_bytes);

#endif
