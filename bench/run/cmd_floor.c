/* cmd_floor.c: muxbench floor. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/run/floor.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/sock.h"
#include "common/units.h"
#include "process/control.h"

struct floor_options {
  struct floor_spec spec;
  int64_t cpu_ns;            /* to measure for */
  int control_fd, events_fd; /* take orders for slices (process/control.h); -1: measure once */
  const char *listen;
  const char *json; /* NULL: text */
};

enum { OWN_DESCRIPTORS = 16 };
enum {
  OPT_CONNECTIONS = 256,
  OPT_PAYLOAD,
  OPT_DURATION,
  OPT_LISTEN,
  OPT_CPUS,
  OPT_LOAD_CPUS,
  OPT_JSON,
  OPT_CONTROL,
  OPT_EVENTS_FD
};

static const struct argp_option option_table[] = {
    {"connections", OPT_CONNECTIONS, "N", 0, "Connections (1)", 0},
    {"payload", OPT_PAYLOAD, "BYTES", 0, "Bytes of a message, 64KiB at most (64)", 0},
    {"duration", OPT_DURATION, "TIME", 0, "CPU time to measure for (200ms)", 0},
    {"listen", OPT_LISTEN, "ADDR", 0, "Kind of socket (tcp://127.0.0.1:0)", 0},
    {"cpus", OPT_CPUS, "LIST", 0, "CPU of the timed side (chosen from the machine)", 0},
    {"load-cpus", OPT_LOAD_CPUS, "LIST", 0, "CPU of its peer (chosen from the machine)", 0},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Result as JSON, to FILE or stdout", 0},
    {"control", OPT_CONTROL, "FD", OPTION_HIDDEN, "Read from this descriptor when to measure", 0},
    {"events-fd", OPT_EVENTS_FD, "FD", OPTION_HIDDEN, "Answer on this descriptor", 0},
    {0}};

