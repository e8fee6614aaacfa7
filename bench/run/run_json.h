/* run_json.h: what run.json says beside the trials (runner.h). All return new references. */
#ifndef MUX_RUN_JSON_H
#define MUX_RUN_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "bench/data/rundir.h"
#include "bench/results/summary.h"

/* Of a run that begins: identity, command line and environment. argv as mux_parse_args left it. */
json_t *run_json_new(const struct experiment *experiment, const struct rundir *dir, int argc,
                     char **argv, bool shared_core);
json_t *run_json_time(void); /* now, UTC */
/* The conclusions, a string each. */
json_t *run_json_answer(const struct summary *summary);

#endif
