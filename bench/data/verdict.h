/* verdict.h: what may be said of a rival, of a twin, and at a gate.
 *
 * One simultaneous 95 % interval (family.h) carries all statements, so that all that a run says of
 * a cell and metric is right together with at least 95 % probability. Lengths are relative: margin
 * .05 is 5 %, and means ratios from 1/1.05 to 1.05, so that A to B and B to A agree. */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>

#include "bench/data/family.h"

#define VERDICT_MARGIN 0.05 /* the usual one */
#define VERDICT_P      0.05

enum verdict {
  VERDICT_NONE,       /* too few launches, or no baseline */
  VERDICT_BASELINE,   /* this is it */
  VERDICT_BETTER,     /* p_adjusted < VERDICT_P, and the whole interval on that side of 1 */
  VERDICT_WORSE,      /* likewise */
  VERDICT_EQUIVALENT, /* neither, and the whole interval within the margin */
  VERDICT_UNDECIDED,  /* nothing of that: power.h says what it would take */
  VERDICT_VOID,       /* the twin differs from the baseline, or flags forbid a claim */
};
extern const char *const verdict_names[];

/* Never BASELINE or VOID: what the numbers say. */
enum verdict verdict_of(const struct family_rival *rival, bool lower_is_better, double margin);

/* Within the margin, whatever else it is: a proved difference can be too small to matter. */
bool verdict_is_equivalent(const struct family_rival *rival, double margin);

/* ---- The twin (A/A) ---------------------------------------------------------------------------
 * judged alone, as a family of one */

/* delta: how far from 1 the twin's interval reaches. It says how well the instrument was seen to
 * agree with itself, and hides no claim. NAN without an interval. */
double verdict_delta(const struct family_rival *twin);

/* The twin's interval excludes 1: the cell's verdicts on this metric are void. One sound cell in 20
 * is voided by chance. */
bool verdict_twin_voids(const struct family_rival *twin);

/* ---- The gate ---------------------------------------------------------------------------------
 * versus --fail-if-worse */

enum gate { GATE_PASSED = 0, GATE_FAILED = 3, GATE_UNDECIDED = 4 }; /* exit codes */

/* allowed: how much worse a rival may be (.05: 5 %). FAILED: one is worse, and its whole interval
 * beyond allowed. PASSED: the whole interval of every rival is on the near side of allowed. */
enum gate verdict_gate(const struct family_rival *judged, int rivals, bool lower_is_better,
                       double allowed);

#endif
