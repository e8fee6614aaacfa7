/* cmd_merge.c: muxbench merge PART...: the result of a load in parts. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/command.h"
#include "common/input.h"
#include "common/output.h"
#include "loadgen/parts.h"

enum { OPT_JSON = 256, BYTES_MAX = 256 << 20 };

struct merge_options {
  const char **files; /* [count] */
  int count;
  const char *json; /* "-": stdout; NULL: text */
};

static const struct argp_option option_table[] = {
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Result as JSON, to FILE or stdout", 0}, {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct merge_options *options = state->input;
  switch (key) {
  case OPT_JSON:
    options->json = arg != NULL ? arg : "-";
    return 0;
  case ARGP_KEY_ARG:
    options->files[options->count++] = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "PART...",
    .doc =
        "Put together the results of loads that were parts of one ('load --part K/N --json=FILE'): "
        "counts are added, percentiles come from the merged histograms, and whether the result is "
        "valid is judged anew."
        "\vExit: 0 fine, warnings included; 1 errors, or connections, echoes or parts are "
        "missing; 2 usage, or not the result of a part.\n\n"
        "Example: muxbench merge part*.json --json=whole.json"};

static int add_file(struct load_whole *whole, const char *path) {
  char why[512];
  json_error_t error;
  FILE *file = mux_input_open(path, BYTES_MAX, why, sizeof why);
  if (file == NULL) {
    mux_note("merge: %s", why);
    return -EINVAL;
  }
  json_t *result = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
  fclose(file);
  if (result == NULL)
    snprintf(why, sizeof why, "line %d: %s", error.line, error.text);
  int rc = result != NULL ? load_whole_add(whole, result, why, sizeof why) : -EINVAL;
  json_decref(result);
  if (rc != 0) {
    char shown[2][256];
    mux_note("merge: %s: %s", mux_printable(shown[0], sizeof shown[0], path),
             mux_printable(shown[1], sizeof shown[1], why));
  }
  return rc;
}

static int show(const struct load_whole *whole, struct mux_output *json, const char *path) {
  load_explain(&whole->config, &whole->result);
  if (json->stream != NULL)
    load_result_json(&whole->config, &whole->result, json->stream);
  if (path == NULL || strcmp(path, "-") != 0)
    load_result_text(&whole->config, &whole->result, stdout);
  bool written = json->stream == NULL || mux_result_commit(json, "--json", path) == 0;
  return written && !load_failed(&whole->result) ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}

int cmd_merge(int argc, char **argv) {
  struct merge_options options = {.files = calloc((size_t)argc + 1, sizeof *options.files)};
  struct load_whole whole = {0};
  struct mux_output json = {0};
  char why[512];
  int status = MUX_EXIT_OK;
  if (options.files == NULL)
    mux_die(MUX_EXIT_FAILED, "no memory");
  mux_parse_args(&parser, argc, argv, &options);
  if (options.count == 0)
    mux_die(MUX_EXIT_USAGE, "merge: name the results of the parts, such as part*.json");
  if (options.json != NULL && mux_result_open(&json, "--json", options.json) != 0)
    return MUX_EXIT_USAGE;
  for (int i = 0; i < options.count && status == MUX_EXIT_OK; i++)
    if (add_file(&whole, options.files[i]) != 0)
      status = MUX_EXIT_USAGE;
  if (status == MUX_EXIT_OK && load_whole_finish(&whole, why, sizeof why) != 0) {
    mux_note("merge: of %d parts, %s", whole.parts, why);
    status = MUX_EXIT_FAILED;
  }
  if (status == MUX_EXIT_OK)
    status = show(&whole, &json, options.json);
  else
    mux_output_abort(&json);
  load_whole_free(&whole);
  free(options.files);
  return status;
}
