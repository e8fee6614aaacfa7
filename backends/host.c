/* host.c: struct mux_host, the functions a backend is given. */
#include "backends/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/dispatcher.h"
#include "backends/registry.h"
#include "common/cli.h"
#include "common/clock.h"

/* Connections that died in the queue and that one call skips. */
enum { ACCEPT_SKIPS = 64 };

static int64_t host_now_ns(void) {
  return mux_now_ns();
}

/* accept(2), "Error handling": pending network errors of the new socket are passed on, and should
 * be treated like EAGAIN by retrying. EPERM comes from a firewall. */
static bool is_dead_connection(int error) {
  switch (error) {
  case EINTR:
  case ECONNABORTED:
  case EPROTO:
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
  case ETIMEDOUT:
  case EPERM:
    return true;
  default:
    return false;
  }
}

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* accept4(2), or the same from the dispatcher. */
static int take_connection(const struct mux_worker *worker, int flags) {
  if (worker->accept != MUX_ACCEPT_HANDOFF)
    return accept4(worker->listen_fd, NULL, NULL, flags | SOCK_CLOEXEC);
  const struct mux_core *core = worker->core;
  int fd = mux_dispatcher_take(worker->listen_fd, core->apart, mux_draining(worker));
  if (fd < 0)
    errno = -fd;
  else if ((flags & SOCK_NONBLOCK) != 0)
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
  return fd >= 0 ? fd : -1;
}

__attribute__((format(printf, 2, 3))) static void host_log(const struct mux_worker *worker,
                                                           const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  mux_note("%s: %s", worker->backend->name, text);
}

/* The first refusal is reported, the others are only counted. */
static bool is_first_refusal(const struct mux_worker *worker) {
  return __atomic_load_n(&worker->counters->refused, __ATOMIC_RELAXED) == 0;
}

static int host_adopt(struct mux_worker *worker, int fd) {
  const struct mux_core *core = worker->core;
  int rc = mux_sock_apply(fd, core->addr, core->sock_options);
  if (rc == 0) {
    MUX_COUNT(worker, accepted, 1);
    return 0;
  }
  if (is_first_refusal(worker))
    host_log(worker, "refuses a connection: cannot set its options: %s", strerror(-rc));
  close(fd);
  MUX_COUNT(worker, refused, 1);
  return rc;
}

int mux_host_accept(struct mux_worker *worker, int flags) {
  const struct mux_core *core = worker->core;
  if (core->addr->kind == MUX_ADDR_UDP)
    return mux_echo_datagrams(worker);
  for (int skipped = 0; skipped < ACCEPT_SKIPS; skipped++) {
    int fd = take_connection(worker, flags);
    if (fd >= 0) {
      if (host_adopt(worker, fd) == 0)
        return fd;
      continue;
    }
    int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK || (error == EINVAL && mux_draining(worker))) {
      /* The queue of a stopping server is empty: from now on the kernel refuses newcomers instead
       * of queueing connections that will not be served. */
      if (mux_draining(worker))
        shutdown(worker->listen_fd, SHUT_RDWR);
      return -EAGAIN;
    }
    if (is_shortage(error))
      break;
    if (!is_dead_connection(error))
      return -error;
  }
  MUX_COUNT(worker, paused, 1);
  return -EMFILE;
}

void mux_host_close(struct mux_worker *worker, int fd, int error) {
  if (fd >= 0)
    close(fd);
  MUX_COUNT(worker, closed, 1);
  if (error != 0)
    MUX_COUNT(worker, resets, 1);
}

static void say_refused(const struct mux_worker *worker, int fd) {
  uint32_t limit = mux_backend_fd_limit(worker->backend, worker->options);
  if (limit != 0 && fd >= (int)limit)
    host_log(worker, "refuses connections: it cannot hold descriptors from %u on", limit);
  else
    host_log(worker, "refuses a connection it cannot hold");
}

void mux_host_refuse(struct mux_worker *worker, int fd) {
  if (is_first_refusal(worker))
    say_refused(worker, fd);
  if (fd >= 0)
    close(fd);
  MUX_COUNT(worker, accepted, -1);
  MUX_COUNT(worker, refused, 1);
}

static void host_work(const struct mux_worker *worker) {
  if (worker->work_ns > 0)
    mux_work(worker->work_ns);
}

static int host_draining(const struct mux_worker *worker) {
  return mux_draining(worker);
}

static struct mux_pool *pool_of(struct mux_worker *worker) {
  return &((struct mux_core *)worker->core)->pool;
}

static void *host_echo_space(struct mux_worker *worker, struct mux_echo *echo, size_t *bytes) {
  return mux_echo_space(pool_of(worker), echo, bytes);
}

static void host_echo_received(struct mux_worker *worker, struct mux_echo *echo, size_t n) {
  mux_echo_received(echo, n);
  if (worker->work_ns > 0)
    mux_work(worker->work_ns);
}

static int host_echo_feed(struct mux_worker *worker, struct mux_echo *echo, const void *data,
                          size_t n) {
  int rc = mux_echo_feed(pool_of(worker), echo, data, n);
  if (rc == 0 && worker->work_ns > 0)
    mux_work(worker->work_ns);
  return rc;
}

static const void *host_echo_data(const struct mux_echo *echo, size_t *bytes) {
  return mux_echo_data(echo, bytes);
}

static void host_echo_sent(struct mux_worker *worker, struct mux_echo *echo, size_t n) {
  mux_echo_sent(pool_of(worker), echo, n);
}

static void host_echo_release(struct mux_worker *worker, struct mux_echo *echo) {
  mux_echo_release(pool_of(worker), echo);
}

const struct mux_host mux_host_table = {
    .struct_bytes = sizeof(struct mux_host),
    .now_ns = host_now_ns,
    .accept = mux_host_accept,
    .close = mux_host_close,
    .refuse = mux_host_refuse,
    .drive = mux_drive,
    .serve_blocking = mux_serve_blocking,
    .draining = host_draining,
    .echo_space = host_echo_space,
    .echo_received = host_echo_received,
    .echo_feed = host_echo_feed,
    .echo_data = host_echo_data,
    .echo_sent = host_echo_sent,
    .echo_release = host_echo_release,
    .log = host_log,
    .adopt = host_adopt,
    .work = host_work,
};
