/* adopt.h: a plug-in's description as this program sees it. A plug-in may be built with a header
 * whose structs have more fields than here, or one day fewer: its struct mux_abi says how long they
 * are, and here they are copied into this program's own. So nobody else steps through a plug-in's
 * tables. What a copy refers to, strings and functions, remains the plug-in's. */
#ifndef MUX_ADOPT_H
#define MUX_ADOPT_H

#include "backends/backend_options.h"
#include "backends/mux_backend.h"

enum { MUX_MAX_EXEMPTIONS = 128 };

struct mux_adopted {
  struct mux_backend backend; /* refers to the following: does not move */
  struct mux_poller poller;
  struct mux_option options[MUX_MAX_OPTIONS + 1];
  struct mux_exemption exemptions[MUX_MAX_EXEMPTIONS + 1];
};

/* Copies and checks all of it; calls nothing of the plug-in. Returns 0, or -EINVAL and what breaks
 * the interface in why. */
int mux_plugin_adopt(struct mux_adopted *own, const struct mux_backend *given, char *why,
                     size_t why_bytes);

#endif
