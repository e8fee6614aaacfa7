/* delay.h: how long the threads of a tree of processes have run and have waited for a CPU. It tells
 * a process that is slow or stuck from one that a busy host does not let run.
 *
 * Sources: Documentation/scheduler/sched-stats.rst (/proc/PID/schedstat), proc(5). On a kernel
 * without these statistics no thread ever seems to wait. */
#ifndef MUX_DELAY_H
#define MUX_DELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A moment: how long every thread had run and waited by then. Zeroed it is valid and empty. */
struct mux_delay {
  pid_t root;
  int64_t at_ns;
  int64_t own_ns; /* how long the calling thread had waited */
  struct mux_thread_times *threads;
  int count, room;
};

/* From a moment until now. */
struct mux_delay_since {
  int64_t span_ns;
  int64_t waited_ns;     /* the longest wait of one thread of the tree, its root included */
  int64_t own_waited_ns; /* that of the calling thread */
  /* How many cores the threads would use together if none ever had to wait: the sum of each one's
   * running time over its running and sleeping time. */
  double demand;
  /* The kernel accounts for a wait when it ends, and a thread waits at this moment. waited_ns
   * includes all the time that it may have waited, `demand` none of it: read again a little later.
   */
  bool unsettled;
};

/* Reads the times of the threads of root and of all processes below it; root <= 0: of the calling
 * thread only. Takes some 20 us per thread. Returns 0 or -ENOMEM, then with some threads missing.
 */
int mux_delay_begin(struct mux_delay *delay, pid_t root);
/* What has happened since. Threads that have ended do not count. Returns 0 or -ENOMEM. */
int mux_delay_read(const struct mux_delay *delay, struct mux_delay_since *since);
void mux_delay_free(struct mux_delay *delay);

#endif
