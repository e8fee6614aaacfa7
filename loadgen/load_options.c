/* load_options.c: see load_options.h. The table first, then the values with a syntax of their own,
 * then what options must satisfy together. */
#include "loadgen/load_options.h"

#include <errno.h>
#include <string.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/pattern.h"
#include "common/sock.h"
#include "common/units.h"
#include "loadgen/agents.h"
#include "loadgen/datagram.h"
#include "loadgen/sources.h"

enum { DEPTH_MAX = 1024, PAYLOAD_BYTES = 64, STREAM_PAYLOAD_BYTES = 64 << 10 };
enum { STREAM_BYTES = 4 << 20 /* in flight */, FD_MAX = 1 << 20 };
#define MESSAGES_MAX 4e9 /* of a thread in one run: more is taken for a typing error */
#define HOUR         (3600 * MUX_S)

enum { SELFTEST_FULL = 1, SELFTEST_QUICK };
static const char *const selftest_names[] = {"full", "quick", NULL};

static int read_part(void *field, const char *text, char *why, size_t why_bytes);
static int read_stamps(void *field, const char *text, char *why, size_t why_bytes);
static int read_engine(void *field, const char *text, char *why, size_t why_bytes);
static int read_objective(void *field, const char *text, char *why, size_t why_bytes);
static char *print_stamps(char out[MUX_OPTION_TEXT], const void *field);
static char *print_engine(char out[MUX_OPTION_TEXT], const void *field);
static char *print_objective(char out[MUX_OPTION_TEXT], const void *field);

#define OPTION(member) MUX_FIELD(struct load_options, member)
#define CONFIG(member) MUX_FIELD(struct load_options, config.member)
#define MAY_VARY       .flags = MUX_OPTION_EXPERIMENT
#define COUNT          .kind = MUX_VALUE_COUNT
#define SIZE           .kind = MUX_VALUE_SIZE
#define TIME           .kind = MUX_VALUE_TIME
#define WORD           .kind = MUX_VALUE_CHOICE
#define TEXT           .kind = MUX_VALUE_TEXT
#define FLAG           .kind = MUX_VALUE_FLAG

