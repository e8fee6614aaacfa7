/* table.h: the closing table of a run, per cell: backend, throughput, p50, p99, server CPU per
 * request, what else the experiment asks for, verdict, flags. */
#ifndef MUX_TABLE_H
#define MUX_TABLE_H

#include <stdio.h>

#include "bench/results/summary.h"

void table_print(const struct summary *summary, const struct rows *rows, FILE *to);

#endif
