/* selftest.c: see selftest.h.
 *
 *   stall   The server is stopped for D in an open loop of T: response quantile q must be
 *           D − (1−q)(1−ρ)T, with ρ between 0 (the backlog drains in one batch) and rate ÷
 * capacity. A tool that waits for replies before it sends would hardly see the stall. In a closed
 *           loop of C connections exactly C messages see it.
 *   M/D/1   Poisson arrivals at a server whose work takes S: the mean wait is ρS/(2(1−ρ)). It is
 *           computed for the arrivals of this seed (Lindley's recursion), and measured as the
 *           difference to constant arrivals at the same rate, which do not wait.
 *   Little  Mean outstanding = rate × mean response; in a closed loop the former is known. */
#include "loadgen/selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "loadgen/engine.h"
#include "loadgen/schedule.h"
#include "process/server.h"

/* Other work on the machine fails a check now and then, a wrong load generator each time. */
enum { QUICK_TRIES = 3 };

struct selftest {
  struct load_config base;
  bool quick;
  cpu_set_t server_cpus;
  FILE *text;
  json_t *checks;
  bool failed;  /* a check failed */
  bool unsure;  /* quick: the machine was too busy to judge a check */
  bool broken;  /* a check could not be run */
  bool stopped; /* Ctrl-C */
};

/* The quick test takes two fifths of the time. */
static int64_t scaled(const struct selftest *t, int64_t ns) {
  return t->quick ? ns * 2 / 5 : ns;
}

/* Is `seen` within [low, high], give or take `tolerance` of them? */
static void check(struct selftest *t, const char *name, const char *unit, double low, double high,
                  double tolerance, double seen) {
  bool pass = seen >= low * (1 - tolerance) && seen <= high * (1 + tolerance);
  t->failed = t->failed || !pass;
  fprintf(t->text, "  %-44s expected ", name);
  if (low == high)
    fprintf(t->text, "%9.5g", low);
  else
    fprintf(t->text, "%.5g to %.5g", low, high);
  if (tolerance > 0)
    fprintf(t->text, " (+-%.0f %%)", tolerance * 100);
  fprintf(t->text, ", seen %.5g %s: %s\n", seen, unit, pass ? "ok" : "FAILED");
  fflush(t->text);
  json_array_append_new(t->checks,
                        json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:b}", "name", name, "unit", unit,
                                  "expected_low", low, "expected_high", high, "tolerance",
                                  tolerance, "seen", seen, "passed", pass));
}

static struct mux_server *start_server(struct selftest *t, const char *const *extra) {
  struct mux_server *server = NULL;
  struct mux_server_spec spec = {.backend = "epoll-lt", .cpus = &t->server_cpus, .extra = extra};
  char why[200];
  if (mux_server_start(&server, &spec, why, sizeof why) != 0) {
    mux_note("--selftest: %s", why);
    t->broken = true;
    return NULL;
  }
  return server;
}

/* One run. False if it failed or was interrupted. */
static bool run(struct selftest *t, const struct mux_server *server, struct load_config *config,
                struct load_result *result) {
  config->target = *mux_server_addr(server);
  if (load_run(config, result) != 0) {
    t->broken = true;
    return false;
  }
  load_judge(config, result);
  t->stopped = t->stopped || result->interrupted;
  if (load_errors_total(result) > 0 || result->established < config->connections) {
    load_explain(config, result);
    t->broken = true;
  }
  if (!t->stopped && !t->broken)
    return true;
  load_result_free(result);
  return false;
}

static struct load_config closed(const struct selftest *t, int connections, int depth,
                                 int64_t duration_ns) {
  struct load_config config = t->base;
  config.connections = connections;
  config.depth = depth;
  config.duration_ns = duration_ns;
  config.warmup_ns = 200 * MUX_MS;
  return config;
}

