/* mux_backend.h: the whole interface between muxbench and a backend.
 *
 * A backend is one way to wait for sockets and to move bytes through them. It is written at one of
 * two depths, and supplies exactly one of them:
 *
 *   poller   Four callbacks that only WAIT (select, poll, epoll). The reactor owns everything else:
 *            accepting, echoing, back-pressure, draining, counters. Two pollers therefore differ in
 *            their waiting mechanism alone, and comparing them is fair.
 *   run      A whole worker (a thread per connection, fork, an event library, io_uring). It owns
 *            its loop, and uses the same echo core for the bytes, through `struct mux_host`.
 *
 * Life of a server: the options are parsed, `probe` is asked, the listeners are opened, and then
 * each worker runs in a thread: it calls `run`, or the reactor with a poller of its own. When the
 * server has to stop, `stop_fd` becomes readable in every worker and stays readable. The worker
 * then accepts no more, echoes what the receive queues of its connections hold, closes them, and
 * returns within `drain_ns`.
 *
 * A backend is one file that ends with MUX_BACKEND(its struct mux_backend). In the tree, put it
 * into backends/; nothing else has to change. Outside the tree, the same file is a plug-in:
 *
 *     cc -std=gnu17 -D_GNU_SOURCE -O2 -fPIC -shared -I<prefix>/include/muxbench -o my.so my.c
 *     muxbench serve --backend ./my.so
 *
 * A backend that links a library says so in one comment line, which the Makefile reads:
 *     mux-library: <header> <linker flag> <Debian package>
 *
 * backends/skeleton.c is a poller to copy. examples/ has a poller with options and a probe, and a
 * `run`. Errors are negative errno values everywhere, times are nanoseconds of CLOCK_MONOTONIC, and
 * SIGPIPE is ignored. Nothing here takes a lock: a worker's objects belong to its thread unless a
 * comment says otherwise. If a backend starts threads of its own, they may call what does not touch
 * the worker's echo buffers: now_ns, accept, close, refuse, adopt, serve_blocking, draining, work,
 * log and MUX_COUNT. drive and echo_* are for the worker's thread only.
 */
#ifndef MUX_BACKEND_H
#define MUX_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ------------------------------------------------------------------------------- */

/* Raised when a field changes its meaning or its place. Otherwise fields are only appended, and a
 * plug-in keeps working with a muxbench that knows more fields than it does, or fewer. */
#define MUX_ABI_VERSION 2

/* The sizes of the structs a backend hands over, as its compiler saw them: `.abi = MUX_ABI`. They
 * tell muxbench which fields there are, and how far apart the rows of a table and the events of a
 * wait lie. A struct that a backend is handed has its size in its own struct_bytes. struct mux_echo
 * and struct mux_counters never change their size. */
struct mux_abi {
  uint32_t version; /* MUX_ABI_VERSION; the first 4 bytes of struct mux_backend in every version */
  uint32_t backend_bytes;
  uint32_t poller_bytes;
  uint32_t option_bytes;
  uint32_t exemption_bytes;
  uint32_t event_bytes;
};
#define MUX_ABI                                                                                    \
  {                                                                                                \
    MUX_ABI_VERSION, sizeof(struct mux_backend), sizeof(struct mux_poller),                        \
        sizeof(struct mux_option), sizeof(struct mux_exemption), sizeof(struct mux_event)          \
  }

struct mux_worker;
struct mux_host;

/* ---- Readiness ------------------------------------------------------------------------------ */

enum {
  MUX_READ = 1,  /* recv() or accept() would not block */
  MUX_WRITE = 2, /* send() would not block */
  MUX_HUP = 4,   /* in an event: the peer closed the connection, the connection failed, or urgent
                    data arrived. Read to the end: a short read proves nothing. A poller that cannot
                    tell leaves it out. */
  MUX_AGAIN = 8, /* only returned by drive(): its budget is spent, the socket may still be ready. An
                    edge-triggered backend must call it again without waiting for an event. */
};

/* What a poller reports. `token` is the value given to set(), unchanged. */
struct mux_event {
  uint64_t token;
  uint32_t ready; /* MUX_READ | MUX_WRITE | MUX_HUP */
};

/* Four callbacks, all called by one thread. */
struct mux_poller {
  /* Makes a poller. Stores its state in *self and returns 0, or returns -errno. After a failure
   * close() is called with whatever was stored (NULL if nothing was). */
  int (*open)(void **self, const struct mux_worker *worker);

