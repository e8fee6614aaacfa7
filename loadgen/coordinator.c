/* coordinator.c: the phases of a run: connect → hold → (warm up → measure → drain → hold)… → prove
 * → done.
 *
 * When every worker is ready, the coordinator stamps the start of a slice (slice.h), and all
 * workers compute the same edges from that stamp. It generates no load: it takes orders for slices
 * and answers them, announces the phases on --events-fd, collects histograms, shows progress. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "loadgen/collector.h"
#include "loadgen/merge.h"
#include "process/control.h"

enum { START_DELAY_NS = 1000000 };
#define START_LATEST_NS (60 * MUX_S) /* from the order on: later is a clock that is wrong */

enum phase { CONNECT, HOLD, WARM, MEASURE, DRAIN, PROVE, DONE };
static const char *const phase_names[] = {"connecting", "holding",  "warming up", "measuring",
                                          "draining",   "checking", "done"};

/* Recorded so far, and later than the objective allows. */
struct lateness {
  int64_t messages, late, late_in_service;
};

struct coordinator {
  const struct load_config *config;
  struct load_shared shared;
  struct load_worker *workers;
  int made, started; /* workers with memory, workers with a thread */
  int events_fd;     /* -1: none, or its reader has gone */
  struct load_collector collector;
  enum phase phase;
  int signal_fd;
  sigset_t old_mask;
  struct mux_lines orders;
  struct lateness before;         /* the present slice */
  uint32_t slices;                /* that were ordered */
  int64_t measure_ns, drain_ns;   /* planned edges of the present one */
  int64_t windows_ns;             /* of all that were recorded, as planned, or less if cut short */
  int64_t began_ns, connected_ns; /* connecting */
  int64_t alive_ns;               /* when to say so next */
  bool orders_ended;              /* --control is closed */
  bool interrupted;
};

/* If the reader has gone, the run continues: SIGPIPE is blocked, and consumed here. */
static void said(struct coordinator *k, int rc) {
  sigset_t broken;
  if (rc == 0)
    return;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  sigtimedwait(&broken, NULL, &(struct timespec){0});
  k->events_fd = -1;
}

static void announce(struct coordinator *k, const char *edge) {
  if (k->events_fd >= 0)
    said(k, mux_control_say(k->events_fd, "%s %lld", edge, (long long)mux_now_ns()));
}

static void wake_all(struct coordinator *k) {
  for (int i = 0; i < k->started; i++)
    load_worker_wake(&k->workers[i]);
}

/* Has every worker reached the stage? */
static bool all_at(const struct coordinator *k, enum load_stage stage) {
  for (int i = 0; i < k->started; i++)
    if (atomic_load(&k->workers[i].told.stage) < (int)stage)
      return false;
  return true;
}

static void allow(struct coordinator *k, enum load_stage stage) {
  atomic_store(&k->shared.allowed, (int)stage);
  wake_all(k);
}

static void give_up(struct coordinator *k) {
  allow(k, LOAD_DONE);
}

/* The runner has closed --control: the last phase. */
static void prove(struct coordinator *k) {
  k->phase = PROVE;
  allow(k, LOAD_PROOF);
}

static bool any_connected(const struct coordinator *k) {
  for (int i = 0; i < k->started; i++)
    if (atomic_load(&k->workers[i].told.established) > 0)
      return true;
  return k->config->mode == LOAD_CRR;
}

/* A worker that is done before it was allowed to has failed. */
static bool any_failed(const struct coordinator *k) {
  if (atomic_load(&k->shared.allowed) == LOAD_DONE)
    return false;
  for (int i = 0; i < k->started; i++)
    if (atomic_load(&k->workers[i].told.stage) == LOAD_DONE)
      return true;
  return false;
}

