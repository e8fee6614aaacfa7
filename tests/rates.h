/* rates.h: how often the statistics are right, over many simulated runs (slice_model.h) that are
 * judged by the functions the product calls. */
#ifndef RATES_H
#define RATES_H

#include <stdbool.h>

#include "tests/slice_model.h"

enum { RATES_EFFECTS_MAX = 16, RATES_GATES = 5 };

struct rates_case {
  struct slice_model model;          /* its last rival is the twin */
  double effects[RATES_EFFECTS_MAX]; /* each rival draws its true ln ratio from these ... */
  int effect_count;
  bool signs;       /* ... and its sign */
  int launches;     /* of a run; with a precision: at most */
  double precision; /* launches are added, from 6 on, until intervals are this narrow; 0: never */
  double allowed;   /* by the gate; lower is better */
  int runs;
  uint64_t seed;
};

struct rates_effect {
  long rivals;
  long claimed; /* better or worse, and on the right side */
  long equivalent;
  long claimed_earlier;
};

/* Numbers of runs, unless it says otherwise. A claim is wrong where there is no difference, or on
 * the wrong side of 1. */
struct rates {
  long runs;
  long wrong;              /* with a wrong claim */
  long wrong_by_p;         /* with p_adjusted < .05 of an equal rival */
  long missed;             /* with an interval that does not hold the truth */
  long voided;             /* by a twin that excludes 1 */
  long wrong_sound;        /* wrong, and not voided */
  long best_lost;          /* the truly lowest label is not in the best set */
  long best_labels;        /* labels in all best sets */
  long precise;            /* that ended with the precision asked for */
  long gates[RATES_GATES]; /* by exit code */
  long wrong_earlier;      /* the earlier procedure's ... */
  long missed_earlier;
  double launches;   /* sum */
  double half_width; /* sum of the median half-width, of `judged` families: others have too few
                        launches with an estimate */
  int judged;
  struct rates_effect effects[RATES_EFFECTS_MAX];
};

struct rates rates_of(const struct rates_case *simulated);

#endif
