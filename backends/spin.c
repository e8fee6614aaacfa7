/* spin.c: non-blocking sockets without any waiting: each is tried in turn, again and again. It
 * answers at once, uses a whole core even when idle, and a message costs more the more connections
 * are silent. This is what select(2) was invented to avoid. */
#include "backends/mux_backend.h"

#include <errno.h>
#include <stdlib.h>

/* Invariant: *entry.slot is the entry's index in the table. Slots stay where they are. */
struct entry {
  uint64_t token;
  uint64_t *slot;
  unsigned want;
};

struct state {
  struct entry *table;
  size_t used;
  size_t size;
  size_t next; /* whose turn it is */
};

static int spin_open(void **self, const struct mux_worker *worker) {
  (void)worker;
  *self = calloc(1, sizeof(struct state));
  return *self != NULL ? 0 : -ENOMEM;
}

static int add(struct state *state, uint64_t token, uint64_t *slot) {
  if (state->used == state->size) {
    size_t size = state->size > 0 ? state->size * 2 : 64;
    struct entry *table = reallocarray(state->table, size, sizeof *table);
    if (table == NULL)
      return -ENOMEM;
    state->table = table;
    state->size = size;
  }
  *slot = state->used++;
  state->table[*slot] = (struct entry){.token = token, .slot = slot};
  return 0;
}

static int spin_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                    uint64_t *slot) {
  struct state *state = self;
  (void)fd;
  int rc = old == 0 ? add(state, token, slot) : 0;
  if (rc != 0)
    return rc;
  if (want != 0) {
    state->table[*slot].want = want;
  } else { /* the last takes its place */
    struct entry *last = &state->table[--state->used];
    state->table[*slot] = *last;
    *last->slot = *slot;
  }
  return 0;
}

/* Reports every socket as ready: trying will tell. */
static int spin_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct state *state = self;
  (void)timeout_ns;
  int n = 0;
  for (; n < max && (size_t)n < state->used; n++) {
    if (state->next >= state->used)
      state->next = 0;
    const struct entry *entry = &state->table[state->next++];
    out[n] = (struct mux_event){.token = entry->token, .ready = entry->want};
  }
  return n;
}

static void spin_close(void *self) {
  struct state *state = self;
  if (state != NULL)
    free(state->table);
  free(state);
}

static const struct mux_poller poller = {
    .open = spin_open, .set = spin_set, .wait = spin_wait, .close = spin_close};

static const struct mux_backend spin = {
    .abi = MUX_ABI,
    .name = "spin",
    .summary = "no waiting at all: every socket is tried in turn",
    .flags = MUX_SPINS,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(spin);
