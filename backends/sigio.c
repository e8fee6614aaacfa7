/* sigio.c: signal-driven I/O with a queued signal per event, as used on Linux 2.4 before epoll
 * (fcntl(2), "Signal-driven I/O"; the "C10K problem" essay). The kernel remembers the descriptors
 * (O_ASYNC) and appends a real-time signal to the worker's queue whenever something becomes
 * possible on one; siginfo says which and what. As with epoll, the cost of a wait depends on how
 * many are ready, not on how many are watched. But the queue holds events, not descriptors:
 * sigtimedwait(2) takes them one by one, with a call for each, and a descriptor may be in it many
 * times.
 *
 * A signal reports a change, once: this is edge-triggered. What was ready before O_ASYNC was set
 * sent no signal, so a descriptor is in doubt when it is added, and is reported as ready once.
 *
 * The queue is bounded (RLIMIT_SIGPENDING, per user). Signals that do not fit are lost, and plain
 * SIGIO arrives instead, ahead of everything queued. Then every descriptor is in doubt again.
 *
 * A descriptor signals one owner. For a connection, that is its worker's thread. A listener that
 * workers share belongs to the process, and any waiting thread gets the signal. stop_fd is a pipe
 * whose reading end each worker opens again through /proc, to have one of its own.
 *
 * Invariant: signals for descriptors that are not watched, such as one that was closed with signals
 * still queued, are dropped; for a new descriptor of the same number they are a false alarm. */
#include "backends/mux_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Most signals dropped after an overflow; more than any queue holds in practice. */
enum { QUEUE_MAX = 1 << 20 };

struct watch {
  uint64_t token;
  bool on;
  bool doubted; /* is in `doubts` */
};

struct state {
  const struct mux_worker *worker;
  sigset_t signals;      /* SIGRTMIN and SIGIO, blocked in this thread */
  struct watch *watches; /* [size], by descriptor */
  int *doubts;           /* [size], of which `doubted` will be reported without a signal */
  int size;
  int doubted;
  int own_stop_fd; /* stop_fd, opened again; -1: none */
};

/* For signals to the process (from a shared listener) that reach a worker which has not blocked
 * them yet. What it ignores here it finds by trying the descriptors in doubt. */
static void ignore(int number) {
  (void)number;
}

static int sigio_open(void **self, const struct mux_worker *worker) {
  struct state *state = calloc(1, sizeof *state);
  if (state == NULL)
    return -ENOMEM;
  *self = state;
  state->worker = worker;
  state->own_stop_fd = -1;
  const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  sigemptyset(&state->signals);
  sigaddset(&state->signals, SIGRTMIN);
  sigaddset(&state->signals, SIGIO);
  if (sigaction(SIGRTMIN, &action, NULL) != 0 || sigaction(SIGIO, &action, NULL) != 0)
    return -errno;
  return -pthread_sigmask(SIG_BLOCK, &state->signals, NULL);
}

static int grow(struct state *state, int fd) {
  int size = state->size > 0 ? state->size : 64;
  while (size <= fd)
    size *= 2;
  struct watch *watches = realloc(state->watches, (size_t)size * sizeof *watches);
  if (watches == NULL)
    return -ENOMEM;
  state->watches = watches;
  int *doubts = realloc(state->doubts, (size_t)size * sizeof *doubts);
  if (doubts == NULL)
    return -ENOMEM;
  state->doubts = doubts;
  memset(watches + state->size, 0, (size_t)(size - state->size) * sizeof *watches);
  state->size = size;
  return 0;
}

static void doubt(struct state *state, int fd) {
  if (!state->watches[fd].doubted)
    state->doubts[state->doubted++] = fd;
  state->watches[fd].doubted = true;
}

