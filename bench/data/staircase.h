/* staircase.h: the level at which a yes-no test fails half of the time, by steps up and down.
 *
 * Each test that holds raises the level by a step, each that fails lowers it. The step is a factor
 * of 2 at first and shrinks to its root each time the direction turns, down to 3 %. Then the
 * levels go to and fro about the one that is sought, and the mean of the last ones is the estimate.
 * W. J. Dixon and A. M. Mood, A method for obtaining and analyzing sensitivity data (1948); H.
 * Levitt, Transformed up-down methods in psychoacoustics (1971).
 *
 * A stall of the host makes a test fail at any level. While steps are long a failure counts only if
 * it is repeated, and after four steps in one direction the next is twice as long (as in PEST, M.
 * M. Taylor and C. D. Creelman 1967), so that an early mistake costs time, not the result. */
#ifndef STAIRCASE_H
#define STAIRCASE_H

#include <stdbool.h>

enum { STAIRCASE_LEVELS_MIN = 5, STAIRCASE_LEVELS_MOST = 16 }; /* for an estimate */

struct staircase {
  double level; /* ln of the one to be tested now */
  double step;  /* ln */
  double low, high;
  bool rose, doubted; /* the last step; a failure that has not been repeated yet */
  int run;            /* steps in the same direction; 0: none yet */
  double levels[STAIRCASE_LEVELS_MOST]; /* the last ones, since steps were below 20 %: a ring */
  int count;
};

/* Levels stay within low to high. */
void staircase_begin(struct staircase *staircase, double first, double low, double high);
/* The level to test next. */
double staircase_level(const struct staircase *staircase);
void staircase_tell(struct staircase *staircase, bool held);
/* True while steps are below 7 %. */
bool staircase_is_near(const struct staircase *staircase);
/* NAN before there are STAIRCASE_LEVELS_MIN. */
double staircase_estimate(const struct staircase *staircase);

#endif
