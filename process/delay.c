/* delay.c: see delay.h. */
#include "process/delay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/proc.h"
#include "process/tree.h"

/* The kernel updates the time of a running thread at its ticks. */
#define UNTOLD_NS (10 * MUX_MS)

struct mux_thread_times {
  pid_t tid;
  int64_t ran_ns, waited_ns;
};

static bool read_times(const char *path, struct mux_thread_times *times) {
  char text[96];
  return mux_proc_read(path, text, sizeof text) > 0 &&
         sscanf(text, "%" SCNd64 " %" SCNd64, &times->ran_ns, &times->waited_ns) == 2;
}

static void add_thread(pid_t pid, pid_t tid, void *data) {
  struct mux_delay *delay = data;
  char path[64];
  if (delay->count == delay->room) {
    int room = delay->room > 0 ? delay->room * 2 : 16;
    struct mux_thread_times *grown = reallocarray(delay->threads, (size_t)room, sizeof *grown);
    if (grown == NULL)
      return;
    delay->threads = grown;
    delay->room = room;
  }
  struct mux_thread_times *times = &delay->threads[delay->count];
  *times = (struct mux_thread_times){.tid = tid};
  snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
  delay->count += read_times(path, times);
}

static void add_process(pid_t pid, void *data) {
  mux_tree_tasks(pid, add_thread, data);
}

static int by_tid(const void *a, const void *b) {
  const struct mux_thread_times *x = a;
  const struct mux_thread_times *y = b;
  return (x->tid > y->tid) - (x->tid < y->tid);
}

int mux_delay_begin(struct mux_delay *delay, pid_t root) {
  struct mux_thread_times own = {0};
  int rc = 0;
  *delay = (struct mux_delay){.root = root, .at_ns = mux_now_ns()};
  if (root > 0) {
    add_process(root, delay);
    rc = mux_tree_walk(root, add_process, delay);
    if (delay->count > 0)
      qsort(delay->threads, (size_t)delay->count, sizeof *delay->threads, by_tid);
  }
  read_times("/proc/thread-self/schedstat", &own);
  delay->own_ns = own.waited_ns;
  return rc;
}

static bool is_runnable(pid_t tid) {
  struct mux_proc_stat stat;
  return mux_proc_stat(tid, &stat) == 0 && stat.state == 'R';
}

/* How long a thread has run and waited since; for a new one, since its start. */
static struct mux_thread_times times_since(const struct mux_delay *delay,
                                           const struct mux_thread_times *now) {
  struct mux_thread_times times = *now;
  const struct mux_thread_times *before =
      delay->count > 0 ? bsearch(now, delay->threads, (size_t)delay->count, sizeof *now, by_tid)
                       : NULL;
  if (before != NULL) {
    times.ran_ns -= before->ran_ns;
    times.waited_ns -= before->waited_ns;
  }
  return times;
}

int mux_delay_read(const struct mux_delay *delay, struct mux_delay_since *since) {
  struct mux_delay now;
  int rc = mux_delay_begin(&now, delay->root);
  *since = (struct mux_delay_since){.span_ns = now.at_ns - delay->at_ns,
                                    .own_waited_ns = now.own_ns - delay->own_ns};
  for (int i = 0; i < now.count; i++) {
    struct mux_thread_times times = times_since(delay, &now.threads[i]);
    int64_t idle = since->span_ns - times.ran_ns - times.waited_ns;
    if (times.ran_ns > 0)
      since->demand += (double)times.ran_ns / (double)(times.ran_ns + (idle > 0 ? idle : 0));
    if (idle > UNTOLD_NS && is_runnable(times.tid)) {
      times.waited_ns += idle;
      since->unsettled = true;
    }
    if (times.waited_ns > since->waited_ns)
      since->waited_ns = times.waited_ns;
  }
  mux_delay_free(&now);
  return rc;
}

void mux_delay_free(struct mux_delay *delay) {
  free(delay->threads);
  *delay = (struct mux_delay){0};
}
