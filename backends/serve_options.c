/* serve_options.c: see serve_options.h. */
#include "backends/serve_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "backends/accept.h"
#include "backends/registry.h"
#include "common/cli.h"
#include "common/clock.h"

enum { WORKERS_MAX = 1024, SOCKET_BUFFER_MAX = 1 << 30, ECHO_BUFFER_MAX = 64 << 20 };

/* Where only root may choose it, the system's stays in place; what was asked for is an error then.
 */
static const char default_congestion[] = "cubic";

#define OPTION(member) MUX_FIELD(struct mux_serve_options, member)
#define CONFIG(member) MUX_FIELD(struct mux_serve_options, config.member)
#define SOCKET(member) MUX_FIELD(struct mux_serve_options, config.sock_options.member)
#define MAY_VARY       .flags = MUX_OPTION_EXPERIMENT
#define COUNT          .kind = MUX_VALUE_COUNT
#define SIZE           .kind = MUX_VALUE_SIZE
#define TIME           .kind = MUX_VALUE_TIME
#define TEXT           .kind = MUX_VALUE_TEXT
#define FLAG           .kind = MUX_VALUE_FLAG

const struct mux_option_row mux_serve_option_table[] = {
    {"backend", .letter = 'b', TEXT, OPTION(backend), .argument = "NAME",
     .flags = MUX_OPTION_REQUIRED, .help = "The backend, or the path of a plug-in (./my.so)"},
    {"listen", TEXT, OPTION(listen), MAY_VARY, .argument = "ADDR", .fallback = "tcp://127.0.0.1:0",
     .help = "Address to serve on; port 0: the kernel picks one"},
    {"workers", .letter = 'w', COUNT, CONFIG(workers), MAY_VARY, .min = 1, .max = WORKERS_MAX,
     .absent = "the backend's own, usually 1", .help = "Number of workers"},
    {"cpus", .kind = MUX_VALUE_CPUS, CONFIG(cpus), .absent = "inherited",
     .help = "CPUs to run on, such as 0,2-3; several workers get one each, in turn"},
    {"drain", TIME, CONFIG(drain_ns), MAY_VARY, .min = 0, .max = 3600 * MUX_S, .fallback = "1s",
     .help = "After SIGTERM or SIGINT, how long connections may take to end"},
    {"work", TIME, CONFIG(work_ns), MAY_VARY, .min = 0, .max = 10 * MUX_S, .fallback = "0s",
     .help = "CPU time to burn per message (several that are received at once count as one)"},
    {"stats", TEXT, CONFIG(stats_path), .argument = "FILE", .absent = "none",
     .help = "Write counters to this file as JSON, four times a second"},
    {"options", TEXT, OPTION(options), MAY_VARY, .argument = "K=V,...",
     .absent = "each has its own", .help = "Options of the backend; 'muxbench list' shows them"},
    {"congestion", TEXT, SOCKET(congestion), MAY_VARY, .argument = "NAME", .none = "system",
     .fallback = default_congestion,
     .help = "TCP congestion control; 'system': the machine's default"},
    {"accept", .kind = MUX_VALUE_CHOICE, CONFIG(accept), MAY_VARY, .argument = "POLICY",
     .min = MUX_ACCEPT_REUSEPORT, .choices = mux_accept_names,
     .absent = "reuseport for TCP, otherwise shared",
     .help = "How several workers get their connections: reuseport (a listener each), shared (one "
             "listener wakes all), exclusive (one listener wakes one), handoff (one thread accepts "
             "for all)"},
    {"descriptors", .kind = MUX_VALUE_CHOICE, CONFIG(descriptors), MAY_VARY, .argument = "TABLES",
     .choices = mux_descriptors_names, .fallback = "own",
     .help = "Several workers have a table of descriptors each (own), so that the limit of open "
             "files holds for each, or one together (shared)"},
    {"backlog", COUNT, CONFIG(backlog), MAY_VARY, .min = 1, .max = INT32_MAX,
     .absent = "net.core.somaxconn", .help = "Length of the accept queue"},
    {"buffer", SIZE, CONFIG(buffer_bytes), MAY_VARY, .min = 1, .max = ECHO_BUFFER_MAX,
     .fallback = "16KiB", .help = "Echo buffer: the most that waits in the server per connection"},
    {"nagle", FLAG, SOCKET(nagle), MAY_VARY, .help = "Leave TCP_NODELAY off"},
    {"sndbuf", SIZE, SOCKET(sndbuf_bytes), MAY_VARY, .min = 1, .max = SOCKET_BUFFER_MAX,
     .absent = "the system's", .help = "SO_SNDBUF of connections"},
    {"rcvbuf", SIZE, SOCKET(rcvbuf_bytes), MAY_VARY, .min = 1, .max = SOCKET_BUFFER_MAX,
     .absent = "the system's", .help = "SO_RCVBUF of connections"},
    {"rcvlowat", SIZE, SOCKET(rcvlowat_bytes), MAY_VARY, .min = 1, .max = SOCKET_BUFFER_MAX,
     .absent = "1",
     .help = "SO_RCVLOWAT of connections: they are readable from this many bytes on, so not more "
             "than the payload"},
    {"busy-poll", TIME, SOCKET(busy_poll_us), MAY_VARY, .min = MUX_US, .max = MUX_S,
     .scale = MUX_US, .absent = "off", .help = "SO_BUSY_POLL of connections"},
    {"quickack", FLAG, SOCKET(quickack), MAY_VARY, .help = "TCP_QUICKACK of new connections"},
    {"defer-accept", TIME, SOCKET(defer_accept_s), MAY_VARY, .min = MUX_S, .max = 60 * MUX_S,
     .scale = MUX_S, .absent = "off",
     .help = "TCP_DEFER_ACCEPT: accept when the first bytes have come, or after this time"},
    {"allow-remote", FLAG, OPTION(allow_remote), .help = "Permit addresses other than loopback"},
    {"counters-fd", COUNT, CONFIG(counters_fd), .argument = "FD", .min = 0, .max = 1 << 20,
     .absent = "none", .flags = MUX_OPTION_HIDDEN, .help = "Count in this memory file"},
    {0},
};

