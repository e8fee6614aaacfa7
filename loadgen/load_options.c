/* load_options.c: see load_options.h. */
#include "loadgen/load_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/pattern.h"
#include "common/units.h"
#include "loadgen/datagram.h"

enum {
  OPT_CONNECTIONS = 'c', /* as in wrk(1) */
  OPT_THREADS = 't',
  OPT_DURATION = 'd',
  OPT_RATE = 'R',
  OPT_TARGET = 256,
  OPT_PAYLOAD,
  OPT_DEPTH,
  OPT_ARRIVAL,
  OPT_WARMUP,
  OPT_RAMP,
  OPT_CPUS,
  OPT_TIMEOUT,
  OPT_INTERVAL,
  OPT_SEED,
  OPT_HLOG,
  OPT_JSON,
  OPT_SPIN,
  OPT_TIMESTAMPS,
  OPT_CONGESTION,
  OPT_ENGINE,
  OPT_MODE,
  OPT_SELFTEST,
  OPT_FIND_RATE,
  OPT_THINK,
  OPT_IDLE,
  OPT_SOURCES,
  OPT_LINGER0,
  OPT_HGRM,
  OPT_ALLOW_REMOTE,
  OPT_EVENTS_FD,
  OPT_HOLD,
};

enum { DEPTH_MOST = 1024, STREAM_BYTES = 4 << 20 };

static const struct argp_option table[] = {
    {"target", OPT_TARGET, "ADDR", 0,
     "Echo server: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH (required; --target may be "
     "left out)",
     1},
    {"connections", OPT_CONNECTIONS, "N", 0, "Connections that carry traffic (1)", 1},
    {"threads", OPT_THREADS, "N", 0,
     "Load threads, one CPU of --cpus each (1; no more than connections)", 1},
    {"mode", OPT_MODE, "MODE", 0,
     "echo; crr: connect, one echo, close; stream: as many bytes as go, 4 MiB under way (echo)", 1},
    {"payload", OPT_PAYLOAD, "BYTES", 0,
     "Bytes of a message (64; stream: 64KiB; udp: a datagram, 8 to 65507)", 1},
    {"depth", OPT_DEPTH, "N", 0,
     "Closed loop: messages outstanding per connection, 1 to 1024 (1; stream: 4 MiB of them)", 1},
    {"think", OPT_THINK, "TIME", 0, "Closed loop: pause between an echo and the next message (0)",
     1},
    {"idle", OPT_IDLE, "N", 0, "Silent connections besides, which must stay open (0)", 1},
    {"rate", OPT_RATE, "MSGS_PER_S", 0,
     "Open loop: messages per second, all connections together (absent: closed loop)", 2},
    {"arrival", OPT_ARRIVAL, "KIND", 0, "Open loop: constant or poisson (constant)", 2},
    {"duration", OPT_DURATION, "TIME", 0, "Length of the measured window (10s)", 3},
    {"warmup", OPT_WARMUP, "TIME", 0, "Traffic before it, verified but not recorded (1s)", 3},
    {"timeout", OPT_TIMEOUT, "TIME", 0,
     "For a connect, for an echo (udp: one that comes later is lost), and for what is out when the "
     "window ends (5s)",
     3},
    {"interval", OPT_INTERVAL, "TIME", 0, "Of the time series and of --hlog (1s)", 3},
    {"ramp", OPT_RAMP, "CONNS_PER_S", 0, "Connect at this pace (absent: as fast as it goes)", 4},
    {"congestion", OPT_CONGESTION, "NAME", 0,
     "TCP congestion control, or 'system' for the machine's default (cubic)", 4},
    {"sources", OPT_SOURCES, "CIDR", 0,
     "Connect from the addresses of this net in turn, such as 127.0.0.0/8", 4},
    {"linger0", OPT_LINGER0, NULL, 0, "Close with RST (SO_LINGER 0): leaves no TIME_WAIT", 4},
    {"cpus", OPT_CPUS, "LIST", 0, "CPUs for the load, such as 1 or 2-5 (inherited)", 5},
    {"spin", OPT_SPIN, "TIME", 0,
     "Open loop: poll instead of sleeping when a slot is due so soon; a sleep takes longer (20us)",
     5},
    {"timestamps", OPT_TIMESTAMPS, "1/N", 0,
     "TCP, UDP: on every N-th connection, tell the client's wake-up from the rest (kernel "
     "timestamps)",
     5},
    {"engine", OPT_ENGINE, "NAME", 0, "epoll or uring (epoll)", 5},
    {"seed", OPT_SEED, "N", 0, "Of the bytes and the schedule (1)", 6},
    {"hlog", OPT_HLOG, "FILE", 0, "Write interval histograms, HdrHistogram log format 1.3", 7},
    {"hgrm", OPT_HGRM, "FILE", 0, "Write the response percentiles (us), .hgrm", 7},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Result as JSON, to FILE or stdout", 7},
    {"find-rate", OPT_FIND_RATE, "OBJECTIVE", 0,
     "Find the highest --rate that holds an objective such as 'p99<1ms' (--duration of a try: 2s)",
     8},
    {"selftest", OPT_SELFTEST, "quick", OPTION_ARG_OPTIONAL,
     "Prove the accuracy of this load generator here, against servers of its own", 8},
    {"allow-remote", OPT_ALLOW_REMOTE, NULL, 0, "Permit a target that is not loopback", 8},
    {"events-fd", OPT_EVENTS_FD, "FD", OPTION_HIDDEN, "Write phase edges to this descriptor", 9},
    {"hold", OPT_HOLD, "FD", OPTION_HIDDEN, "Start traffic when this descriptor is readable", 9},
    {0},
};

