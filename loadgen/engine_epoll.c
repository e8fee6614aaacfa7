/* engine_epoll.c: edge-triggered epoll, one registration per connection.
 *
 * A message costs one recv, one send and its share of an epoll_pwait2. A descriptor is registered
 * once, for both directions, and that is never changed. A recv that does not fill the buffer has
 * emptied the socket (epoll(7)), unless the peer has closed, which EPOLLRDHUP reports. A UDP socket
 * reports room after each datagram that leaves, so EPOLLOUT is set only while waiting for that. */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "loadgen/datagram.h"
#include "loadgen/worker.h"

enum {
  BATCH = 512,
  RECEIVES_MOST = 16,       /* per event, so that one firehose does not starve the others */
  SCRATCH_BYTES = 64 << 10, /* more than any datagram has */
  SEND_TRIES = 2,
};
#define WAKE_TOKEN UINT64_MAX

struct epoll_engine {
  int fd;
  unsigned char *in, *out;
  struct epoll_event events[BATCH];
};

/* The bare system calls: libc's recv and send are cancellation points, which in a process with
 * threads costs 3 % of a message. */
static ssize_t socket_receive(int fd, void *to, size_t bytes) {
  return syscall(SYS_recvfrom, fd, to, bytes, MSG_DONTWAIT, NULL, NULL);
}
static ssize_t socket_send(int fd, const void *from, size_t bytes) {
  return syscall(SYS_sendto, fd, from, bytes, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}

static uint64_t token_of(const struct load_worker *w, const struct load_connection *c) {
  return (uint64_t)c->generation << 32 | (uint64_t)(c - w->connections);
}

static void epoll_engine_close(struct load_worker *w) {
  struct epoll_engine *e = w->engine_state;
  if (e == NULL)
    return;
  if (e->fd >= 0)
    close(e->fd);
  free(e->in);
  free(e->out);
  free(e);
  w->engine_state = NULL;
}

/* Its errors need no more than errno to explain. */
static int epoll_engine_open(struct load_worker *w, char *why, size_t why_bytes) {
  (void)why;
  (void)why_bytes;
  struct epoll_engine *e = calloc(1, sizeof *e);
  if (e == NULL)
    return -ENOMEM;
  w->engine_state = e;
  e->in = malloc(SCRATCH_BYTES);
  e->out = malloc(SCRATCH_BYTES);
  e->fd = epoll_create1(EPOLL_CLOEXEC);
  if (e->fd < 0)
    return -errno;
  if (e->in == NULL || e->out == NULL)
    return -ENOMEM;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_TOKEN};
  return epoll_ctl(e->fd, EPOLL_CTL_ADD, w->wake_fd, &event) == 0 ? 0 : -errno;
}

static int control(struct load_worker *w, struct load_connection *c, int operation) {
  struct epoll_engine *e = w->engine_state;
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = token_of(w, c)};
  if (w->datagrams == NULL || c->state == LOAD_CONNECTING || c->blocked)
    event.events |= EPOLLOUT;
  return epoll_ctl(e->fd, operation, c->fd, &event) == 0 ? 0 : -errno;
}

/* Renews the registration, so that what is ready becomes an event again. Returns false if the
 * connection is closed now. */
static bool rearm(struct load_worker *w, struct load_connection *c) {
  int rc = control(w, c, EPOLL_CTL_MOD);
  if (rc != 0)
    load_connection_lost(w, c, -rc);
  return rc == 0;
}

static int epoll_engine_watch(struct load_worker *w, struct load_connection *c) {
  return control(w, c, EPOLL_CTL_ADD);
}

static void epoll_engine_release(struct load_worker *w, struct load_connection *c) {
  (void)w;
  close(c->fd); /* the only descriptor of the socket: epoll forgets it */
}

/* Sends one datagram. Returns 0 or -EAGAIN. Other errors are about earlier datagrams: they are
 * noted, and this one is tried again. One refused again counts as sent, and is lost. */
static int send_datagram(struct load_worker *w, struct load_connection *c, size_t bytes) {
  struct epoll_engine *e = w->engine_state;
  load_datagram_fill(w, c, e->out);
  for (int tries = 0; tries < SEND_TRIES; tries++) {
    w->count.calls++;
    if (socket_send(c->fd, e->out, bytes) >= 0)
      return 0;
    if (errno == EAGAIN)
      return -EAGAIN;
    if (errno != EINTR)
      load_datagram_refused(c);
  }
  return 0;
}

static void flush_datagrams(struct load_worker *w, struct load_connection *c, int64_t now) {
  while (c->sent < c->queued) {
    if (send_datagram(w, c, (size_t)w->config->payload_bytes) != 0) {
      load_connection_blocked(w, c, now);
      rearm(w, c);
      return;
    }
    load_datagram_sent(w, c, now);
  }
}

static void epoll_engine_flush(struct load_worker *w, struct load_connection *c, int64_t now) {
  struct epoll_engine *e = w->engine_state;
  if (w->datagrams != NULL) {
    flush_datagrams(w, c, now);
    return;
  }
  while (c->sent < c->queued) {
    uint64_t left = c->queued - c->sent;
    size_t n = left < SCRATCH_BYTES ? (size_t)left : SCRATCH_BYTES;
    mux_pattern_fill(&w->pattern, c->id, c->sent, e->out, n);
    ssize_t sent = socket_send(c->fd, e->out, n);
    w->count.calls++;
    if (sent > 0)
      load_connection_sent(w, c, (uint64_t)sent, now);
    if (sent == (ssize_t)n)
      continue;
    if (sent >= 0 || errno == EAGAIN) {
      load_connection_blocked(w, c, now);
      return;
    }
    if (errno == EINTR)
      continue;
    load_connection_lost(w, c, errno);
    return;
  }
}