static struct load_config open_loop(const struct selftest *t, int64_t rate,
                                    enum load_arrival arrival, int64_t duration_ns) {
  struct load_config config = closed(t, 100, 1, duration_ns);
  config.rate_per_s = rate;
  config.arrival = arrival;
  return config;
}

/* The machine was too busy for a check. The quick test passes all the same, and says so. */
static void not_judged(struct selftest *t, const char *what) {
  fprintf(t->text, "  %s: not judged, the machine is busy\n", what);
  t->unsure = true;
  t->broken = t->broken || !t->quick;
}

/* Messages per second that the server manages, 0 on failure. */
static double capacity(struct selftest *t, const struct mux_server *server) {
  struct load_config config = closed(t, 100, 1, scaled(t, MUX_S));
  struct load_result result;
  if (!run(t, server, &config, &result))
    return 0;
  double rate = load_per_s(&result);
  load_result_free(&result);
  if (rate <= 0)
    not_judged(t, "capacity of the server");
  return rate;
}

/* ---- Stall ---------------------------------------------------------------------------------- */

struct stall {
  int events_fd; /* phase edges of the run */
  pid_t pid;
  int64_t after_ns, length_ns; /* planned */
  int64_t lasted_ns;           /* measured */
};

static void sleep_ns(int64_t ns) {
  struct timespec left = mux_ns_timespec(ns);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/* Waits for the window to begin, then stops the server for a while. */
static void *stall_main(void *argument) {
  struct stall *stall = argument;
  FILE *events = fdopen(stall->events_fd, "r");
  char line[64];
  while (events != NULL && fgets(line, sizeof line, events) != NULL) {
    if (strncmp(line, "measure", 7) != 0)
      continue;
    sleep_ns(stall->after_ns);
    int64_t from = mux_now_ns();
    kill(stall->pid, SIGSTOP);
    sleep_ns(stall->length_ns);
    kill(stall->pid, SIGCONT);
    stall->lasted_ns = mux_now_ns() - from;
  }
  if (events != NULL)
    fclose(events);
  return NULL;
}

static bool run_stalled(struct selftest *t, const struct mux_server *server,
                        struct load_config *config, struct stall *stall,
                        struct load_result *result) {
  int fds[2];
  pthread_t thread;
  if (pipe2(fds, O_CLOEXEC) != 0) {
    t->broken = true;
    return false;
  }
  stall->events_fd = fds[0];
  stall->pid = mux_server_pid(server);
  if (pthread_create(&thread, NULL, stall_main, stall) != 0) {
    close(fds[0]);
    close(fds[1]);
    t->broken = true;
    return false;
  }
  config->events_fd = fds[1];
  bool good = run(t, server, config, result);
  close(fds[1]);
  pthread_join(thread, NULL);
  if (good && stall->lasted_ns == 0) {
    load_result_free(result);
    t->broken = true;
    good = false;
  }
  return good;
}

static void stall_open(struct selftest *t, const struct mux_server *server, double capacity_per_s) {
  static const double quantiles[] = {95, 99, 99.9};
  const int64_t rate = 10000;
  struct load_config config = open_loop(t, rate, LOAD_CONSTANT, scaled(t, 10 * MUX_S));
  struct stall stall = {.after_ns = scaled(t, 2 * MUX_S), .length_ns = scaled(t, MUX_S)};
  struct load_result r;
  if (!run_stalled(t, server, &config, &stall, &r))
    return;
  double d = (double)stall.lasted_ns / 1e9;
  double window = (double)config.duration_ns / 1e9;
  double rho = (double)rate / capacity_per_s;
  for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
    double rest = (1 - quantiles[i] / 100) * window;
    char name[64];
    snprintf(name, sizeof name, "stall of %.3f s: response p%g", d, quantiles[i]);
    check(t, name, "s", d - rest, d - rest * (1 - (rho < 1 ? rho : 1)), t->quick ? 0.25 : 0.05,
          (double)mux_hdr_percentile(r.hdr[LOAD_RESPONSE], quantiles[i]) / 1e9);
  }
  check(t, "stall: slip p99 is unaffected", "s", 0, t->quick ? d / 2 : d / 20, 0,
        (double)mux_hdr_percentile(r.hdr[LOAD_SLIP], 99) / 1e9);
  check(t, "stall: messages sent, of those offered", "%", 100, 100, 0,
        100.0 * (double)r.count.sent / ((double)rate * window));
  load_result_free(&r);
}