static const char *const modes[] = {"echo", "crr", "stream", NULL};
static const char *const arrivals[] = {"constant", "poisson", NULL};

static const struct load_engine *find_engine(const char *name) {
  const char *names[8] = {NULL};
  for (int i = 0; load_engines[i] != NULL && i < 7; i++)
    names[i] = load_engines[i]->name;
  const struct load_engine *engine = load_engines[mux_option_choice("--engine", name, names)];
  char why[160];
  if (engine->probe != NULL && engine->probe(why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "--engine %s: %s", name, why);
  return engine;
}

struct parsed {
  struct load_options *options;
  const char *target;
  bool allow_remote;
};

static void parse_cpus(cpu_set_t *cpus, const char *text) {
  int rc = mux_cpus_parse(cpus, text);
  char shown[64];
  if (rc != 0)
    mux_die(MUX_EXIT_USAGE, "--cpus: '%s' %s", mux_printable(shown, sizeof shown, text),
            rc == -ENODEV ? "names a CPU that may not be used" : "is not a list such as 0,2-3");
}

/* ADDRESS/PREFIX. The network and the broadcast address of a net are left out. */
static void parse_sources(struct load_sources *sources, const char *text) {
  struct sockaddr_in *four = (struct sockaddr_in *)&sources->first.socket.storage;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&sources->first.socket.storage;
  char address[INET6_ADDRSTRLEN] = "";
  char shown[80];
  const char *slash = strchr(text, '/');
  if (slash != NULL && (size_t)(slash - text) < sizeof address)
    memcpy(address, text, (size_t)(slash - text));
  *sources = (struct load_sources){.first.kind = MUX_ADDR_TCP};
  uint32_t *low = NULL;
  int whole = 0;
  if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    sources->first.length = sizeof *four;
    low = &four->sin_addr.s_addr;
    whole = 32;
  } else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    sources->first.length = sizeof *six;
    low = &six->sin6_addr.s6_addr32[3];
    whole = 128;
  }
  int64_t prefix = 0;
  if (low == NULL || mux_parse_count(slash + 1, &prefix) != 0 || prefix > whole ||
      prefix < whole - 31)
    mux_die(MUX_EXIT_USAGE, "--sources: '%s' is not a net such as 127.0.0.0/8 (prefix %d to %d)",
            mux_printable(shown, sizeof shown, text), low == NULL ? 1 : whole - 31,
            low == NULL ? 32 : whole);
  uint32_t size = (uint32_t)1 << (whole - (int)prefix);
  bool net = whole == 32 && size > 2;
  *low = htonl((ntohl(*low) & ~(size - 1)) + net);
  sources->count = size - (net ? 2 : 0);
}

