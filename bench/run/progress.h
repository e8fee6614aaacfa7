/* progress.h: what people see while a run goes on: one line rewritten on a terminal, a plain line
 * per launch in a pipe. On stderr. */
#ifndef MUX_PROGRESS_H
#define MUX_PROGRESS_H

#include "bench/plan/pace.h"

struct progress {
  const struct plan *plan;
  bool terminal;
  int64_t began_ns, deadline_ns; /* 0: none */
  int launches, block, cell;     /* the present one */
  char note[64];                 /* at the end of the line: how precise it is by now */
};

void progress_begin(struct progress *progress, const struct plan *plan, int64_t deadline_ns);
void progress_gates(struct progress *progress, int servers); /* that are asked */
void progress_launch(struct progress *progress, const struct pace *pace, int cell, int block);
void progress_slice(struct progress *progress, int label, int round, int rounds);
/* A label without figures, said at once. */
void progress_trouble(struct progress *progress, const struct plan_trial *trial, const char *status,
                      const char *reason);
/* The largest half-width of the intervals, in ln; INFINITY: none yet. */
void progress_precision(struct progress *progress, double half_width);
void progress_end(struct progress *progress);

#endif
