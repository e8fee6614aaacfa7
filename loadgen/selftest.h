/* selftest.h: `load --selftest`: does this load generator measure correctly on this machine? It
 * starts servers, disturbs them in ways whose effect theory predicts, and compares. */
#ifndef MUX_SELFTEST_H
#define MUX_SELFTEST_H

#include <stdbool.h>
#include <stdio.h>

#include "loadgen/load.h"

/* quick: shorter, with wider bounds, for a machine that does other work too. `base` gives the
 * engine, seed and so on. Prints a line per check to `text` and one object to `json` (NULL: none).
 * Returns an exit status. */
int load_selftest(const struct load_config *base, bool quick, FILE *text, FILE *json);

#endif