static int signal_for(const struct state *state, int fd) {
  const struct mux_worker *worker = state->worker;
  bool shared = fd == worker->listen_fd && worker->accept == MUX_ACCEPT_SHARED;
  struct f_owner_ex owner = {.type = shared ? F_OWNER_PID : F_OWNER_TID,
                             .pid = shared ? getpid() : gettid()};
  bool done = fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, SIGRTMIN) == 0 &&
              fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0;
  return done ? 0 : -errno;
}

/* A descriptor for the stop that this thread owns. */
static int reopen_stop(struct state *state) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", state->worker->stop_fd);
  state->own_stop_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  return state->own_stop_fd >= 0 ? state->own_stop_fd : -errno;
}

static int sigio_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                     uint64_t *slot) {
  struct state *state = self;
  (void)slot;
  if (fd == state->worker->stop_fd)
    fd = old == 0 ? reopen_stop(state) : state->own_stop_fd;
  if (fd < 0)
    return fd;
  if (want == 0) {
    state->watches[fd].on = false;
    return 0;
  }
  int rc = fd < state->size ? 0 : grow(state, fd);
  if (rc == 0)
    rc = signal_for(state, fd);
  if (rc != 0)
    return rc;
  state->watches[fd].token = token;
  state->watches[fd].on = true;
  doubt(state, fd);
  return 0;
}

static int report_doubts(struct state *state, struct mux_event *out, int max) {
  int count = 0;
  while (count < max && state->doubted > 0) {
    struct watch *watch = &state->watches[state->doubts[--state->doubted]];
    watch->doubted = false;
    if (watch->on)
      out[count++] =
          (struct mux_event){.token = watch->token, .ready = MUX_READ | MUX_WRITE | MUX_HUP};
  }
  return count;
}

/* A signal was lost. The queued ones are then useless: every descriptor is tried. */
static void doubt_all(struct state *state) {
  const struct timespec now = {0};
  for (int i = 0; i < QUEUE_MAX && sigtimedwait(&state->signals, NULL, &now) >= 0; i++)
    ;
  for (int fd = 0; fd < state->size; fd++)
    if (state->watches[fd].on)
      doubt(state, fd);
}

/* si_band has the bits of poll(2), but only for the change, while epoll reports the whole state.
 * The signal for bytes that arrived while the connection could not take them is gone, so a
 * connection that can send again also has to read to the end. For the peer's EOF alone, no MUX_HUP
 * is needed: it has a signal of its own, and a receive is tried for each. */
static uint32_t ready_of(long band) {
  if ((band & ~(EPOLLIN | EPOLLRDNORM)) == 0)
    return MUX_READ;
  return MUX_READ | MUX_WRITE | MUX_HUP;
}

static int sigio_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  int count = report_doubts(state, out, max);
  if (count == max)
    return count;
  if (count > 0)
    timeout_ns = 0;
  struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  siginfo_t info;
  int number = sigtimedwait(&state->signals, &info, timeout_ns < 0 ? NULL : &timeout);
  if (number < 0)
    return errno == EAGAIN || errno == EINTR ? count : -errno;
  if (number == SIGIO) {
    doubt_all(state);
    return count + report_doubts(state, out + count, max - count);
  }
  if (info.si_fd < 0 || info.si_fd >= state->size || !state->watches[info.si_fd].on)
    return count;
  out[count] = (struct mux_event){.token = state->watches[info.si_fd].token,
                                  .ready = ready_of(info.si_band)};
  return count + 1;
}

/* The signals stay blocked, as some may be pending. */
static void sigio_close(void *self) {
  struct state *state = self;
  if (state == NULL)
    return;
  if (state->own_stop_fd >= 0)
    close(state->own_stop_fd);
  free(state->watches);
  free(state->doubts);
  free(state);
}

static const struct mux_poller poller = {
    .open = sigio_open, .set = sigio_set, .wait = sigio_wait, .close = sigio_close};

static const struct mux_backend sigio = {
    .abi = MUX_ABI,
    .name = "sigio",
    .summary = "a real-time signal per event, taken one by one with sigtimedwait(2)",
    .flags = MUX_EDGE_TRIGGERED,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(sigio);
