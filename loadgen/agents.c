/* agents.c: see agents.h. */
#include "loadgen/agents.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/memory.h"
#include "hdr/hdr_log.h"
#include "loadgen/agent.h"
#include "loadgen/leave_one_out.h"
#include "loadgen/parts.h"
#include "loadgen/target.h"

/* An order is on its way before it is time to begin: in slices, of which there are many, and in a
 * run that is one. Who begins later than this, and a tenth of the slice, has no common start. */
#define LEAD_NS     (5 * MUX_MS)
#define LEAD_ONE_NS (100 * MUX_MS)
#define LATE_NS     (50 * MUX_MS)
#define LOOK_NS     (200 * MUX_MS)
#define END_NS      (60 * MUX_S)
enum { PER_CONNECTION_NS = 200 * 1000 };

struct agents {
  const struct load_options *options;
  struct agent *list;
  int count;
  int signal_fd;
  int events_fd; /* -1: none, or its reader has gone */
  sigset_t old_mask;
  struct mux_lines orders;
  struct load_target target; /* if the server is on this host */
  int64_t server_ns;         /* CPU time of it in the windows that were recorded */
  bool interrupted;
};

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Lost, or over although nobody has said so: it could not connect. */
static bool any_gone(const struct agents *a) {
  for (int i = 0; i < a->count; i++)
    if (a->list[i].stage >= AGENT_OVER)
      return true;
  return false;
}

static bool all_at(const struct agents *a, enum agent_stage stage) {
  for (int i = 0; i < a->count; i++)
    if (a->list[i].stage != stage && a->list[i].stage != AGENT_LOST)
      return false;
  return true;
}

/* Until somebody says something, an order comes, or it is time. */
static void listen_until(struct agents *a, int64_t until_ns, int orders_fd) {
  struct pollfd *wait = mux_new((size_t)a->count + 2, sizeof *wait);
  int64_t left = until_ns - mux_now_ns();
  struct timespec timeout = mux_ns_timespec(left < 0 ? 0 : left > LOOK_NS ? LOOK_NS : left);
  for (int i = 0; i < a->count; i++)
    wait[i] = (struct pollfd){.fd = a->list[i].stage < AGENT_OVER ? a->list[i].from_fd : -1,
                              .events = POLLIN};
  wait[a->count] = (struct pollfd){.fd = a->signal_fd, .events = POLLIN};
  wait[a->count + 1] = (struct pollfd){.fd = orders_fd, .events = POLLIN};
  ppoll(wait, (nfds_t)a->count + 2, &timeout, NULL);
  free(wait);
  for (int i = 0; i < a->count; i++)
    agent_listen(&a->list[i]);
  struct signalfd_siginfo info;
  if (read(a->signal_fd, &info, sizeof info) == sizeof info) {
    for (int i = 0; i < a->count && a->interrupted; i++) /* for the second time */
      agent_lose(&a->list[i], "interrupted");
    a->interrupted = true;
  }
}

/* False if one is gone, or after Ctrl-C. */
static bool await(struct agents *a, enum agent_stage stage) {
  while (!a->interrupted && !any_gone(a) && !all_at(a, stage))
    listen_until(a, INT64_MAX, -1);
  return !a->interrupted && !any_gone(a);
}

/* ---- Slices ---------------------------------------------------------------------------------- */

/* At a moment of our own clock. Returns when it was read. */
static int64_t server_clock_at(struct agents *a, int64_t at_ns, int64_t *cpu_ns) {
  while (mux_now_ns() < at_ns && !a->interrupted && !any_gone(a))
    listen_until(a, at_ns, -1);
  *cpu_ns = load_target_known(&a->target) ? load_target_cpu_ns(&a->target) : 0;
  return mux_now_ns();
}

/* Those that began later than the others are lost: what they measured was not one load. */
static void look_at_starts(struct agents *a, const struct mux_order *order) {
  int64_t late_most = LATE_NS + (order->warmup_ns + order->duration_ns) / 10;
  for (int i = 0; i < a->count; i++) {
    struct agent *agent = &a->list[i];
    int64_t late = agent->answer.start_ns - order->start_ns;
    if (llabs(late) > llabs(agent->about.late_ns))
      agent->about.late_ns = late;
    if (late > late_most + agent->about.clock_error_ns)
      agent_lose(agent, "it began %.1f ms late", (double)late / 1e6);
  }
}

static struct mux_answer sum_of_answers(const struct agents *a) {
  struct mux_answer sum = {.server_ns = -1};
  for (int i = 0; i < a->count; i++) {
    const struct mux_answer *one = &a->list[i].answer;
    sum.start_ns = one->start_ns > sum.start_ns ? one->start_ns : sum.start_ns;
    sum.duration_ns = one->duration_ns > sum.duration_ns ? one->duration_ns : sum.duration_ns;
    sum.server_ns = one->server_ns > sum.server_ns ? one->server_ns : sum.server_ns;
    sum.completed += one->completed;
    sum.all += one->all;
    sum.client_ns += one->client_ns;
    sum.spin_ns += one->spin_ns;
    sum.errors += one->errors;
    sum.unanswered += one->unanswered;
    sum.messages += one->messages;
    sum.late += one->late;
    sum.late_in_service += one->late_in_service;
  }
  return sum;
}