static struct lateness lateness_so_far(const struct coordinator *k) {
  struct mux_hdr *const *total = k->collector.total;
  int64_t limit_ns = k->config->objective.limit_ns;
  if (limit_ns == 0)
    return (struct lateness){0};
  return (struct lateness){.messages = total[LOAD_RESPONSE]->total,
                           .late = mux_hdr_from(total[LOAD_RESPONSE], limit_ns),
                           .late_in_service = mux_hdr_from(total[LOAD_SERVICE], limit_ns)};
}

static void start_slice(struct coordinator *k, const struct mux_order *order) {
  struct load_slice *slice = &k->shared.slice;
  slice->order = *order;
  k->before = lateness_so_far(k);
  int64_t now = mux_now_ns();
  slice->start_ns = order->start_ns > now ? order->start_ns : now + START_DELAY_NS;
  k->measure_ns = slice->start_ns + order->warmup_ns;
  k->drain_ns = k->measure_ns + order->duration_ns;
  if (k->slices == 0) {
    k->collector.zero_ns = k->measure_ns;
    load_target_look_again(&k->shared.target);
  }
  atomic_store(&k->shared.slice_number, ++k->slices);
  wake_all(k);
  announce(k, "warm");
  k->phase = WARM;
}

/* A run without --control is one slice. */
static void start_configured(struct coordinator *k) {
  const struct load_config *config = k->config;
  start_slice(k, &(struct mux_order){.warmup_ns = config->warmup_ns,
                                     .duration_ns = config->duration_ns,
                                     .spin_ns = config->spin_ns,
                                     .record = true});
}

/* Has every worker ended the present slice, or itself? */
static bool slice_done(const struct coordinator *k) {
  for (int i = 0; i < k->started; i++)
    if (atomic_load(&k->workers[i].told.slices) != k->slices &&
        atomic_load(&k->workers[i].told.stage) < LOAD_PROOF)
      return false;
  return true;
}

static void answer(struct coordinator *k) {
  const struct load_usage *first = &k->workers[0].use.last;
  struct mux_answer a = {.start_ns = k->shared.slice.start_ns,
                         .duration_ns = first->wall_ns,
                         .server_ns = load_target_known(&k->shared.target) ? first->server_ns : -1,
                         .client_ns = first->process_ns};
  struct lateness so_far = lateness_so_far(k);
  a.messages = so_far.messages - k->before.messages;
  a.late = so_far.late - k->before.late;
  a.late_in_service = so_far.late_in_service - k->before.late_in_service;
  for (int i = 0; i < k->config->threads; i++) {
    const struct load_worker *w = &k->workers[i];
    a.completed += (int64_t)w->use.last.echoes;
    a.all += (int64_t)(w->use.echoes - w->use.echoes_before);
    a.spin_ns += w->use.last.spin_ns;
    a.errors += (int64_t)load_worker_errors(w);
    a.unanswered += (int64_t)(w->count.in_flight + w->count.unsent);
  }
  if (k->events_fd >= 0)
    said(k, mux_answer_send(k->events_fd, &a));
}

static void end_slice(struct coordinator *k) {
  if (k->shared.slice.order.record)
    k->windows_ns += k->drain_ns - k->measure_ns;
  load_collector_gather(&k->collector);
  k->phase = HOLD;
  if (k->config->control_fd >= 0 && !k->interrupted)
    answer(k);
  if (k->config->control_fd < 0 || k->interrupted || k->orders_ended)
    prove(k);
}

/* Enters the phases that can be entered now. Returns when to call again at the latest. */
static int64_t advance(struct coordinator *k) {
  if (any_failed(k))
    give_up(k);
  if (k->phase == CONNECT && all_at(k, LOAD_READY)) {
    announce(k, "connected");
    k->connected_ns = mux_now_ns();
    k->phase = HOLD;
    if (!any_connected(k))
      give_up(k);
    else if (k->config->control_fd < 0)
      start_configured(k);
  }
  int64_t now = mux_now_ns();
  bool done = k->phase >= WARM && slice_done(k);
  if (k->phase == WARM && (now >= k->measure_ns || done)) {
    announce(k, "measure");
    k->phase = MEASURE;
  }
  if (k->phase == MEASURE && (now >= k->drain_ns || done)) {
    if (now < k->drain_ns) /* every connection is lost, and the window ended with the last */
      k->drain_ns = now;
    announce(k, "drain");
    k->phase = DRAIN;
  }
  if (k->phase == DRAIN && done)
    end_slice(k);
  if (k->phase == PROVE && all_at(k, LOAD_PROVED))
    allow(k, LOAD_DONE);
  if (k->phase != DONE && all_at(k, LOAD_DONE)) {
    announce(k, "close");
    k->phase = DONE;
  }
  return k->phase == WARM ? k->measure_ns : k->phase == MEASURE ? k->drain_ns : INT64_MAX;
}

