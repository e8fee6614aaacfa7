/* worker.h: one load thread, and the engine under it. Internal to loadgen/.
 *
 * Two things drive a worker: socket events, which its engine reports through the
 * load_connection_* functions below, and timers, the next of which is due at `timer_ns`. The engine
 * calls load_worker_tick as soon as that time has come, also between events, so that a long batch
 * of events does not make the schedule slip. Everything here belongs to the worker's thread, except
 * load_shared and load_told. */
#ifndef MUX_WORKER_H
#define MUX_WORKER_H

#include <pthread.h>

#include "common/pattern.h"
#include "loadgen/connection.h"
#include "loadgen/engine.h"
#include "loadgen/load.h"
#include "loadgen/schedule.h"
#include "loadgen/slice.h"
#include "loadgen/target.h"

/* A slab of messages with a free list. `used` counts the messages ever taken. */
struct load_pool {
  struct load_message *at;
  size_t bytes;
  uint32_t used, capacity, free;
};

/* What is recorded in one interval. A worker has two: it fills one while the coordinator reads the
 * other. */
struct load_interval {
  int64_t start_ns, end_ns;
  enum load_part { LOAD_BEFORE, LOAD_WITHIN, LOAD_AFTER } part; /* where in its slice it ended */
  uint64_t completed, errors;
  struct mux_hdr *hdr[LOAD_KINDS];
};

/* Reserves address space; memory comes as pages are touched. NULL: none left. */
void *load_reserve(size_t bytes);

/* Shared by the threads of a run. */
struct load_shared {
  const struct load_config *config;
  struct mux_pattern pattern;
  int poke_fd;                   /* eventfd: wakes the coordinator */
  struct load_target target;     /* the first worker reads its clocks */
  struct load_slice slice;       /* the present one; written before its number is raised */
  _Atomic uint32_t slice_number; /* workers begin the slice when it is raised */
  _Atomic int64_t stop_ns;       /* when an interrupted window ends */
  _Atomic bool mismatch_told;
  _Atomic int allowed; /* the stage that workers may enter; LOAD_DONE: they end at once */
  _Atomic int tables;  /* threads that have their own table of descriptors */
};

/* A worker enters the next stage by itself, except that it stays READY until a slice is ordered or
 * the coordinator allows more, and PROVED until it allows that. READY to SETTLED go round, once a
 * slice. */
enum load_stage {
  LOAD_CONNECTS,
  LOAD_READY, /* holds its connections; first when every one is made or has failed */
  LOAD_TRAFFIC,
  LOAD_DRAIN,   /* sends no new messages, awaits echoes */
  LOAD_SETTLED, /* has no message out; hands over its last interval */
  LOAD_PROOF,   /* asks connections that have never echoed */
  LOAD_PROVED,
  LOAD_DONE
};

/* The parts of a worker. Each names the file that owns it: no other writes it, unless said so. */

/* timers.c: the measured window. Messages are sent until it ends. */
struct load_window {
  int64_t start_ns;
  uint64_t length_ns; /* 0 before traffic starts */
  int64_t end_ns;
  bool open, closed; /* counting for the window has begun, has ended */
};

/* connection.c: indices of the connections that traffic may use; crr: of those without a request.
 */
struct load_live {
  uint32_t *at;
  uint32_t count, next; /* next: the one for the next slot; timers.c */
};

/* connect.c */
struct load_connecting {
  uint32_t next; /* connection to begin with */
  uint32_t under_way, most;
  uint32_t established, silent_established;
  struct load_schedule ramp;
  uint32_t *refused; /* Unix: ring of indices of connects that met a full accept queue */
  uint32_t refused_head, refused_count;
  int error; /* errno of the first failure, 0: none; timers.c writes timeouts */
};

struct load_thinker {
  int64_t due_ns;
  uint32_t index;
};

/* timers.c */
struct load_timers {
  uint32_t start_at; /* closed loop: the next connection to start; slice.c */
  struct load_schedule schedule;
  uint64_t offered;
  struct load_thinker *thinkers; /* ring in order of due_ns; connection.c adds */
  uint32_t think_head, think_count, think_capacity;
  int64_t sweep_ns; /* next search for timeouts */
  uint32_t sweep_at;
  int64_t interval_end_ns;
  int64_t drain_end_ns;
  uint64_t errors_told; /* errors that are in earlier intervals */
};

