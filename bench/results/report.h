/* report.h: what people look at: report.html and plots/ of run directories, drawn by scripts/report
 * in node, and the same answer as text for a terminal. Both work from the files alone. */
#ifndef MUX_REPORT_H
#define MUX_REPORT_H

#include <stdio.h>

#include "bench/data/rundir.h"

enum { REPORT_RUNS_MAX = 16 };

/* Builds the report of one run directory, or the comparison of up to REPORT_RUNS_MAX, and prints
 * the path of the page on `out` (a descriptor; -1: nowhere). If node or its library is missing, or
 * a directory is refused, one line on stderr says so and how to fix it. Returns an exit status. */
int report_build(char *const *runs, int count, int out);

/* The question, the answer, and a ranking with bars per cell. Returns 0, or -EINVAL with one line
 * in why: the files are not trusted. */
int report_text(const struct rundir *dir, FILE *to, char *why, size_t why_bytes);

#endif