void mux_serve_options_default(struct mux_serve_options *options) {
  *options = (struct mux_serve_options){.config = {.counters_fd = -1}};
  mux_option_table_defaults(mux_serve_option_table, options);
}

int mux_serve_find_backend(const struct mux_backend **backend, const char *name, char *why,
                           size_t why_bytes) {
  char shown[128];
  char reason[384];
  char names[384];
  int rc = 0;
  mux_printable(shown, sizeof shown, name);
  if (mux_plugin_is_path(name)) {
    rc = mux_plugin_load(backend, name, reason, sizeof reason);
    if (rc != 0)
      snprintf(why, why_bytes, "%s is not a usable plug-in: %s", shown, reason);
    return rc;
  }
  *backend = mux_registry_find(name);
  if (*backend != NULL)
    return 0;
  snprintf(why, why_bytes, "there is no '%s'; there are: %s", shown,
           mux_registry_names(names, sizeof names));
  return -ENOENT;
}

static int resolve_listen(struct mux_serve_options *options, struct mux_option_error *error) {
  char why[160];
  char shown[160];
  if (mux_addr_parse(&options->config.listen, options->listen, options->allow_remote, why,
                     sizeof why) == 0)
    return 0;
  return mux_option_error_set(error, "listen", "'%s': %s",
                              mux_printable(shown, sizeof shown, options->listen), why);
}

/* What this kind of backend does not do. Returns 0 or -ENOTSUP. */
static int check_backend(const struct mux_serve_config *config, struct mux_option_error *error) {
  static const unsigned transports[] = {
      [MUX_ADDR_TCP] = MUX_TCP, [MUX_ADDR_UDP] = MUX_UDP, [MUX_ADDR_UNIX] = MUX_UNIX};
  const struct mux_backend *backend = config->backend;
  const struct mux_addr *listen = &config->listen;
  if ((backend->transports & transports[listen->kind]) == 0) {
    mux_option_error_set(error, "listen", "%s does not serve %s", backend->name,
                         mux_addr_transport(listen));
    return -ENOTSUP;
  }
  if (backend->max_workers > 0 && config->workers > backend->max_workers) {
    mux_option_error_set(error, "workers", "%s serves with at most %u worker%s", backend->name,
                         backend->max_workers, backend->max_workers == 1 ? "" : "s");
    return -ENOTSUP;
  }
  const char *refusal = mux_accept_refusal(backend, listen->kind, config->accept);
  if (refusal != NULL) {
    mux_option_error_set(error, "accept", "%s cannot accept by '%s': %s", backend->name,
                         mux_accept_names[config->accept - MUX_ACCEPT_REUSEPORT], refusal);
    return -ENOTSUP;
  }
  return 0;
}

int mux_serve_options_resolve(struct mux_serve_options *options, struct mux_option_error *error) {
  struct mux_serve_config *config = &options->config;
  const struct mux_backend *backend = config->backend;
  char why[480];
  const char *congestion = config->sock_options.congestion;
  config->congestion_asked = congestion != NULL && congestion != default_congestion;
  if (config->counters_fd >= 0 && fcntl(config->counters_fd, F_GETFD) < 0)
    return mux_option_error_set(error, "counters-fd", "%d is not an open descriptor",
                                config->counters_fd);
  if (mux_options_parse(backend->options, options->options, config->options, why, sizeof why) != 0)
    return mux_option_error_set(error, "options", "%s: %s", backend->name, why);
  if (resolve_listen(options, error) != 0)
    return -EINVAL;
  if (config->workers == 0)
    config->workers = backend->default_workers > 0 ? backend->default_workers : 1;
  if (config->accept == MUX_ACCEPT_DEFAULT)
    config->accept = mux_accept_default(backend, config->listen.kind);
  return check_backend(config, error);
}
