/* plan_options.c: see plan_options.h. */
#include "bench/plan/plan_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* ---- Checking -------------------------------------------------------------------------------- */

struct check {
  const struct plan *plan;
  const struct plan_cell *cell;
  const struct experiment_server *server;
  char *why;
  size_t why_bytes;
};

/* Where an option of this cell or server is set. */
static const char *place_of(const struct check *c, enum option_group group, const char *key) {
  for (int i = 0; group == OPTION_SERVE && i < c->server->own_count; i++)
    if (strcmp(c->server->own[i].option->key, key) == 0)
      return c->server->own[i].place;
  const struct experiment_axis *axis = experiment_axis(c->plan->experiment, group, key);
  return axis != NULL ? axis->place : c->server->place;
}

static int refuse(const struct check *c, const char *place, const struct mux_option_error *error) {
  bool one = c->plan->cell_count == 1;
  snprintf(c->why, c->why_bytes, "%s%s%s: %s%s%s%s", place != NULL ? place : "",
           place != NULL ? ": " : "", error->key, error->text, one ? "" : " (cell ",
           one ? "" : c->cell->id, one ? "" : ")");
  return -EINVAL;
}

/* Experiments stay on this machine: targets and addresses are loopback or Unix paths. */
static int check_address(const struct check *c, struct mux_addr *addr) {
  const char *target = c->server->target;
  const char *key = target != NULL ? "target" : "listen";
  const char *place = target != NULL ? c->server->place : place_of(c, OPTION_SERVE, key);
  const char *text =
      target != NULL ? target : plan_value(c->plan, c->cell, c->server, OPTION_SERVE, key)->text;
  struct mux_option_error error;
  char why[160];
  char shown[160];
  mux_printable(shown, sizeof shown, text);
  if (mux_addr_parse(addr, text, true, why, sizeof why) != 0)
    mux_option_error_set(&error, key, "'%s': %s", shown, why);
  else if (!mux_addr_is_local(addr))
    mux_option_error_set(&error, key, "'%s' is not a loopback address", shown);
  else
    return 0;
  return refuse(c, place, &error);
}

/* Returns 0, -EINVAL with why, or -ENOTSUP: the server will be skipped in this cell. */
static int check_server(const struct check *c, struct load_config *load) {
  struct mux_serve_options serve;
  struct mux_option_error error;
  if (check_address(c, &load->target) != 0)
    return -EINVAL;
  int rc = plan_is_own(c->server)
               ? plan_serve_options(c->plan->experiment, c->cell, c->server, &serve, &error)
               : 0;
  if (rc == -EINVAL)
    return refuse(c, place_of(c, OPTION_SERVE, error.key), &error);
  if (rc == 0 && load_config_check(load, &error) != 0)
    return refuse(c, place_of(c, OPTION_LOAD, error.key), &error);
  return rc;
}

/* A rate is sought in slices, in an open loop. */
static int check_sought(const struct check *c) {
  struct mux_option_error error;
  if (plan_objective(c->plan, c->cell).percentile == 0)
    return 0;
  if (plan_number(c->plan, c->cell, OPTION_LOAD, "rate", 0) > 0)
    mux_option_error_set(&error, "find-rate", "not together with rate");
  else if (!plan_slices(c->plan, c->cell))
    mux_option_error_set(&error, "find-rate", "it needs method = \"slices\" and mode = \"echo\"");
  else
    return 0;
  return refuse(c, place_of(c, OPTION_LOAD, "find-rate"), &error);
}

int plan_check(const struct plan *plan, char *why, size_t why_bytes) {
  for (int i = 0; i < plan->cell_count; i++) {
    struct load_options load;
    plan_load_options(plan->experiment, &plan->cells[i], &load);
    for (int k = 0; k < plan->experiment->server_count; k++) {
      const struct check check = {.plan = plan,
                                  .cell = &plan->cells[i],
                                  .server = &plan->experiment->servers[k],
                                  .why = why,
                                  .why_bytes = why_bytes};
      if (check_sought(&check) != 0 || check_server(&check, &load.config) == -EINVAL)
        return -EINVAL;
    }
  }
  return 0;
}
