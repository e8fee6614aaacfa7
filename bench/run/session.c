/* session.c: see session.h. */
#include "bench/run/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "process/tree.h"

enum { LOAD_ARGS = 96 };

void session_init(struct session *session, int stop_fd) {
  *session = (struct session){.stop_fd = stop_fd,
                              .load = {.supervisor = -1, .lifeline = -1},
                              .events_fd = -1,
                              .control_fd = -1};
}

int session_start_server(struct session *session, const struct mux_server_spec *spec) {
  return mux_server_start(&session->server, spec, session->why, sizeof session->why);
}

int session_start(struct session *session, const char *const *argv, const cpu_set_t *cpus,
                  const char *stderr_path) {
  int events[2] = {-1, -1};
  int control[2] = {-1, -1};
  int rc = 0;
  int err_fd = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (err_fd < 0 || pipe2(events, O_CLOEXEC) != 0 || pipe2(control, O_CLOEXEC) != 0)
    rc = -errno;
  if (rc == 0) {
    struct mux_process_spec spec = {.path = "/proc/self/exe",
                                    .argv = (char *const *)argv,
                                    .stdout_fd = -1,
                                    .stderr_fd = err_fd,
                                    .passed = {events[1], control[0]}, /* 3 and 4 there */
                                    .passed_count = 2,
                                    .cpus = cpus};
    rc = mux_process_start(&session->load, &spec);
  }
  if (rc == 0) {
    session->events_fd = events[0];
    session->control_fd = control[1];
    events[0] = control[1] = -1;
  } else {
    snprintf(session->why, sizeof session->why, "cannot start the load: %s", strerror(-rc));
  }
  int fds[] = {err_fd, events[0], events[1], control[0], control[1]};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0)
      close(fds[i]);
  return rc;
}

int session_start_load(struct session *session, const char *const *options, const cpu_set_t *cpus,
                       const char *stderr_path) {
  char target[MUX_ADDR_TEXT];
  char root[16];
  const char *argv[LOAD_ARGS] = {
      "muxbench",      "load",
      "--target",      mux_addr_print(target, mux_server_addr(session->server)),
      "--events-fd",   "3",
      "--control",     "4",
      "--allow-remote"}; /* where the server may be was decided when the experiment was read */
  int n = 9;
  if (mux_server_root(session->server) > 0) {
    snprintf(root, sizeof root, "%d", (int)mux_server_root(session->server));
    argv[n++] = "--server-root";
    argv[n++] = root;
  }
  for (; *options != NULL && n < LOAD_ARGS - 1; options++)
    argv[n++] = *options;
  argv[n] = NULL;
  return session_start(session, argv, cpus, stderr_path);
}

static int fail(struct session *session, int error, const char *what) {
  snprintf(session->why, sizeof session->why, "%s", what);
  return error;
}

static int server_gone(struct session *session) {
  return fail(session, -ECHILD, "the server ended in the middle of the trial");
}

static bool server_alive(struct session *session) {
  return session->server == NULL || mux_server_alive(session->server);
}

/* Waits until fd (or the load's lifeline alone, for -1) has something, or there is a reason not to
 * wait any longer. Returns 0 or -errno. */
static int wait_for(struct session *session, int fd, int64_t until_ns, const char *what) {
  struct pollfd wait[] = {
      {.fd = fd, .events = POLLIN},
      {.fd = session->load.lifeline, .events = POLLIN},
      {.fd = session->server != NULL ? mux_server_watch_fd(session->server) : -1, .events = POLLIN},
      {.fd = session->stop_fd, .events = POLLIN}};
  int64_t left = until_ns - mux_now_ns();
  if (left <= 0) {
    snprintf(session->why, sizeof session->why, "waited too long for %s", what);
    return -ETIMEDOUT;
  }
  struct timespec ts = mux_ns_timespec(left);
  int ready = ppoll(wait, 4, &ts, NULL);
  if (ready < 0 && errno != EINTR)
    return fail(session, -errno, "cannot poll");
  if (ready <= 0)
    return 0;
  if (wait[3].revents != 0)
    return fail(session, -EINTR, "interrupted");
  if (wait[2].revents != 0 && !server_alive(session))
    return server_gone(session);
  return 0;
}

static int load_gone(struct session *session) {
  int status = session->load.wait_status;
  bool exited = (status & 0x7f) == 0;
  snprintf(session->why, sizeof session->why, "the load ended early (%s %d), see its log",
           exited ? "exit status" : "signal", exited ? status >> 8 & 0xff : status & 0x7f);
  return -ECHILD;
}

/* Waits for the line that begins with that word; earlier ones are passed over. */
static int await(struct session *session, const char *word, int64_t limit_ns, char line[1024]) {
  int64_t until_ns = mux_now_ns() + limit_ns;
  size_t length = strlen(word);
  for (;;) {
    int rc = mux_lines_next(&session->events, session->events_fd, line, 1024);
    if (rc == 1 && strncmp(line, word, length) == 0 && line[length] == ' ')
      return 0;
    if (rc == 1)
      continue;
    if (rc < 0) {
      mux_process_wait(&session->load, MUX_S);
      return server_alive(session) ? load_gone(session) : server_gone(session);
    }
    rc = wait_for(session, session->events_fd, until_ns, word);
    if (rc != 0)
      return rc;
  }
}

int session_connected(struct session *session, int64_t limit_ns) {
  char line[1024];
  return await(session, "connected", limit_ns, line);
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static void signal_server(struct session *session, int signal) {
  mux_tree_signal(mux_server_root(session->server), signal);
}

void session_freeze(struct session *session) {
  if (session->server == NULL || mux_server_root(session->server) <= 0)
    return;
  signal_server(session, SIGSTOP);
  session->frozen = true;
}

int session_slice(struct session *session, const struct mux_order *order, int64_t limit_ns,
                  struct mux_answer *answer) {
  char line[1024];
  if (session->frozen)
    signal_server(session, SIGCONT);
  int rc = mux_order_send(session->control_fd, order);
  if (rc != 0)
    fail(session, rc, "the load ended before its traffic");
  else
    rc = await(session, "slice", limit_ns + order->warmup_ns + order->duration_ns, line);
  if (session->frozen)
    signal_server(session, SIGSTOP);
  if (rc == 0 && mux_answer_parse(line, answer) != 0)
    rc = fail(session, -EPROTO, "the load's answer makes no sense");
  return rc;
}

/* ---- The end --------------------------------------------------------------------------------- */

static void thaw(struct session *session) {
  if (session->frozen)
    signal_server(session, SIGCONT);
  session->frozen = false;
}

static void let_go(struct session *session) {
  if (session->control_fd >= 0)
    close(session->control_fd);
  session->control_fd = -1;
}

int session_finish(struct session *session, int64_t limit_ns) {
  int64_t until_ns = mux_now_ns() + limit_ns;
  thaw(session);
  let_go(session);
  while (mux_process_running(&session->load)) {
    int rc = wait_for(session, -1, until_ns, "the load's end");
    if (rc != 0)
      return rc;
  }
  int status = session->load.wait_status;
  if (status != 0 && !server_alive(session))
    return server_gone(session);
  return (status & 0x7f) == 0 ? status >> 8 & 0xff : load_gone(session);
}

int session_close(struct session *session) {
  if (session->server != NULL)
    thaw(session);
  if (session->events_fd >= 0)
    close(session->events_fd);
  session->events_fd = -1;
  let_go(session);
  mux_process_end(&session->load);
  int status = session->server != NULL ? mux_server_stop(session->server) : 0;
  session->server = NULL;
  return status;
}
