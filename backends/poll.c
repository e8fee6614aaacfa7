/* poll.c: poll(2) and ppoll(2). One array of all descriptors is handed to the kernel at every wait
 * and scanned afterwards. The array has no holes: an entry that is removed is replaced by the last.
 *
 * ppoll's timeout is in nanoseconds, and it swaps the thread's signal mask while it waits. With
 * poll, a signal that arrives after the program has checked its handler's flag, but before the
 * wait, goes unnoticed; if it is blocked everywhere except in ppoll, it cannot arrive there
 * (select(2) has the rest, and the self-pipe trick, of which stop_fd is a kind). But a ppoll that
 * finds a descriptor ready returns without delivering any signal: a busy server that blocks SIGTERM
 * outside ppoll would never receive it. So the mask passed here is the thread's own, and what is
 * compared is the cost of the swap. */
#include "backends/mux_backend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

struct owner {
  uint64_t token;
  uint64_t *slot; /* holds the entry's place in the array */
};

struct state {
  struct pollfd *fds;   /* [size], of which `used` are watched */
  struct owner *owners; /* the same places */
  size_t used;
  size_t size;
  size_t next;   /* where the next scan begins, so that none starves when not all fit */
  sigset_t mask; /* the thread's, for ppoll */
};

static int poll_open(void **self, const struct mux_worker *worker) {
  (void)worker;
  struct state *state = calloc(1, sizeof *state);
  *self = state;
  return state != NULL ? -pthread_sigmask(SIG_BLOCK, NULL, &state->mask) : -ENOMEM;
}

static int grow(struct state *state) {
  size_t size = state->size > 0 ? state->size * 2 : 64;
  struct pollfd *fds = realloc(state->fds, size * sizeof *fds);
  if (fds == NULL)
    return -ENOMEM;
  state->fds = fds;
  struct owner *owners = realloc(state->owners, size * sizeof *owners);
  if (owners == NULL)
    return -ENOMEM;
  state->owners = owners;
  state->size = size;
  return 0;
}

static int poll_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                    uint64_t *slot) {
  struct state *state = self;
  if (old == 0) {
    if (state->used == state->size && grow(state) != 0)
      return -ENOMEM;
    *slot = state->used++;
    state->fds[*slot].fd = fd;
  }
  size_t place = *slot;
  if (want == 0) {
    size_t last = --state->used;
    state->fds[place] = state->fds[last];
    state->owners[place] = state->owners[last];
    *state->owners[place].slot = place;
    return 0;
  }
  state->fds[place].events =
      (short)(((want & MUX_READ) != 0 ? POLLIN : 0) | ((want & MUX_WRITE) != 0 ? POLLOUT : 0));
  state->owners[place] = (struct owner){.token = token, .slot = slot};
  return 0;
}

static uint32_t ready_of(short events) {
  uint32_t ready = 0;
  if ((events & POLLIN) != 0)
    ready |= MUX_READ;
  if ((events & POLLOUT) != 0)
    ready |= MUX_WRITE;
  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0)
    ready |= MUX_READ | MUX_HUP;
  return ready;
}

/* The `left` ready entries, or as many as fit. */
static int report(struct state *state, int left, struct mux_event *out, int max) {
  if (left < 0)
    return errno == EINTR ? 0 : -errno;
  size_t place = state->next < state->used ? state->next : 0;
  int count = 0;
  for (size_t scanned = 0; scanned < state->used && left > 0 && count < max; scanned++) {
    if (state->fds[place].revents != 0) {
      left--;
      out[count++] = (struct mux_event){.token = state->owners[place].token,
                                        .ready = ready_of(state->fds[place].revents)};
    }
    if (++place == state->used)
      place = 0;
  }
  state->next = left > 0 ? place : 0;
  return count;
}

static int poll_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  int timeout_ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000);
  return report(state, poll(state->fds, state->used, timeout_ms), out, max);
}

static int ppoll_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  const struct timespec *until = timeout_ns < 0 ? NULL : &timeout;
  return report(state, ppoll(state->fds, state->used, until, &state->mask), out, max);
}

static void poll_close(void *self) {
  struct state *state = self;
  if (state != NULL) {
    free(state->fds);
    free(state->owners);
  }
  free(state);
}

static const struct mux_poller poll_poller = {
    .open = poll_open, .set = poll_set, .wait = poll_wait, .close = poll_close};

static const struct mux_backend poll_backend = {
    .abi = MUX_ABI,
    .name = "poll",
    .summary = "poll(2): one array, scanned at every wait",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poll_poller,
};
MUX_BACKEND(poll_backend);

static const struct mux_poller ppoll_poller = {
    .open = poll_open, .set = poll_set, .wait = ppoll_wait, .close = poll_close};

static const struct mux_backend ppoll_backend = {
    .abi = MUX_ABI,
    .name = "ppoll",
    .summary = "ppoll(2): poll's array, and a signal mask swapped at every wait",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &ppoll_poller,
};
MUX_BACKEND(ppoll_backend);
