/* serve_stats.c: see serve_stats.h. */
#include "backends/serve_stats.h"

#include <errno.h>
#include <jansson.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"

enum { EVERY_MS = 250 };

static const struct field {
  const char *name;
  size_t offset;
} fields[] = {
    {"accepted", offsetof(struct mux_counters, accepted)},
    {"refused", offsetof(struct mux_counters, refused)},
    {"closed", offsetof(struct mux_counters, closed)},
    {"resets", offsetof(struct mux_counters, resets)},
    {"paused", offsetof(struct mux_counters, paused)},
    {"waits", offsetof(struct mux_counters, waits)},
    {"events", offsetof(struct mux_counters, events)},
    {"datagrams", offsetof(struct mux_counters, datagrams)},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static uint64_t read_field(const struct mux_counters *counters, const struct field *field) {
  const char *at = (const char *)counters + field->offset;
  return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_RELAXED);
}

static json_t *totals_of(const struct mux_counters *counters, uint32_t workers) {
  json_t *totals = json_object();
  for (size_t f = 0; f < FIELDS; f++) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < workers; i++)
      sum += read_field(&counters[i], &fields[f]);
    json_object_set_new(totals, fields[f].name, json_integer((json_int_t)sum));
  }
  return totals;
}

/* Datagrams that the kernel dropped at the listeners: their queue was full, or they must not be
 * echoed (echo_datagram.c). */
static json_t *dropped_of(const struct mux_stats *stats) {
  json_int_t sum = 0;
  if (stats->addr->kind != MUX_ADDR_UDP)
    return json_null();
  for (uint32_t i = 0; i < stats->listener_count; i++) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof info;
    getsockopt(stats->listeners[i], SOL_SOCKET, SO_MEMINFO, info, &length);
    sum += info[SK_MEMINFO_DROPS];
  }
  return json_integer(sum);
}

int mux_stats_write(const struct mux_stats *stats) {
  const struct mux_serve_config *config = stats->config;
  char address[MUX_ADDR_TEXT];
  double uptime_s = (double)(mux_now_ns() - stats->started_ns) / (double)MUX_S;
  json_t *workers = json_array();
  for (uint32_t i = 0; i < config->workers; i++)
    json_array_append_new(workers, totals_of(&stats->counters[i], 1));
  json_t *root =
      json_pack("{s:s, s:s, s:o, s:f, s:o, s:o, s:o}", "backend", config->backend->name, "address",
                mux_addr_print(address, stats->addr), "congestion",
                *stats->congestion != 0 ? json_string(stats->congestion) : json_null(), "uptime_s",
                uptime_s, "totals", totals_of(stats->counters, config->workers), "workers", workers,
                "dropped", dropped_of(stats));
  struct mux_output out;
  int rc = root == NULL ? -ENOMEM : mux_output_open(&out, config->stats_path);
  if (rc == 0) {
    json_dumpf(root, out.stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', out.stream);
    rc = mux_output_commit(&out);
  }
  json_decref(root);
  return rc;
}

/* Errors are reported by the last write, in mux_stats_end(). */
static void *stats_main(void *argument) {
  const struct mux_stats *stats = argument;
  struct pollfd end = {.fd = stats->end_fd, .events = POLLIN};
  while (poll(&end, 1, EVERY_MS) <= 0)
    mux_stats_write(stats);
  return NULL;
}

/* The thread takes no signals: they are for the workers, which may wait for them (sigio). */
int mux_stats_start(struct mux_stats *stats) {
  sigset_t all;
  sigset_t before;
  stats->end_fd = eventfd(0, EFD_CLOEXEC);
  if (stats->end_fd < 0)
    return -errno;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&stats->thread, NULL, stats_main, stats);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -error;
}

int mux_stats_end(struct mux_stats *stats) {
  eventfd_write(stats->end_fd, 1);
  pthread_join(stats->thread, NULL);
  close(stats->end_fd);
  return mux_stats_write(stats);
}