/* proof.c */
struct load_proof {
  int64_t end_ns;
  uint32_t out; /* connections that were asked and have not answered */
};

/* slice.c: what the windows used. */
struct load_use {
  struct load_usage last, sum;   /* of the last window; of all whose messages are recorded */
  uint64_t waits, events, calls; /* of those */
  uint64_t echoes;               /* of all messages, whenever; connection.c adds */
  uint64_t echoes_before;        /* ... before the present slice */
  int64_t spin_ns;               /* CPU time spent spinning, in all; the engine adds */
};

/* connection.c: the largest times of the present stretch (LOAD_RESPONSE_PEAK, LOAD_SERVICE_PEAK).
 */
struct load_peaks {
  int64_t end_ns;
  int64_t most[2]; /* -1: none yet */
};

/* Shared by the worker and the coordinator. */
struct load_told {
  struct load_interval *_Atomic spare;  /* from the coordinator */
  struct load_interval *_Atomic filled; /* from the worker */
  _Atomic uint64_t completed;           /* for progress */
  _Atomic uint32_t established;
  _Atomic int stage;
  _Atomic uint32_t slices; /* that have ended */
};

struct load_worker {
  /* What every message touches. */
  const struct load_config *config;
  const struct load_engine *engine;
  void *engine_state; /* the engine's own */
  struct load_connection *connections;
  struct load_interval *interval; /* being filled */
  struct load_pool pool;
  struct mux_pattern pattern;
  uint64_t payload_bytes;           /* of the stream, per message */
  struct load_datagrams *datagrams; /* UDP; NULL: a stream */
  struct load_window window;
  struct load_peaks peaks;
  int64_t timer_ns;
  uint64_t outstanding; /* messages queued and not echoed */
  enum load_stage stage;
  uint32_t active, total; /* connections [0, active) carry traffic, [active, total) are silent */
  bool open_loop, crr;
  struct load_counters count;

  struct load_live live;
  struct load_timers timers;
  struct load_connecting connecting;
  struct load_proof proof;
  struct load_slice slice;
  uint32_t slices; /* that have begun */
  struct load_use use;
  struct load_shared *shared;
  struct load_told told;
  int wake_fd; /* eventfd: wakes the worker */

  /* worker.c */
  int index, threads;
  int place, places; /* the same among the threads of all parts */
  struct load_failure {
    int error; /* -errno: the thread could not work; 0: it could */
    char why[200];
  } failure;
  pthread_t thread;
  struct load_interval intervals[2];
};

/* worker.c */
int load_worker_init(struct load_worker *worker, struct load_shared *shared, int index);
void load_worker_destroy(struct load_worker *worker);
/* When draining ends: counts and forgets the messages that are neither echoed nor lost. */
void load_worker_settle(struct load_worker *worker, int64_t now);
/* Enters LOAD_DONE, from any stage. */
void load_worker_stop(struct load_worker *worker, int64_t now);
void *load_worker_main(void *worker);

/* timers.c */
/* Runs what is due at `now`. */
void load_worker_tick(struct load_worker *worker, int64_t now);
void load_worker_wake(struct load_worker *worker); /* from another thread */
void load_worker_enter(struct load_worker *worker, enum load_stage stage);
uint64_t load_worker_errors(const struct load_worker *worker); /* of all kinds, so far */
/* Makes sure that load_worker_tick is called no later than `when`. */
static inline void load_worker_due(struct load_worker *worker, int64_t when) {
  if (when < worker->timer_ns)
    worker->timer_ns = when;
}

/* Is a tick due after a batch of events? While connecting, always: more connects may start. */
static inline bool load_worker_is_due(const struct load_worker *worker, int64_t now) {
  return now >= worker->timer_ns || worker->stage == LOAD_CONNECTS;
}

/* Poll instead of sleeping for so long? Only in a slice: between them the load has to rest, as
 * others are measured then. */