  /* Changes what is waited for on fd from `old` to `want` (masks of MUX_READ and MUX_WRITE).
   * old == 0 adds the fd. want == 0 removes it; that is always done before the fd is closed. It may
   * be called with old == want: a one-shot poller re-arms the fd then. `slot` is 8 bytes for the
   * poller's own use: zero when the fd is added, and at the same address and untouched by others
   * until it is removed. May refuse with -errno (select: -ERANGE); the reactor then closes the
   * connection and counts it as refused. */
  int (*set)(void *self, int fd, uint64_t token, unsigned old, unsigned want, uint64_t *slot);

  /* Waits up to timeout_ns (-1: without limit, 0: not at all) and fills in at most `max` events.
   * Returns their number, 0 after a timeout or EINTR, or -errno. When more fds are ready than fit,
   * the next call continues after the last one reported, so that none starves. An edge-triggered
   * poller sets MUX_EDGE_TRIGGERED and is told of each connection once, for both directions. */
  int (*wait)(void *self, int64_t timeout_ns, struct mux_event *out, int max);

  /* Frees everything; self may be NULL or half initialised. */
  void (*close)(void *self);
};

/* ---- The echo core -------------------------------------------------------------------------- */

/* The bytes of one connection on their way back to its peer. It does no I/O. All zero is a valid
 * empty state; release it with host->echo_release().
 *
 * `buf` is lent by the worker's pool while bytes wait and given back when none do: an idle
 * connection owns no memory, and busy ones share hot buffers. Bytes [head, tail) wait to be sent;
 * [tail, size) is free. Nothing moves inside the buffer, and it is never reallocated, so an address
 * stays valid while a send is in flight. When tail == size the connection stops reading until its
 * peer has taken what waits: memory is bounded by one buffer per connection.
 * Invariant: head <= tail <= size, and buf == NULL implies head == tail == size == 0. */
struct mux_echo {
  unsigned char *buf;
  uint32_t head;
  uint32_t tail;
  uint32_t size;
  uint8_t eof; /* the peer has sent its last byte */
  uint8_t reserved[3];
};

/* What a connection needs next: MUX_READ while there is room and no EOF, MUX_WRITE while bytes
 * wait. 0 means finished: everything has been echoed, close the connection. */
static inline unsigned mux_echo_wants(const struct mux_echo *echo) {
  unsigned wants = 0;
  if (!echo->eof && (echo->buf == NULL || echo->tail < echo->size))
    wants |= MUX_READ;
  if (echo->head < echo->tail)
    wants |= MUX_WRITE;
  return wants;
}

/* ---- Counters ------------------------------------------------------------------------------- */

/* One per worker, in memory shared with whoever watches the server. Any thread or child process of
 * the worker may count, with MUX_COUNT; anybody may read at any time. */
struct mux_counters {
  uint64_t accepted;  /* connections accepted and served */
  uint64_t refused;   /* connections accepted and closed at once: the backend cannot hold them, or
                         their options cannot be set */
  uint64_t closed;    /* connections that have ended, for any reason */
  uint64_t resets;    /* ... of these, ended by an error of the connection */
  uint64_t paused;    /* times that accepting had to pause (EMFILE, ENFILE, ENOBUFS, ENOMEM, or
                         EAGAIN because of a limit on threads or processes) */
  uint64_t waits;     /* returns of the waiting call, also after a timeout or a signal */
  uint64_t events;    /* ready descriptors (or completions) that it returned, in total */
  uint64_t datagrams; /* datagrams received over UDP */
  uint64_t reserved[8];
};

#define MUX_COUNT(worker, counter, n)                                                              \
  ((void)__atomic_fetch_add(&(worker)->counters->counter, (uint64_t)(n), __ATOMIC_RELAXED))

/* ---- What a worker is handed ---------------------------------------------------------------- */

struct mux_worker {
  uint32_t struct_bytes;
  uint32_t index;         /* 0 … workers-1 */
  uint32_t workers;       /* number of workers of this server */
  int listen_fd;          /* bound, listening, non-blocking; owned by the core: do not close it. A
                             UDP socket if the server listens on UDP. */
  int stop_fd;            /* readable once the server has to stop; never read from it */
  uint32_t accept;        /* enum mux_accept */
  int64_t drain_ns;       /* how long connections may take to end after that */
  int64_t work_ns;        /* --work: CPU time to burn per message; echo_received() does it */
  uint64_t buffer_bytes;  /* size of an echo buffer */
  const int64_t *options; /* values of the backend's options, in the order of its table */
  const struct mux_backend *backend;
  const struct mux_host *host;
  struct mux_counters *counters;
  void *core; /* the core's own */
};

/* What the core does for a backend. A plug-in is given this table; it links against nothing. */
struct mux_host {
  uint32_t struct_bytes;

  int64_t (*now_ns)(void);