static void read_cpus(cpu_set_t *set, const char *option, const char *text) {
  if (mux_cpus_parse(set, text) != 0)
    mux_die(MUX_EXIT_USAGE, "%s: not a list of CPUs this process may use", option);
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct floor_options *options = state->input;
  switch (key) {
  case OPT_CONNECTIONS:
    options->spec.connections = (int)mux_option_count("--connections", arg, 1, 1000000);
    return 0;
  case OPT_PAYLOAD:
    options->spec.payload_bytes = mux_option_size("--payload", arg, 1, 64 * 1024);
    return 0;
  case OPT_DURATION:
    options->cpu_ns = mux_option_time("--duration", arg, MUX_MS, 60 * MUX_S);
    return 0;
  case OPT_LISTEN:
    options->listen = arg;
    return 0;
  case OPT_CPUS:
    read_cpus(&options->spec.server_cpus, "--cpus", arg);
    return 0;
  case OPT_LOAD_CPUS:
    read_cpus(&options->spec.load_cpus, "--load-cpus", arg);
    return 0;
  case OPT_JSON:
    options->json = arg != NULL ? arg : "-";
    return 0;
  case OPT_CONTROL:
    options->control_fd = (int)mux_option_count("--control", arg, 0, 1 << 20);
    return 0;
  case OPT_EVENTS_FD:
    options->events_fd = (int)mux_option_count("--events-fd", arg, 0, 1 << 20);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .doc = "The speed of light of this host: CPU time of a bare recv() and send() per message on "
           "ready loopback sockets, without any waiting mechanism.\v"
           "Example: muxbench floor --connections 1000 --payload 64"};

static int print_json(const struct floor_options *options, struct mux_output *out,
                      const struct floor_result *result) {
  char address[MUX_ADDR_TEXT];
  json_t *object = json_pack(
      "{s:f, s:i, s:I, s:s, s:I}", "floor_us", result->us, "connections", options->spec.connections,
      "payload_bytes", (json_int_t)options->spec.payload_bytes, "listen",
      mux_addr_print(address, &options->spec.addr), "messages", (json_int_t)result->messages);
  json_dumpf(object, out->stream, JSON_REAL_PRECISION(6) | JSON_INDENT(2));
  fputc('\n', out->stream);
  json_decref(object);
  return mux_result_commit(out, "--json", options->json);
}

/* Measures as ordered, until whoever orders is gone. */
static int obey(const struct floor_options *options, struct floor *floor) {
  struct mux_lines lines = {.used = 0};
  int rc = mux_control_say(options->events_fd, "connected %lld", (long long)mux_now_ns());
  while (rc >= 0) {
    char line[1024];
    struct mux_order order;
    struct floor_result result;
    struct pollfd wait = {.fd = options->control_fd, .events = POLLIN};
    poll(&wait, 1, -1);
    rc = mux_lines_next(&lines, options->control_fd, line, sizeof line);
    if (rc != 1)
      continue;
    int64_t began_ns = mux_now_ns();
    rc = mux_order_parse(line, &order);
    if (rc == 0)
      rc = floor_measure(floor, order.duration_ns, &result);
    if (rc == 0)
      rc = mux_answer_send(
          options->events_fd,
          &(struct mux_answer){.duration_ns = mux_now_ns() - began_ns,
                               .completed = result.messages,
                               .all = result.messages,
                               .server_ns = (int64_t)(result.us * 1e3 * (double)result.messages)});
  }
  return rc == -EPIPE ? 0 : rc;
}

static int say(const struct floor_options *options, struct mux_output *out,
               const struct floor_result *result) {
  if (options->json != NULL)
    return print_json(options, out, result) == 0 ? MUX_EXIT_OK : MUX_EXIT_FAILED;
  printf("%.2f us of CPU per message: recv + send of %lld bytes, %d ready connection%s, %lld "
         "messages\n",
         result->us, (long long)options->spec.payload_bytes, options->spec.connections,
         options->spec.connections == 1 ? "" : "s", (long long)result->messages);
  return MUX_EXIT_OK;
}

int cmd_floor(int argc, char **argv) {
  struct floor_options options = {.spec = {.connections = 1, .payload_bytes = 64},
                                  .cpu_ns = 200 * MUX_MS,
                                  .control_fd = -1,
                                  .events_fd = -1,
                                  .listen = "tcp://127.0.0.1:0"};
  cpu_set_t server;
  cpu_set_t load;
  struct floor *floor;
  struct floor_result result;
  struct mux_output out = {0};
  mux_parse_args(&parser, argc, argv, &options);
  mux_option_addr(&options.spec.addr, "--listen", options.listen, false);
  mux_cpus_split(&server, &load, 1);
  if (CPU_COUNT(&options.spec.server_cpus) == 0)
    options.spec.server_cpus = server;
  if (CPU_COUNT(&options.spec.load_cpus) == 0)
    options.spec.load_cpus = load;
  long limit = mux_raise_nofile();
  if (options.spec.connections + OWN_DESCRIPTORS > limit)
    mux_die(MUX_EXIT_USAGE,
            "--connections: %d; a process may have %ld descriptors here (ulimit -n)",
            options.spec.connections, limit);
  if (options.json != NULL && mux_result_open(&out, "--json", options.json) != 0)
    return MUX_EXIT_USAGE;
  signal(SIGPIPE, SIG_IGN);
  int rc = floor_open(&floor, &options.spec);
  if (rc == 0) {
    rc = options.control_fd >= 0 ? obey(&options, floor)
                                 : floor_measure(floor, options.cpu_ns, &result);
    floor_close(floor);
  }
  if (rc != 0) {
    mux_note("floor: %d connection%s: %s (descriptors: %ld)", options.spec.connections,
             options.spec.connections == 1 ? "" : "s", strerror(-rc), limit);
    mux_output_abort(&out);
    return MUX_EXIT_FAILED;
  }
  return options.control_fd >= 0 ? MUX_EXIT_OK : say(&options, &out, &result);
}
