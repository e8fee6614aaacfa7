/* servers.c: see servers.h. */
#include "bench/servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/registry.h"
#include "common/addr.h"
#include "common/cli.h"
#include "common/words.h"

/* Descriptors of a server beside its connections: standard ones, listeners, its waiting object. */
enum { OWN_DESCRIPTORS = 16 };

static const struct mux_backend *backend_of(const struct experiment_server *server, char *why,
                                            size_t why_bytes) {
  const struct mux_backend *backend = NULL;
  if (mux_plugin_is_path(server->backend)) {
    mux_plugin_load(&backend, server->backend, why, why_bytes);
    return backend;
  }
  backend = mux_registry_find(server->backend);
  if (backend == NULL) {
    char names[512];
    char shown[64];
    snprintf(why, why_bytes, "unknown backend '%s'; there are %s",
             mux_printable(shown, sizeof shown, server->backend),
             mux_registry_names(names, sizeof names));
  }
  return backend;
}

static bool is_own(const struct experiment_server *server) {
  return server->command == NULL && server->target == NULL;
}

static void add_available(struct experiment *e) {
  size_t n;
  const struct mux_backend *const *all = mux_registry_all(&n);
  e->servers = calloc(n > 0 ? n : 1, sizeof *e->servers);
  if (e->servers == NULL)
    abort();
  for (size_t i = 0; i < n && e->server_count < EXPERIMENT_SERVERS; i++) {
    char why[256];
    if (mux_backend_probe(all[i], why, sizeof why) != 0 || (all[i]->transports & MUX_TCP) == 0)
      continue;
    struct experiment_server *server = &e->servers[e->server_count++];
    server->label = strdup(all[i]->name);
    server->backend = strdup(all[i]->name);
    if (server->label == NULL || server->backend == NULL)
      abort();
  }
  e->all_available = false;
}

/* Is label in "a,b,c"? */
static bool is_listed(const char *list, const char *label) {
  size_t length = strlen(label);
  for (const char *p = list; *p != 0;) {
    const char *end = strchrnul(p, ',');
    if ((size_t)(end - p) == length && memcmp(p, label, length) == 0)
      return true;
    p = *end == ',' ? end + 1 : end;
  }
  return false;
}

/* Every name of the list must be a server of the experiment. */
static int check_listed(const struct experiment *e, const char *list, char *why, size_t why_bytes) {
  char *copy = strdup(list);
  char *rest = copy;
  int rc = 0;
  for (char *name; rc == 0 && rest != NULL && (name = strsep(&rest, ",")) != NULL;) {
    bool found = false;
    for (int i = 0; i < e->server_count; i++)
      found = found || strcmp(e->servers[i].label, name) == 0;
    char shown[64];
    if (!found) {
      snprintf(why, why_bytes, "--backends: '%s' is not among the experiment's servers",
               mux_printable(shown, sizeof shown, name));
      rc = -EINVAL;
    }
  }
  free(copy);
  return rc;
}

/* Moves the ones that stay to the front; the others keep their memory behind server_count no more:
 * they are released here. */
static void keep_listed(struct experiment *e, const char *list) {
  int kept = 0;
  for (int i = 0; i < e->server_count; i++) {
    if (is_listed(list, e->servers[i].label)) {
      struct experiment_server moved = e->servers[i];
      e->servers[i] = (struct experiment_server){0};
      e->servers[kept++] = moved;
    } else {
      experiment_server_free(&e->servers[i]);
    }
  }
  e->server_count = kept;
}

int servers_resolve(struct experiment *e, const char *only, char *why, size_t why_bytes) {
  if (e->all_available)
    add_available(e);
  if (only != NULL) {
    int rc = check_listed(e, only, why, why_bytes);
    if (rc != 0)
      return rc;
    keep_listed(e, only);
  }
  if (e->server_count == 0) {
    snprintf(why, why_bytes, "no server is left to run");
    return -EINVAL;
  }
  bool has_baseline = false;
  for (int i = 0; i < e->server_count; i++) {
    const struct experiment_server *server = &e->servers[i];
    char reason[512];
    has_baseline = has_baseline || strcmp(server->label, e->baseline) == 0;
    if (!is_own(server))
      continue;
    const struct mux_backend *backend = backend_of(server, why, why_bytes);
    if (backend == NULL)
      return -EINVAL;
    if (mux_backend_probe(backend, reason, sizeof reason) != 0) {
      snprintf(why, why_bytes, "backend %s cannot run here: %s", backend->name, reason);
      return -EINVAL;
    }
  }
  if (!has_baseline)
    *e->baseline = 0;
  return 0;
}

static int64_t number_of(const struct experiment *e, const struct plan_cell *cell,
                         const char *key) {
  const struct experiment_axis *axis = experiment_axis(e, OPTION_LOAD, key);
  return axis != NULL ? axis->values[cell->choice[axis - e->axes]].number : 0;
}

static int64_t workers_of(const struct experiment *e, const struct plan_cell *cell,
                          const struct experiment_server *server,
                          const struct mux_backend *backend) {
  const struct experiment_axis *axis = experiment_axis(e, OPTION_SERVE, "workers");
  for (int i = 0; i < server->own_count; i++)
    if (strcmp(server->own[i].option->key, "workers") == 0)
      return server->own[i].values[0].number;
  if (axis != NULL)
    return axis->values[cell->choice[axis - e->axes]].number;
  return backend->default_workers > 0 ? backend->default_workers : 1;
}

static char *reason(const char *text) {
  char *copy = strdup(text);
  if (copy == NULL)
    abort();
  return copy;
}

char *servers_skip(const struct experiment *e, const struct plan_cell *cell,
                   const struct experiment_server *server) {
  char why[512];
  struct mux_addr addr;
  const struct mux_backend *backend = is_own(server) ? backend_of(server, why, sizeof why) : NULL;
  if (backend == NULL)
    return NULL;
  int64_t connections = number_of(e, cell, "connections") + number_of(e, cell, "idle");
  const struct experiment_axis *listen = experiment_axis(e, OPTION_SERVE, "listen");
  const struct experiment_axis *mode = experiment_axis(e, OPTION_LOAD, "mode");
  if (listen != NULL && mux_addr_parse(&addr, listen->values[cell->choice[listen - e->axes]].text,
                                       true, why, sizeof why) == 0) {
    unsigned needed = addr.kind == MUX_ADDR_UDP    ? MUX_UDP
                      : addr.kind == MUX_ADDR_UNIX ? MUX_UNIX
                                                   : MUX_TCP;
    if ((backend->transports & needed) == 0) {
      snprintf(why, sizeof why, "%s does not serve %s", backend->name, mux_addr_transport(&addr));
      return reason(why);
    }
  }
  if (backend->fd_limit > 0 && connections + OWN_DESCRIPTORS > backend->fd_limit) {
    snprintf(why, sizeof why, "%s holds descriptors below %u only", backend->name,
             backend->fd_limit);
    return reason(why);
  }
  bool one_each =
      mode != NULL && strcmp(mode->values[cell->choice[mode - e->axes]].text, "crr") == 0;
  int64_t workers = workers_of(e, cell, server, backend);
  if ((backend->flags & MUX_ONE_AT_A_TIME) != 0 && connections > workers && !one_each) {
    snprintf(why, sizeof why, "%s serves one connection per worker at a time, it has %lld",
             backend->name, (long long)workers);
    return reason(why);
  }
  return NULL;
}