static error_t parse_loop(int key, char *arg, struct load_config *config) {
  switch (key) {
  case OPT_CONNECTIONS:
    config->connections =
        (int)mux_option_count("--connections", arg, 1, MUX_PATTERN_CONNECTIONS / 2);
    return 0;
  case OPT_THREADS:
    config->threads = (int)mux_option_count("--threads", arg, 1, 1024);
    return 0;
  case OPT_PAYLOAD:
    config->payload_bytes = mux_option_size("--payload", arg, 1, INT64_C(1) << 30);
    return 0;
  case OPT_DEPTH:
    config->depth = (int)mux_option_count("--depth", arg, 1, DEPTH_MOST);
    return 0;
  case OPT_IDLE:
    config->idle = (int)mux_option_count("--idle", arg, 0, MUX_PATTERN_CONNECTIONS / 2);
    return 0;
  case OPT_MODE:
    config->mode = (enum load_mode)mux_option_choice("--mode", arg, modes);
    return 0;
  case OPT_RATE:
    config->rate_per_s = mux_option_count("--rate", arg, 1, 100000000);
    return 0;
  case OPT_ARRIVAL:
    config->arrival = (enum load_arrival)mux_option_choice("--arrival", arg, arrivals);
    return 0;
  case OPT_RAMP:
    config->ramp_per_s = mux_option_count("--ramp", arg, 1, 10000000);
    return 0;
  case OPT_SEED:
    config->seed = (uint64_t)mux_option_count("--seed", arg, 0, INT64_MAX);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static error_t parse_times(int key, char *arg, struct load_config *config) {
  const int64_t hour = 3600 * MUX_S;
  switch (key) {
  case OPT_DURATION:
    config->duration_ns = mux_option_time("--duration", arg, MUX_MS, 24 * hour);
    return 0;
  case OPT_WARMUP:
    config->warmup_ns = mux_option_time("--warmup", arg, 0, hour);
    return 0;
  case OPT_TIMEOUT:
    config->timeout_ns = mux_option_time("--timeout", arg, MUX_MS, hour);
    return 0;
  case OPT_INTERVAL:
    config->interval_ns = mux_option_time("--interval", arg, 10 * MUX_MS, hour);
    return 0;
  case OPT_THINK:
    config->think_ns = mux_option_time("--think", arg, 0, hour);
    return 0;
  case OPT_SPIN:
    config->spin_ns = mux_option_time("--spin", arg, 0, MUX_S);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct parsed *parsed = state->input;
  struct load_options *options = parsed->options;
  struct load_config *config = &options->config;
  char shown[64];
  switch (key) {
  case ARGP_KEY_ARG:
    if (parsed->target != NULL)
      mux_die(MUX_EXIT_USAGE, "load: '%s' is too much: the target is %s already",
              mux_printable(shown, sizeof shown, arg), parsed->target);
    parsed->target = arg;
    return 0;
  case OPT_TARGET:
    parsed->target = arg;
    return 0;
  case OPT_SELFTEST:
    options->selftest = true;
    options->quick = arg != NULL;
    if (arg != NULL && strcmp(arg, "quick") != 0)
      mux_die(MUX_EXIT_USAGE, "--selftest takes nothing, or =quick");
    return 0;
  case OPT_FIND_RATE:
    options->find_rate = true;
    if (load_objective_parse(&options->objective, arg) != 0)
      mux_die(MUX_EXIT_USAGE, "--find-rate: '%s' is not an objective such as 'p99<1ms'",
              mux_printable(shown, sizeof shown, arg));
    return 0;
  case OPT_ALLOW_REMOTE:
    parsed->allow_remote = true;
    return 0;
  case OPT_CPUS:
    parse_cpus(&config->cpus, arg);
    return 0;
  case OPT_CONGESTION:
    config->congestion = strcmp(arg, "system") == 0 ? NULL : arg;
    return 0;
  case OPT_TIMESTAMPS:
    if (strncmp(arg, "1/", 2) != 0)
      mux_die(MUX_EXIT_USAGE, "--timestamps takes 1/N, such as 1/100");
    config->stamp_one_in = (int)mux_option_count("--timestamps", arg + 2, 1, 1000000);
    return 0;
  case OPT_ENGINE:
    config->engine = find_engine(arg);
    return 0;
  case OPT_SOURCES:
    parse_sources(&config->sources, arg);
    return 0;
  case OPT_LINGER0:
    config->linger0 = true;
    return 0;
  case OPT_HGRM:
    options->hgrm_path = arg;
    return 0;
  case OPT_HLOG:
    options->hlog_path = arg;
    return 0;
  case OPT_JSON:
    options->json = true;
    options->json_path = arg != NULL && strcmp(arg, "-") != 0 ? arg : NULL;
    return 0;
  case OPT_EVENTS_FD:
    config->events_fd = (int)mux_option_count("--events-fd", arg, 0, 1 << 20);
    return 0;
  case OPT_HOLD:
    config->hold_fd = (int)mux_option_count("--hold", arg, 0, 1 << 20);
    return 0;
  default: {
    error_t error = parse_loop(key, arg, config);
    return error == ARGP_ERR_UNKNOWN ? parse_times(key, arg, config) : error;
  }
  }
}

/* Defaults that depend on the mode. */
static void fill_in(struct load_options *options) {
  struct load_config *config = &options->config;
  bool stream = config->mode == LOAD_STREAM;
  if (config->payload_bytes == 0)
    config->payload_bytes = stream ? 64 << 10 : 64;
  if (config->duration_ns == 0)
    config->duration_ns = options->find_rate ? 2 * MUX_S : 10 * MUX_S;
  if (config->depth == 0) {
    int64_t depth = stream ? (STREAM_BYTES + config->payload_bytes - 1) / config->payload_bytes : 1;
    config->depth = (int)(depth < DEPTH_MOST ? depth : DEPTH_MOST);
  }
}

static void check_datagrams(const struct load_config *config) {
  if (config->mode != LOAD_ECHO)
    mux_die(MUX_EXIT_USAGE, "--mode %s: only over connections, tcp:// or unix://",
            modes[config->mode]);
  if (config->payload_bytes < LOAD_DATAGRAM_LEAST || config->payload_bytes > LOAD_DATAGRAM_MOST)
    mux_die(MUX_EXIT_USAGE,
            "--payload: %lld; over udp:// a message is one datagram of %d (it carries its number) "
            "to %d bytes",
            (long long)config->payload_bytes, LOAD_DATAGRAM_LEAST, LOAD_DATAGRAM_MOST);
}

/* What only makes sense, or not, together. */
static void check(const struct load_config *config) {
  bool open = config->rate_per_s > 0;
  if (config->target.kind == MUX_ADDR_UDP)
    check_datagrams(config);
  if (open && config->think_ns > 0)
    mux_die(MUX_EXIT_USAGE, "--think has no meaning with --rate: the schedule says when to send");
  if (config->mode == LOAD_CRR && config->depth > 1)
    mux_die(MUX_EXIT_USAGE, "--depth has no meaning with --mode crr: a connection has one request");
  if (config->stamp_one_in > 0 && (config->target.kind == MUX_ADDR_UNIX || !config->engine->stamps))
    mux_die(MUX_EXIT_USAGE, "--timestamps: only with tcp:// or udp:// and --engine epoll");
  if (config->sources.count > 0 &&
      config->sources.first.socket.any.sa_family != config->target.socket.any.sa_family)
    mux_die(MUX_EXIT_USAGE, "--sources: its addresses are of another family than the target's");
  if (config->threads > config->connections)
    mux_die(MUX_EXIT_USAGE, "--threads: %d threads for %d connections; each needs one at least",
            config->threads, config->connections);
  if (open && config->depth > 1 && config->mode != LOAD_STREAM)
    mux_die(MUX_EXIT_USAGE, "--depth has no meaning with --rate: an open loop does not wait");
  double slots = (double)config->rate_per_s * (double)(config->warmup_ns + config->duration_ns) /
                 (double)MUX_S / config->threads;
  if (slots > 4e9)
    mux_die(MUX_EXIT_USAGE,
            "--rate: %.3g messages per thread are too many for one run, 4e9 is the "
            "most; shorten --duration",
            slots);
}

void load_options_parse(struct load_options *options, int argc, char **argv) {
  *options = (struct load_options){
      .config =
          {
              .connections = 1,
              .threads = 1,
              .warmup_ns = MUX_S,
              .timeout_ns = 5 * MUX_S,
              .interval_ns = MUX_S,
              .spin_ns = 20 * MUX_US,
              .seed = 1,
              .congestion = "cubic",
              .engine = load_engines[0],
              .events_fd = -1,
              .hold_fd = -1,
          },
  };
  CPU_ZERO(&options->config.cpus);
  struct parsed parsed = {.options = options};
  const struct argp argp = {
      .options = table,
      .parser = parse_option,
      .args_doc = "[ADDR]",
      .doc = "Load an echo server, compare every byte that comes back, and measure.\v"
             "Counts and rates take k and M, sizes KiB and MiB, times us, ms and s.\n"
             "Exit: 0 fine; 1 errors, or a flag that forbids a claim; 2 usage; 130 interrupted.\n\n"
             "Example: muxbench load --target tcp://127.0.0.1:7007 --connections 1000 "
             "--duration 5s --json",
  };
  mux_parse_args(&argp, argc, argv, &parsed);
  if (options->selftest) {
    fill_in(options);
    return;
  }
  if (parsed.target == NULL)
    mux_die(MUX_EXIT_USAGE, "load: --target ADDR is required, such as tcp://127.0.0.1:7007");
  mux_option_addr(&options->config.target, "--target", parsed.target, parsed.allow_remote);
  if (options->find_rate && options->config.rate_per_s > 0)
    mux_die(MUX_EXIT_USAGE, "--rate and --find-rate: one of them");
  options->config.rate_per_s += options->find_rate; /* any: it is an open loop */
  fill_in(options);
  check(&options->config);
}
