/* selftest.h: `load --selftest`: does this load generator measure right, here? It starts servers of
 * its own, does things to them of which theory says what must be seen, and compares. */
#ifndef MUX_SELFTEST_H
#define MUX_SELFTEST_H

#include <stdbool.h>
#include <stdio.h>

#include "loadgen/load.h"

/* quick: shorter, and with wider bounds for a machine that does other work too. `base` gives
 * engine, seed and the like. Prints a line per check to `text`, and one object to `json` (NULL:
 * none). Returns an exit status. */
int load_selftest(const struct load_config *base, bool quick, FILE *text, FILE *json);

#endif
