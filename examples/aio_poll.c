/* aio_poll.c: waits with IOCB_CMD_POLL of Linux's asynchronous I/O (io_submit(2), Linux 4.18), the
 * half-forgotten forerunner of io_uring's poll. An example of a poller with options and a probe,
 * built outside the tree with only the installed header:
 *
 *     cc -std=gnu17 -D_GNU_SOURCE -O2 -fPIC -shared -I<prefix>/include/muxbench \
 *       -o aio_poll.so aio_poll.c
 *     muxbench check --backend ./aio_poll.so
 *
 * A request polls one descriptor once. The next wait() submits those that were reported again, all
 * with one io_submit(), so a wake-up costs two system calls however many are ready. To the reactor
 * this is level-triggered, as a request for a socket that is still ready completes at once. The
 * price is a new request for every event, where epoll keeps its set.
 *
 * Invariant: a watch is free, pending (to be submitted), in flight, or orphaned (in flight, but no
 * longer wanted). Every request in flight completes once, even if cancelled, and only then is its
 * watch free, because the kernel knows it by its address. So the number of watches bounds the
 * completions, and the kernel's ring never overflows. */
#include "mux_backend.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_WATCHES };

static const struct mux_option options[] = {
    [OPTION_WATCHES] = {.key = "watches",
                        .help = "descriptors per worker; /proc/sys/fs/aio-max-nr limits the host",
                        .fallback = "20k",
                        .kind = MUX_OPT_COUNT,
                        .min = 64,
                        .max = 1000000},
    {0},
};

enum stage { FREE, PENDING, IN_FLIGHT, ORPHANED };

struct watch {
  struct iocb iocb;
  enum stage stage;
  uint32_t place; /* among the pending; if free: the next free one */
};

struct state {
  aio_context_t context;
  struct watch *watches; /* never moves; slot 0 is unused and ends the free list */
  struct iocb **pending;
  struct io_event *events;
  uint32_t pending_count;
  uint32_t free;
  uint32_t used; /* watches [1, used) have been taken before */
  uint32_t size;
};

/* glibc has no wrappers. */
static int submit(const struct state *state) {
  return (int)syscall(SYS_io_submit, state->context, (long)state->pending_count, state->pending);
}

static int get_events(const struct state *state, int64_t timeout_ns, int max) {
  struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  return (int)syscall(SYS_io_getevents, state->context, timeout_ns != 0 ? 1L : 0L, (long)max,
                      state->events, timeout_ns < 0 ? NULL : &timeout);
}

static int aio_open(void **self, const struct mux_worker *worker) {
  struct state *state = calloc(1, sizeof *state);
  *self = state;
  if (state == NULL)
    return -ENOMEM;
  state->size = (uint32_t)worker->options[OPTION_WATCHES] + 1;
  state->used = 1;
  state->watches = calloc(state->size, sizeof *state->watches);
  state->pending = calloc(state->size, sizeof(struct iocb *));
  state->events = calloc(state->size, sizeof *state->events);
  if (state->watches == NULL || state->pending == NULL || state->events == NULL)
    return -ENOMEM;
  if (syscall(SYS_io_setup, (long)state->size, &state->context) == 0)
    return 0;
  int error = errno;
  if (error == EAGAIN)
    worker->host->log(worker, "no room for %u requests under /proc/sys/fs/aio-max-nr", state->size);
  return -error;
}

/* ---- Watches -------------------------------------------------------------------------------- */

static uint32_t take_watch(struct state *state) {
  uint32_t slot = state->free;
  if (slot != 0)
    state->free = state->watches[slot].place;
  else if (state->used < state->size)
    slot = state->used++;
  return slot;
}

static void free_watch(struct state *state, struct watch *watch) {
  watch->stage = FREE;
  watch->place = state->free;
  state->free = (uint32_t)(watch - state->watches);
}

static void make_pending(struct state *state, struct watch *watch) {
  watch->stage = PENDING;
  watch->place = state->pending_count;
  state->pending[state->pending_count++] = &watch->iocb;
}

/* Ends a watch. A request in flight holds a reference to its socket, so that close() would send no
 * FIN. io_cancel() does not tell what became of the request; its completion does. */
