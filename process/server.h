/* server.h: starts a server process, knows when it serves, stops it, and leaves no process behind.
 *
 * In-tree backends, plug-ins and foreign programs are started in the same way: an argv under a
 * supervisor (process.h), so that no server outlives its runner, even if that is killed. */
#ifndef MUX_SERVER_H
#define MUX_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/addr.h"
#include "common/cpus.h"

struct mux_server_spec {
  /* Exactly one of these three: */
  const char *backend; /* started as `muxbench serve --backend …` through /proc/self/exe */
  const char *command; /* a foreign server; {port} and {workers} are replaced, no shell runs */
  const char *target;  /* an address that serves already: nothing is started or stopped */

  const char *listen;       /* address to listen on, port 0; default tcp://127.0.0.1:0 */
  const char *const *extra; /* further arguments of serve, NULL-terminated; or NULL */
  int workers;              /* 0: the server's default */
  const cpu_set_t *cpus;    /* empty or NULL: inherited */
  const char *stderr_path;  /* where its stderr goes; NULL: /dev/null */
  int64_t ready_timeout_ns; /* 0: 10 s */
  int64_t drain_ns;         /* 0: 1 s */
  int64_t patience_ns;      /* that ending may take beyond it; 0: 2 s */
  long nofile;              /* RLIMIT_NOFILE of the server; 0: unchanged */
  const char *preload;      /* LD_PRELOAD of the server; NULL: unchanged */
  bool share_counters;      /* map the memory it counts in (own backends only) */
  const char *program;      /* the muxbench to run own backends with; NULL: /proc/self/exe */
};

struct mux_server; /* opaque */

/* Starts it and waits until a client can connect: for the "listening ADDR" line of our own
 * backends, for a verified echo of a foreign server (over a connection that is not connected to
 * itself). Returns 0 and *server; or -errno with the reason in `why` and nothing left running. */
int mux_server_start(struct mux_server **server, const struct mux_server_spec *spec, char *why,
                     size_t why_bytes);

const struct mux_addr *mux_server_addr(const struct mux_server *server);
pid_t mux_server_pid(const struct mux_server *server); /* the server itself; 0 for a target */
/* The process that all processes of the server descend from, which is not one of them; -1 for a
 * target. */
pid_t mux_server_root(const struct mux_server *server);
/* The memory it counts in, which its backends lay out (mux_backend.h), or NULL. */
const void *mux_server_counters(const struct mux_server *server, size_t *bytes);
/* False once the server process has ended by itself. */
bool mux_server_alive(struct mux_server *server);
/* Readable when mux_server_alive may have changed; -1 for a target. */
int mux_server_watch_fd(const struct mux_server *server);

/* Sends SIGTERM, and after drain + patience SIGKILL to everything that is left. Frees server.
 * Returns the exit status (0…255) or 128 + signal, or -ETIMEDOUT if it had to be killed. */
int mux_server_stop(struct mux_server *server);

#endif
