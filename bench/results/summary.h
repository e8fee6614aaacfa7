/* summary.h: what the trials of a run say, per cell, label and metric, and what may be claimed.
 *
 * One number per metric and trial. A label is compared with the baseline block by block: ln of the
 * ratio, Hodges-Lehmann estimate and exact interval (stats.h). Something is claimed only if Holm's
 * adjusted p is below .05 and the ratio is further from 1 than the half-width of the A/A interval
 * of the same cell and metric. The Holm family is one cell and one metric. Pairs with a row whose
 * flags void the metric carry no claim. */
#ifndef MUX_SUMMARY_H
#define MUX_SUMMARY_H

#include "bench/data/rows.h"
#include "bench/plan/plan.h"

enum summary_better { BETTER_LOWER, BETTER_HIGHER };

struct summary_metric {
  enum column column;
  enum summary_better better;
  const char *what; /* "server CPU per request" */
  const char *unit; /* behind a number: " µs"; "" */
};
extern const struct summary_metric summary_metrics[];
extern const int summary_metric_count;
/* NULL: a column without verdicts. */
const struct summary_metric *summary_metric_find(const char *column);

enum summary_verdict {
  VERDICT_NONE,     /* too few blocks for a claim, or no baseline */
  VERDICT_BASELINE, /* this is it */
  VERDICT_BETTER,
  VERDICT_WORSE,
  VERDICT_TIE,  /* "~": nothing can be claimed */
  VERDICT_VOID, /* flags void most of it */
};
extern const char *const summary_verdict_names[];

struct summary_entry {
  int n;            /* trials with a value */
  double median;    /* NAN: none */
  double low, high; /* exact 95 % interval of the Hodges-Lehmann centre; NAN below 6 */
  double ratio, ratio_low, ratio_high; /* to the baseline; NAN: not to be had */
  double p_holm;
  double delta; /* noise of this cell and metric: half-width of the A/A interval; 0 without twin */
  enum summary_verdict verdict;
  int rank_low, rank_high; /* 1 = best; what the intervals leave open; 0: not ranked */
};

struct summary {
  const struct plan *plan;
  struct summary_entry *entries; /* [cell][metric][label] */
};

struct summary *summary_new(const struct plan *plan, const struct rows *rows);
void summary_free(struct summary *summary);
const struct summary_entry *summary_at(const struct summary *summary, int cell, int metric,
                                       int label);
/* summary.csv. Returns 0 or -errno. */
int summary_write(const struct summary *summary, const char *path);

/* True if the flags of this row forbid claims about the metric. */
bool summary_is_void(const struct row *row, enum column metric);

#endif
