/* summary.h: what a run says, per cell, label and metric, and what may be claimed.
 *
 * The unit is the launch. A rival's difference from the baseline is ln of their ratio: of metrics
 * that slices have, over the rounds of the launch (bench/data/launch_estimate.h); of others, of the
 * two rows. All rivals of a cell and metric are one family (family.h): intervals hold for all of
 * them at once, and something is claimed only where test and interval agree (verdict.h). The twin
 * is a family of its own; if it differs from the baseline the cell's verdicts are void. Launches
 * with a row whose flags void the metric carry no claim. */
#ifndef MUX_SUMMARY_H
#define MUX_SUMMARY_H

#include "bench/data/rows.h"
#include "bench/data/slices.h"
#include "bench/data/verdict.h"
#include "bench/plan/plan.h"

enum summary_better { BETTER_LOWER, BETTER_HIGHER };

struct summary_metric {
  enum column column;
  enum summary_better better;
  const char *what; /* "server CPU per request" */
  const char *unit; /* after a number: " µs"; "" */
};
extern const struct summary_metric summary_metrics[];
extern const int summary_metric_count;
/* NULL: a column without verdicts. */
const struct summary_metric *summary_metric_find(const char *column);
/* Index of a column that has them. */
int summary_metric_of(enum column column);

/* What limits a label in a cell: it has to be the server for throughput and latency to be its. */
enum summary_regime { REGIME_MIXED, REGIME_SERVER_BOUND, REGIME_CLIENT_BOUND };
extern const char *const summary_regime_names[];

struct summary_entry {
  int n;                               /* launches with a value */
  double median;                       /* NAN: none */
  double low, high;                    /* 95 % interval of the geometric mean; NAN below 6 */
  int rounds;                          /* of a launch, on average; 0: compared by rows */
  struct family_rival rival;           /* what the verdict rests on, in logarithms */
  int launches;                        /* in the comparison */
  double ratio, ratio_low, ratio_high; /* to the baseline, simultaneous; NAN: none */
  double p_adjusted;
  double detectable; /* smallest difference that so many launches would have shown; NAN */
  double delta;      /* how far from 1 the twin's interval reaches, in this cell; NAN */
  enum verdict verdict;
  int rank_low, rank_high; /* 1 = best; what the intervals leave open; 0: not ranked */
  bool best;               /* may be the best: no other is proved better */
  bool has_best;           /* the cell's set of best is known */
};

struct summary {
  const struct plan *plan;
  int blocks;                    /* launches that have rows */
  const struct row **rows;       /* [cell][block][label]; NULL: none that measured */
  struct summary_entry *entries; /* [cell][metric][label] */
  enum summary_regime *regimes;  /* [cell][label] */
};

/* rows and slices have to outlive it. */
struct summary *summary_new(const struct plan *plan, const struct rows *rows,
                            const struct slices *slices);
void summary_free(struct summary *summary);

const struct summary_entry *summary_at(const struct summary *summary, int cell, int metric,
                                       int label);
/* The row of a label in a launch (1 …), or NULL if it has none that measured. */
const struct row *summary_row(const struct summary *summary, int cell, int block, int label);

double summary_value(const struct summary *summary, int cell, int block, int label,
                     enum column column);

/* How many launches in all would decide this label: leave 1, fit into the margin; or, with
 * allowed >= 0, decide the gate. 0: more than a run may have. */
int summary_launches_needed(const struct summary *summary, int cell, int metric, int label,
                            double allowed);

/* What a gate makes of one label: how much worse it may be is `allowed` (.05: 5 %). */
enum gate summary_gate(const struct summary_entry *entry, bool lower_is_better, double allowed);

/* The metric that the experiment's question is about; the host's CPU time if that has no verdicts.
 */
int summary_objective(const struct plan *plan);
/* The largest half-width of the rivals' intervals on the objective, in ln; INFINITY while one has
 * none. */
double summary_half_width(const struct summary *summary, int cell);
/* Of the entries of one cell and metric: the ranks that the intervals leave open. Ties are ranges
 * that overlap. None where nothing but the baseline has an interval. */
void summary_rank(struct summary_entry *entries, int labels, bool lower_is_better);

/* summary.csv. Returns 0 or -errno. */
int summary_write(const struct summary *summary, const char *path);

/* True if the flags of this row forbid claims about the metric. */
bool summary_is_void(const struct row *row, enum column metric);

#endif