/* SIGINT, SIGTERM or an order ends the window; a second one ends the run. */
static void interrupt(struct coordinator *k) {
  if (k->interrupted || k->phase < WARM || k->phase >= PROVE)
    give_up(k);
  k->interrupted = true;
  int64_t now = mux_now_ns();
  atomic_store(&k->shared.stop_ns, now);
  if (now < k->drain_ns)
    k->drain_ns = now;
  wake_all(k);
}

static void take_signal(struct coordinator *k) {
  struct signalfd_siginfo info;
  if (read(k->signal_fd, &info, sizeof info) == sizeof info)
    interrupt(k);
}

/* An order for a slice, no longer than there is room for; or the end. */
static void take_order(struct coordinator *k) {
  const struct load_config *config = k->config;
  char line[1024];
  struct mux_order order;
  int rc = mux_lines_next(&k->orders, config->control_fd, line, sizeof line);
  if (rc == 0)
    return;
  bool stop = rc == 1 && strcmp(line, "stop") == 0;
  if (rc == 1 && !stop &&
      (k->phase != HOLD || mux_order_parse(line, &order) != 0 ||
       order.start_ns > mux_now_ns() + START_LATEST_NS || order.warmup_ns > config->warmup_ns ||
       order.duration_ns > config->duration_ns || order.rate_per_s > config->rate_per_s))
    rc = -EPROTO;
  k->orders_ended = rc < 0;
  bool left = rc < 0 && config->heartbeat_ns > 0 && k->phase != HOLD; /* an agent's coordinator */
  if (stop || (left && !k->interrupted))
    interrupt(k);
  else if (rc == 1)
    start_slice(k, &order);
  else if (k->slices == 0)
    give_up(k);
  else if (k->phase == HOLD)
    prove(k);
  if (rc < 0 && rc != -EPIPE)
    k->collector.error = rc;
}

/* Sleeps until something happens or `until`. */
static void wait_for(struct coordinator *k, int64_t until) {
  bool ordered =
      !k->orders_ended && k->phase < PROVE && atomic_load(&k->shared.allowed) != LOAD_DONE;
  struct pollfd fds[] = {{.fd = k->shared.poke_fd, .events = POLLIN},
                         {.fd = k->signal_fd, .events = POLLIN},
                         {.fd = ordered ? k->config->control_fd : -1, .events = POLLIN}};
  if (k->config->label != NULL && k->collector.progress_ns < until)
    until = k->collector.progress_ns;
  if (k->config->heartbeat_ns > 0 && k->alive_ns < until)
    until = k->alive_ns;
  int64_t left = until - mux_now_ns();
  struct timespec timeout = mux_ns_timespec(left > 0 ? left : 0);
  if (ppoll(fds, 3, until == INT64_MAX ? NULL : &timeout, NULL) > 0) {
    uint64_t count;
    if (fds[0].revents != 0 && read(fds[0].fd, &count, sizeof count) < 0 && errno != EAGAIN)
      k->collector.error = -errno;
    if (fds[1].revents != 0)
      take_signal(k);
    if (fds[2].revents != 0)
      take_order(k);
  }
  load_collector_gather(&k->collector);
  int64_t now = mux_now_ns();
  if (k->config->label != NULL && now >= k->collector.progress_ns)
    load_collector_show(&k->collector, phase_names[k->phase], now);
  if (k->config->heartbeat_ns > 0 && now >= k->alive_ns) {
    announce(k, "alive");
    if (k->events_fd < 0)
      give_up(k);
    k->alive_ns = now + k->config->heartbeat_ns;
  }
}

