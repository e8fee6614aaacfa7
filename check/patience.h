/* patience.h: timeouts and times that do not depend on how busy the host is.
 *
 * A server that gets no CPU for a second has done nothing wrong. So the timeouts of the cases count
 * in a clock that stands still while the server, or the case itself, is ready to run but waits for
 * a CPU (process/delay.h). The scheduler's statistics are read only once a wait has become long,
 * because reading them takes longer than most waits. */
#ifndef MUX_CHECK_PATIENCE_H
#define MUX_CHECK_PATIENCE_H

#include "check/case.h"
#include "process/delay.h"

struct patience {
  struct check *check;
  int64_t limit_ns;       /* by the clock, and */
  int64_t able_ns;        /* ... of that, time in which the server could run */
  int64_t since_ns;       /* CLOCK_MONOTONIC: when it began or was renewed last */
  bool watched;           /* `delay` has been read */
  struct mux_delay delay; /* the statistics, early in the wait */
};

/* The caller ends it, unless the case ends first. */
struct patience patience_begin(struct check *check, int64_t limit_ns);
/* For what a server has to do at a time by the clock, such as the end of its drain time: once that
 * has come it is enough if the server could run for a part of the limit. */
struct patience patience_by_clock(struct check *check, int64_t limit_ns);
/* There was progress: the limit counts from now. */
void patience_renew(struct patience *patience);
/* True once the limit has passed since then. Ask about every patience_step_ns. */
bool patience_is_over(struct patience *patience);
int64_t patience_step_ns(const struct patience *patience);
void patience_end(struct patience *patience);

/* Sleeps until the server could have run for that long. */
void check_let_run(struct check *check, int64_t ns);

/* Measures a time, less what the server and the case have waited for a CPU in it. */
struct stopwatch {
  int64_t start_ns;
  struct mux_delay delay;
};
struct stopwatch stopwatch_start(struct check *check);
int64_t stopwatch_stop_ns(struct stopwatch *watch); /* frees it, too */

#endif
