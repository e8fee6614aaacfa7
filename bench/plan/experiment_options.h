/* experiment_options.h: which options of load and serve an experiment may set, with which defaults,
 * and the keys of the experiment itself. */
#ifndef MUX_EXPERIMENT_OPTIONS_H
#define MUX_EXPERIMENT_OPTIONS_H

#include "bench/plan/experiment.h"

enum { EXPERIMENT_TEXT = 300 }; /* bytes of a value, at most */

/* Keys of the experiment itself that hold one value; into struct experiment. */
extern const struct mux_option_row experiment_keys[];

/* All options of the command, those included that an experiment may not set. */
const struct mux_option_row *experiment_rows(enum option_group group);
/* "load", "serve" */
const char *experiment_group_name(enum option_group group);

/* What this experiment takes for an option that its file does not set; NULL: it is left to the
 * command. */
const char *experiment_option_default(const struct experiment *experiment, enum option_group group,
                                      const char *key);

/* Reads one value. Returns 0 or -errno with *error filled. value->text is the caller's to free. */
int experiment_value_read(struct experiment_value *value, enum option_group group,
                          const struct mux_option_row *option, const char *text,
                          struct mux_option_error *error);

#endif