/* Returns false if it did not come to its end. */
static bool run_slice(struct agents *a, struct mux_order order, struct mux_answer *answer) {
  int64_t error_ns = 0;
  int64_t cpu_ns[2];
  for (int i = 0; i < a->count; i++)
    error_ns =
        a->list[i].about.clock_error_ns > error_ns ? a->list[i].about.clock_error_ns : error_ns;
  order.start_ns =
      mux_now_ns() + 4 * error_ns + (a->options->config.control_fd >= 0 ? LEAD_NS : LEAD_ONE_NS);
  for (int i = 0; i < a->count; i++)
    agent_order(&a->list[i], &order);
  int64_t opened_ns = server_clock_at(a, order.start_ns + order.warmup_ns, &cpu_ns[0]);
  int64_t closed_ns = server_clock_at(a, opened_ns + order.duration_ns, &cpu_ns[1]);
  if (!await(a, AGENT_CONNECTED))
    return false;
  look_at_starts(a, &order);
  *answer = sum_of_answers(a);
  if (load_target_known(&a->target) && answer->server_ns < 0)
    answer->server_ns = (int64_t)((double)(cpu_ns[1] - cpu_ns[0]) * (double)order.duration_ns /
                                  (double)(closed_ns - opened_ns));
  if (order.record && answer->server_ns > 0)
    a->server_ns += answer->server_ns;
  return !any_gone(a);
}

static void said(struct agents *a, int rc) {
  if (rc != 0)
    a->events_fd = -1; /* nobody reads it any more */
}

/* As a runner orders them, until it has no more. Returns 0, or -EPROTO for what is no order. */
static int run_orders(struct agents *a) {
  const struct load_config *config = &a->options->config;
  char line[sizeof a->orders.text];
  struct mux_order order;
  struct mux_answer answer;
  if (a->events_fd >= 0)
    said(a, mux_control_say(a->events_fd, "connected %lld", (long long)mux_now_ns()));
  while (!a->interrupted && !any_gone(a)) {
    int rc = mux_lines_next(&a->orders, config->control_fd, line, sizeof line);
    if (rc < 0 || (rc == 1 && strcmp(line, "stop") == 0))
      return rc == -EPROTO ? rc : 0;
    if (rc == 0)
      listen_until(a, INT64_MAX, config->control_fd);
    else if (mux_order_parse(line, &order) != 0)
      return -EPROTO;
    else if (run_slice(a, order, &answer) && a->events_fd >= 0)
      said(a, mux_answer_send(a->events_fd, &answer));
  }
  return 0;
}

static void run_configured(struct agents *a) {
  const struct load_config *config = &a->options->config;
  struct mux_answer answer;
  run_slice(a,
            (struct mux_order){.warmup_ns = config->warmup_ns,
                               .duration_ns = config->duration_ns,
                               .spin_ns = config->spin_ns,
                               .record = true},
            &answer);
}

/* ---- Options --------------------------------------------------------------------------------- */

static int count_of(const char *agents) {
  int count = 1;
  for (; *agents != 0; agents++)
    count += *agents == ',';
  return count;
}

int load_agents_check(const struct load_options *options, struct mux_option_error *error) {
  int count = count_of(options->agents);
  int connections = options->config.connections;
  if (count > connections || count > LOAD_PARTS_MOST)
    return mux_option_error_set(error, "agents", "%d for %d connection%s; each needs one", count,
                                connections, connections == 1 ? "" : "s");
  const char *other = options->config.part.is_part                           ? "part"
                      : options->find_rate && options->config.control_fd < 0 ? "find-rate"
                                                                             : NULL;
  return other == NULL ? 0 : mux_option_error_set(error, other, "not together with --agents");
}

/* ---- From start to end ----------------------------------------------------------------------- */

/* Returns 0, or -ECHILD: one is not there, and so nothing begins. */
static int start_all(struct agents *a) {
  const char *rest = a->options->agents;
  a->count = count_of(rest);
  a->list = mux_new((size_t)a->count, sizeof *a->list);
  for (int i = 0; i < a->count; i++, rest += *rest == ',') {
    char *prefix = mux_format("%.*s", (int)strcspn(rest, ","), rest);
    rest += strcspn(rest, ",");
    agent_start(&a->list[i], i + 1, prefix);
    free(prefix);
  }
  for (int i = 0; i < a->count; i++)
    if (agent_meet(&a->list[i]) == 0)
      agent_send_options(&a->list[i], a->options, a->count);
  return any_gone(a) ? -ECHILD : 0;
}

