/* trial.h: one label in one launch: a server started afresh, a load of its own that connects and
 * holds, slices of traffic, and in the end a row of measurements.csv. See launch.h for who has a
 * slice when. */
#ifndef MUX_TRIAL_H
#define MUX_TRIAL_H

#include "bench/data/rows.h"
#include "bench/data/rundir.h"
#include "bench/data/slices.h"
#include "bench/data/staircase.h"
#include "bench/plan/pace.h"
#include "bench/run/accounting.h"
#include "bench/run/session.h"

/* What all trials of a run share. */
struct trial_setting {
  const struct plan *plan;
  const struct rundir *dir;
  cpu_set_t server_cpus, load_cpus;
  bool shared_core;    /* there is only one: server and load share it */
  int stop_fd;         /* readable after Ctrl-C */
  char count_why[256]; /* why system calls are not counted; "" while they are */
};

/* Growth of memory is told per connection from so many on: below, noise would be divided by
 * little. */
enum { TRIAL_MEMORY_CONNECTIONS_MIN = 100, TRIAL_WORKERS_MAX = 1024 };

/* What happened in slices of one kind, added up. */
struct trial_sum {
  int slices;
  int64_t completed;
  double duration_s, server_cpu_s, client_cpu_s;
};

struct trial {
  struct plan_trial plan;
  int group;          /* of the launch, from 1 */
  bool repeated;      /* the baseline once more, for a further group: it has no row of its own */
  bool alive;         /* its session can have slices */
  const char *status; /* "failed" or "skipped" when it has no figures; NULL */
  char why[512];      /* ... the reason */
  struct session session;
  struct mux_tree tree;
  int64_t errors;  /* that its load has seen so far */
  int64_t work_ns; /* a calibration: CPU time that its server burns per message */

  /* memory, before its connections and with them */
  int64_t memory_before, memory_with;
  int64_t load_memory; /* with its connections */
  struct accounting_kernel kernel_before, kernel_with;
  struct accounting_host before, with; /* counters */

  /* its counted slices */
  struct trial_sum cost, latency; /* capacity slices are in latency */
  int rounds;
  struct staircase sought; /* the rate, if one is sought */
  int late,
      late_by_load; /* near it: slices that were late, and those which were the load's doing */
  struct accounting_host spent; /* by the host during them: differences, added up */
  double ours_cpu_s, wall_s;    /* server and load in the same time; that time */
  int64_t user_ticks, system_ticks;
  uint64_t waits, events;
  struct accounting_counts counted; /* system calls and switches of a slice of their own */
  int64_t counted_requests;

  int workers; /* that count their connections; 0: none does */
  uint64_t accepted[TRIAL_WORKERS_MAX];
};

/* Starts the server, then the load; both are at rest afterwards. Returns 0, or -EINTR; any other
 * failure is the trial's own: it is not alive then, and why says so. */
int trial_start(const struct trial_setting *setting, struct trial *trial,
                const struct pace_cell *pace);

/* One slice. out may be NULL: a slice that is not counted. Where a rate is sought every slice is a
 * capacity slice. The same results. */
int trial_slice(const struct trial_setting *setting, struct trial *trial,
                const struct pace_cell *pace, enum slice_kind kind, struct slice *out);

/* CPU time of server and load per request, in slices that are not counted; NAN without any. Returns
 * 0 or -EINTR. */
int trial_cost(const struct trial_setting *setting, struct trial *trial,
               const struct pace_cell *pace, double *host_us);

/* A slice in which system calls and context switches are counted. The same results, but that it
 * cannot be done fails nothing. */
int trial_count(struct trial_setting *setting, struct trial *trial, const struct pace_cell *pace);

/* Ends the trial, whatever became of it, and fills in its row. Returns 0 or -EINTR. */
int trial_finish(const struct trial_setting *setting, struct trial *trial, struct row *row);
/* Ends its processes, if there are any left. */
void trial_close(struct trial *trial);

/* What its files are called. Returns out. */
char *trial_name(const struct trial *trial, char out[32]);

/* The cell's value of an option for this trial's server, "" if it is left to the command. */
const char *trial_text(const struct plan *plan, const struct plan_trial *trial,
                       enum option_group group, const char *key);
/* ... of a quantity of load; 0 if it is left to the command. */
int64_t trial_number(const struct plan *plan, const struct plan_trial *trial, const char *key);
/* Active and idle. */
int64_t trial_connections(const struct plan *plan, const struct plan_trial *trial);
/* What kind of socket its server listens on. */
enum mux_addr_kind trial_transport(const struct plan *plan, const struct plan_trial *trial);

#endif
