/* servers.c: see servers.h. */
#include "bench/plan/servers.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/registry.h"
#include "bench/plan/plan_options.h"
#include "common/cli.h"
#include "common/memory.h"
#include "common/proc.h"
#include "common/sock.h"

/* Descriptors of a server besides its connections: standard streams, listeners, a poller. */
enum { OWN_DESCRIPTORS = 16 };
/* Standard deviations from the mean of what a table gets by chance. */
static const double spread = 4;
/* Of all tasks, for one server; kernel memory of a connection, both ends. */
static const double share = .95;
static const double connection_bytes = 9000;

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

/* Moves the servers of the list to the front and frees the others. */
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

/* Is there such a backend, and can it run here? */
static int find_backend(const struct experiment *e, struct experiment_server *server, bool needed,
                        char *why, size_t why_bytes) {
  char reason[512];
  char probed[400];
  const struct mux_backend *backend;
  int rc = mux_serve_find_backend(&backend, server->backend, reason, sizeof reason);
  if (rc == 0 && mux_backend_probe(backend, probed, sizeof probed) != 0) {
    snprintf(reason, sizeof reason, "%s cannot run here: %s", backend->name, probed);
    server->unavailable = mux_copy(reason);
    rc = needed || strcmp(server->label, e->baseline) == 0 ? -EINVAL : 0;
  }
  if (rc != 0)
    snprintf(why, why_bytes, "%s%sbackend: %s", server->place != NULL ? server->place : "",
             server->place != NULL ? ": " : "", reason);
  return rc == 0 ? 0 : -EINVAL;
}

int servers_resolve(struct experiment *e, const char *only, char *why, size_t why_bytes) {
  bool has_baseline = false;
  int rc = 0;
  if (e->all_available)
    add_available(e);
  if (only != NULL && (rc = check_listed(e, only, why, why_bytes)) != 0)
    return rc;
  if (only != NULL)
    keep_listed(e, only);
  if (e->server_count == 0) {
    snprintf(why, why_bytes, "no server is left to run");
    return -EINVAL;
  }
  for (int i = 0; i < e->server_count && rc == 0; i++) {
    struct experiment_server *server = &e->servers[i];
    has_baseline = has_baseline || strcmp(server->label, e->baseline) == 0;
    if (plan_is_own(server))
      rc = find_backend(e, server, only != NULL, why, why_bytes);
  }
  if (rc == 0 && !has_baseline) {
    if (only != NULL && *e->baseline != 0)
      mux_note("--backends leaves out the baseline, %s: nothing will be compared", e->baseline);
    *e->baseline = 0;
  }
  return rc;
}

/* Connections that listen(2) lets wait: --backlog, cut to the host's limit. */
static int64_t queue_of(const struct mux_serve_config *serve) {
  int64_t most = SOMAXCONN;
  FILE *limit = fopen("/proc/sys/net/core/somaxconn", "re");
  if (limit != NULL && fscanf(limit, "%" SCNd64, &most) != 1)
    most = SOMAXCONN;
  if (limit != NULL)
    fclose(limit);
  return serve->backlog > 0 && serve->backlog < most ? serve->backlog : most;
}

static int64_t at_a_time(const struct load_config *load, const struct mux_serve_config *serve) {
  bool one_each = (serve->backend->flags & MUX_ONE_AT_A_TIME) != 0;
  bool waits = one_each && load->mode != LOAD_CRR && serve->listen.kind != MUX_ADDR_UDP;
  return waits && serve->workers < (uint32_t)(load->connections + load->idle) ? serve->workers : 0;
}

int64_t servers_at_a_time(const struct experiment *e, const struct plan_cell *cell,
                          const struct experiment_server *server) {
  struct load_options load;
  struct mux_serve_options serve;
  struct mux_option_error error;
  if (!plan_is_own(server) || plan_serve_options(e, cell, server, &serve, &error) != 0)
    return 0;
  plan_load_options(e, cell, &load);
  return at_a_time(&load.config, &serve.config);
}

/* Tables of descriptors that connections are spread over. */
static long tables_of(const struct mux_serve_config *serve) {
  bool processes = (serve->backend->flags & MUX_PROCESSES) != 0;
  return processes || serve->descriptors == MUX_DESCRIPTORS_OWN ? (long)serve->workers : 1;
}

/* Not of a model that serves one at a time, nor of one with a process for each connection. */
static bool holds_in_tables(const struct load_config *load, const struct mux_serve_config *serve) {
  unsigned flags = serve->backend->flags;
  bool process_each = (flags & MUX_PROCESSES) != 0 && (flags & MUX_THREAD_PER_CONNECTION) != 0;
  return load->target.kind != MUX_ADDR_UDP && (flags & MUX_ONE_AT_A_TIME) == 0 && !process_each;
}

