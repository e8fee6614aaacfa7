/* session.h: a server and a load process that run side by side, and the phases they go through.
 *
 *   session_start_server   the server serves
 *   session_start_load     the load connects, then holds still
 *   session_await "connected", session_release, session_await "measure", "drain"
 *   session_let_go         the load may close its connections, which it holds till then
 *   session_finish         the load's result; session_close stops everything
 *
 * No wait is longer than its own limit, nor goes past the run's deadline, nor outlasts Ctrl-C or
 * the end of either process. */
#ifndef MUX_SESSION_H
#define MUX_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "process/process.h"
#include "process/server.h"

struct session {
  int stop_fd;         /* readable after Ctrl-C; -1: none */
  int64_t deadline_ns; /* of the run, CLOCK_MONOTONIC; 0: none */
  struct mux_server *server;
  struct mux_process load;
  int events_fd, hold_fd;
  char line[256]; /* what came of the next event */
  size_t used;
  char why[512]; /* after an error */
};

void session_init(struct session *session, int stop_fd, int64_t deadline_ns);

/* All return 0 or -errno with the reason in session->why: -EINTR Ctrl-C, -ETIMEDOUT, -ECHILD one of
 * the processes has ended, and so on. */
int session_start_server(struct session *session, const struct mux_server_spec *spec);
/* argv: "load", options. --target, --events-fd and --hold are added here. */
int session_start_load(struct session *session, const char *const *options, const cpu_set_t *cpus,
                       const char *stderr_path);
/* Waits for the event of that name; earlier ones are passed over. */
int session_await(struct session *session, const char *event, int64_t limit_ns);
int session_release(struct session *session);
void session_let_go(struct session *session);
/* Waits for the load's end. Its exit status (0…255), or -errno. */
int session_finish(struct session *session, int64_t limit_ns);
/* Kills the load if it is still there, stops the server. Returns the server's exit status as
 * mux_server_stop has it, 0 if there was none. */
int session_close(struct session *session);

#endif
