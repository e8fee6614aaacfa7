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

enum { LOAD_ARGS = 96, EVENTS_FD = 3, HOLD_FD = 4 }; /* in the load */

void session_init(struct session *session, int stop_fd, int64_t deadline_ns) {
  *session = (struct session){.stop_fd = stop_fd,
                              .deadline_ns = deadline_ns,
                              .load = {.supervisor = -1, .lifeline = -1},
                              .events_fd = -1,
                              .hold_fd = -1};
}

int session_start_server(struct session *session, const struct mux_server_spec *spec) {
  return mux_server_start(&session->server, spec, session->why, sizeof session->why);
}

int session_start_load(struct session *session, const char *const *options, const cpu_set_t *cpus,
                       const char *stderr_path) {
  char target[MUX_ADDR_TEXT];
  const char *argv[LOAD_ARGS] = {
      "muxbench",    "load", "--target", mux_addr_print(target, mux_server_addr(session->server)),
      "--events-fd", "3",    "--hold",   "4"};
  int n = 8;
  int events[2] = {-1, -1};
  int hold[2] = {-1, -1};
  int rc = 0;
  for (; *options != NULL && n < LOAD_ARGS - 1; options++)
    argv[n++] = *options;
  argv[n] = NULL;
  int err_fd = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (err_fd < 0 || pipe2(events, O_CLOEXEC) != 0 || pipe2(hold, O_CLOEXEC) != 0)
    rc = -errno;
  if (rc == 0) {
    struct mux_process_spec spec = {.path = "/proc/self/exe",
                                    .argv = (char *const *)argv,
                                    .stdout_fd = -1,
                                    .stderr_fd = err_fd,
                                    .passed = {events[1], hold[0]},
                                    .passed_count = 2,
                                    .cpus = cpus};
    rc = mux_process_start(&session->load, &spec);
  }
  if (rc == 0) {
    session->events_fd = events[0];
    session->hold_fd = hold[1];
    events[0] = hold[1] = -1;
  } else {
    snprintf(session->why, sizeof session->why, "cannot start the load: %s", strerror(-rc));
  }
  int fds[] = {err_fd, events[0], events[1], hold[0], hold[1]};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0)
      close(fds[i]);
  return rc;
}

static int fail(struct session *session, int error, const char *what) {
  snprintf(session->why, sizeof session->why, "%s", what);
  return error;
}

static int server_gone(struct session *session) {
  return fail(session, -ECHILD, "the server ended in the middle of the trial");
}

/* Waits until fd (or the load's lifeline alone, for -1) has something, or there is a reason not to
 * wait any longer. Returns 0 or -errno. */
static int wait_for(struct session *session, int fd, int64_t until_ns, const char *what) {
  bool cut = session->deadline_ns > 0 && session->deadline_ns < until_ns;
  if (cut)
    until_ns = session->deadline_ns;
  struct pollfd wait[] = {{.fd = fd, .events = POLLIN},
                          {.fd = session->load.lifeline, .events = POLLIN},
                          {.fd = mux_server_watch_fd(session->server), .events = POLLIN},
                          {.fd = session->stop_fd, .events = POLLIN}};
  int64_t left = until_ns - mux_now_ns();
  if (left <= 0) {
    snprintf(session->why, sizeof session->why, "%s: %s",
             cut ? "the run's time budget ended while waiting" : "waited in vain", what);
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
  if (wait[2].revents != 0 && !mux_server_alive(session->server))
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

/* Takes the next line off the events. Returns 1 with its first word in name, 0 if there is none
 * yet, -EPIPE at the end. */
static int next_event(struct session *session, char *name, size_t name_bytes) {
  char *end = memchr(session->line, '\n', session->used);
  if (end == NULL) {
    struct pollfd ready = {.fd = session->events_fd, .events = POLLIN};
    if (poll(&ready, 1, 0) <= 0)
      return 0;
    ssize_t n = read(session->events_fd, session->line + session->used,
                     sizeof session->line - session->used);
    if (n <= 0)
      return -EPIPE;
    session->used += (size_t)n;
    end = memchr(session->line, '\n', session->used);
    if (end == NULL)
      return session->used == sizeof session->line ? -EPIPE : 0;
  }
  size_t length = (size_t)(end + 1 - session->line);
  size_t word = strcspn(session->line, " \n");
  snprintf(name, name_bytes, "%.*s", (int)word, session->line);
  memmove(session->line, end + 1, session->used - length);
  session->used -= length;
  return 1;
}

int session_await(struct session *session, const char *event, int64_t limit_ns) {
  int64_t until_ns = mux_now_ns() + limit_ns;
  for (;;) {
    char name[32];
    int rc = next_event(session, name, sizeof name);
    if (rc == 1 && strcmp(name, event) == 0)
      return 0;
    if (rc == 1)
      continue;
    if (rc == -EPIPE) {
      mux_process_wait(&session->load, MUX_S);
      return mux_server_alive(session->server) ? load_gone(session) : server_gone(session);
    }
    rc = wait_for(session, session->events_fd, until_ns, event);
    if (rc != 0)
      return rc;
  }
}

int session_release(struct session *session) {
  ssize_t n = write(session->hold_fd, "", 1);
  return n == 1 ? 0 : fail(session, -EPIPE, "the load ended before its traffic");
}

void session_let_go(struct session *session) {
  if (session->hold_fd >= 0)
    close(session->hold_fd);
  session->hold_fd = -1;
}

int session_finish(struct session *session, int64_t limit_ns) {
  int64_t until_ns = mux_now_ns() + limit_ns;
  while (mux_process_running(&session->load)) {
    int rc = wait_for(session, -1, until_ns, "the load's end");
    if (rc != 0)
      return rc;
  }
  int status = session->load.wait_status;
  if (status != 0 && !mux_server_alive(session->server))
    return server_gone(session);
  return (status & 0x7f) == 0 ? status >> 8 & 0xff : load_gone(session);
}

int session_close(struct session *session) {
  if (session->events_fd >= 0)
    close(session->events_fd);
  session->events_fd = -1;
  session_let_go(session);
  mux_process_end(&session->load);
  int status = session->server != NULL ? mux_server_stop(session->server) : 0;
  session->server = NULL;
  return status;
}