const struct mux_option_row load_option_table[] = {
    {"target", TEXT, OPTION(target), .argument = "ADDR", .group = 1,
     .flags = MUX_OPTION_REQUIRED | MUX_OPTION_POSITIONAL,
     .help = "The echo server: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH; '--target' may be "
             "left out"},
    {"connections", .letter = 'c', COUNT, CONFIG(connections), MAY_VARY, .group = 1, /* as in wrk */
     .min = 1, .max = MUX_PATTERN_CONNECTIONS / 2, .fallback = "1",
     .help = "Connections that carry traffic"},
    {"threads", .letter = 't', COUNT, CONFIG(threads), MAY_VARY, .group = 1, .min = 1, .max = 1024,
     .fallback = "1",
     .help = "Load threads, at most one per connection; each gets one CPU of --cpus"},
    {"mode", WORD, CONFIG(mode), MAY_VARY, .group = 1, .choices = load_mode_names,
     .fallback = "echo",
     .help = "echo: send a message, await its echo; crr: connect, one echo, close; stream: as many "
             "bytes as possible"},
    {"payload", SIZE, CONFIG(payload_bytes), MAY_VARY, .group = 1, .argument = "BYTES", .min = 1,
     .max = INT64_C(1) << 30, .absent = "64; stream: 64KiB",
     .help = "Size of a message; over UDP it is one datagram of 8 to 65507 bytes"},
    {"depth", COUNT, CONFIG(depth), MAY_VARY, .group = 1, .min = 1, .max = DEPTH_MAX,
     .absent = "1; stream: 4MiB of messages",
     .help = "Closed loop: messages outstanding per connection"},
    {"think", TIME, CONFIG(think_ns), MAY_VARY, .group = 1, .min = 0, .max = HOUR, .fallback = "0s",
     .help = "Closed loop: pause between an echo and the next message"},
    {"idle", COUNT, CONFIG(idle), MAY_VARY, .group = 1, .min = 0,
     .max = MUX_PATTERN_CONNECTIONS / 2, .fallback = "0",
     .help = "Additional connections that stay open and silent; each echoes a byte in the end"},

    {"part", .kind = MUX_VALUE_CUSTOM, CONFIG(part), .group = 1, .argument = "K/N",
     .read = read_part, .absent = "the whole", .flags = MUX_OPTION_LOCAL,
     .help = "Be the K-th of N loads that do together what the other options say; 'muxbench merge' "
             "puts their results together"},
    {"agents", TEXT, OPTION(agents), .group = 1, .argument = "PREFIX,PREFIX...",
     .absent = "this process is the load", .flags = MUX_OPTION_LOCAL,
     .help = "Let several hosts be the load together: 'PREFIX muxbench agent' is started for each "
             "command prefix, such as 'ssh a,ssh b'; an empty one is this host"},

    {"rate", .letter = 'R', COUNT, CONFIG(rate_per_s), MAY_VARY, .group = 2,
     .argument = "MSGS_PER_S", .min = 1, .max = 100000000, .unit = "messages per second",
     .none = "closed", .fallback = "closed",
     .help = "Open loop at this rate, over all connections; 'closed': a closed loop"},
    {"arrival", WORD, CONFIG(arrival), MAY_VARY, .argument = "KIND", .group = 2,
     .choices = load_arrival_names, .fallback = "constant",
     .help = "Open loop: intended send times are constant, poisson or bursty (10 together on "
             "average)"},
    {"find-rate", .kind = MUX_VALUE_CUSTOM, CONFIG(objective), MAY_VARY, .group = 2,
     .argument = "OBJECTIVE", .read = read_objective, .print = print_objective, .absent = "off",
     .help = "Find the highest --rate that meets an objective such as 'p99<1ms'"},

    {"duration", .letter = 'd', TIME, CONFIG(duration_ns), MAY_VARY, .group = 3, .min = MUX_MS,
     .max = 24 * HOUR, .absent = "10s; --find-rate: 2s for each try",
     .help = "Length of the measured window"},
    {"warmup", TIME, CONFIG(warmup_ns), MAY_VARY, .group = 3, .min = 0, .max = HOUR,
     .fallback = "1s", .help = "Traffic before the window: verified, not recorded"},
    {"timeout", TIME, CONFIG(timeout_ns), MAY_VARY, .group = 3, .min = MUX_MS, .max = HOUR,
     .fallback = "5s",
     .help = "Limit for a connect, for an echo (UDP: what comes later counts as lost), and for the "
             "messages still in flight when the window ends"},
    {"interval", TIME, CONFIG(interval_ns), MAY_VARY, .group = 3, .min = 10 * MUX_MS, .max = HOUR,
     .fallback = "1s", .help = "Interval of the time series and of --hlog"},

    {"ramp", COUNT, CONFIG(ramp_per_s), MAY_VARY, .group = 4, .argument = "CONNS_PER_S", .min = 1,
     .max = 10000000, .unit = "connections per second", .absent = "as fast as possible",
     .help = "Connect at this rate"},
    {"congestion", TEXT, CONFIG(congestion), MAY_VARY, .group = 4, .argument = "NAME",
     .none = "system", .fallback = "cubic",
     .help = "TCP congestion control; 'system': the machine's default"},
    {"sources", .kind = MUX_VALUE_CUSTOM, CONFIG(sources), MAY_VARY, .group = 4, .argument = "CIDR",
     .read = load_sources_read, .print = load_sources_print,
     .absent = "the kernel chooses; 127.0.0.0/8 for many on loopback",
     .help = "Connect from the addresses of this network in turn, such as 127.0.0.0/8"},
    {"descriptors", .kind = MUX_VALUE_CHOICE, CONFIG(descriptors), MAY_VARY, .group = 4,
     .argument = "TABLES", .choices = mux_descriptors_names, .fallback = "own",
     .help = "Several threads have a table of descriptors each (own), so that the limit of open "
             "files holds for each, or one together (shared)"},
    {"linger0", FLAG, CONFIG(linger0), MAY_VARY, .group = 4,
     .help = "Close with RST (SO_LINGER 0), which leaves no TIME_WAIT"},

    {"cpus", .kind = MUX_VALUE_CPUS, CONFIG(cpus), .group = 5, .absent = "inherited",
     .help = "CPUs for the load, such as 1 or 2-5"},
    {"spin", TIME, CONFIG(spin_ns), MAY_VARY, .group = 5, .min = 0, .max = MUX_S,
     .fallback = "20us",
     .help = "Open loop: poll instead of sleeping when the next message is due within this time"},
    {"timestamps", .kind = MUX_VALUE_CUSTOM, CONFIG(stamp_one_in), MAY_VARY, .group = 5,
     .argument = "1/N", .read = read_stamps, .print = print_stamps, .absent = "off",
     .help = "TCP, UDP: measure this load's own wake-up with kernel timestamps, on every N-th "
             "connection"},
    {"engine", .kind = MUX_VALUE_CUSTOM, CONFIG(engine), MAY_VARY, .group = 5,
     .argument = "epoll|uring", .read = read_engine, .print = print_engine, .fallback = "epoll",
     .help = "How the load waits and does its I/O"},
    {"seed", COUNT, CONFIG(seed), .group = 6, .min = 0, .max = INT64_MAX, .fallback = "1",
     .help = "Seed of the payload bytes and of the schedule"},

    {"hlog", TEXT, OPTION(hlog_path), .group = 7, .argument = "FILE", .absent = "none",
     .flags = MUX_OPTION_LOCAL, .help = "Write interval histograms in HdrHistogram log format 1.3"},
    {"hgrm", TEXT, OPTION(hgrm_path), .group = 7, .argument = "FILE", .absent = "none",
     .flags = MUX_OPTION_LOCAL, .help = "Write the response time percentiles in us, as .hgrm"},
    {"json", TEXT, OPTION(json_path), .group = 7, .argument = "FILE", .alone = "-",
     .absent = "text", .flags = MUX_OPTION_LOCAL,
     .help = "Write the result as JSON to FILE, or to stdout"},

    {"selftest", WORD, OPTION(selftest_kind), .group = 8, .min = SELFTEST_FULL,
     .choices = selftest_names, .alone = "full", .absent = "off", .flags = MUX_OPTION_LOCAL,
     .help =
         "Test the accuracy of this load generator on this machine, against servers of its own"},
    {"allow-remote", FLAG, OPTION(allow_remote), .group = 8,
     .help = "Permit a target that is not loopback"},
    {"events-fd", COUNT, CONFIG(events_fd), .group = 9, .argument = "FD", .min = 0, .max = FD_MAX,
     .absent = "none", .flags = MUX_OPTION_HIDDEN | MUX_OPTION_LOCAL,
     .help = "Write a line to this descriptor at each edge of a phase"},
    {"control", COUNT, CONFIG(control_fd), .group = 9, .argument = "FD", .min = 0, .max = FD_MAX,
     .absent = "none", .flags = MUX_OPTION_HIDDEN | MUX_OPTION_LOCAL,
     .help = "Take orders for slices from this descriptor"},
    {"server-root", COUNT, CONFIG(server_root), .group = 9, .argument = "PID", .min = 1,
     .max = 1 << 22, .absent = "whoever listens", .flags = MUX_OPTION_HIDDEN | MUX_OPTION_LOCAL,
     .help = "The server is what descends from this process"},
    {0},
};

