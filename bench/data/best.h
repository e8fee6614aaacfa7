/* best.h: which labels may be the best. J. C. Hsu, Multiple comparisons (1996): comparisons with
 * the best. A label is out when another is proved better; with at least 95 % probability the truly
 * best label stays in. One that stays is not proved good, only not proved beaten. */
#ifndef BEST_H
#define BEST_H

#include <stdbool.h>

#include "bench/data/family.h"

/* Fills in_set[1 + rivals]: the baseline, then the rivals. Labels with fewer than
 * FAMILY_LAUNCHES_MIN launches are no candidates and not in it. Without any rival that has enough
 * the set is empty. */
void best_set(const struct family *family, bool lower_is_better, bool *in_set);

#endif
