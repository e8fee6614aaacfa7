/* core.h: what the core knows about a worker beyond what its backend is handed. `worker->core`
 * points to it. Everything here belongs to the worker's thread, except `shared`. */
#ifndef MUX_CORE_H
#define MUX_CORE_H

#include <stdbool.h>

#include "backends/echo.h"
#include "backends/mux_backend.h"
#include "common/addr.h"
#include "common/sock.h"

/* One per server, in memory that forked children share. */
struct mux_shared {
  int stopping; /* 0, then 1 until the end; set before stop_fd becomes readable */
};

struct mux_core {
  struct mux_pool pool;
  void *datagram; /* room for one; allocated when first needed */
  const struct mux_shared *shared;
  const struct mux_addr *addr;                 /* where it listens */
  const struct mux_sock_options *sock_options; /* of every connection */
  bool apart; /* it has its own table of descriptors: a dispatcher sends them */
  struct mux_worker worker;
};

static inline bool mux_draining(const struct mux_worker *worker) {
  const struct mux_core *core = worker->core;
  return __atomic_load_n(&core->shared->stopping, __ATOMIC_RELAXED) != 0;
}

/* The functions of struct mux_host for callers within the core; described there. */
extern const struct mux_host mux_host_table;               /* host.c */
int mux_host_accept(struct mux_worker *worker, int flags); /* host.c */
int mux_echo_datagrams(struct mux_worker *worker);         /* echo_datagram.c: accept() for UDP */
/* Makes a UDP socket drop what must not be echoed. family: AF_INET or AF_INET6. Returns 0 or
 * -errno. */
int mux_guard_datagrams(int fd, int family);
void mux_host_close(struct mux_worker *worker, int fd, int error);
void mux_host_refuse(struct mux_worker *worker, int fd);
int mux_drive(struct mux_worker *worker, struct mux_echo *echo, int fd, unsigned ready);
int mux_serve_blocking(struct mux_worker *worker, int fd);
void mux_work(int64_t work_ns); /* burns that much CPU time of this thread */

/* A worker whose backend is a poller. Returns 0 once drained, or -errno. */
int mux_reactor_run(struct mux_worker *worker, const struct mux_poller *poller);

#endif
