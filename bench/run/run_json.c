/* run_json.c: see run_json.h. */
#include "bench/run/run_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/registry.h"
#include "bench/results/conclusions.h"
#include "bench/run/environment.h"
#include "bench/run/fingerprint.h"
#include "common/cli.h"
#include "common/memory.h"

/* argv[0] is the two words "muxbench run" by now, or "muxbench versus". */
static json_t *argv_json(int argc, char **argv) {
  const char *space = strchrnul(argv[0], ' ');
  json_t *list = json_pack("[s, s]", "muxbench", space + (*space != 0));
  char shown[4096];
  for (int i = 1; i < argc; i++)
    json_array_append_new(list, json_string(mux_printable(shown, sizeof shown, argv[i])));
  return list;
}

json_t *run_json_time(void) {
  char text[32];
  time_t now = time(NULL);
  struct tm utc;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  return json_string(text);
}

static json_t *plugins_json(const struct experiment *e) {
  json_t *list = json_array();
  for (int i = 0; i < e->server_count; i++) {
    const struct mux_backend *backend;
    const struct experiment_server *server = &e->servers[i];
    char why[512];
    if (server->command != NULL || server->target != NULL || !mux_plugin_is_path(server->backend) ||
        mux_plugin_load(&backend, server->backend, why, sizeof why) != 0)
      continue;
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:o}", "label", server->label,
                                          "path", server->backend, "name", backend->name,
                                          "abi_version", (int)backend->abi.version, "file",
                                          fingerprint_file(server->backend)));
  }
  return list;
}

json_t *run_json_new(const struct experiment *e, const struct rundir *dir, int argc, char **argv,
                     bool shared_core) {
  json_t *run =
      json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:I}", "schema_version", MUX_SCHEMA_VERSION,
                "run_id", dir->id, "experiment", e->name, "question", e->question, "status",
                "running", "argv", argv_json(argc, argv), "seed", (json_int_t)e->seed);
  json_object_set_new(run, "started", run_json_time());
  json_object_set_new(run, "shared_core", json_boolean(shared_core));
  json_object_set_new(run, "plugins", plugins_json(e));
  json_t *environment = environment_json();
  json_object_update(run, environment);
  json_decref(environment);
  return run;
}

json_t *run_json_answer(const struct summary *summary) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *stream = mux_made(open_memstream(&text, &bytes));
  conclusions_print(summary, stream);
  fclose(stream);
  json_t *lines = json_array();
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\n")) != NULL;)
    if (strncmp(line, "  ", 2) == 0) /* the first one is the question */
      json_array_append_new(lines, json_string(line + 2));
  free(text);
  return lines;
}
