/* accept.c: see accept.h. */
#include "backends/accept.h"

const char *const mux_accept_names[] = {"reuseport", "shared", "exclusive", "handoff", NULL};

enum mux_accept mux_accept_default(const struct mux_backend *backend, enum mux_addr_kind kind) {
  bool own = kind == MUX_ADDR_TCP && (backend->flags & MUX_SHARED_LISTENER) == 0;
  return own ? MUX_ACCEPT_REUSEPORT : MUX_ACCEPT_SHARED;
}

const char *mux_accept_refusal(const struct mux_backend *backend, enum mux_addr_kind kind,
                               enum mux_accept accept) {
  if (accept == MUX_ACCEPT_REUSEPORT && kind == MUX_ADDR_UNIX)
    return "Unix sockets have no SO_REUSEPORT";
  if (accept == MUX_ACCEPT_HANDOFF && kind == MUX_ADDR_UDP)
    return "UDP has no connections";
  if (accept == MUX_ACCEPT_EXCLUSIVE && (backend->flags & MUX_WAKES_ONE) == 0)
    return "only epoll and io_uring can wake one waiting worker (EPOLLEXCLUSIVE)";
  return NULL;
}
