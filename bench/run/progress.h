/* progress.h: what people see while a run goes on: one line rewritten on a terminal, a plain line
 * per finished group of trials in a pipe. On stderr. */
#ifndef MUX_PROGRESS_H
#define MUX_PROGRESS_H

#include "bench/data/rows.h"
#include "bench/plan/plan.h"

struct progress {
  const struct plan *plan;
  bool terminal;
  int64_t began_ns;
  int failed, skipped;
};
void progress_begin(struct progress *progress, const struct plan *plan);
void progress_trial(struct progress *progress, const struct plan_trial *trial);
void progress_row(struct progress *progress, const struct plan_trial *trial, const struct row *row,
                  const char *reason);
void progress_group(struct progress *progress, const struct plan_trial *last, int done);
void progress_end(struct progress *progress);

#endif