/* ---- Values with a syntax of their own ------------------------------------------------------- */

static int read_part(void *field, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  int number;
  int of;
  int end = 0;
  if (sscanf(text, "%d/%d%n", &number, &of, &end) == 2 && text[end] == 0 && number >= 1 &&
      number <= of && of <= LOAD_PARTS_MOST) {
    *(struct load_share *)field =
        (struct load_share){.index = number - 1, .others = of - 1, .is_part = true};
    return 0;
  }
  snprintf(why, why_bytes, "'%s' is not a part such as 2/4 (1/1 to %d/%d)",
           mux_printable(shown, sizeof shown, text), LOAD_PARTS_MOST, LOAD_PARTS_MOST);
  return -EINVAL;
}

/* Connections k with k mod N = K-1. Each part has to have one. */
static int take_part(struct load_config *config, struct mux_option_error *error) {
  const struct load_share *part = &config->part;
  int parts = part->others + 1;
  if (config->connections < parts)
    return mux_option_error_set(error, "part", "%d parts for %d connection%s; each needs one",
                                parts, config->connections, config->connections == 1 ? "" : "s");
  config->connections = (config->connections + part->others - part->index) / parts;
  config->idle = (config->idle + part->others - part->index) / parts;
  return 0;
}

static int read_stamps(void *field, const char *text, char *why, size_t why_bytes) {
  int64_t one_in = 0;
  char shown[64];
  if (strncmp(text, "1/", 2) != 0 || mux_parse_count(text + 2, &one_in) != 0 || one_in < 1 ||
      one_in > 1000000) {
    snprintf(why, why_bytes, "'%s' is not 1/N, such as 1/100 (N: 1 to 1M)",
             mux_printable(shown, sizeof shown, text));
    return -EINVAL;
  }
  *(int *)field = (int)one_in;
  return 0;
}