  /* Takes one connection off the queue and sets its options (TCP_NODELAY, congestion control).
   * flags: SOCK_NONBLOCK or 0; close-on-exec is always set. Returns the fd, counted as accepted, or
   *   -EAGAIN   no connection is waiting
   *   -EMFILE   the process or the host has run out of something (also for ENFILE, ENOBUFS and
   *             ENOMEM): stop watching the listener until a connection has closed or
   *             MUX_ACCEPT_PAUSE_NS have passed, then accept until -EAGAIN (an edge will not come
   *             again)
   *   -EBUSY    UDP only: more datagrams wait, but others should have their turn first; then call
   *             again without waiting (an edge will not come again)
   *   -errno    the listener is broken
   * Connections that died in the queue are skipped. On a UDP socket it echoes a batch of the
   * datagrams that wait and returns -EAGAIN or -EBUSY, never an fd. */
  int (*accept)(struct mux_worker *worker, int flags);

  /* Ends a connection that accept() returned: closes fd (-1: its owner has closed it, or will) and
   * counts it. error: 0 after a regular end, -errno if the connection broke. */
  void (*close)(struct mux_worker *worker, int fd, int error);

  /* Like close(), for a connection that the backend cannot hold: it counts as refused, and no
   * longer as accepted. */
  void (*refuse)(struct mux_worker *worker, int fd);

  /* Receives and sends on a non-blocking fd for as long as it is ready, within a budget. `ready` is
   * what an event said. Returns what to wait for next (MUX_READ, MUX_WRITE, possibly with
   * MUX_AGAIN), 0 when the connection is finished and has to be closed, or -errno when it broke.
   * After the stop (see draining()), a connection is finished when its receive queue is empty and
   * all its bytes are sent. */
  int (*drive)(struct mux_worker *worker, struct mux_echo *echo, int fd, unsigned ready);

  /* Serves one blocking fd until EOF or an error. Returns 0 or -errno; does not close fd. To make
   * it finish, call shutdown(fd, SHUT_RD) from another thread: it echoes what the queue holds. */
  int (*serve_blocking)(struct mux_worker *worker, int fd);

  /* True once stop_fd is readable; cheap. */
  int (*draining)(const struct mux_worker *worker);

  /* The echo core, for backends that do their own I/O. */

  /* Where to receive, and how many bytes fit (0: full, or no memory: stop reading until some have
   * been sent). */
  void *(*echo_space)(struct mux_worker *worker, struct mux_echo *echo, size_t *bytes);
  /* n > 0 bytes have been received at that address. */
  void (*echo_received)(struct mux_worker *worker, struct mux_echo *echo, size_t n);
  /* The same for bytes received elsewhere (a provided buffer): copies them in. A receive that is
   * already in flight when the buffer fills up may overshoot: the buffer then grows once, by a
   * bounded amount. Returns 0, -ENOMEM, or -ENOBUFS beyond that bound. Not to be called while a
   * send of this connection is in flight and the buffer is full. */
  int (*echo_feed)(struct mux_worker *worker, struct mux_echo *echo, const void *data, size_t n);
  /* What to send next and how much; NULL and 0 if nothing waits. */
  const void *(*echo_data)(const struct mux_echo *echo, size_t *bytes);
  /* The first n bytes of it have been sent. */
  void (*echo_sent)(struct mux_worker *worker, struct mux_echo *echo, size_t n);
  /* Gives the buffer back, whatever it holds. The echo is empty afterwards. */
  void (*echo_release)(struct mux_worker *worker, struct mux_echo *echo);

  /* Prints one line to stderr, printf-like, after the backend's name. Not for the data path. */
  void (*log)(const struct mux_worker *worker, const char *format, ...);

  /* For a connection that was not accepted by accept(): sets its options and counts it. Returns 0,
   * or -errno with fd closed and counted as refused. */
  int (*adopt)(struct mux_worker *worker, int fd);

  /* Burns --work for one message: to be called for every receive that does not go through the echo
   * core. */
  void (*work)(const struct mux_worker *worker);
};

#define MUX_ACCEPT_PAUSE_NS INT64_C(50000000)

/* ---- The backend ---------------------------------------------------------------------------- */

