/* experiment_options.h: see experiment_options.c. */
#ifndef MUX_EXPERIMENT_OPTIONS_H
#define MUX_EXPERIMENT_OPTIONS_H

#include "bench/plan/experiment.h"

enum { EXPERIMENT_TEXT = 300 }; /* bytes of a value, at most */

const struct experiment_option *experiment_options(size_t *count);

/* As a word of a command line: "--key=value", "--key"; 0 for a flag that is off. Returns its length
 * as snprintf does. */
int experiment_option_print(char *out, size_t out_bytes, const struct experiment_option *option,
                            const char *value);

/* Reads one value. Returns 0 or -errno with "key: what is wrong" in why. value->text is the
 * caller's to free. */
int experiment_value_read(struct experiment_value *value, const struct experiment_option *option,
                          const char *text, char *why, size_t why_bytes);

#endif
