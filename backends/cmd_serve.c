/* cmd_serve.c: `muxbench serve`, its options. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "backends/accept.h"
#include "backends/registry.h"
#include "backends/serve.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"

enum {
  KEY_LISTEN = 1000,
  KEY_CPUS,
  KEY_DRAIN,
  KEY_WORK,
  KEY_STATS,
  KEY_OPTIONS,
  KEY_CONGESTION,
  KEY_BACKLOG,
  KEY_BUFFER,
  KEY_NAGLE,
  KEY_SNDBUF,
  KEY_RCVBUF,
  KEY_ALLOW_REMOTE,
  KEY_COUNTERS_FD,
  KEY_ACCEPT,
  KEY_RCVLOWAT,
  KEY_BUSY_POLL,
  KEY_QUICKACK,
  KEY_DEFER_ACCEPT,
};

enum { MAX_WORKERS = 1024, MAX_SOCKET_BUFFER = 1 << 30, MAX_ECHO_BUFFER = 64 << 20 };
static const char DEFAULT_LISTEN[] = "tcp://127.0.0.1:0";

/* What was typed; the rest goes to the configuration at once. */
struct serve_args {
  struct mux_serve_config config;
  const char *backend;
  const char *listen;
  const char *options;
  bool allow_remote;
};

static const struct argp_option argp_options[] = {
    {"backend", 'b', "NAME", 0, "Backend, or the path of a plug-in (./my.so)", 0},
    {"listen", KEY_LISTEN, "ADDR", 0,
     "Address to serve on; port 0: the kernel picks one (default tcp://127.0.0.1:0)", 0},
    {"workers", 'w', "N", 0, "Number of workers (default: the backend's own, mostly 1)", 0},
    {"cpus", KEY_CPUS, "LIST", 0,
     "CPUs to run on, such as 0,2-3; several workers get one each, in turn (default: inherited)",
     0},
    {"drain", KEY_DRAIN, "TIME", 0,
     "After SIGTERM or SIGINT, how long connections may take to end (default 1s)", 0},
    {"work", KEY_WORK, "TIME", 0, "CPU time to burn per message, for calibration (default 0)", 0},
    {"stats", KEY_STATS, "FILE", 0, "Keep counters in this file, as JSON, four times a second", 0},
    {"options", KEY_OPTIONS, "K=V,...", 0, "Options of the backend; 'muxbench list' has them", 0},
    {"congestion", KEY_CONGESTION, "NAME", 0,
     "TCP congestion control, or 'system' for the machine's default (default cubic)", 0},
    {"accept", KEY_ACCEPT, "POLICY", 0,
     "How several workers come by connections: reuseport (a listener each), shared (one, all are "
     "woken), exclusive (one, one is woken), handoff (one thread accepts for all) (default: "
     "reuseport for TCP, else shared)",
     0},
    {"backlog", KEY_BACKLOG, "N", 0, "Length of the accept queue (default: somaxconn)", 0},
    {"buffer", KEY_BUFFER, "SIZE", 0,
     "Echo buffer: at most this much waits per connection (default 16KiB)", 0},
    {"nagle", KEY_NAGLE, NULL, 0, "Leave TCP_NODELAY off", 0},
    {"sndbuf", KEY_SNDBUF, "SIZE", 0, "SO_SNDBUF of connections (default: the system's)", 0},
    {"rcvbuf", KEY_RCVBUF, "SIZE", 0, "SO_RCVBUF of connections (default: the system's)", 0},
    {"rcvlowat", KEY_RCVLOWAT, "SIZE", 0,
     "SO_RCVLOWAT of connections: not readable with less, so no more than the payload (default 1)",
     0},
    {"busy-poll", KEY_BUSY_POLL, "TIME", 0, "SO_BUSY_POLL of connections (default off)", 0},
    {"quickack", KEY_QUICKACK, NULL, 0, "TCP_QUICKACK of new connections", 0},
    {"defer-accept", KEY_DEFER_ACCEPT, "TIME", 0,
     "TCP_DEFER_ACCEPT: accept when the first bytes are there, or after this many seconds (default "
     "off)",
     0},
    {"allow-remote", KEY_ALLOW_REMOTE, NULL, 0, "Permit addresses other than loopback", 0},
    {"counters-fd", KEY_COUNTERS_FD, "FD", OPTION_HIDDEN, NULL, 0},
    {0},
};

