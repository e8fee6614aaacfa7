/* pace.h: how many launches and rounds, and how long the slices: what fits the budget, and what is
 * the best use of it.
 *
 * A launch of a cell costs its overhead (starting and ending every server and load, connecting,
 * settling) and its rounds. Between launches a label differs by luck that more rounds do not
 * remove, so that rounds beyond √(overhead ÷ round · slice variance ÷ launch variance) are better
 * spent on launches (Kalibera and Jones 2013). Six launches are the fewest that carry a claim:
 * where the budget does not give every cell so many, the cheapest cells have them, and the others
 * what is left. */
#ifndef MUX_PACE_H
#define MUX_PACE_H

#include "bench/plan/plan.h"

struct pace_cell {
  bool slices;  /* false: each server alone, once a launch, for warmup + duration */
  bool seeks;   /* a rate, with a slice for each test of it */
  bool precise; /* the runner's: as precise as was asked, needs no more launches */
  int launches, done;
  int rounds;
  int turns;                      /* of the baseline in a round */
  int64_t warmup_ns, duration_ns; /* of a slice, or of a fresh server's trial */
  int64_t overhead_ns, round_ns;  /* of a launch, all labels together */
};

struct pace {
  struct pace_cell *cells; /* one per cell of the plan */
};

/* What the plan asks for, with overheads estimated. */
struct pace *pace_new(const struct plan *plan);
void pace_free(struct pace *pace);

/* Fits launches and rounds into what is left of the budget, after the first `done` launches;
 * without a budget nothing changes. The runner puts in what overheads and rounds really took. */
void pace_fit(struct pace *pace, const struct plan *plan, int done, int64_t left_ns);

/* The most launches that a cell has. */
int pace_launches(const struct pace *pace, const struct plan *plan);
/* One launch of a cell, and the whole run with its gates. */
int64_t pace_cell_ns(const struct pace_cell *cell);
int64_t pace_run_ns(const struct pace *pace, const struct plan *plan);

/* The part of a budget for launches: the rest is for the gates, files and the report. */
int64_t pace_usable_ns(const struct plan *plan);

/* What --dry-run shows. */
void pace_print(const struct pace *pace, const struct plan *plan, FILE *to);

#endif