static void end_watch(struct state *state, struct watch *watch) {
  if (watch->stage == PENDING) {
    struct watch *last = (struct watch *)state->pending[--state->pending_count];
    last->place = watch->place;
    state->pending[last->place] = &last->iocb;
    free_watch(state, watch);
    return;
  }
  struct io_event unused;
  watch->stage = ORPHANED;
  syscall(SYS_io_cancel, state->context, &watch->iocb, &unused);
}

/* A change of interest ends one watch and begins another. */
static int aio_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                   uint64_t *slot) {
  struct state *state = self;
  if (old != 0)
    end_watch(state, &state->watches[*slot]);
  if (want == 0)
    return 0;
  *slot = take_watch(state);
  if (*slot == 0)
    return -ENOSPC;
  struct watch *watch = &state->watches[*slot];
  watch->iocb = (struct iocb){
      .aio_data = token,
      .aio_lio_opcode = IOCB_CMD_POLL,
      .aio_fildes = (uint32_t)fd,
      .aio_buf = ((want & MUX_READ) != 0 ? POLLIN | POLLRDHUP : 0) |
                 ((want & MUX_WRITE) != 0 ? POLLOUT : 0),
  };
  make_pending(state, watch);
  return 0;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Hands the kernel everything pending. Returns 0 or -errno. */
static int submit_pending(struct state *state) {
  while (state->pending_count > 0) {
    int n = submit(state);
    if (n < 0 && errno != EINTR)
      return -errno;
    for (int i = 0; i < n; i++)
      ((struct watch *)state->pending[i])->stage = IN_FLIGHT;
    for (uint32_t i = n > 0 ? (uint32_t)n : 0, to = 0; i < state->pending_count; i++, to++) {
      state->pending[to] = state->pending[i];
      ((struct watch *)state->pending[to])->place = to;
    }
    state->pending_count -= n > 0 ? (uint32_t)n : 0;
  }
  return 0;
}

static uint32_t ready_of(uint64_t events) {
  uint32_t ready = 0;
  if ((events & POLLIN) != 0)
    ready |= MUX_READ;
  if ((events & POLLOUT) != 0)
    ready |= MUX_WRITE;
  if ((events & (POLLERR | POLLHUP | POLLRDHUP)) != 0)
    ready |= MUX_READ | MUX_HUP;
  return ready;
}

static int aio_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  int rc = submit_pending(state);
  if (rc != 0)
    return rc;
  int n = get_events(state, timeout_ns, (uint32_t)max < state->size ? max : (int)state->size);
  if (n < 0)
    return errno == EINTR ? 0 : -errno;
  int count = 0;
  for (int i = 0; i < n; i++) {
    const struct io_event *event = &state->events[i];
    struct watch *watch = (struct watch *)(uintptr_t)event->obj; /* iocb is its first field */
    if (watch->stage == ORPHANED) {
      free_watch(state, watch);
      continue;
    }
    make_pending(state, watch);
    out[count++] =
        (struct mux_event){.token = event->data, .ready = ready_of((uint64_t)event->res)};
  }
  return count;
}

static void aio_close(void *self) {
  struct state *state = self;
  if (state == NULL)
    return;
  if (state->context != 0)
    syscall(SYS_io_destroy, state->context); /* waits for requests in flight */
  free(state->watches);
  free(state->pending);
  free(state->events);
  free(state);
}

static int aio_probe(char *why, size_t why_bytes) {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 1L, &context) == 0) {
    syscall(SYS_io_destroy, context);
    return 0;
  }
  int error = errno;
  snprintf(why, why_bytes, "io_setup: %s", strerror(error));
  return -error;
}

static const struct mux_poller poller = {
    .open = aio_open, .set = aio_set, .wait = aio_wait, .close = aio_close};

static const struct mux_backend aio_poll = {
    .abi = MUX_ABI,
    .name = "aio-poll",
    .summary = "io_submit(2) with IOCB_CMD_POLL, a new request for every event",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = options,
    .probe = aio_probe,
    .poller = &poller,
};
MUX_BACKEND(aio_poll);
