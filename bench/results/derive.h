/* derive.h: files of a run directory that follow from others: timeline.csv from the loads' results,
 * percentiles.csv from the histogram logs, merged over the trials of a label. */
#ifndef MUX_DERIVE_H
#define MUX_DERIVE_H

#include "bench/data/rows.h"
#include "bench/data/rundir.h"
#include "bench/results/summary.h"

/* Both return 0 or -errno of writing; a trial whose source is missing or broken is left out and
 * said on stderr. */
int derive_timeline(const struct rundir *dir, const struct rows *rows);
int derive_percentiles(const struct rundir *dir, const struct summary *summary);

#endif
