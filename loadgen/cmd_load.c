/* cmd_load.c: `muxbench load`: options to configuration, the run, the result. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/commands.h"
#include "common/cli.h"
#include "common/sock.h"
#include "loadgen/options.h"

/* Descriptors of the process besides connections: standard streams, files, and per thread the
 * engine and its eventfd. */
static long descriptors_needed(const struct load_config *config) {
  return 3L + 8 + 4L * config->threads + config->connections + config->idle;
}

static void check_descriptors(const struct load_config *config) {
  long limit = mux_raise_nofile();
  long needed = descriptors_needed(config);
  if (limit > 0 && needed > limit)
    mux_die(MUX_EXIT_USAGE,
            "--connections: %d%s need %ld descriptors, the hard limit is %ld (ulimit -Hn)",
            config->connections + config->idle, config->idle > 0 ? " with --idle" : "", needed,
            limit);
}

/* `earlier` is taken back if this one fails. */
static FILE *open_output(struct mux_output *output, const char *option, const char *path,
                         struct mux_output *earlier) {
  char shown[160];
  int rc = mux_output_open(output, path);
  if (rc != 0)
    mux_output_abort(earlier);
  if (rc != 0)
    mux_die(MUX_EXIT_USAGE, "%s: cannot write %s: %s", option,
            mux_printable(shown, sizeof shown, path), strerror(-rc));
  return output->stream;
}

static int commit(struct mux_output *output, const char *option) {
  int rc = mux_output_commit(output);
  if (rc != 0)
    mux_note("%s: %s", option, strerror(-rc));
  return rc;
}

int cmd_load(int argc, char **argv) {
  struct load_options options;
  load_options_parse(&options, argc, argv);
  struct load_config *config = &options.config;
  check_descriptors(config);
  if (isatty(STDERR_FILENO))
    config->label = "load";

  struct mux_output hlog = {0};
  struct mux_output json = {0};
  if (options.hlog_path != NULL)
    config->hlog = open_output(&hlog, "--hlog", options.hlog_path, &json);
  if (options.json)
    open_output(&json, "--json", options.json_path, &hlog);

  struct load_result result;
  if (load_run(config, &result) != 0) {
    mux_output_abort(&hlog);
    mux_output_abort(&json);
    return MUX_EXIT_FAILED;
  }
  load_judge(config, &result);
  int rc = 0;
  if (json.stream != NULL) {
    rc = load_result_json(config, &result, json.stream);
    rc = commit(&json, "--json") != 0 ? -EIO : rc;
  }
  if (!options.json || options.json_path != NULL)
    load_result_text(config, &result, stdout);
  if (hlog.stream != NULL && commit(&hlog, "--hlog") != 0)
    rc = -EIO;
  int status = result.interrupted                                ? MUX_EXIT_INTERRUPTED
               : !result.valid || rc != 0 || fflush(stdout) != 0 ? MUX_EXIT_FAILED
                                                                 : MUX_EXIT_OK;
  load_result_free(&result);
  return status;
}
