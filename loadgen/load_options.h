/* load_options.h: the command line of `muxbench load`. */
#ifndef MUX_LOAD_OPTIONS_H
#define MUX_LOAD_OPTIONS_H

#include "loadgen/engine.h"
#include "loadgen/find_rate.h"
#include "loadgen/load.h"

struct load_options {
  struct load_config config;
  const char *hlog_path; /* NULL: none */
  const char *hgrm_path; /* NULL: none */
  const char *json_path; /* NULL: stdout */
  bool json;
  bool selftest, quick;
  bool find_rate;
  struct load_objective objective;
};

/* Exits with status 2 and one line on a bad option. */
void load_options_parse(struct load_options *options, int argc, char **argv);

#endif