enum mux_flag {
  MUX_EDGE_TRIGGERED = 1u << 0,        /* reports changes, not states */
  MUX_SPINS = 1u << 1,                 /* never sleeps, and uses CPU time while idle */
  MUX_COMPLETION = 1u << 2,            /* reports completed I/O, not readiness */
  MUX_THREAD_PER_CONNECTION = 1u << 3, /* or a process per connection */
  MUX_ONE_AT_A_TIME = 1u << 4,         /* a connection waits until an earlier one has ended */
  MUX_SHARED_LISTENER = 1u << 5,       /* all workers accept from one queue: whichever is free */
  MUX_PROCESSES = 1u << 6,             /* workers are processes, so that they can fork and reap: a
                                          worker has no children but those it forks */
  MUX_ONESHOT = 1u << 7,               /* an event disarms its connection until set() is called for
                                          it; listen_fd and stop_fd stay level-triggered */
  MUX_WAKES_ONE = 1u << 8,             /* supports MUX_ACCEPT_EXCLUSIVE */
};

/* How several workers get their connections. */
enum mux_accept {
  MUX_ACCEPT_DEFAULT,   /* reuseport for TCP; shared for others and with MUX_SHARED_LISTENER */
  MUX_ACCEPT_REUSEPORT, /* a listener per worker; the kernel spreads by hash (SO_REUSEPORT) */
  MUX_ACCEPT_SHARED,    /* one listener that all watch: the first to wake up accepts */
  MUX_ACCEPT_EXCLUSIVE, /* the same, but the kernel wakes only one (EPOLLEXCLUSIVE) */
  MUX_ACCEPT_HANDOFF,   /* one thread accepts and hands out round-robin; listen_fd is then a channel
                           of descriptors: wait for it and call accept() as for a listener */
};

enum mux_transport {
  MUX_TCP = 1u << 0, /* IPv4 and IPv6 */
  MUX_UNIX = 1u << 1,
  MUX_UDP = 1u << 2,
};

enum mux_option_kind { MUX_OPT_FLAG, MUX_OPT_COUNT, MUX_OPT_SIZE, MUX_OPT_TIME, MUX_OPT_CHOICE };

/* One row of the table that --options key=value,… is parsed by, and that help and the recorded
 * configuration are made from. The value arrives in worker->options[row]: 0 or 1, a count, bytes,
 * nanoseconds, or the index into choices. At most 32 rows. Texts are printable ASCII. */
struct mux_option {
  const char *key; /* [a-z0-9-]; NULL ends the table */
  const char *help;
  const char *fallback; /* default, as a user would type it */
  enum mux_option_kind kind;
  int64_t min, max;           /* for counts, sizes and times */
  const char *const *choices; /* for MUX_OPT_CHOICE: [a-z0-9-], NULL-terminated */
};

/* A conformance case that the model cannot pass by its nature, and why. Printed, never hidden. At
 * most 128 rows. */
struct mux_exemption {
  const char *test; /* name of the case; NULL ends the table */
  const char *reason;
};

struct mux_backend {
  struct mux_abi abi;       /* MUX_ABI */
  const char *name;         /* key in every CSV: [a-z0-9-], at most 31 characters */
  const char *summary;      /* one line for `muxbench list` */
  uint32_t flags;           /* enum mux_flag */
  uint32_t transports;      /* enum mux_transport */
  uint32_t max_workers;     /* 0: no limit */
  uint32_t fd_limit;        /* first descriptor that it cannot hold; 0: no limit of its own */
  uint32_t default_workers; /* 0 means 1 */
  uint32_t reserved;
  const struct mux_option *options;       /* or NULL */
  const struct mux_exemption *exemptions; /* or NULL */

  /* Can this backend run here? Returns 0, or -errno with the reason in `why`, worded for a user.
   * NULL: always. Called before anything else, and for a plug-in in a child process that ends
   * afterwards: it can check, but not prepare anything. */
  int (*probe)(char *why, size_t why_bytes);

  /* Exactly one of the two. run: serve until stop_fd is readable, drain, close every connection,
   * and return 0 or -errno. Each worker calls it in a thread of its own. */
  const struct mux_poller *poller;
  int (*run)(struct mux_worker *worker);

  /* fd_limit, if it depends on the options: returns it for these values. NULL: it does not. */
  uint32_t (*fd_limit_with)(const int64_t *options);
};

/* The one symbol that a plug-in exports. */
#define MUX_PLUGIN(backend)                                                                        \
  __attribute__((visibility("default"))) extern const struct mux_backend *const mux_plugin;        \
  const struct mux_backend *const mux_plugin = &backend

/* Ends every backend's file. In the tree: a pointer in a section of its own, which the linker
 * collects. Elsewhere: the same as MUX_PLUGIN. */
#ifdef MUX_IN_TREE
#define MUX_BACKEND(backend)                                                                       \
  static const struct mux_backend *const mux_registered_##backend                                  \
      __attribute__((section("mux_backends"), used)) = &backend
#else
#define MUX_BACKEND(backend) MUX_PLUGIN(backend)
#endif

#ifdef __cplusplus
}
#endif

#endif
