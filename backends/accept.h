/* accept.h: the policies of --accept (enum mux_accept): their names, the default, and which backend
 * supports which. For `serve`, and for experiments, which skip what would be refused. */
#ifndef MUX_ACCEPT_H
#define MUX_ACCEPT_H

#include "backends/mux_backend.h"
#include "common/addr.h"

/* From MUX_ACCEPT_REUSEPORT on; NULL-terminated. */
extern const char *const mux_accept_names[];

enum mux_accept mux_accept_default(const struct mux_backend *backend, enum mux_addr_kind kind);

/* Why this backend cannot accept that way on such an address, or NULL if it can. */
const char *mux_accept_refusal(const struct mux_backend *backend, enum mux_addr_kind kind,
                               enum mux_accept accept);

#endif
