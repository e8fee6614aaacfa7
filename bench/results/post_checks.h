/* post_checks.h: flags that show only when all launches are in. They void nothing and drop nothing:
 * they say where to look.
 *
 *   halves_differ  of a fresh server's trial: throughput (in an open loop: median response time) of
 *                  the first and the second half, by time, differ by more than the noise of its
 *                  cell (A/A; without a twin 10 %): the trial was not steady
 *   outlier        the objective lies further from the median of its label and cell than five
 *                  times the median distance, and than the noise (5 launches or more) */
#ifndef MUX_POST_CHECKS_H
#define MUX_POST_CHECKS_H

#include "bench/data/rundir.h"
#include "bench/results/summary.h"

/* rows: those of the summary. */
void post_checks_flag(const struct rundir *dir, const struct summary *summary, struct rows *rows);

/* ln of second half over first half, by time, of what the load's timeline has under key, or NAN
 * with fewer than two points in a half. rates: compare the sums; else the medians. */
double post_checks_halves(const json_t *result, const char *key, bool rates);

#endif
