/* drive.c: moves bytes between a socket and its echo, for backends that wait for readiness and for
 * those that block.
 *
 * One message costs one recv and one send: a receive that leaves room in the buffer has emptied the
 * socket (epoll(7), "Do I need to continuously read"), so no further one is tried only to learn
 * that it would block. That does not hold when the stream has a mark in it (EOF, error, urgent
 * data), which pollers report as MUX_HUP; then it reads to the end. */
#include "backends/core.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/clock.h"

/* Receives per wake-up, so that one firehose does not starve the others. */
enum { DRIVE_BUDGET = 8 };
/* Two readings of the clock are closer than this in a thread that runs. */
enum { AWAY_NS = 10000 };

/* By the clock that can be read without a system call (22 ns, vdso(7)): reading the thread's CPU
 * clock takes longer than the few hundred ns that a calibration burns. What lies between two
 * readings that are far apart is not counted: there the thread was kept from running. */
void mux_work(int64_t work_ns) {
  int64_t last = mux_now_ns();
  while (work_ns > 0) {
    int64_t now = mux_now_ns();
    if (now - last < AWAY_NS)
      work_ns -= now - last;
    last = now;
  }
}

static inline bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

static bool queue_is_empty(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0;
}

/* Sends what waits. Clears *writable when the socket took less than that. Returns 0 or -errno. */
static inline int send_waiting(struct mux_core *core, struct mux_echo *echo, int fd,
                               bool *writable) {
  size_t bytes;
  const void *data = mux_echo_data(echo, &bytes);
  ssize_t n;
  do {
    n = send(fd, data, bytes, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && !would_block(errno))
    return -errno;
  if (n < 0)
    n = 0;
  *writable = (size_t)n == bytes;
  mux_echo_sent(&core->pool, echo, (size_t)n);
  return 0;
}

int mux_drive(struct mux_worker *worker, struct mux_echo *echo, int fd, unsigned ready) {
  struct mux_core *core = worker->core;
  bool draining = mux_draining(worker);
  bool to_the_end = (ready & MUX_HUP) != 0 || draining;
  bool readable = (ready & MUX_READ) != 0 || to_the_end;
  bool writable = echo->head == echo->tail || (ready & (MUX_WRITE | MUX_HUP)) != 0;
  int rc = 0;
  if (echo->head < echo->tail && writable)
    rc = send_waiting(core, echo, fd, &writable);
  for (int budget = DRIVE_BUDGET; rc == 0 && readable; budget--) {
    if ((mux_echo_wants(echo) & MUX_READ) == 0)
      break;
    /* Level triggering reports no event for an empty queue, which ends a draining connection. */
    if (budget <= 0 && !(draining && queue_is_empty(fd)))
      return (int)(mux_echo_wants(echo) | MUX_AGAIN);
    size_t room;
    void *space = mux_echo_space(&core->pool, echo, &room);
    if (space == NULL)
      return -ENOMEM;
    ssize_t n;
    do {
      n = recv(fd, space, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
      mux_echo_received(echo, (size_t)n);
      if (worker->work_ns > 0)
        mux_work(worker->work_ns);
      readable = (size_t)n == room || to_the_end;
      if (writable)
        rc = send_waiting(core, echo, fd, &writable);
    } else if (n < 0 && !would_block(errno)) {
      return -errno;
    } else {
      readable = false;
      if (n == 0 || draining) /* when draining, an empty queue is the end */
        echo->eof = 1;
      if (echo->head == echo->tail)
        mux_echo_release(&core->pool, echo);
    }
  }
  return rc != 0 ? rc : (int)mux_echo_wants(echo);
}

static int send_all(int fd, const unsigned char *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    data += n;
    bytes -= (size_t)n;
  }
  return 0;
}

/* A blocking receive needs its buffer while it waits, and each connection has its own thread or
 * process, so the worker's pool does not help here. */
int mux_serve_blocking(struct mux_worker *worker, int fd) {
  unsigned char *buffer = malloc(worker->buffer_bytes);
  if (buffer == NULL)
    return -ENOMEM;
  int rc = 0;
  while (rc == 0) {
    ssize_t n = recv(fd, buffer, worker->buffer_bytes, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      rc = n == 0 ? 0 : -errno;
      break;
    }
    if (worker->work_ns > 0)
      mux_work(worker->work_ns);
    rc = send_all(fd, buffer, (size_t)n);
  }
  free(buffer);
  return rc;
}