/* What they have measured so far, each in its own time, but no longer than its messages may take,
 * and its connections to be proved and closed. */
static void end_all(struct agents *a) {
  const struct load_config *config = &a->options->config;
  int64_t connections = config->connections + config->idle;
  int64_t until_ns =
      mux_now_ns() + END_NS + 2 * config->timeout_ns + connections * PER_CONNECTION_NS;
  bool early = a->interrupted || any_gone(a);
  for (int i = 0; i < a->count; i++) {
    if (early)
      agent_stop(&a->list[i]);
    agent_end(&a->list[i]);
  }
  while (!all_at(a, AGENT_OVER) && mux_now_ns() < until_ns)
    listen_until(a, until_ns, -1);
  for (int i = 0; i < a->count; i++)
    agent_lose(&a->list[i], "it does not end");
}

static int add_up(struct agents *a, struct load_config *config, struct load_result *result) {
  struct load_whole whole = {0};
  char why[200];
  for (int i = 0; i < a->count; i++) {
    struct agent *agent = &a->list[i];
    if (agent->result != NULL && load_whole_add(&whole, agent->result, why, sizeof why) != 0) {
      agent->stage = AGENT_BUSY; /* not over: its result makes no sense */
      agent_lose(agent, "%s", why);
    }
  }
  if (whole.added == 0) {
    load_whole_free(&whole);
    return -ECHILD;
  }
  load_whole_finish(&whole, why, sizeof why);
  *result = whole.result;
  config->threads = whole.config.threads;
  whole.result = (struct load_result){0};
  load_whole_free(&whole);
  result->interrupted = a->interrupted;
  if (isnan(result->server_cpu_s) && a->server_ns > 0) {
    result->server_cpu_s = (double)a->server_ns / (double)MUX_S;
    result->server_cpus = a->target.cpus;
  }
  return 0;
}

/* All that was measured, as one interval. */
static int write_log(const struct load_config *config, const struct load_result *result) {
  static const enum load_kind kinds[] = {LOAD_RESPONSE, LOAD_SERVICE, LOAD_SLIP, LOAD_CONNECT,
                                         LOAD_RESPONSE_PEAK};
  if (config->hlog == NULL)
    return 0;
  int rc = mux_hdr_log_begin(config->hlog, (double)mux_clock_ns(CLOCK_REALTIME) / 1e9);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds && rc == 0; i++)
    rc = mux_hdr_log_write(config->hlog, load_kind_names[kinds[i]], 0, result->duration_s,
                           result->hdr[kinds[i]]);
  return rc;
}

/* Which of them did what. */
static void tell(const struct agents *a, struct load_result *result) {
  const json_t *results[a->count];
  result->agents = mux_new((size_t)a->count, sizeof *result->agents);
  result->agents_count = a->count;
  for (int i = 0; i < a->count; i++) {
    result->agents[i] = a->list[i].about;
    results[i] = a->list[i].stage == AGENT_OVER ? a->list[i].result : NULL;
  }
  load_leave_one_out(result->agents, results, a->count);
}

static void name_lost(const struct agents *a) {
  for (int i = 0; i < a->count; i++) {
    const struct load_agent *about = &a->list[i].about;
    if (about->lost[0] != 0)
      mux_note("load: agent %d%s%s%s: %s", i + 1, about->prefix[0] != 0 ? " (" : "", about->prefix,
               about->prefix[0] != 0 ? ")" : "", about->lost);
  }
}

int load_agents_run(const struct load_options *options, struct load_config *config,
                    struct load_result *result) {
  struct agents a = {.options = options, .events_fd = options->config.events_fd};
  sigset_t mask;
  *result = (struct load_result){0};
  sigemptyset(&mask);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGTERM);
  a.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  sigprocmask(SIG_BLOCK, &mask, &a.old_mask);
  void (*old_pipe)(int) = signal(SIGPIPE, SIG_IGN);
  load_target_find(&a.target, &config->target, config->server_root);
  int rc = start_all(&a);
  if (rc == 0) {
    if (await(&a, AGENT_CONNECTED)) {
      load_target_look_again(&a.target);
      if (config->control_fd >= 0)
        rc = run_orders(&a);
      else
        run_configured(&a);
    }
    end_all(&a);
    if (rc != 0)
      mux_note("load: --control: what came is no order");
    else
      rc = add_up(&a, config, result);
  }
  name_lost(&a);
  if (rc == 0) {
    tell(&a, result);
    rc = write_log(config, result);
  }
  for (int i = 0; i < a.count; i++)
    agent_free(&a.list[i]);
  free(a.list);
  load_target_free(&a.target);
  close(a.signal_fd);
  signal(SIGPIPE, old_pipe);
  sigprocmask(SIG_SETMASK, &a.old_mask, NULL);
  return rc;
}
