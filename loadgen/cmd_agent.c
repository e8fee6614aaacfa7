/* cmd_agent.c: muxbench agent: the agent's side of agent.h. It is a load whose slices are ordered
 * on standard input and whose phases are told on standard output. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/build_info.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/memory.h"
#include "loadgen/agent.h"
#include "loadgen/sources.h"

enum { OWN_WORDS = 3, WORDS_MOST = 100, PATIENCE_MS = 60000 };

static const struct argp parser = {
    .doc = "Be the load of 'muxbench load --agents', on this host: it is started by that, and "
           "talks to it over standard input and output."
           "\vExit: 0 fine; 1 something failed; 2 the other side does not speak the protocol, or "
           "sends bad options.\n\n"
           "Example: muxbench load --agents 'ssh a,ssh b' --target tcp://10.0.0.1:7007 "
           "--allow-remote"};

static void say_hello(void) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  json_t *hello = mux_made(json_pack("{s:i, s:s, s:s}", "protocol", AGENT_PROTOCOL, "version",
                                     mux_build_info.version, "host", host[0] != 0 ? host : "?"));
  char *text = mux_made(json_dumps(hello, JSON_COMPACT));
  if (mux_control_say(STDOUT_FILENO, "agent %s", text) != 0)
    exit(MUX_EXIT_FAILED);
  free(text);
  json_decref(hello);
}

/* Returns false at the end of file. */
static bool read_line(char *line, size_t line_bytes) {
  static struct mux_lines lines;
  for (;;) {
    int rc = mux_lines_next(&lines, STDIN_FILENO, line, line_bytes);
    if (rc == 1)
      return true;
    if (rc == -EPIPE)
      return false;
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    if (rc < 0 || poll(&wait, 1, PATIENCE_MS) == 0)
      mux_die(MUX_EXIT_USAGE, "agent: %s", rc < 0 ? "a line is too long" : "nobody says anything");
  }
}

/* Until the words of the load are complete. Returns false if the coordinator left before. */
static bool read_options(char **words, int *count) {
  char line[sizeof((struct mux_lines *)0)->text];
  while (read_line(line, sizeof line)) {
    if (strcmp(line, "load") == 0)
      return true;
    if (strncmp(line, "option ", 7) == 0 && *count < WORDS_MOST)
      words[(*count)++] = mux_copy(line + 7);
    else if (strncmp(line, "clock ", 6) != 0)
      mux_die(MUX_EXIT_USAGE, "agent: it is spoken to by 'muxbench load --agents', not by hand");
    else if (mux_control_say(STDOUT_FILENO, "%s %lld", line, (long long)mux_now_ns()) != 0)
      exit(MUX_EXIT_FAILED);
  }
  return false;
}

static int write_result(const struct load_config *config, const struct load_result *result) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *stream = mux_made(open_memstream(&text, &bytes));
  int rc = load_result_json(config, result, stream);
  if (fclose(stream) != 0 || rc != 0)
    mux_die(MUX_EXIT_FAILED, "no memory");
  printf("result %zu\n%s", bytes, text);
  free(text);
  return mux_stdout_flush();
}

int cmd_agent(int argc, char **argv) {
  static char load[] = "load";
  static char orders[] = "--control=0";
  static char phases[] = "--events-fd=1";
  char *words[WORDS_MOST + 1] = {load, orders, phases};
  int count = OWN_WORDS;
  struct load_options options;
  struct load_result result;
  mux_parse_args(&parser, argc, argv, NULL);
  say_hello();
  if (!read_options(words, &count))
    return MUX_EXIT_OK;
  load_options_parse(&options, count, words);
  struct load_config *config = &options.config;
  load_config_fit(config);
  load_sources_choose(config);
  config->heartbeat_ns = AGENT_HEARTBEAT_NS;
  if (load_run(config, &result) != 0)
    return MUX_EXIT_FAILED;
  load_judge(config, &result);
  int rc = write_result(config, &result);
  load_result_free(&result);
  for (int i = OWN_WORDS; i < count; i++)
    free(words[i]);
  return rc == 0 ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}