static char *print_stamps(char out[MUX_OPTION_TEXT], const void *field) {
  if (*(const int *)field == 0)
    return NULL;
  snprintf(out, MUX_OPTION_TEXT, "1/%d", *(const int *)field);
  return out;
}

static int read_engine(void *field, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  char reason[160];
  for (int i = 0; load_engines[i] != NULL; i++) {
    const struct load_engine *engine = load_engines[i];
    if (strcmp(engine->name, text) != 0)
      continue;
    if (engine->probe != NULL && engine->probe(reason, sizeof reason) != 0) {
      snprintf(why, why_bytes, "%s is not available: %s", text, reason);
      return -ENOTSUP;
    }
    *(const struct load_engine **)field = engine;
    return 0;
  }
  snprintf(why, why_bytes, "'%s' is not one of epoll, uring",
           mux_printable(shown, sizeof shown, text));
  return -EINVAL;
}

static char *print_engine(char out[MUX_OPTION_TEXT], const void *field) {
  const struct load_engine *engine = *(const struct load_engine *const *)field;
  snprintf(out, MUX_OPTION_TEXT, "%s", engine->name);
  return out;
}

static int read_objective(void *field, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  if (load_objective_parse(field, text) == 0)
    return 0;
  snprintf(why, why_bytes, "'%s' is not an objective such as 'p99<1ms'",
           mux_printable(shown, sizeof shown, text));
  return -EINVAL;
}

static char *print_objective(char out[MUX_OPTION_TEXT], const void *field) {
  const struct load_objective *objective = field;
  char limit[MUX_UNIT_TEXT];
  if (objective->percentile <= 0)
    return NULL;
  snprintf(out, MUX_OPTION_TEXT, "p%.12g<%s", objective->percentile,
           mux_print_time(limit, objective->limit_ns));
  return out;
}

/* ---- The options together -------------------------------------------------------------------- */

void load_options_default(struct load_options *options) {
  *options = (struct load_options){.config = {.events_fd = -1, .control_fd = -1}};
  mux_option_table_defaults(load_option_table, options);
}

void load_options_complete(struct load_options *options) {
  struct load_config *config = &options->config;
  bool stream = config->mode == LOAD_STREAM;
  options->find_rate = config->objective.percentile > 0;
  if (options->find_rate && config->rate_per_s == 0)
    config->rate_per_s = 1; /* an open loop; each try or slice has a rate of its own */
  if (config->payload_bytes == 0)
    config->payload_bytes = stream ? STREAM_PAYLOAD_BYTES : PAYLOAD_BYTES;
  if (config->duration_ns == 0)
    config->duration_ns = options->find_rate ? 2 * MUX_S : 10 * MUX_S;
  if (config->depth == 0) {
    int64_t depth = stream ? (STREAM_BYTES + config->payload_bytes - 1) / config->payload_bytes : 1;
    config->depth = (int)(depth < DEPTH_MAX ? depth : DEPTH_MAX);
  }
}

static int check_datagrams(const struct load_config *config, struct mux_option_error *error) {
  if (config->mode != LOAD_ECHO)
    return mux_option_error_set(error, "mode",
                                "%s needs connections: tcp:// or unix://, not udp://",
                                load_mode_names[config->mode]);
  if (config->payload_bytes < LOAD_DATAGRAM_LEAST || config->payload_bytes > LOAD_DATAGRAM_MOST)
    return mux_option_error_set(
        error, "payload", "%lld bytes; over udp:// a message is one datagram of %d to %d",
        (long long)config->payload_bytes, LOAD_DATAGRAM_LEAST, LOAD_DATAGRAM_MOST);
  return 0;
}

