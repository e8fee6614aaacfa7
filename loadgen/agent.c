/* agent.c: see agent.h. What an agent says is remote input: each line is one that is expected at
 * that stage, or the agent is lost. */
#include "loadgen/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/words.h"

enum { LINES_AT_ONCE = 1000, CLOCK_READINGS = 16, PER_CONNECTION_NS = 100 * 1000 };
#define MEET_NS  (10 * MUX_S) /* a host may be far, and its ssh slow */
#define CLOSE_NS (10 * MUX_S)

void agent_lose(struct agent *agent, const char *format, ...) {
  char text[sizeof agent->about.lost];
  va_list args;
  if (agent->stage >= AGENT_OVER)
    return;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  mux_printable(agent->about.lost, sizeof agent->about.lost, text);
  agent->stage = AGENT_LOST;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* PREFIX PROGRAM agent. One free() releases the list, another the words of the prefix. */
static char **command_of(const char *prefix, char *program, char ***words) {
  static char name[] = "agent";
  int n = 0;
  *words = prefix[strspn(prefix, " ")] != 0 ? mux_words_split(prefix) : NULL;
  while (*words != NULL && (*words)[n] != NULL)
    n++;
  char **argv = mux_new((size_t)n + 3, sizeof *argv);
  for (int i = 0; i < n; i++)
    argv[i] = (*words)[i];
  argv[n] = program;
  argv[n + 1] = name;
  return argv;
}

int agent_start(struct agent *agent, int number, const char *prefix) {
  char program[4096] = "";
  char **words;
  int to[2] = {-1, -1};
  int from[2] = {-1, -1};
  *agent = (struct agent){.number = number, .to_fd = -1, .from_fd = -1, .process.lifeline = -1};
  mux_printable(agent->about.prefix, sizeof agent->about.prefix, prefix);
  int rc = readlink("/proc/self/exe", program, sizeof program - 1) > 0 ? 0 : -errno;
  char **argv = command_of(prefix, program, &words);
  if (rc == 0 && (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0))
    rc = -errno;
  if (rc == 0)
    rc = mux_process_start(&agent->process, &(struct mux_process_spec){.argv = argv,
                                                                       .stdin_fd = to[0],
                                                                       .stdout_fd = from[1],
                                                                       .stderr_fd = STDERR_FILENO});
  if (to[1] >= 0) /* one that does not read its orders is lost */
    fcntl(to[1], F_SETFL, O_NONBLOCK);
  if (to[0] >= 0)
    close(to[0]);
  if (from[1] >= 0)
    close(from[1]);
  agent->to_fd = to[1];
  agent->from_fd = from[0];
  agent->silent_since_ns = mux_now_ns();
  agent->may_be_silent_ns = MEET_NS;
  if (rc != 0)
    agent_lose(agent, "it could not be started: %s", strerror(-rc));
  free(argv);
  free(words);
  return rc;
}

/* ---- What it says ---------------------------------------------------------------------------- */

static bool take_name(struct agent *agent, const char *line) {
  int protocol;
  const char *host;
  json_t *object = strncmp(line, "agent ", 6) == 0 ? json_loads(line + 6, 0, NULL) : NULL;
  bool sound = json_unpack(object, "{s:i, s:s}", "protocol", &protocol, "host", &host) == 0;
  sound = sound && host[0] != 0;
  if (sound && protocol != AGENT_PROTOCOL)
    agent_lose(agent,
               "it speaks version %d of the protocol, this muxbench version %d: install the "
               "same one there",
               protocol, AGENT_PROTOCOL);
  else if (sound)
    mux_printable(agent->about.host, sizeof agent->about.host, host);
  json_decref(object);
  return sound;
}

/* The offset is known to half of the time that the question was under way, there and back: the best
 * is the quickest one (Cristian 1989). */
static bool take_clock(struct agent *agent, const char *line) {
  long long k;
  long long clock_ns;
  int64_t now = mux_now_ns();
  if (sscanf(line, "clock %lld %lld", &k, &clock_ns) != 2 || k != agent->waits_for ||
      clock_ns < 0 || clock_ns > INT64_MAX / 2)
    return false;
  int64_t error_ns = (now - agent->asked_ns + 1) / 2;
  if (k == 1 || error_ns < agent->about.clock_error_ns) {
    agent->about.clock_error_ns = error_ns;
    agent->about.clock_offset_ns = clock_ns - (agent->asked_ns + (now - agent->asked_ns) / 2);
  }
  agent->waits_for = 0;
  return true;
}

static bool take_answer(struct agent *agent, const char *line) {
  if (agent->stage == AGENT_ENDING) /* it crossed the order to stop */
    return true;
  if (agent->stage != AGENT_BUSY || mux_answer_parse(line, &agent->answer) != 0)
    return false;
  agent->answer.start_ns -= agent->about.clock_offset_ns;
  agent->stage = AGENT_CONNECTED;
  return true;
}

static bool take_result_size(struct agent *agent, const char *line) {
  unsigned long bytes = 0;
  if (!agent->closes || sscanf(line, "result %lu", &bytes) != 1 || bytes == 0 ||
      bytes > AGENT_RESULT_BYTES_MOST || agent->text != NULL)
    return false;
  agent->text = mux_new(bytes, 1);
  agent->text_bytes = bytes;
  return true;
}

static bool begins(const char *line, const char *word) {
  size_t n = strlen(word);
  return strncmp(line, word, n) == 0 && line[n] == ' ';
}

static bool take_line(struct agent *agent, const char *line) {
  if (agent->stage == AGENT_STARTED && agent->about.host[0] == 0)
    return take_name(agent, line);
  if (agent->stage == AGENT_STARTED || begins(line, "clock"))
    return take_clock(agent, line);
  if (begins(line, "slice"))
    return take_answer(agent, line);
  if (begins(line, "result"))
    return take_result_size(agent, line);
  if (begins(line, "connected") && agent->stage == AGENT_KNOWN)
    agent->stage = AGENT_CONNECTED;
  return true; /* edges of phases, alive */
}

static int take_text(struct agent *agent) {
  ssize_t n = mux_lines_raw(&agent->lines, agent->from_fd, agent->text + agent->text_used,
                            agent->text_bytes - agent->text_used);
  if (n <= 0)
    return (int)n;
  agent->text_used += (size_t)n;
  if (agent->text_used < agent->text_bytes)
    return 1;
  agent->result = json_loadb(agent->text, agent->text_bytes, JSON_REJECT_DUPLICATES, NULL);
  if (agent->result == NULL)
    agent_lose(agent, "its result is no JSON");
  else if (agent->stage != AGENT_ENDING)
    snprintf(agent->about.lost, sizeof agent->about.lost, "it has ended before it was told to");
  if (agent->result != NULL)
    agent->stage = AGENT_OVER;
  return 0;
}

static int take_next(struct agent *agent) {
  char line[sizeof agent->lines.text];
  if (agent->text != NULL)
    return take_text(agent);
  int rc = mux_lines_next(&agent->lines, agent->from_fd, line, sizeof line);
  if (rc != 1)
    return rc;
  if (!take_line(agent, line))
    agent_lose(agent, "it said '%.80s'", line);
  if (begins(line, "close")) {
    agent->closes = true;
    agent->may_be_silent_ns = CLOSE_NS + (int64_t)agent->connections * PER_CONNECTION_NS;
  }
  return 1;
}

void agent_listen(struct agent *agent) {
  int rc = 1;
  for (int i = 0; i < LINES_AT_ONCE && rc == 1 && agent->stage < AGENT_OVER; i++)
    if ((rc = take_next(agent)) == 1)
      agent->silent_since_ns = mux_now_ns();
  if (agent->stage >= AGENT_OVER)
    return;
  if (rc < 0 && mux_process_wait(&agent->process, MUX_S) == 0 && agent->process.exec_error != 0)
    agent_lose(agent, "it could not be started: %s", strerror(agent->process.exec_error));
  else if (rc < 0)
    agent_lose(agent, rc == -EPIPE ? "it has ended" : "it does not speak the protocol");
  else if (mux_now_ns() - agent->silent_since_ns > agent->may_be_silent_ns)
    agent_lose(agent, "it has been silent for %lld s",
               (long long)(agent->may_be_silent_ns / MUX_S));
}

/* ---- What it is told ------------------------------------------------------------------------- */

static void say(struct agent *agent, int rc) {
  if (rc != 0)
    agent_lose(agent, "it takes no more orders");
}

static bool is_interrupted(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 &&
         (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

/* Until what was asked has come, or the agent is lost. */
static void await(struct agent *agent, bool (*done)(const struct agent *), int64_t until_ns) {
  while (agent->stage < AGENT_OVER && !done(agent)) {
    struct pollfd wait = {.fd = agent->from_fd, .events = POLLIN};
    poll(&wait, 1, 200);
    agent_listen(agent);
    if (is_interrupted())
      agent_lose(agent, "interrupted");
    else if (mux_now_ns() > until_ns && !done(agent))
      agent_lose(agent, "it does not answer");
  }
}

static bool has_name(const struct agent *agent) {
  return agent->about.host[0] != 0;
}
static bool has_clock(const struct agent *agent) {
  return agent->waits_for == 0;
}

int agent_meet(struct agent *agent) {
  int64_t until_ns = mux_now_ns() + MEET_NS;
  await(agent, has_name, until_ns);
  for (int64_t k = 1; k <= CLOCK_READINGS && agent->stage == AGENT_STARTED; k++) {
    agent->waits_for = k;
    agent->asked_ns = mux_now_ns();
    say(agent, mux_control_say(agent->to_fd, "clock %lld", (long long)k));
    await(agent, has_clock, until_ns);
  }
  if (agent->stage != AGENT_STARTED)
    return -ECHILD;
  agent->stage = AGENT_KNOWN;
  agent->may_be_silent_ns = AGENT_SILENCE_NS;
  return 0;
}

void agent_send_options(struct agent *agent, const struct load_options *options, int parts) {
  const struct load_config *config = &options->config;
  agent->connections = (config->connections + config->idle + parts - 1) / parts;
  for (const struct mux_option_row *row = load_option_table; row->key != NULL; row++) {
    char text[MUX_OPTION_TEXT];
    char word[MUX_OPTION_TEXT + 64];
    const char *value =
        (row->flags & MUX_OPTION_LOCAL) == 0 ? mux_option_row_print(row, text, options) : NULL;
    if (value != NULL && mux_option_row_word(row, word, sizeof word, value) > 0)
      say(agent, mux_control_say(agent->to_fd, "option %s", word));
  }
  say(agent, mux_control_say(agent->to_fd, "option --part=%d/%d", agent->number, parts));
  say(agent, mux_control_say(agent->to_fd, "load"));
  agent->silent_since_ns = mux_now_ns();
}

void agent_order(struct agent *agent, const struct mux_order *order) {
  struct mux_order there = *order;
  there.start_ns += agent->about.clock_offset_ns;
  agent->stage = AGENT_BUSY;
  say(agent, mux_order_send(agent->to_fd, &there));
}

void agent_stop(struct agent *agent) {
  if (agent->stage >= AGENT_ENDING)
    return;
  agent->stage = AGENT_ENDING;
  say(agent, mux_control_say(agent->to_fd, "stop"));
}

void agent_end(struct agent *agent) {
  if (agent->to_fd >= 0)
    close(agent->to_fd);
  agent->to_fd = -1;
  if (agent->stage < AGENT_ENDING)
    agent->stage = AGENT_ENDING;
}

void agent_free(struct agent *agent) {
  agent_end(agent);
  if (agent->stage == AGENT_OVER) /* it ends by itself */
    mux_process_wait(&agent->process, MUX_S);
  if (agent->from_fd >= 0)
    close(agent->from_fd);
  mux_process_end(&agent->process);
  json_decref(agent->result);
  free(agent->text);
}