static void stall_closed(struct selftest *t, const struct mux_server *server) {
  struct load_config config = closed(t, 50, 1, scaled(t, 3 * MUX_S));
  struct stall stall = {.after_ns = scaled(t, MUX_S), .length_ns = MUX_S};
  struct load_result r;
  if (!run_stalled(t, server, &config, &stall, &r))
    return;
  const struct mux_hdr *h = r.hdr[LOAD_RESPONSE];
  int64_t slow = 0;
  for (int32_t i = mux_hdr_index(h, stall.lasted_ns / 2); i < h->counts_length; i++)
    slow += h->counts[i];
  check(t, "closed loop, 50 connections: slow messages", "", 50, 50, 0, (double)slow);
  check(t, "... which are one stall: p99.9 rests on it", "", 0, 0, 0,
        load_percentile_known(&r, LOAD_RESPONSE, 100 * (1 - 20 / (double)h->total)));
  load_result_free(&r);
}

static void check_stall(struct selftest *t) {
  struct mux_server *server = start_server(t, NULL);
  if (server == NULL)
    return;
  double capacity_per_s = capacity(t, server);
  if (capacity_per_s > 0)
    stall_open(t, server, capacity_per_s);
  if (!t->stopped && !t->broken)
    stall_closed(t, server);
  mux_server_stop(server);
}

/* ---- M/D/1 ---------------------------------------------------------------------------------- */

/* Wait times of the window's messages if each takes service_ns: W' = max(0, W + S − gap). NULL: no
 * memory. */
static struct mux_hdr *lindley(const struct load_config *config, double service_ns) {
  struct load_schedule s;
  struct mux_hdr *waits = mux_hdr_new_latency();
  load_schedule_init(&s, config->arrival, config->rate_per_s, 0, 0, 1, config->seed);
  double wait = 0;
  while (waits != NULL && s.next_ns < config->warmup_ns + config->duration_ns) {
    int64_t now = s.next_ns;
    if (now >= config->warmup_ns)
      mux_hdr_record(waits, (int64_t)wait);
    load_schedule_advance(&s);
    wait += service_ns - (double)(s.next_ns - now);
    wait = wait > 0 ? wait : 0;
  }
  return waits;
}

static void compare_waits(struct selftest *t, double service_us, double rho,
                          const struct mux_hdr *waits, const struct load_result *even,
                          const struct load_result *random) {
  const struct mux_hdr *base = even->hdr[LOAD_RESPONSE];
  const struct mux_hdr *queued = random->hdr[LOAD_RESPONSE];
  double tolerance = t->quick ? 0.35 : 0.10;
  /* Constant arrivals do not wait: response times are all alike, if server and load have their
   * cores to themselves. */
  if (t->quick && mux_hdr_percentile(base, 90) > mux_hdr_percentile(base, 50) * 3 / 2) {
    not_judged(t, "M/D/1");
    return;
  }
  double mean = mux_hdr_mean(waits) / 1e3;
  fprintf(t->text, "  M/D/1: S %.1f us, rho %.2f, long-run mean wait %.1f us\n", service_us, rho,
          rho * service_us / (2 * (1 - rho)));
  check(t, "M/D/1: mean wait of this sequence", "us", mean, mean, tolerance,
        (mux_hdr_mean(queued) - mux_hdr_mean(base)) / 1e3);
}