static inline bool load_worker_spins(const struct load_worker *worker, int64_t left_ns) {
  bool busy = worker->stage == LOAD_TRAFFIC || worker->stage == LOAD_DRAIN;
  return left_ns <= 0 || (busy && left_ns <= worker->slice.order.spin_ns);
}

/* slice.c */
/* Begins the slice that was ordered last. */
void load_slice_begin(struct load_worker *worker, uint32_t number);
/* Closed loop: starts the connections whose turn has come. Returns when the next one's comes. */
int64_t load_slice_start_connections(struct load_worker *worker, int64_t now);
/* At the edges of the window counting for it begins and ends. */
void load_window_open(struct load_worker *worker);
void load_window_close(struct load_worker *worker);

/* connect.c */
void load_connect_init(struct load_worker *worker, int64_t now);
/* Starts the connects that may start now. Returns when the next may; INT64_MAX: no time is set. */
int64_t load_connect_more(struct load_worker *worker, int64_t now);
/* Retries connects that met a full accept queue. Returns when to retry next; INT64_MAX: never. */
int64_t load_connect_refused(struct load_worker *worker, int64_t now);
/* crr: connects for a request meant for `intended`. */
void load_connect_request(struct load_worker *worker, struct load_connection *c, int64_t intended,
                          int64_t now);
void load_connection_connected(struct load_worker *worker, struct load_connection *c, int error,
                               int64_t now);

/* connection.c: queue → sent → received → completed */
void load_connection_queue(struct load_worker *worker, struct load_connection *c, int64_t intended,
                           int64_t now);
/* The kernel took n bytes at `now`. */
void load_connection_sent(struct load_worker *worker, struct load_connection *c, uint64_t n,
                          int64_t now);
/* The socket took no more bytes at `now`. */
void load_connection_blocked(struct load_worker *worker, struct load_connection *c, int64_t now);
/* n bytes arrived. Returns false if that ended the connection; its fd may belong to another then.
 */
bool load_connection_received(struct load_worker *worker, struct load_connection *c,
                              const void *data, size_t n, int64_t now);
/* The peer closed (0) or the connection broke (errno). */
void load_connection_lost(struct load_worker *worker, struct load_connection *c, int error);
/* Ends it with this error, and all its outstanding messages. */
void load_connection_end(struct load_worker *worker, struct load_connection *c,
                         enum load_error error, int64_t now);
/* Closes the fd without an error. */
void load_connection_close(struct load_worker *worker, struct load_connection *c);
/* A message of a closed loop is echoed or lost: queues the next one, at once or after --think; crr
 * closes first. The caller flushes. */
void load_connection_go_on(struct load_worker *worker, struct load_connection *c, int64_t now);
/* Records a response or service time that is known at `now`. */
void load_record_time(struct load_worker *worker, enum load_kind kind, int64_t ns, int64_t now);
/* Records the peaks of the stretch that ends at `now` at the latest. */
void load_record_peaks(struct load_worker *worker, int64_t now);
/* Removes the connection's first outstanding message, which will not be echoed. */
void load_message_drop(struct load_worker *worker, struct load_connection *c);
/* Steps of completing a message: record it, count it out, free it. */
void load_message_echoed(struct load_worker *worker, struct load_connection *c,
                         const struct load_message *m, int64_t now);
void load_message_settled(struct load_worker *worker, struct load_connection *c);
void load_pool_give(struct load_pool *pool, uint32_t i);
/* Adds to, removes from the connections that traffic may use. */
void load_live_add(struct load_worker *worker, struct load_connection *c);
void load_live_remove(struct load_worker *worker, struct load_connection *c);
/* Starts the next message or request of a closed loop. */
void load_connection_next(struct load_worker *worker, struct load_connection *c, int64_t now);

/* proof.c */
void load_proof_begin(struct load_worker *worker, int64_t now);
/* Bytes arrived that belong to no message. */
void load_proof_received(struct load_worker *worker, struct load_connection *c);
/* Stops waiting for its answer. */
void load_proof_end(struct load_worker *worker, struct load_connection *c);

static inline bool load_in_window(const struct load_worker *worker, int64_t when) {
  return (uint64_t)(when - worker->window.start_ns) < worker->window.length_ns;
}

#endif
