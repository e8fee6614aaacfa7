/* patience.h: waits and times that do not hang on how busy the host is.
 *
 * A server that gets no CPU for a second has done nothing wrong. So what a case waits for is given
 * its time in a clock that stands still while the server, or the case itself, is ready to run but
 * waits for a CPU (process/delay.h). The scheduler is asked only once a wait has grown long,
 * because asking takes longer than most answers. */
#ifndef MUX_CHECK_PATIENCE_H
#define MUX_CHECK_PATIENCE_H

#include "check/case.h"
#include "process/delay.h"

struct patience {
  struct check *check;
  int64_t limit_ns;
  int64_t since_ns;       /* CLOCK_MONOTONIC; the beginning, or when there was progress last */
  bool watched;           /* the scheduler has been asked, and gave */
  struct mux_delay delay; /* ... this */
};

/* patience_end frees it; a case that ends early need not. */
struct patience patience_begin(struct check *check, int64_t limit_ns);
/* The limit counts from now. */
void patience_renew(struct patience *patience);
/* True once the limit has passed without patience_renew. To be asked every patience_step_ns. */
bool patience_is_over(struct patience *patience);
int64_t patience_step_ns(const struct patience *patience);
void patience_end(struct patience *patience);

/* Sleeps until the server could have run for that long. */
void check_let_run(struct check *check, int64_t ns);

/* The time that `action` of the case takes, less what server and case have waited for a CPU. */
struct stopwatch {
  int64_t start_ns;
  struct mux_delay delay;
};
struct stopwatch stopwatch_start(struct check *check);
int64_t stopwatch_stop_ns(struct stopwatch *watch); /* and frees */

#endif