static void check_queue(struct selftest *t) {
  static const char *const work[] = {"--work", "500us", NULL};
  const double rho = 0.6;
  struct mux_server *server = start_server(t, work);
  double capacity_per_s = server != NULL ? capacity(t, server) : 0;
  struct mux_hdr *waits = NULL;
  struct load_result even = {0};
  struct load_result random = {0};
  if (capacity_per_s <= 0)
    goto out;
  int64_t rate = (int64_t)(rho * capacity_per_s);
  struct load_config config = open_loop(t, rate, LOAD_CONSTANT, scaled(t, 4 * MUX_S));
  if (!run(t, server, &config, &even))
    goto out;
  config = open_loop(t, rate, LOAD_POISSON, scaled(t, 8 * MUX_S));
  if (!run(t, server, &config, &random))
    goto out;
  waits = lindley(&config, 1e9 / capacity_per_s);
  if (waits != NULL)
    compare_waits(t, 1e6 / capacity_per_s, rho, waits, &even, &random);
out:
  mux_hdr_free(waits);
  load_result_free(&even);
  load_result_free(&random);
  if (server != NULL)
    mux_server_stop(server);
}

/* ---- Little, and the wake-up share ---------------------------------------------------------- */

static void check_little(struct selftest *t) {
  struct mux_server *server = start_server(t, NULL);
  if (server == NULL)
    return;
  struct load_config config = closed(t, 64, 4, scaled(t, 2 * MUX_S));
  struct load_result r;
  if (run(t, server, &config, &r)) {
    double outstanding = load_per_s(&r) * mux_hdr_mean(r.hdr[LOAD_RESPONSE]) / 1e9;
    check(t, "Little: rate x mean response, 64 x 4 outstanding", "", 256, 256,
          t->quick ? 0.10 : 0.02, outstanding);
    load_result_free(&r);
  }
  if (!t->stopped && !t->broken) {
    config = open_loop(t, 10000, LOAD_CONSTANT, scaled(t, MUX_S));
    config.stamp_one_in = t->base.engine->stamps ? 1 : 0;
    if (config.stamp_one_in > 0 && run(t, server, &config, &r)) {
      check(t, "client wake-up, of the service time", "%", 0, 100, 0, 100 * load_wakeup_share(&r));
      load_result_free(&r);
    }
  }
  mux_server_stop(server);
}

int load_selftest(const struct load_config *base, bool quick, FILE *text, FILE *json) {
  struct selftest t = {.base = *base, .quick = quick, .text = text, .checks = json_array()};
  if (mux_cpus_split(&t.server_cpus, &t.base.cpus, 1) != 0)
    mux_warn("--selftest: one core for server and load; expect failures");
  static void (*const checks[])(struct selftest *) = {check_stall, check_queue, check_little};
  bool failed = false;
  bool unsure = false;
  for (size_t i = 0; i < sizeof checks / sizeof *checks && !t.stopped; i++) {
    for (int tries = quick ? QUICK_TRIES : 1; tries > 0 && !t.stopped; tries--) {
      t.failed = t.unsure = false;
      checks[i](&t);
      if (!t.failed && !t.unsure)
        break;
      if (tries > 1)
        fprintf(text, "  again: other work may have disturbed it\n");
    }
    failed = failed || t.failed;
    unsure = unsure || t.unsure;
  }
  t.failed = failed;
  bool valid = !t.failed && !t.broken && !t.stopped;
  const char *verdict = "FAILED: the load generator is wrong, or other work disturbed it";
  if (t.stopped)
    verdict = "interrupted";
  else if (t.broken)
    verdict = "could not be completed";
  else if (valid)
    verdict = unsure ? "correct in what this busy machine let it judge"
                     : "this load generator measures correctly here";
  fprintf(text, "selftest: %s\n", verdict);
  json_t *root = json_pack("{s:o, s:b}", "checks", t.checks, "valid", valid);
  if (json != NULL)
    json_dumpf(root, json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
  if (json != NULL)
    fputc('\n', json);
  json_decref(root);
  return t.stopped ? MUX_EXIT_INTERRUPTED : valid ? MUX_EXIT_OK : MUX_EXIT_FAILED;
}
