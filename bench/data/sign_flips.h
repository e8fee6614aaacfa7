/* sign_flips.h: is a rival different from the baseline at all? A test that rests on symmetry alone.
 *
 * If a rival equals the baseline, a launch's difference d is as likely to be -d. So every pattern
 * of signs over the launches is equally likely, and where the observed one stands among all of them
 * is an exact p, however heavy the tails. A launch's sign turns for all rivals together, which
 * keeps their correlation, and each pattern counts with its largest
 *
 *     T = |sum d| / sqrt(sum d^2 + offset)
 *
 * over the family (max-T), stepwise: a rival is judged against those no clearer than itself. That
 * holds the error rate of the whole family (Westfall and Young 1993; Romano and Wolf 2005). offset
 * keeps a rival whose few d agree by chance from outdoing all; it must not change with the signs.
 */
#ifndef SIGN_FLIPS_H
#define SIGN_FLIPS_H

#include <stdint.h>

enum {
  SIGN_FLIPS_RANDOM = 9999, /* at most; 999 where these leave no doubt about .05 */
  /* Up to here all patterns are tried: 2^(n-1), as a pattern and its opposite give the same T. */
  SIGN_FLIPS_EXACT_LAUNCHES = 14,
};

/* d: [launches][rivals], NAN where missing; offset: [rivals]. Fills p[rivals] with the adjusted
 * p-values: the share of patterns at least as extreme as the observed one, which counts itself.
 * seed: of the random patterns beyond SIGN_FLIPS_EXACT_LAUNCHES. */
void sign_flips_max_t(const double *d, const double *offset, int launches, int rivals,
                      uint64_t seed, double *p);

#endif
