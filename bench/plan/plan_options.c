/* plan_options.c: see plan_options.h. */
#include "bench/plan/plan_options.h"

#include <errno.h>

#include "bench/plan/experiment_options.h"
#include "common/cli.h"

bool plan_is_own(const struct experiment_server *server) {
  return server->command == NULL && server->target == NULL;
}

/* Values of an experiment have been read before, by the same row. */
static void read_again(const struct mux_option_row *row, const struct experiment_value *value,
                       void *config) {
  struct mux_option_error error;
  if (value != NULL && mux_option_row_read(row, value->text, config, &error) != 0)
    mux_option_error_die(&error);
}

static void read_axes(const struct experiment *e, const struct plan_cell *cell,
                      const struct experiment_server *server, enum option_group group,
                      void *config) {
  const struct plan plan = {.experiment = e};
  for (const struct mux_option_row *row = experiment_rows(group); row->key != NULL; row++)
    if ((row->flags & MUX_OPTION_EXPERIMENT) != 0)
      read_again(row, plan_value(&plan, cell, server, group, row->key), config);
}

void plan_load_options(const struct experiment *e, const struct plan_cell *cell,
                       struct load_options *options) {
  load_options_default(options);
  read_axes(e, cell, NULL, OPTION_LOAD, options);
  load_options_complete(options);
}

int plan_serve_options(const struct experiment *e, const struct plan_cell *cell,
                       const struct experiment_server *server, struct mux_serve_options *options,
                       struct mux_option_error *error) {
  char why[480];
  mux_serve_options_default(options);
  options->backend = server->backend;
  read_axes(e, cell, server, OPTION_SERVE, options);
  if (mux_serve_find_backend(&options->config.backend, server->backend, why, sizeof why) != 0)
    return mux_option_error_set(error, "backend", "%s", why);
  return mux_serve_options_resolve(options, error);
}
