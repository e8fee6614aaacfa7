/* load.h: the configuration and the result of a load run. How data flows:
 *
 *   cmd_load  options → struct load_config
 *   coordinator  threads and phases (connect → warm up → measure → drain), intervals, files
 *   worker    one thread: its connections, its schedule, its timers, over an engine (epoll, uring)
 *   result    per-thread state merged → struct load_result; verdict → flags; json, text
 *
 * response: from the intended send time to the echo; service: from the actual send to the echo;
 * slip: the load's own lateness; backpressure: the socket took no bytes. A message belongs to the
 * measured window if its intended send time does, whenever its echo comes. Times are ns of
 * CLOCK_MONOTONIC. */
#ifndef MUX_LOAD_H
#define MUX_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/addr.h"
#include "common/cpus.h"
#include "common/descriptors.h"
#include "hdr/hdr.h"

/* In the order of the enums, NULL-terminated. */
enum load_mode { LOAD_ECHO, LOAD_CRR, LOAD_STREAM };
extern const char *const load_mode_names[];
enum load_arrival { LOAD_CONSTANT, LOAD_POISSON, LOAD_BURSTY };
extern const char *const load_arrival_names[];

/* Why a connection ended or could not be made. Each message lost with a connection counts as one
 * error; a connection lost with no message outstanding counts as one. */
enum load_error {
  LOAD_ERR_CONNECT,
  LOAD_ERR_RESET,
  LOAD_ERR_TIMEOUT,
  LOAD_ERR_MISMATCH,
  LOAD_ERR_CLOSED,
  LOAD_ERRORS
};
extern const char *const load_error_names[LOAD_ERRORS];

enum load_kind {
  LOAD_RESPONSE,
  LOAD_SERVICE,
  LOAD_SLIP,
  LOAD_BACKPRESSURE,
  LOAD_CONNECT,
  LOAD_WAKEUP, /* sampled: from the kernel's receiving an echo to our taking it */
  LOAD_TIMES,
  /* The largest response and service time of each stretch of MUX_HDR_PEAK_NS in which a message was
   * echoed, per thread: what their percentiles rest on (mux_hdr_is_spread). */
  LOAD_RESPONSE_PEAK = LOAD_TIMES,
  LOAD_SERVICE_PEAK,
  LOAD_KINDS
};
extern const char *const load_kind_names[LOAD_KINDS];

struct load_sources { /* --sources: addresses to connect from, in turn */
  struct mux_addr first;
  uint32_t count; /* 0: the kernel chooses */
};

/* A runner that seeks a rate orders no higher one. */
#define LOAD_RATE_SOUGHT_MOST INT64_C(2000000)

struct load_objective { /* --find-rate */
  double percentile;    /* of response; 0: none */
  int64_t limit_ns;
};

enum { LOAD_PARTS_MOST = 10000 };
struct load_share { /* --part: the K-th of N loads that are one together */
  int index;        /* K-1 */
  int others;       /* N-1 */
  bool is_part;     /* also of one */
};

struct load_config {
  struct mux_addr target;
  struct load_share part;
  int connections; /* with traffic, of this part */
  int idle;        /* additional, silent, of this part */
  int threads;
  int depth;             /* messages outstanding per connection, closed loop */
  int64_t payload_bytes; /* of a message */
  int64_t rate_per_s;    /* all threads of all parts together; 0: closed loop */
  int64_t ramp_per_s;    /* connections, likewise; 0: as fast as possible */
  enum load_arrival arrival;
  enum load_mode mode;
  struct load_objective objective;
  int64_t duration_ns, warmup_ns, think_ns, timeout_ns, interval_ns, spin_ns;
  uint64_t seed;
  cpu_set_t cpus;                   /* empty: inherited */
  enum mux_descriptors descriptors; /* of several threads */
  struct load_sources sources;
  int stamp_one_in; /* --timestamps: every n-th connection has kernel timestamps; 0: none */
  const char *congestion;
  bool linger0; /* close with RST, no TIME_WAIT */
  const struct load_engine *engine;
  int events_fd;        /* gets a line at each phase edge; -1: none */
  int control_fd;       /* slices are ordered on it (process/control.h); -1: one, as configured */
  int64_t heartbeat_ns; /* a line on events_fd so often; 0: none */
  pid_t server_root;    /* the server descends from this process; 0: whoever listens */
  FILE *hlog;           /* interval histograms; NULL: none */
  const char *label;    /* shows progress under this name; NULL: no progress */
};

