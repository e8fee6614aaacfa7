/* search.c: see search.h.
 *
 *   bracket   doubles or halves the rate until one holds and the other does not
 *   bisect    until these are 3 % apart
 *   verify    four fresh tries of the rate that held, all of which must hold; else of a lower one
 *
 * A lone miss proves little, as other work on the host may cause one: a miss counts when a second
 * try misses too. That, and choosing the highest rate of several tries, favours rates that hold by
 * luck; so what was found is tried again by tries that had no part in choosing it. */
#include "loadgen/search.h"

#include <math.h>
#include <stddef.h>

enum { FIRST_RATE = 1000, HIGHEST_RATE = 100000000, VERIFICATIONS = 4 };
static const double close_enough = 1.03; /* bracket: highest over lowest */

/* Tries a rate up to `tries` times, until one of them has the verdict `enough`. Returns the last.
 */
static enum load_verdict try_rate(struct load_search *s, int64_t rate, const char *step, int tries,
                                  bool until_held) {
  enum load_verdict verdict = LOAD_BROKEN;
  for (int i = 0; i < tries; i++) {
    verdict = s->try_rate(s->arg, rate, step);
    if (verdict >= LOAD_STOPPED || (verdict == LOAD_HELD) == until_held)
      break;
  }
  if (verdict == LOAD_MISSED || verdict == LOAD_WAS_LIMIT) {
    s->missed = rate;
    s->limited = verdict == LOAD_WAS_LIMIT;
  }
  return verdict;
}

/* One of two tries holds. */
static enum load_verdict probe(struct load_search *s, int64_t rate, const char *step) {
  return try_rate(s, rate, step, 2, true);
}

/* All tries hold. */
static enum load_verdict verify(struct load_search *s, int64_t rate) {
  return try_rate(s, rate, "verify", VERIFICATIONS, false);
}

enum load_verdict load_search(struct load_search *s) {
  int64_t low = 0;
  int64_t high = 0;
  for (int64_t rate = FIRST_RATE; rate >= 1 && (low == 0 || high == 0);) {
    enum load_verdict verdict = probe(s, rate, "bracket");
    if (verdict >= LOAD_STOPPED)
      return verdict;
    *(verdict == LOAD_HELD ? &low : &high) = rate;
    if (low == HIGHEST_RATE)
      break;
    rate = verdict != LOAD_HELD ? rate / 2 : rate < HIGHEST_RATE / 2 ? rate * 2 : HIGHEST_RATE;
  }
  while (low > 0 && high > 0 && (double)high > (double)low * close_enough && high - low > 1) {
    int64_t rate = (int64_t)sqrt((double)low * (double)high);
    rate = rate <= low ? low + 1 : rate;
    enum load_verdict verdict = probe(s, rate, "bisect");
    if (verdict >= LOAD_STOPPED)
      return verdict;
    *(verdict == LOAD_HELD ? &low : &high) = rate;
  }
  for (int i = 0; low >= 1; i++) {
    enum load_verdict verdict = verify(s, low);
    if (verdict == LOAD_HELD)
      s->held = low;
    if (verdict == LOAD_HELD || verdict >= LOAD_STOPPED)
      return verdict;
    /* Four steps of 3 %, four of 6 %, and so on: 1 per second is at most 32 steps away. */
    low = (int64_t)((double)low / pow(close_enough, 1 << i / 4));
  }
  return LOAD_HELD;
}
