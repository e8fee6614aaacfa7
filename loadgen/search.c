/* search.c: see search.h.
 *
 *   bracket   double or halve the rate until one rate holds and the next does not
 *   bisect    until the two are 3 % apart
 *   verify    four fresh tries of the rate that held must all hold; otherwise of a lower one
 *
 * Other work on the host may cause a miss, so a miss counts only when a second try misses too.
 * That, and choosing the highest of several rates, favours rates that held by luck. Therefore the
 * result is verified by tries that had no part in choosing it. */
#include "loadgen/search.h"

#include <math.h>
#include <stddef.h>

enum { FIRST_RATE = 1000, HIGHEST_RATE = 100000000, VERIFICATIONS = 4 };
static const double close_enough = 1.03; /* bracket: highest over lowest */

/* Tries a rate up to `tries` times, until it holds (until_held) or until it misses. Returns the
 * last verdict. */
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

/* Holds if one of two tries does. */
static enum load_verdict probe(struct load_search *s, int64_t rate, const char *step) {
  return try_rate(s, rate, step, 2, true);
}

/* Holds if all tries do. */
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
    /* Four steps of 3 %, four of 6 %, and so on: at most 32 steps to 1 per second. */
    low = (int64_t)((double)low / pow(close_enough, 1 << i / 4));
  }
  return LOAD_HELD;
}
