/* export.h: the verdicts of a run for other programs.
 *
 *   markdown     a table, for a pull request
 *   json         everything that summary.csv has, and the verdicts
 *   junit        a test case per rival and cell, failed when it is proved worse than is allowed
 *   benchfmt     a line per launch, for benchstat (golang.org/design/14313-benchmark-format)
 *   openmetrics  medians and ratios as gauges (OpenMetrics 1.0) */
#ifndef MUX_EXPORT_H
#define MUX_EXPORT_H

#include <stdio.h>

#include "bench/results/summary.h"

enum export_format {
  EXPORT_MARKDOWN,
  EXPORT_JSON,
  EXPORT_JUNIT,
  EXPORT_BENCHFMT,
  EXPORT_OPENMETRICS,
};
extern const char *const export_format_names[]; /* NULL-terminated */

/* On the objective. allowed: how much worse a rival may be, as a ratio (0.05); 0: not at all.
 * Returns 0 or -errno of memory; a stream remembers what could not be written. */
int export_write(const struct summary *summary, enum export_format format, double allowed,
                 FILE *to);

#endif
