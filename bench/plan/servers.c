/* servers.c: see servers.h. */
#include "bench/plan/servers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/accept.h"
#include "backends/registry.h"
#include "common/addr.h"
#include "common/cli.h"
#include "common/memory.h"
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
  e->servers = mux_new(n, sizeof *e->servers);
  for (size_t i = 0; i < n && e->server_count < EXPERIMENT_SERVERS; i++) {
    char why[256];
    if (mux_backend_probe(all[i], why, sizeof why) != 0 || (all[i]->transports & MUX_TCP) == 0)
      continue;
    struct experiment_server *server = &e->servers[e->server_count++];
    server->label = mux_copy(all[i]->name);
    server->backend = mux_copy(all[i]->name);
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

/* The value of an option in a cell, or NULL if it is left to the command. A server's own goes
 * before the matrix. */
static const struct experiment_value *value_of(const struct experiment *e,
                                               const struct plan_cell *cell,
                                               const struct experiment_server *server,
                                               enum option_group group, const char *key) {
  const struct plan plan = {.experiment = e};
  return plan_value(&plan, cell, server, group, key);
}

static int64_t number_of(const struct experiment *e, const struct plan_cell *cell,
                         const struct experiment_server *server, enum option_group group,
                         const char *key, int64_t fallback) {
  const struct experiment_value *value = value_of(e, cell, server, group, key);
  return value != NULL ? value->number : fallback;
}

static int64_t connections_of(const struct experiment *e, const struct plan_cell *cell) {
  return number_of(e, cell, NULL, OPTION_LOAD, "connections", 1) +
         number_of(e, cell, NULL, OPTION_LOAD, "idle", 0);
}

/* False if it does not parse: serve will say so. */
static bool listens_on(const struct experiment *e, const struct plan_cell *cell,
                       const struct experiment_server *server, struct mux_addr *addr) {
  const struct experiment_value *listen = value_of(e, cell, server, OPTION_SERVE, "listen");
  char why[160];
  return listen != NULL && mux_addr_parse(addr, listen->text, true, why, sizeof why) == 0;
}

/* Connections that listen(2) lets wait: --backlog, cut to the host's limit. */
static int64_t queue_of(const struct experiment *e, const struct plan_cell *cell,
                        const struct experiment_server *server) {
  int64_t most = SOMAXCONN;
  FILE *limit = fopen("/proc/sys/net/core/somaxconn", "re");
  if (limit != NULL && fscanf(limit, "%" SCNd64, &most) != 1)
    most = SOMAXCONN;
  if (limit != NULL)
    fclose(limit);
  int64_t backlog = number_of(e, cell, server, OPTION_SERVE, "backlog", most);
  return backlog < most ? backlog : most;
}

static int64_t workers_of(const struct experiment *e, const struct plan_cell *cell,
                          const struct experiment_server *server,
                          const struct mux_backend *backend) {
  int64_t usual = backend->default_workers > 0 ? backend->default_workers : 1;
  return number_of(e, cell, server, OPTION_SERVE, "workers", usual);
}

static int64_t at_a_time(const struct experiment *e, const struct plan_cell *cell,
                         const struct experiment_server *server,
                         const struct mux_backend *backend) {
  struct mux_addr addr;
  const struct experiment_value *mode = value_of(e, cell, NULL, OPTION_LOAD, "mode");
  bool stays = mode == NULL || strcmp(mode->text, "crr") != 0;
  bool queues = !listens_on(e, cell, server, &addr) || addr.kind != MUX_ADDR_UDP;
  int64_t workers = workers_of(e, cell, server, backend);
  bool one_each = (backend->flags & MUX_ONE_AT_A_TIME) != 0;
  return one_each && stays && queues && workers < connections_of(e, cell) ? workers : 0;
}

int64_t servers_at_a_time(const struct experiment *e, const struct plan_cell *cell,
                          const struct experiment_server *server) {
  char why[512];
  const struct mux_backend *backend = is_own(server) ? backend_of(server, why, sizeof why) : NULL;
  return backend != NULL ? at_a_time(e, cell, server, backend) : 0;
}

char *servers_skip(const struct experiment *e, const struct plan_cell *cell,
                   const struct experiment_server *server) {
  char why[512];
  struct mux_addr addr;
  const struct mux_backend *backend = is_own(server) ? backend_of(server, why, sizeof why) : NULL;
  if (backend == NULL)
    return NULL;
  if (backend->max_workers > 0 && workers_of(e, cell, server, backend) > backend->max_workers)
    return mux_format("%s serves with at most %u worker%s", backend->name, backend->max_workers,
                      backend->max_workers == 1 ? "" : "s");
  if (listens_on(e, cell, server, &addr)) {
    unsigned needed = addr.kind == MUX_ADDR_UDP    ? MUX_UDP
                      : addr.kind == MUX_ADDR_UNIX ? MUX_UNIX
                                                   : MUX_TCP;
    if ((backend->transports & needed) == 0)
      return mux_format("%s does not serve %s", backend->name, mux_addr_transport(&addr));
    const struct experiment_value *accept = value_of(e, cell, server, OPTION_SERVE, "accept");
    const char *refusal =
        accept != NULL
            ? mux_accept_refusal(backend, addr.kind,
                                 (enum mux_accept)(MUX_ACCEPT_REUSEPORT + accept->number))
            : NULL;
    if (refusal != NULL)
      return mux_format("%s cannot accept '%s': %s", backend->name, accept->text, refusal);
  }
  int64_t connections = connections_of(e, cell);
  const struct experiment_value *options = value_of(e, cell, server, OPTION_SERVE, "options");
  uint32_t limit = mux_backend_fd_limit_of(backend, options != NULL ? options->text : NULL);
  if (limit > 0 && connections + OWN_DESCRIPTORS > limit)
    return mux_format("%s holds descriptors below %u only", backend->name, limit);
  int64_t served = at_a_time(e, cell, server, backend);
  int64_t queue = queue_of(e, cell, server);
  if (served > 0 && connections > served + queue)
    return mux_format(
        "%s serves %lld at a time and %lld more can wait (net.core.somaxconn, --backlog)",
        backend->name, (long long)served, (long long)queue);
  return NULL;
}
