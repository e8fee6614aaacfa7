/* adopt.h: a plug-in's description in this program's own structs. A plug-in may be built with a
 * header whose structs have more fields than ours, or fewer: its struct mux_abi has their sizes.
 * They are copied here, so that no other code steps through a plug-in's tables. The strings and
 * functions that a copy refers to remain the plug-in's. */
#ifndef MUX_ADOPT_H
#define MUX_ADOPT_H

#include "backends/backend_options.h"
#include "backends/mux_backend.h"

enum { MUX_MAX_EXEMPTIONS = 128 };

struct mux_adopted {
  struct mux_backend backend; /* refers to the members below, so it must not be copied */
  struct mux_poller poller;
  struct mux_option options[MUX_MAX_OPTIONS + 1];
  struct mux_exemption exemptions[MUX_MAX_EXEMPTIONS + 1];
};

/* Copies and checks all of it; calls none of its functions. Returns 0, or -EINVAL and how it breaks
 * the interface in why. */
int mux_plugin_adopt(struct mux_adopted *own, const struct mux_backend *given, char *why,
                     size_t why_bytes);

#endif
