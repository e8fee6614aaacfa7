/* session.h: a server and the load that is connected to it, from start to end.
 *
 *   session_start_server   the server serves
 *   session_start_load     the load connects, then holds still
 *   session_connected      every connection is made
 *   session_slice          a stretch of traffic; both are silent before and after it
 *   session_finish         the load closes its connections and writes its result
 *   session_close          stops everything
 *
 * No wait is longer than its own limit, nor outlasts Ctrl-C or the end of either process. The
 * floor (cmd_floor.c) is a session without a server: it takes the same orders. */
#ifndef MUX_SESSION_H
#define MUX_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "process/control.h"
#include "process/process.h"
#include "process/server.h"

struct session {
  int stop_fd; /* readable after Ctrl-C; -1: none */
  struct mux_server *server;
  struct mux_process load;
  int events_fd, control_fd;
  bool frozen;
  struct mux_lines events; /* what has come of them */
  char why[512];           /* after an error */
};

void session_init(struct session *session, int stop_fd);

/* All return 0 or -errno with the reason in session->why: -EINTR Ctrl-C, -ETIMEDOUT, -ECHILD one of
 * the processes has ended, and so on. */
int session_start_server(struct session *session, const struct mux_server_spec *spec);
/* argv: "load", options. --target and the descriptors of the control are added here. */
int session_start_load(struct session *session, const char *const *options, const cpu_set_t *cpus,
                       const char *stderr_path);
/* argv: any of ours that takes orders for slices. */
int session_start(struct session *session, const char *const *argv, const cpu_set_t *cpus,
                  const char *stderr_path);
int session_connected(struct session *session, int64_t limit_ns);
/* A frozen server is thawed for it, and frozen again. limit_ns: beyond warm-up and duration. */
int session_slice(struct session *session, const struct mux_order *order, int64_t limit_ns,
                  struct mux_answer *answer);
/* A server that does not rest by itself is stopped (SIGSTOP) while it has no traffic. */
void session_freeze(struct session *session);
/* Waits for the load's end. Its exit status (0…255), or -errno. */
int session_finish(struct session *session, int64_t limit_ns);
/* Kills the load if it is still there, stops the server. Returns the server's exit status as
 * mux_server_stop has it, 0 if there was none. */
int session_close(struct session *session);

#endif
