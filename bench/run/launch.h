/* launch.h: every label of a cell started afresh, and compared.
 *
 *   slices   All start, connect and settle. Then come rounds: each label has a slice of traffic in
 *            random order, the baseline several, the floor one, while the others are silent.
 *   fresh    One label after the other: start, one long slice, end.
 *
 * A label that fails is out, with its reason; the others go on. */
#ifndef MUX_LAUNCH_H
#define MUX_LAUNCH_H

#include "bench/data/slices.h"
#include "bench/run/trial.h"

struct launch_watch { /* whoever shows progress; NULL members: nobody */
  void (*slice)(void *data, int label, int round, int rounds);
  void *data;
};

struct launch {
  struct trial_setting *setting;
  int cell, block;
  const struct pace_cell *pace;
  const char *const *closed; /* by label: why it is not to be run; NULL: it is */
  int64_t deadline_ns;       /* no round begins after it, but the first; 0: none */
  struct launch_watch watch;

  /* filled in */
  struct trial *trials; /* plan->label_count of them, in the order of starting */
  int count;
  int64_t began_ns;
  int64_t overhead_ns, round_ns; /* what it took: all rounds together in round_ns */
  int rounds;                    /* that were done */
  double floor_us;               /* NAN: not measured */
};

/* Runs it: rows and slices get what came of it, rows in the order of the plan. Returns 0, or -EINTR
 * with neither changed. */
int launch_run(struct launch *launch, struct rows *rows, struct slices *slices);
void launch_free(struct launch *launch);

#endif