static int parse_counters_fd(const char *text) {
  int fd = (int)mux_option_count("--counters-fd", text, 0, 1 << 20);
  if (fcntl(fd, F_GETFD) < 0)
    mux_die(MUX_EXIT_USAGE, "--counters-fd: %d is not an open descriptor", fd);
  return fd;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  struct serve_args *args = state->input;
  struct mux_serve_config *config = &args->config;
  switch (key) {
  case 'b':
    args->backend = text;
    break;
  case 'w':
    config->workers = (uint32_t)mux_option_count("--workers", text, 1, MAX_WORKERS);
    break;
  case KEY_LISTEN:
    args->listen = text;
    break;
  case KEY_CPUS: {
    int rc = mux_cpus_parse(&config->cpus, text);
    char shown[64];
    if (rc != 0)
      mux_die(MUX_EXIT_USAGE, "--cpus: '%s' %s", mux_printable(shown, sizeof shown, text),
              rc == -ENODEV ? "names a CPU that this process may not use"
                            : "is not a list such as 0,2-3");
    break;
  }
  case KEY_DRAIN:
    config->drain_ns = mux_option_time("--drain", text, 0, 3600 * MUX_S);
    break;
  case KEY_WORK:
    config->work_ns = mux_option_time("--work", text, 0, 10 * MUX_S);
    break;
  case KEY_STATS:
    config->stats_path = text;
    break;
  case KEY_OPTIONS:
    args->options = text;
    break;
  case KEY_CONGESTION:
    config->congestion_asked = strcmp(text, "system") != 0;
    config->sock_options.congestion = config->congestion_asked ? text : NULL;
    break;
  case KEY_ACCEPT:
    config->accept = (enum mux_accept)(MUX_ACCEPT_REUSEPORT +
                                       mux_option_choice("--accept", text, mux_accept_names));
    break;
  case KEY_BACKLOG:
    config->backlog = (int)mux_option_count("--backlog", text, 1, INT32_MAX);
    break;
  case KEY_BUFFER:
    config->buffer_bytes = (uint32_t)mux_option_size("--buffer", text, 1, MAX_ECHO_BUFFER);
    break;
  case KEY_NAGLE:
    config->sock_options.nagle = true;
    break;
  case KEY_SNDBUF:
    config->sock_options.sndbuf_bytes =
        (int)mux_option_size("--sndbuf", text, 1, MAX_SOCKET_BUFFER);
    break;
  case KEY_RCVBUF:
    config->sock_options.rcvbuf_bytes =
        (int)mux_option_size("--rcvbuf", text, 1, MAX_SOCKET_BUFFER);
    break;
  case KEY_RCVLOWAT:
    config->sock_options.rcvlowat_bytes =
        (int)mux_option_size("--rcvlowat", text, 1, MAX_SOCKET_BUFFER);
    break;
  case KEY_BUSY_POLL:
    config->sock_options.busy_poll_us =
        (int)(mux_option_time("--busy-poll", text, MUX_US, MUX_S) / MUX_US);
    break;
  case KEY_QUICKACK:
    config->sock_options.quickack = true;
    break;
  case KEY_DEFER_ACCEPT:
    config->sock_options.defer_accept_s =
        (int)(mux_option_time("--defer-accept", text, MUX_S, 60 * MUX_S) / MUX_S);
    break;
  case KEY_ALLOW_REMOTE:
    args->allow_remote = true;
    break;
  case KEY_COUNTERS_FD:
    config->counters_fd = parse_counters_fd(text);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct mux_backend *find_backend(const char *name) {
  const struct mux_backend *backend = NULL;
  char shown[128];
  char names[512];
  char why[512] = "";
  if (name == NULL)
    mux_die(MUX_EXIT_USAGE, "--backend is missing; there are: %s",
            mux_registry_names(names, sizeof names));
  mux_printable(shown, sizeof shown, name);
  if (mux_plugin_is_path(name)) {
    if (mux_plugin_load(&backend, name, why, sizeof why) != 0)
      mux_die(MUX_EXIT_USAGE, "--backend: %s is not a usable plug-in: %s", shown, why);
  } else {
    backend = mux_registry_find(name);
  }
  if (backend == NULL)
    mux_die(MUX_EXIT_USAGE, "--backend: there is no '%s'; there are: %s", shown,
            mux_registry_names(names, sizeof names));
  if (mux_backend_probe(backend, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--backend: %s is not available: %s", shown, why);
  return backend;
}

static void check_transport(const struct mux_serve_config *config) {
  static const struct {
    unsigned flag;
    const char *name;
  } transports[] = {[MUX_ADDR_TCP] = {MUX_TCP, "TCP"},
                    [MUX_ADDR_UDP] = {MUX_UDP, "UDP"},
                    [MUX_ADDR_UNIX] = {MUX_UNIX, "Unix stream sockets"}};
  if ((config->backend->transports & transports[config->listen.kind].flag) == 0)
    mux_die(MUX_EXIT_USAGE, "--listen: %s does not serve %s", config->backend->name,
            transports[config->listen.kind].name);
}

static void set_accept(struct mux_serve_config *config) {
  const struct mux_backend *backend = config->backend;
  enum mux_addr_kind kind = config->listen.kind;
  if (config->accept == MUX_ACCEPT_DEFAULT)
    config->accept = mux_accept_default(backend, kind);
  const char *reason = mux_accept_refusal(backend, kind, config->accept);
  if (reason != NULL)
    mux_die(MUX_EXIT_USAGE, "--accept: not '%s' with %s here: %s",
            mux_accept_names[config->accept - MUX_ACCEPT_REUSEPORT], backend->name, reason);
}

static void set_workers(struct mux_serve_config *config) {
  const struct mux_backend *backend = config->backend;
  if (config->workers == 0)
    config->workers = backend->default_workers > 0 ? backend->default_workers : 1;
  if (backend->max_workers > 0 && config->workers > backend->max_workers)
    mux_die(MUX_EXIT_USAGE, "--workers: %s serves with at most %u", backend->name,
            backend->max_workers);
}

int cmd_serve(int argc, char **argv) {
  static const struct argp argp = {
      .options = argp_options,
      .parser = parse_option,
      .doc = "Serve echo (RFC 862) with one backend until SIGTERM or SIGINT."
             "\vPrints one line 'listening ADDR' once clients can connect. Sizes take KiB and MiB, "
             "times us, ms and s.\n\nExample: muxbench serve --backend epoll-et --cpus 0"};
  struct serve_args args = {
      .listen = DEFAULT_LISTEN,
      .config = {.sock_options = MUX_SOCK_DEFAULTS,
                 .drain_ns = MUX_S,
                 .buffer_bytes = 16 << 10,
                 .counters_fd = -1},
  };
  mux_parse_args(&argp, argc, argv, &args);
  struct mux_serve_config *config = &args.config;
  config->backend = find_backend(args.backend);
  char why[512] = "";
  if (mux_options_parse(config->backend->options, args.options, config->options, why, sizeof why) !=
      0)
    mux_die(MUX_EXIT_USAGE, "--options: %s: %s", config->backend->name, why);
  mux_option_addr(&config->listen, "--listen", args.listen, args.allow_remote);
  check_transport(config);
  set_workers(config);
  set_accept(config);
  mux_raise_nofile();
  return mux_serve(config);
}