static int set_up(struct coordinator *k) {
  const struct load_config *config = k->config;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGTERM);
  k->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  sigaddset(&mask, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &mask, &k->old_mask);
  k->shared.poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  k->workers = calloc((size_t)config->threads, sizeof *k->workers);
  if (k->signal_fd < 0 || k->shared.poke_fd < 0 || k->workers == NULL)
    return errno != 0 ? -errno : -ENOMEM;
  k->shared.config = config;
  k->shared.pattern = mux_pattern_new(config->seed);
  atomic_store(&k->shared.stop_ns, INT64_MAX);
  if (CPU_COUNT(&config->cpus) > 0)
    mux_cpus_pin(&config->cpus);
  load_target_find(&k->shared.target, &config->target, config->server_root);
  k->began_ns = k->connected_ns = mux_now_ns();
  int rc = load_collector_init(&k->collector, config, k->workers, k->began_ns);
  for (; rc == 0 && k->made < config->threads; k->made++)
    rc = load_worker_init(&k->workers[k->made], &k->shared, k->made);
  for (int i = 0; rc == 0 && i < config->threads; i++) {
    rc = -pthread_create(&k->workers[i].thread, NULL, load_worker_main, &k->workers[i]);
    k->started += rc == 0;
  }
  return rc;
}

static void tear_down(struct coordinator *k) {
  for (int i = 0; i < k->made; i++)
    load_worker_destroy(&k->workers[i]);
  free(k->workers);
  load_target_free(&k->shared.target);
  load_collector_free(&k->collector);
  if (k->shared.poke_fd >= 0)
    close(k->shared.poke_fd);
  if (k->signal_fd >= 0)
    close(k->signal_fd);
  pthread_sigmask(SIG_SETMASK, &k->old_mask, NULL);
}

int load_run(const struct load_config *config, struct load_result *result) {
  struct coordinator k = {
      .config = config, .events_fd = config->events_fd, .signal_fd = -1, .shared.poke_fd = -1};
  k.measure_ns = k.drain_ns = INT64_MAX;
  *result = (struct load_result){0};
  int rc = set_up(&k);
  if (rc != 0)
    give_up(&k);
  for (int64_t until = 0; k.started > 0 && k.phase != DONE;) {
    until = advance(&k);
    if (k.phase != DONE)
      wait_for(&k, until);
  }
  int64_t closing_ns = mux_now_ns();
  for (int i = 0; i < k.started; i++)
    pthread_join(k.workers[i].thread, NULL);
  closing_ns = mux_now_ns() - closing_ns;
  if (config->label != NULL)
    fputs("\r\033[K", stderr);
  const char *why = NULL;
  for (int i = 0; rc == 0 && i < k.started; i++) {
    rc = k.workers[i].failure.error;
    why = k.workers[i].failure.why;
  }
  if (rc == 0) {
    announce(&k, "done");
    load_collector_finish(&k.collector);
    struct load_edges edges = {.window_s = (double)k.windows_ns / (double)MUX_S,
                               .server_known = load_target_known(&k.shared.target)};
    result->interrupted = k.interrupted;
    result->connecting_s = (double)(k.connected_ns - k.began_ns) / (double)MUX_S;
    result->closing_s = (double)closing_ns / (double)MUX_S;
    result->server_cpus = k.shared.target.cpus;
    rc = load_merge(result, config, k.workers, &k.collector, &edges);
  }
  if (rc == 0)
    rc = k.collector.error;
  if (rc != 0) {
    mux_note("load: %s", why != NULL && why[0] != 0 ? why : strerror(-rc));
    load_result_free(result);
  }
  tear_down(&k);
  return rc;
}