/* Receives with the time at which the kernel received the last of it (SO_TIMESTAMPING, software, in
 * CLOCK_REALTIME), and records how long it waited for us. */
static ssize_t receive_stamped(struct load_worker *w, struct load_connection *c, void *to) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(3 * sizeof(struct timespec))];
  } control;
  struct iovec iov = {.iov_base = to, .iov_len = SCRATCH_BYTES};
  struct msghdr message = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT);
  int64_t now = mux_clock_ns(CLOCK_REALTIME);
  for (struct cmsghdr *part = n > 0 ? CMSG_FIRSTHDR(&message) : NULL; part != NULL;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPING)
      continue;
    struct timespec stamp;
    memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    if (load_in_window(w, mux_now_ns()))
      mux_hdr_record(w->interval->hdr[LOAD_WAKEUP], now - mux_timespec_ns(&stamp));
  }
  return n;
}

static inline ssize_t receive_some(struct load_worker *w, struct load_connection *c, int64_t *now) {
  struct epoll_engine *e = w->engine_state;
  ssize_t n =
      c->stamped ? receive_stamped(w, c, e->in) : socket_receive(c->fd, e->in, SCRATCH_BYTES);
  *now = mux_now_ns();
  w->count.calls++;
  return n;
}

/* Receives until no datagram is there, or no message is out. */
static bool receive_datagrams(struct load_worker *w, struct load_connection *c, int64_t *now) {
  struct epoll_engine *e = w->engine_state;
  for (int i = 0; i < RECEIVES_MOST; i++) {
    ssize_t n = receive_some(w, c, now);
    if (n >= 0)
      load_datagram_received(w, c, e->in, (size_t)n, *now);
    else if (errno == EAGAIN)
      return true;
    else if (errno != EINTR)
      load_datagram_refused(c);
    if (!load_datagrams_out(c))
      return true;
  }
  return rearm(w, c);
}

/* Receives until nothing is there. Returns false if the connection is closed now. */
static bool receive(struct load_worker *w, struct load_connection *c, bool to_the_end,
                    int64_t *now) {
  struct epoll_engine *e = w->engine_state;
  for (int i = 0; i < RECEIVES_MOST; i++) {
    ssize_t n = receive_some(w, c, now);
    if (n > 0) {
      if (!load_connection_received(w, c, e->in, (size_t)n, *now))
        return false;
      if (n < SCRATCH_BYTES && !to_the_end)
        return true;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      load_connection_lost(w, c, n == 0 ? 0 : errno);
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
  }
  return rearm(w, c);
}

static int64_t handle(struct load_worker *w, const struct epoll_event *event, int64_t now) {
  struct load_connection *c = &w->connections[(uint32_t)event->data.u64];
  uint32_t ready = event->events;
  if (c->state == LOAD_CLOSED || token_of(w, c) != event->data.u64)
    return now;
  if (c->state == LOAD_CONNECTING) {
    if (!(ready & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
      return now;
    int error = ready & (EPOLLERR | EPOLLHUP) ? -mux_sock_error(c->fd) : 0;
    now = mux_now_ns();
    load_connection_connected(w, c, error, now);
    if (c->state != LOAD_OPEN)
      return now;
  }
  if (ready & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    bool to_the_end = (ready & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (w->datagrams != NULL ? !receive_datagrams(w, c, &now) : !receive(w, c, to_the_end, &now))
      return now;
  }
  if (ready & EPOLLOUT) {
    c->blocked = false;
    if (w->datagrams != NULL && !rearm(w, c))
      return now;
  }
  if (c->sent < c->queued && !c->blocked)
    epoll_engine_flush(w, c, now);
  return now;
}

static int epoll_engine_wait(struct load_worker *w) {
  struct epoll_engine *e = w->engine_state;
  int64_t now = mux_now_ns();
  int64_t left = w->timer_ns - now;
  bool spin = load_worker_spins(w, left);
  struct timespec timeout = mux_ns_timespec(spin ? 0 : left);
  int n = epoll_pwait2(e->fd, e->events, BATCH, w->timer_ns == INT64_MAX ? NULL : &timeout, NULL);
  if (n < 0 && errno != EINTR)
    return -errno;
  w->count.waits++;
  w->count.calls++;
  w->count.events += n > 0 ? (uint64_t)n : 0;
  int64_t before = now;
  now = mux_now_ns();
  if (n <= 0 && spin && left > 0)
    w->use.spin_ns += now - before;
  for (int i = 0; i < n; i++) {
    if (e->events[i].data.u64 == WAKE_TOKEN) {
      uint64_t count;
      if (read(w->wake_fd, &count, sizeof count) > 0)
        load_worker_due(w, 0);
    } else {
      now = handle(w, &e->events[i], now);
    }
    if (now >= w->timer_ns)
      load_worker_tick(w, now);
  }
  if (load_worker_is_due(w, now))
    load_worker_tick(w, now);
  return 0;
}

const struct load_engine load_engine_epoll = {
    .name = "epoll",
    .stamps = true,
    .open = epoll_engine_open,
    .close = epoll_engine_close,
    .watch = epoll_engine_watch,
    .release = epoll_engine_release,
    .flush = epoll_engine_flush,
    .wait = epoll_engine_wait,
};