struct load_counters {
  uint64_t sent;             /* messages of the window handed to the kernel */
  uint64_t completed;        /* ... echoed in full */
  uint64_t in_flight;        /* ... neither echoed nor lost when draining ended */
  uint64_t unsent;           /* messages of the window never handed to the kernel */
  uint64_t sent_within;      /* messages handed to the kernel during the window */
  uint64_t completed_within; /* messages echoed during the window */
  uint64_t errors[LOAD_ERRORS];
  uint64_t lost;            /* connections that ended before we closed them */
  uint64_t syn_retransmits; /* SYNs sent again while connecting */
  uint64_t waits, events;   /* returns of the waiting call in the window, events they brought */
  uint64_t calls;           /* system calls for messages in the window */
  struct load_losses {      /* UDP, messages of the window */
    uint64_t lost;          /* no echo within --timeout, not even a wrong one */
    uint64_t reordered;     /* echoed in time, after one that was sent later (RFC 4737) */
    uint64_t duplicated;    /* surplus echoes, whenever their message was sent */
    uint64_t late;          /* lost, but echoed later */
    int64_t waited_ns;      /* time in the window spent waiting for lost messages */
  } datagrams;
};

struct load_point { /* of the time series */
  double t_s;       /* end of the interval, from the start of the window */
  uint64_t completed, errors;
  double response_p50_us, response_p99_us, response_max_us; /* NaN: not enough samples */
};

/* Of several that are one load together (--agents): which host did what. */
struct load_agent {
  char prefix[128], host[65]; /* "": of this host; unknown */
  int64_t clock_offset_ns,
      clock_error_ns; /* its CLOCK_MONOTONIC less ours, and at most how wrong */
  int64_t late_ns;    /* its start, after the common one; the worst slice */
  uint64_t completed;
  double response_p99_us, others_p99_us; /* of its part; of all but it. NaN: too few */
  bool shifts_p99;                       /* more than chance would */
  char lost[160];                        /* why there is no result of it; "": there is */
};

struct load_result {
  struct load_counters count;
  struct mux_hdr *hdr[LOAD_KINDS];
  uint64_t offered; /* open loop: messages of the schedule in the window */
  int established;  /* active connections */
  int idle_established;
  int held, idle_held; /* of these, have echoed at least once; idle over UDP: unknown, 0 */
  int unused;          /* crr: places that the schedule never needed */
  double connecting_s; /* from the first connect until all were made or had failed */
  double closing_s;    /* of all connections, when everything was over */
  double duration_s;   /* of the window */
  double client_cpu_s, spin_s;
  double server_cpu_s;  /* NaN: unknown */
  int server_cpus;      /* that it could use at a time */
  double *thread_share; /* CPU use of each load thread in the window, spinning excluded, 0…1 */
  int threads;
  struct load_served { /* echoes in the window, of the connections that sent anything */
    double connections, sum, squares;
  } served;
  double fairness;       /* Jain, over the connections that sent anything; NaN if none was served */
  uint64_t never_served; /* connections that sent in the window and got no echo in it */
  struct load_point *points;
  int points_count;
  struct load_agent *agents;
  int agents_count;
  int connect_errno; /* of the first failure; 0: none */
  bool interrupted;
  unsigned flags; /* enum load_flag */
  bool valid;
};

/* Why no claim may rest on a run; bits of load_result.flags. */
enum load_flag {
  LOAD_CLIENT_BOUND = 1 << 0,
  LOAD_RATE_MISSED = 1 << 1,
  LOAD_SLIP_HIGH = 1 << 2,
  LOAD_SHORT_OF_CONNECTIONS = 1 << 3,
  LOAD_UNANSWERED = 1 << 4, /* response holds lower bounds */
  LOAD_DATAGRAMS_LOST = 1 << 5,
};
extern const char *const load_flag_names[];

/* Connections have numbers below this. */
uint32_t load_numbers(const struct load_config *config);

/* Returns 0 with *result filled in, even if nothing worked at the target; or -errno, with the
 * reason on stderr, if the load itself could not run. */
int load_run(const struct load_config *config, struct load_result *result);
void load_result_free(struct load_result *result);

/* Sets flags and valid. */
void load_judge(const struct load_config *config, struct load_result *result);
/* Did the run itself go wrong: errors, missing connections, missing echoes? Other flags are
 * warnings: the run is complete, but its figures say more about the load than about the server. */
bool load_failed(const struct load_result *result);
/* Says on stderr what went wrong, the likely cause, and which option to change. */
void load_explain(const struct load_config *config, const struct load_result *result);
double load_per_s(const struct load_result *result); /* completions per second of the window */
/* Share of the service time that passed between the kernel's receiving the echo and our taking it.
 * NaN without --timestamps. */
double load_wakeup_share(const struct load_result *result);
uint64_t load_errors_total(const struct load_result *result);
/* UDP, closed loop: share of the connections' time spent waiting for lost messages. */
double load_waited_share(const struct load_config *config, const struct load_result *result);

/* Of a histogram of times: does that percentile rest on enough? */
bool load_percentile_known(const struct load_result *result, enum load_kind kind,
                           double percentile);

int load_result_json(const struct load_config *config, const struct load_result *result, FILE *to);
void load_result_text(const struct load_config *config, const struct load_result *result, FILE *to);

#endif
