/* cmd_load.c: `muxbench load`: reads options, runs, writes the result. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/command.h"
#include "loadgen/agents.h"
#include "loadgen/load_options.h"
#include "loadgen/selftest.h"
#include "loadgen/sources.h"

/* Rows per halving of the distance to 100 %, as in HdrHistogram's tools. */
enum { HGRM_TICKS = 5 };

struct outputs {
  struct mux_output hlog, hgrm, json;
};

static void abort_all(struct outputs *outputs) {
  mux_output_abort(&outputs->hlog);
  mux_output_abort(&outputs->hgrm);
  mux_output_abort(&outputs->json);
}

/* If one cannot be opened, those opened before are removed. */
static FILE *open_output(struct outputs *outputs, struct mux_output *output, const char *option,
                         const char *path) {
  if (mux_result_open(output, option, path) != 0) {
    abort_all(outputs);
    exit(MUX_EXIT_USAGE);
  }
  return output->stream;
}

static int commit(struct mux_output *output, const char *option, const char *path) {
  return output->stream != NULL ? mux_result_commit(output, option, path) : 0;
}

/* One run, and its result in every form asked for. */
static int run_once(const struct load_options *options, struct outputs *outputs) {
  struct load_config whole = options->config;
  const struct load_config *config = &whole;
  struct load_result result;
  int rc = options->agents != NULL ? load_agents_run(options, &whole, &result)
                                   : load_run(config, &result);
  if (rc != 0) {
    abort_all(outputs);
    return MUX_EXIT_FAILED;
  }
  load_judge(config, &result);
  load_explain(config, &result);
  if (outputs->json.stream != NULL)
    load_result_json(config, &result, outputs->json.stream);
  if (outputs->hgrm.stream != NULL)
    mux_hdr_print_hgrm(result.hdr[LOAD_RESPONSE], outputs->hgrm.stream, HGRM_TICKS, 1e3);
  if (!options->json || options->json_path != NULL)
    load_result_text(config, &result, stdout);
  int status = result.interrupted     ? MUX_EXIT_INTERRUPTED
               : load_failed(&result) ? MUX_EXIT_FAILED
                                      : MUX_EXIT_OK;
  load_result_free(&result);
  return status;
}

int cmd_load(int argc, char **argv) {
  struct load_options options;
  load_options_parse(&options, argc, argv);
  struct load_config *config = &options.config;
  if (options.agents == NULL)
    load_config_fit(config);
  if (options.agents == NULL && !options.selftest)
    load_sources_choose(config);
  if (isatty(STDERR_FILENO) && !options.selftest && !options.find_rate)
    config->label = "load";

  struct outputs outputs = {0};
  if (options.hlog_path != NULL)
    config->hlog = open_output(&outputs, &outputs.hlog, "--hlog", options.hlog_path);
  if (options.hgrm_path != NULL)
    open_output(&outputs, &outputs.hgrm, "--hgrm", options.hgrm_path);
  if (options.json)
    open_output(&outputs, &outputs.json, "--json", options.json_path);

  /* If JSON goes to stdout, text does not. */
  FILE *text = options.json && options.json_path == NULL ? stderr : stdout;
  int status = options.selftest    ? load_selftest(config, options.quick, text, outputs.json.stream)
               : options.find_rate ? load_find_rate(config, text, outputs.json.stream)
                                   : run_once(&options, &outputs);
  /* A stream remembers failed writes. */
  int rc = commit(&outputs.json, "--json", options.json_path) +
           commit(&outputs.hgrm, "--hgrm", options.hgrm_path) +
           commit(&outputs.hlog, "--hlog", options.hlog_path);
  if (rc != 0 && status == MUX_EXIT_OK)
    status = MUX_EXIT_FAILED;
  return status;
}
