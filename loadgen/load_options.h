/* load_options.h: the options of `muxbench load`, for its command line and for experiments. */
#ifndef MUX_LOAD_OPTIONS_H
#define MUX_LOAD_OPTIONS_H

#include "common/option_table.h"
#include "loadgen/engine.h"
#include "loadgen/find_rate.h"
#include "loadgen/load.h"

struct load_options {
  struct load_config config;
  const char *target;    /* as typed, or NULL */
  const char *hlog_path; /* NULL: none */
  const char *hgrm_path; /* NULL: none */
  const char *json_path; /* NULL: stdout */
  bool json;
  bool allow_remote;
  bool selftest, quick;
  int selftest_kind; /* as typed; 0: none */
  bool find_rate;
  const char *agents; /* NULL: this process is the load */
};

/* Into struct load_options. */
extern const struct mux_option_row load_option_table[];

/* What holds when no option is given. */
void load_options_default(struct load_options *options);
/* Fills in the defaults that depend on other options: payload, depth and duration. */
void load_options_complete(struct load_options *options);

/* Whether a complete configuration makes sense as a whole, its target included (only its kind and
 * address family matter). Returns 0, or -EINVAL with the option to blame in *error. */
int load_config_check(const struct load_config *config, struct mux_option_error *error);

/* Descriptors that a table of the load needs at least: connections, files, and per thread an engine
 * and its eventfd. */
long load_config_descriptors(const struct load_config *config);

/* Ends the program, exit 2, if it may not have that many. */
void load_config_fit(const struct load_config *config);

/* Reads the command line. Exits with status 2 and one line on a bad option. */
void load_options_parse(struct load_options *options, int argc, char **argv);

#endif
