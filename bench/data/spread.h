/* spread.h: how far launches scatter, estimated from few of them.
 *
 * A difference d of one launch has the variance within + between: within is known from the launch's
 * own rounds, between (what a fresh start changes: memory layout, placement) only from the scatter
 * of n launches, badly when n is 6. A variance that chance made too small is the main reason why
 * many intervals at once must be wide. The others of the family say what is usual: their common
 * between, and how much they vary about it, which decides how many degrees of freedom that
 * knowledge is worth. G. K. Smyth, Linear models and empirical Bayes methods (2004), with three
 * precautions that the simulation asks for (docs/statistics.md): the common value is a geometric
 * mean, so that one unsteady rival does not widen all; it never counts for more than twice the
 * rival's own degrees of freedom, nor for more than two per other rival; and it only ever raises a
 * variance. */
#ifndef SPREAD_H
#define SPREAD_H

struct spread {
  int launches;    /* n >= 2 */
  double variance; /* of d over launches, n-1 degrees of freedom */
  double within;   /* mean variance of d within a launch; 0: not known */
  /* Set by spread_moderate: */
  double moderated; /* at least variance */
  double df;        /* of moderated: n-1 or more */
};

void spread_moderate(struct spread *spreads, int count);

#endif
