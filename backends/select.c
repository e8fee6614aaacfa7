/* select.c: select(2). The sets are copied into the kernel and back at every wait, and hold only
 * descriptors below FD_SETSIZE: FD_SET() of a larger one writes beyond the set, so set() refuses
 * it. */
#include "backends/mux_backend.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/select.h>

enum { WORD_BITS = 8 * sizeof(fd_mask), WORDS = FD_SETSIZE / WORD_BITS };

struct state {
  fd_set read; /* what is watched */
  fd_set write;
  int end;  /* one more than the highest descriptor watched */
  int next; /* where the next scan begins, so that none starves if not all fit */
  uint64_t tokens[FD_SETSIZE];
};

static int select_open(void **self, const struct mux_worker *worker) {
  (void)worker;
  *self = calloc(1, sizeof(struct state));
  return *self != NULL ? 0 : -ENOMEM;
}

static void mark(fd_set *set, int fd, bool on) {
  if (on)
    FD_SET(fd, set);
  else
    FD_CLR(fd, set);
}

static int select_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                      uint64_t *slot) {
  struct state *state = self;
  (void)old;
  (void)slot;
  if (fd >= FD_SETSIZE)
    return -ERANGE;
  mark(&state->read, fd, (want & MUX_READ) != 0);
  mark(&state->write, fd, (want & MUX_WRITE) != 0);
  state->tokens[fd] = token;
  if (want != 0 && fd >= state->end)
    state->end = fd + 1;
  while (state->end > 0 && !FD_ISSET(state->end - 1, &state->read) &&
         !FD_ISSET(state->end - 1, &state->write))
    state->end--;
  return 0;
}

/* The first descriptor from `fd` on that is in either set; FD_SETSIZE if there is none. */
static int find_ready(const fd_set *read, const fd_set *write, int fd) {
  for (int word = fd / WORD_BITS; word < WORDS; word++) {
    unsigned long bits = (unsigned long)(read->fds_bits[word] | write->fds_bits[word]);
    if (word == fd / WORD_BITS)
      bits &= ~0ul << fd % WORD_BITS;
    if (bits != 0)
      return word * WORD_BITS + __builtin_ctzl(bits);
  }
  return FD_SETSIZE;
}

static int select_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
  fd_set read = state->read;
  fd_set write = state->write;
  int bits = pselect(state->end, &read, &write, NULL, timeout_ns < 0 ? NULL : &timeout, NULL);
  if (bits <= 0)
    return bits == 0 || errno == EINTR ? 0 : -errno;
  int start = state->next;
  int count = 0;
  int fd = start;
  state->next = 0;
  for (bool wrapped = start == 0;;) {
    fd = find_ready(&read, &write, fd);
    if (fd >= (wrapped && start > 0 ? start : FD_SETSIZE)) {
      if (wrapped)
        return count;
      wrapped = true;
      fd = 0;
      continue;
    }
    if (count == max) {
      state->next = fd;
      return count;
    }
    out[count++] = (struct mux_event){.token = state->tokens[fd],
                                      .ready = (FD_ISSET(fd, &read) ? MUX_READ : 0u) |
                                               (FD_ISSET(fd, &write) ? MUX_WRITE : 0u)};
    fd++;
  }
}

static void select_close(void *self) {
  free(self);
}

static const struct mux_poller poller = {
    .open = select_open, .set = select_set, .wait = select_wait, .close = select_close};

static const struct mux_backend backend = {
    .abi = MUX_ABI,
    .name = "select",
    .summary = "select(2): three bit sets, copied at every wait",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .fd_limit = FD_SETSIZE,
    .poller = &poller,
};
MUX_BACKEND(backend);
