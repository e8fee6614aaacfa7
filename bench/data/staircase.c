/* staircase.c: see staircase.h. */
#include "bench/data/staircase.h"

#include <math.h>

static const double first_step = 2;
static const double kept_step = 1.2; /* from there on levels are kept */
static const double near_step = 1.07;
static const double last_step = 1.03;
enum { LONG_RUN = 4 };

void staircase_begin(struct staircase *s, double first, double low, double high) {
  *s = (struct staircase){
      .level = log(first), .step = log(first_step), .low = log(low), .high = log(high)};
}

double staircase_level(const struct staircase *s) {
  return exp(s->level);
}

bool staircase_is_near(const struct staircase *s) {
  return s->step <= log(near_step);
}

/* For a step up or down. */
static void set_step(struct staircase *s, bool up) {
  if (s->run > 0 && up != s->rose) {
    s->step = fmax(s->step / 2, log(last_step));
    s->run = 0;
  } else if (s->run == LONG_RUN && s->step < log(first_step)) {
    s->step = fmin(2 * s->step, log(first_step));
    s->run = 0;
  }
  s->run++;
}

void staircase_tell(struct staircase *s, bool held) {
  if (s->step <= log(kept_step) || s->count > 0)
    s->levels[s->count++ % STAIRCASE_LEVELS_MOST] = s->level;
  s->doubted = !held && !staircase_is_near(s) && !s->doubted;
  if (s->doubted)
    return;
  set_step(s, held);
  s->rose = held;
  s->level = fmin(fmax(s->level + (held ? s->step : -s->step), s->low), s->high);
}

double staircase_estimate(const struct staircase *s) {
  int n = s->count < STAIRCASE_LEVELS_MOST ? s->count : STAIRCASE_LEVELS_MOST;
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += s->levels[i];
  return n >= STAIRCASE_LEVELS_MIN ? exp(sum / n) : NAN;
}
