/* launch_estimate.h: what the slices of one launch say about each label, for one metric.
 *
 * A slice's value is ln(metric) = label + drift of the host + noise. Three steps:
 *
 *   1. Drift. The neighbours of a slice in time, of whatever label, share its drift. Their mean
 *      residual (three on either side, nearer ones counting more) is a covariate, whose coefficient
 *      the slices themselves give: near 1 on a drifting host, near 0 on a calm one. J. S. Papadakis
 *      1937; M. S. Bartlett, Nearest neighbour models in the analysis of field experiments (1978).
 *   2. Outliers. A residual beyond four times the robust spread (1.4826 median |residual|) of the
 *      noisiest label is cut there. One threshold for all labels: a burst costs a quiet label no
 *      more than a noisy one, and noise of a noisy label is not mistaken for bursts.
 *   3. Difference. Round by round, rival less the mean of the baseline's slices; then the mean over
 *      rounds. Rounds without a slice of either are left out.
 *
 * docs/statistics.md compares this with other ways by simulation. */
#ifndef LAUNCH_ESTIMATE_H
#define LAUNCH_ESTIMATE_H

enum { LAUNCH_ROUNDS_MIN = 2 }; /* fewer in common give no estimate */

struct launch_slice {
  int label;    /* 0 to labels-1 */
  int round;    /* never falls; a rival is compared with the baseline's slices of the same round */
  double value; /* the metric; not measured unless it is finite and above 0 */
};

struct launch_estimate {
  int rounds;      /* in which both the label and the baseline have a value */
  double d;        /* mean of ln label - ln baseline; NAN below LAUNCH_ROUNDS_MIN rounds */
  double variance; /* of d within this launch: that of the rounds' differences / rounds */
  int cut;         /* slices of the label that step 2 has cut */
};

/* slices: count of them in the order of time. Fills estimates[labels]; the baseline's own has d and
 * variance 0. */
void launch_estimate(const struct launch_slice *slices, int count, int labels, int baseline,
                     struct launch_estimate *estimates);

#endif
