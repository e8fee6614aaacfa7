/* delay.h: how long the threads of a tree of processes have waited for a CPU: what tells a process
 * that is slow or stuck from one that a busy host does not let run.
 *
 * Sources: Documentation/scheduler/sched-stats.rst (/proc/PID/schedstat), proc(5). Where the kernel
 * does not keep these statistics nobody is ever seen to wait. */
#ifndef MUX_DELAY_H
#define MUX_DELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A moment: what every thread had run and waited by then. Zeroed is a valid empty one. */
struct mux_delay {
  pid_t root;
  int64_t at_ns;
  int64_t own_ns; /* what the calling thread had waited */
  struct mux_thread_times *threads;
  int count, room;
};

/* From a moment until now. */
struct mux_delay_since {
  int64_t span_ns;
  /* How long the host may have held up one who waits for an answer: the longest wait of one thread
   * below the root, and that of the root and of the calling thread. */
  int64_t waited_ns;
  /* The share of a core that the threads would take together if none ever had to wait: each one's
   * running time against its running and sleeping time. */
  double demand;
  /* A thread waits at this moment, and may have done so ever since the kernel last knew of it: it
   * accounts for a wait when that is over. waited_ns counts the whole of it, `demand` nothing: read
   * again a little later to be sure of it. */
  bool unsettled;
};

/* Takes in the threads of root and of all processes below it; root <= 0: only the calling thread.
 * Some 20 us for each. Returns 0 or -ENOMEM (then it is as if there were none). */
int mux_delay_begin(struct mux_delay *delay, pid_t root);
/* What has happened since. Threads that have ended are left out. Returns 0 or -ENOMEM. */
int mux_delay_read(const struct mux_delay *delay, struct mux_delay_since *since);
void mux_delay_free(struct mux_delay *delay);

#endif
