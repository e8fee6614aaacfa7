/* epoll.c: epoll(7) in four ways. The kernel keeps the set of descriptors, so the cost of a wait
 * depends on how many are ready, not on how many are watched.
 *
 * Edge-triggered: a connection is added once, for both directions, and epoll_ctl is not called for
 * it again until it ends. EPOLLRDHUP and EPOLLPRI tell when a short receive does not prove that the
 * socket is empty. One-shot: every event costs an epoll_ctl to get the next one. Spinning: the
 * worker never sleeps, so a wait costs a system call, and there is no wake-up. */
#include "backends/mux_backend.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WAIT_EVENTS = 512 };

struct state {
  int epoll_fd;
  uint32_t always; /* flags of every connection */
  const struct mux_worker *worker;
  struct epoll_event events[WAIT_EVENTS];
};

static int epoll_open(void **self, const struct mux_worker *worker) {
  struct state *state = malloc(sizeof *state);
  if (state == NULL)
    return -ENOMEM;
  uint32_t flags = worker->backend->flags;
  state->worker = worker;
  state->always = (flags & MUX_EDGE_TRIGGERED) != 0 ? EPOLLET | EPOLLRDHUP | EPOLLPRI
                  : (flags & MUX_ONESHOT) != 0      ? EPOLLONESHOT
                                                    : 0;
  state->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  *self = state;
  return state->epoll_fd >= 0 ? 0 : -errno;
}

static int epoll_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                     uint64_t *slot) {
  const struct state *state = self;
  (void)slot;
  uint32_t always = state->always;
  if (fd == state->worker->listen_fd) /* EPOLLEXCLUSIVE allows few other flags */
    always = (always & EPOLLET) |
             (state->worker->accept == MUX_ACCEPT_EXCLUSIVE ? (uint32_t)EPOLLEXCLUSIVE : 0);
  else if (fd == state->worker->stop_fd)
    always = 0;
  struct epoll_event event = {
      .events = always | ((want & MUX_READ) != 0 ? EPOLLIN : 0) |
                ((want & MUX_WRITE) != 0 ? EPOLLOUT : 0),
      .data.u64 = token,
  };
  int operation = old == 0 ? EPOLL_CTL_ADD : want == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  return epoll_ctl(state->epoll_fd, operation, fd, &event) == 0 ? 0 : -errno;
}

static uint32_t ready_of(uint32_t events) {
  uint32_t ready = 0;
  if ((events & EPOLLIN) != 0)
    ready |= MUX_READ;
  if ((events & EPOLLOUT) != 0)
    ready |= MUX_WRITE;
  if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI)) != 0)
    ready |= MUX_READ | MUX_HUP;
  return ready;
}

static int epoll_wait_ready(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  if ((state->worker->backend->flags & MUX_SPINS) != 0)
    timeout_ns = 0;
  int timeout_ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000);
  if (max > WAIT_EVENTS)
    max = WAIT_EVENTS;
  int n = epoll_wait(state->epoll_fd, state->events, max, timeout_ms);
  if (n < 0)
    return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < n; i++)
    out[i] = (struct mux_event){.token = state->events[i].data.u64,
                                .ready = ready_of(state->events[i].events)};
  return n;
}

static void epoll_close(void *self) {
  struct state *state = self;
  if (state != NULL && state->epoll_fd >= 0)
    close(state->epoll_fd);
  free(state);
}

static const struct mux_poller poller = {
    .open = epoll_open, .set = epoll_set, .wait = epoll_wait_ready, .close = epoll_close};

static const struct mux_backend epoll_lt = {
    .abi = MUX_ABI,
    .name = "epoll-lt",
    .summary = "epoll_wait(2), level-triggered",
    .flags = MUX_WAKES_ONE,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(epoll_lt);

static const struct mux_backend epoll_et = {
    .abi = MUX_ABI,
    .name = "epoll-et",
    .summary = "epoll_wait(2), edge-triggered: every wake-up empties its sockets",
    .flags = MUX_EDGE_TRIGGERED | MUX_WAKES_ONE,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(epoll_et);

static const struct mux_backend epoll_oneshot = {
    .abi = MUX_ABI,
    .name = "epoll-oneshot",
    .summary = "epoll_wait(2), one-shot: re-armed after every event",
    .flags = MUX_ONESHOT | MUX_WAKES_ONE,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(epoll_oneshot);

static const struct mux_backend epoll_spin = {
    .abi = MUX_ABI,
    .name = "epoll-spin",
    .summary = "epoll_wait(2), level-triggered, never sleeping",
    .flags = MUX_SPINS | MUX_WAKES_ONE,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(epoll_spin);