int load_config_check(const struct load_config *config, struct mux_option_error *error) {
  bool open = config->rate_per_s > 0;
  enum mux_addr_kind kind = config->target.kind;
  if (kind == MUX_ADDR_UDP && check_datagrams(config, error) != 0)
    return -EINVAL;
  if (open && config->think_ns > 0)
    return mux_option_error_set(error, "think",
                                "it has no meaning with --rate: the schedule says when to send");
  if (config->mode == LOAD_CRR && config->depth > 1)
    return mux_option_error_set(
        error, "depth", "it has no meaning with --mode crr: a connection carries one request");
  if (open && config->depth > 1 && config->mode != LOAD_STREAM)
    return mux_option_error_set(error, "depth",
                                "it has no meaning with --rate: an open loop does not wait");
  if (config->stamp_one_in > 0 && (kind == MUX_ADDR_UNIX || !config->engine->stamps))
    return mux_option_error_set(error, "timestamps",
                                "they need tcp:// or udp://, and --engine epoll");
  if (config->sources.count > 0 &&
      config->sources.first.socket.any.sa_family != config->target.socket.any.sa_family)
    return mux_option_error_set(error, "sources",
                                "its addresses are of another family than the target's");
  if (config->threads > config->connections)
    return mux_option_error_set(
        error, "threads", "%d threads for %d connection%s; each thread needs at least one",
        config->threads, config->connections, config->connections == 1 ? "" : "s");
  double messages = (double)config->rate_per_s * (double)(config->warmup_ns + config->duration_ns) /
                    (double)MUX_S / config->threads;
  if (messages > MESSAGES_MAX)
    return mux_option_error_set(error, "rate",
                                "%.3g messages per thread are too many for one run (at most %.0g); "
                                "shorten --duration",
                                messages, MESSAGES_MAX);
  return 0;
}

long load_config_descriptors(const struct load_config *config) {
  long tables = config->descriptors == MUX_DESCRIPTORS_OWN ? config->threads : 1;
  long most = ((long)config->connections + tables - 1) / tables;
  most += ((long)config->idle + tables - 1) / tables;
  return 3L + 8 + 4L * config->threads + most;
}

void load_config_fit(const struct load_config *config) {
  long limit = mux_raise_nofile();
  long needed = load_config_descriptors(config);
  if (limit > 0 && needed > limit)
    mux_die(MUX_EXIT_USAGE,
            "--connections: %d%s need %ld descriptors, the hard limit is %ld (ulimit -Hn)",
            config->connections + config->idle, config->idle > 0 ? " with --idle" : "", needed,
            limit);
}

/* From what was typed to a complete configuration. Returns 0 or -EINVAL. */
static int resolve(struct load_options *options, struct mux_option_error *error) {
  struct load_config *config = &options->config;
  options->json = options->json_path != NULL;
  if (options->json && strcmp(options->json_path, "-") == 0)
    options->json_path = NULL;
  options->selftest = options->selftest_kind > 0;
  options->quick = options->selftest_kind == SELFTEST_QUICK;
  bool has_rate = config->rate_per_s > 0;
  load_options_complete(options);
  if (options->selftest)
    return 0; /* it has targets of its own */
  if (options->target == NULL)
    return mux_option_error_set(error, "target",
                                "missing; expected an address such as "
                                "tcp://127.0.0.1:7007");
  mux_option_addr(&config->target, "--target", options->target, options->allow_remote);
  if (config->part.is_part && options->find_rate)
    return mux_option_error_set(error, "part", "not together with --find-rate");
  if (options->agents != NULL && load_agents_check(options, error) != 0)
    return -EINVAL;
  if (take_part(config, error) != 0)
    return -EINVAL;
  bool runner_seeks = options->find_rate && config->control_fd >= 0;
  if (options->find_rate && has_rate && !runner_seeks)
    return mux_option_error_set(error, "find-rate", "not together with --rate");
  if (runner_seeks) { /* no higher one than this */
    config->rate_per_s = LOAD_RATE_SOUGHT_MOST;
    options->find_rate = false;
  }
  return load_config_check(config, error);
}

void load_options_parse(struct load_options *options, int argc, char **argv) {
  static const char doc[] =
      "Load an echo server, compare every byte that comes back, and measure.\v"
      "Counts and rates take k and M; sizes are bytes or take KiB and MiB; times take us, ms, s "
      "and "
      "min, and are seconds without a unit.\n"
      "Exit: 0 fine, warnings included; 1 errors, or connections or echoes are missing; 2 usage; "
      "3 --find-rate found none; 130 interrupted.\n\n"
      "Example: muxbench load --target tcp://127.0.0.1:7007 --connections 1000 "
      "--duration 5s --json";
  struct mux_option_error error;
  load_options_default(options);
  mux_option_table_parse(load_option_table, doc, argc, argv, options);
  if (resolve(options, &error) != 0)
    mux_option_error_die(&error);
}