/* What this host lacks for so many connections, or NULL. */
static char *skip_host(const struct load_config *load, const struct mux_serve_config *serve,
                       double tasks) {
  char text[4096];
  double connections = (double)load->connections + load->idle;
  double tables = (double)tables_of(serve);
  /* SO_REUSEPORT chooses by a hash: some get more than their share. */
  double table = ceil(connections / tables + spread * sqrt(connections / tables) * (tables > 1));
  double limit = (double)mux_raise_nofile();
  if (holds_in_tables(load, serve) && limit > 0 && table + OWN_DESCRIPTORS > limit)
    return mux_format("%s needs %.0f descriptors in a table, the hard limit is %.0f (ulimit -Hn): "
                      "serve.workers = %.0f would do%s",
                      serve->backend->name, table, limit,
                      ceil(connections / (limit - OWN_DESCRIPTORS - spread * sqrt(limit))),
                      serve->descriptors == MUX_DESCRIPTORS_OWN ? "" : ", with a table each");
  double pids = mux_proc_count("/proc/sys/kernel/pid_max");
  double threads = mux_proc_count("/proc/sys/kernel/threads-max");
  double most = threads > 0 && threads < pids ? threads : pids;
  if (most > 0 && tasks > most * share)
    return mux_format("%s needs %.0f tasks, the host has %.0f (kernel.pid_max, kernel.threads-max)",
                      serve->backend->name, tasks, most);
  double files = mux_proc_count("/proc/sys/fs/file-max");
  if (files > 0 && 2 * connections > files)
    return mux_format("%.0f connections are twice as many files, fs.file-max is %.0f", connections,
                      files);
  double free_bytes = mux_proc_read("/proc/meminfo", text, sizeof text) > 0
                          ? (double)mux_proc_number(text, "MemAvailable") * 1024
                          : 0;
  if (free_bytes > 0 && connections * connection_bytes > free_bytes)
    return mux_format("%.0f connections take about %.1f GiB of memory, %.1f GiB are free",
                      connections, connections * connection_bytes / 0x1p30, free_bytes / 0x1p30);
  return NULL;
}

/* Why one of our own backends cannot hold this load, or NULL. */
static char *skip_own(const struct load_config *load, const struct mux_serve_config *serve) {
  const struct mux_backend *backend = serve->backend;
  int64_t connections = load->connections + load->idle;
  uint32_t limit = mux_backend_fd_limit(backend, serve->options);
  if (limit > 0 && connections + OWN_DESCRIPTORS > limit)
    return mux_format("%s holds descriptors below %u only", backend->name, limit);
  int64_t served = at_a_time(load, serve);
  int64_t queue = served > 0 ? queue_of(serve) : 0;
  if (served > 0 && connections > served + queue)
    return mux_format(
        "%s serves %lld at a time and %lld more can wait (net.core.somaxconn, --backlog)",
        backend->name, (long long)served, (long long)queue);
  return NULL;
}

char *servers_skip(const struct experiment *e, const struct plan_cell *cell,
                   const struct experiment_server *server) {
  struct load_options load;
  struct mux_serve_options serve;
  struct mux_option_error error;
  plan_load_options(e, cell, &load);
  long limit = mux_raise_nofile();
  long needed = load_config_descriptors(&load.config);
  if (limit > 0 && needed > limit)
    return mux_format("the load needs %ld descriptors, the hard limit is %ld (ulimit -Hn)", needed,
                      limit);
  if (!plan_is_own(server))
    return NULL;
  if (server->unavailable != NULL)
    return mux_copy(server->unavailable);
  int rc = plan_serve_options(e, cell, server, &serve, &error);
  if (rc == -ENOTSUP)
    return mux_copy(error.text);
  if (rc == 0 && e->method == METHOD_SLICES && at_a_time(&load.config, &serve.config) > 0)
    return mux_format("%s serves one connection at a time, which slices cannot show: "
                      "--set method=fresh",
                      server->backend);
  char *skip = rc == 0 ? skip_own(&load.config, &serve.config) : NULL;
  return skip != NULL || rc != 0
             ? skip
             : skip_host(&load.config, &serve.config, servers_tasks(e, cell, server));
}

double servers_tasks(const struct experiment *e, const struct plan_cell *cell,
                     const struct experiment_server *server) {
  struct load_options load;
  struct mux_serve_options serve;
  struct mux_option_error error;
  plan_load_options(e, cell, &load);
  double connections = load.config.connections + load.config.idle;
  if (!plan_is_own(server)) /* it may well be of that kind */
    return server->target != NULL ? 0 : connections;
  if (plan_serve_options(e, cell, server, &serve, &error) != 0)
    return 1;
  bool each = (serve.config.backend->flags & MUX_THREAD_PER_CONNECTION) != 0;
  return serve.config.workers + (each ? connections : 0);
}
