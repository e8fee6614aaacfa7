/* skeleton.c: a backend to copy. Complete and correct as it stands: it waits with poll(2).
 *
 * It is a poller, the smaller of the two depths in mux_backend.h: four callbacks that only wait.
 * Accepting, echoing, back-pressure, draining and counting are done for it, so this file is all
 * there is to write. Build and try it outside the source tree:
 *
 *     cc -std=gnu17 -D_GNU_SOURCE -O2 -fPIC -shared -I<prefix>/include/muxbench \
 *       -o skeleton.so skeleton.c
 *     muxbench serve --backend ./skeleton.so
 *     muxbench check --backend ./skeleton.so
 *
 * To make it yours: change `name` and `summary` at the end, then open, set and wait. To move it
 * into the tree: put it into backends/ under another name. */
#include "mux_backend.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/* Whatever your mechanism has to remember. One per worker, used only by its thread: no locks. Here:
 * the array that poll() takes, and the token of each entry. */
struct skeleton {
  struct pollfd *fds;
  uint64_t *tokens;
  size_t used;   /* entries, including vacant ones */
  size_t vacant; /* entries with fd -1, which poll() skips */
  size_t size;   /* entries there is memory for */
  size_t next;   /* where the next scan begins */
};

/* Create the state and store it in *self. After a failure close() is called with what was stored.
 * worker->options has the values of your options table, if you declare one. */
static int skeleton_open(void **self, const struct mux_worker *worker) {
  (void)worker;
  *self = calloc(1, sizeof(struct skeleton));
  return *self != NULL ? 0 : -ENOMEM;
}

/* Finds a place in the arrays for one more descriptor, preferably a vacant one. Returns 0 or
 * -ENOMEM. */
static int find_place(struct skeleton *skeleton, uint64_t *place) {
  for (size_t i = 0; i < skeleton->used && skeleton->vacant > 0; i++)
    if (skeleton->fds[i].fd < 0) {
      skeleton->vacant--;
      *place = i;
      return 0;
    }
  if (skeleton->used == skeleton->size) {
    size_t size = skeleton->size * 2 + 16;
    struct pollfd *fds = realloc(skeleton->fds, size * sizeof *fds);
    if (fds == NULL)
      return -ENOMEM;
    skeleton->fds = fds;
    uint64_t *tokens = realloc(skeleton->tokens, size * sizeof *tokens);
    if (tokens == NULL)
      return -ENOMEM;
    skeleton->tokens = tokens;
    skeleton->size = size;
  }
  *place = skeleton->used++;
  return 0;
}

/* Called for every change of interest: old == 0 adds the descriptor, want == 0 removes it,
 * otherwise it was watched for `old` and now is for `want`. *slot is 8 bytes of your own for this
 * descriptor, zero when it is added: store what you need to find it again, here its place. Return
 * -errno to refuse the descriptor; the connection is then closed and counted as refused. */
static int skeleton_set(void *self, int fd, uint64_t token, unsigned old, unsigned want,
                        uint64_t *slot) {
  struct skeleton *skeleton = self;
  if (old == 0) {
    int rc = find_place(skeleton, slot);
    if (rc != 0)
      return rc;
  }
  struct pollfd *entry = &skeleton->fds[*slot];
  entry->fd = want != 0 ? fd : -1; /* its place becomes vacant */
  skeleton->vacant += want == 0;
  entry->events =
      (short)(((want & MUX_READ) != 0 ? POLLIN : 0) | ((want & MUX_WRITE) != 0 ? POLLOUT : 0));
  skeleton->tokens[*slot] = token; /* wait() hands it back unchanged */
  return 0;
}

/* Wait, and report at most `max` descriptors: the token and what each is ready for. Reporting one
 * that is not ready costs a system call and does no harm. Never reporting one that is ready hangs a
 * connection, which is why the scan continues where it stopped. */
static int skeleton_wait(void *self, int64_t timeout_ns, struct mux_event *out, int max) {
  struct skeleton *skeleton = self;
  int timeout_ms = timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000);
  int ready = poll(skeleton->fds, skeleton->used, timeout_ms);
  if (ready < 0)
    return errno == EINTR ? 0 : -errno;
  int count = 0;
  for (size_t scanned = 0; scanned < skeleton->used && count < ready && count < max; scanned++) {
    if (skeleton->next >= skeleton->used)
      skeleton->next = 0;
    size_t place = skeleton->next++;
    short events = skeleton->fds[place].revents;
    if (events == 0)
      continue;
    uint32_t flags = 0;
    if ((events & POLLIN) != 0)
      flags |= MUX_READ;
    if ((events & POLLOUT) != 0)
      flags |= MUX_WRITE;
    if ((events & (POLLERR | POLLHUP)) != 0)
      flags |= MUX_READ | MUX_HUP; /* let recv() find out what happened */
    out[count++] = (struct mux_event){.token = skeleton->tokens[place], .ready = flags};
  }
  return count;
}

/* Free everything; self may be NULL or half initialised after a failed open(). */
static void skeleton_close(void *self) {
  struct skeleton *skeleton = self;
  if (skeleton != NULL) {
    free(skeleton->fds);
    free(skeleton->tokens);
  }
  free(skeleton);
}

static const struct mux_poller poller = {
    .open = skeleton_open, .set = skeleton_set, .wait = skeleton_wait, .close = skeleton_close};

static const struct mux_backend skeleton = {
    .abi = MUX_ABI,
    .name = "skeleton", /* the backend's name in every table and file of results */
    .summary = "the backend to copy: poll(2)",
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .poller = &poller,
};
MUX_BACKEND(skeleton);
