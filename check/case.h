/* case.h: what a conformance case is, and how to write one.
 *
 * A case states one property of an echo server (RFC 862 over TCP, UDP or Unix sockets) and tries to
 * break it. It is a plain function that calls straight-line helpers (peer.h: the client's side,
 * subject.h: the server's process). A helper that finds the property broken calls check_fail, which
 * does not return, so a case needs no error paths of its own.
 *
 * That works because every case runs in a forked child, against a server started for it alone. What
 * it opened, mapped, started or limited ends with the child; the parent kills a case that outruns
 * its bound; the verdict comes back through shared memory.
 *
 * No verdict may depend on how busy the host is: wait for an event, not for a time, and give time
 * as patience (patience.h).
 *
 * To add a case, write a function with CHECK_CASE in the file of its theme, and add to
 * tests/mutants a server that fails it. A case that no server has failed does not count. */
#ifndef MUX_CHECK_CASE_H
#define MUX_CHECK_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/mux_backend.h"
#include "common/clock.h"
#include "common/pattern.h"
#include "process/server.h"

enum check_verdict {
  CHECK_RUNNING, /* no verdict yet, or the child died without one */
  CHECK_PASS,
  CHECK_FAIL,
  CHECK_SKIP,   /* does not apply to this server or this machine */
  CHECK_EXEMPT, /* the backend declares that its model cannot pass it */
};

enum check_theme {
  CHECK_BYTES,
  CHECK_FLOW,
  CHECK_CLOSING,
  CHECK_LIMITS,
  CHECK_LIFE,
  CHECK_DATAGRAM, /* and Unix sockets */
};

/* What a case needs. Without any of these it runs over any stream transport and on any server. */
enum check_need {
  CHECK_OWN = 1u << 0,    /* the process, to signal, limit or watch it: not a bare --target */
  CHECK_TCP = 1u << 1,    /* uses what only TCP has (RST, Nagle) */
  CHECK_UDP = 1u << 2,    /* runs on a UDP server, and only there */
  CHECK_UNIX = 1u << 3,   /* runs on a Unix socket, and only there */
  CHECK_STARTS = 1u << 4, /* to start its servers itself; implies CHECK_OWN */
};

struct check;

struct check_case {
  const char *name;     /* what users, exemptions and mutants call it */
  const char *property; /* one line: what must hold */
  const char *advice;   /* the usual cause of a failure, for the server's author */
  enum check_theme theme;
  int line; /* cases are listed in source order */
  unsigned needs;
  int fds;         /* descriptors the client's side holds at once, if more than 100 */
  int64_t bound_s; /* the longest it may take, whatever the server does */
  bool quick;      /* part of `make test`: a second or so */
  bool gate;       /* part of mux_check_quick */
  void (*run)(struct check *check);
};

#define CHECK_CASE(function, ...)                                                                  \
  static void function(struct check *check);                                                       \
  static const struct check_case case_##function = {                                               \
      .line = __LINE__, .run = (function), __VA_ARGS__};                                           \
  static const struct check_case *const registered_##function                                      \
      __attribute__((section("mux_check_cases"), used)) = &case_##function;                        \
  static void function(struct check *check)

/* What the child tells the parent, in shared memory. */
struct check_result {
  enum check_verdict verdict;
  char reason[600]; /* of a fail, skip or exemption */
  char note[200];   /* what the case measured, mostly "" */
  char doing[160];  /* the current step, to be named if it takes too long */
  int64_t took_ns;
};

/* What a case works with. */
struct check {
  const struct check_case *self;
  const struct mux_backend *backend; /* NULL: not one of ours */
  uint32_t fd_limit;                 /* first descriptor it cannot serve; 0: no known limit */
  struct mux_server_spec spec;       /* a CHECK_STARTS case may change it before check_start */
  struct mux_server *server;         /* NULL: none is running */
  struct mux_addr addr;              /* where it serves */
  struct mux_pattern pattern;
  uint32_t connections; /* pattern ids used so far */
  uint64_t random;
  int64_t patience_ns;    /* see check_patience_ns */
  bool is_helper;         /* this process was made by check_fork */
  const char *server_log; /* file with the server's stderr, or NULL */
  struct check_result *result;
};

_Noreturn void check_fail(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void check_skip(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Forks a process that helps the case. It ends with the case at the latest, and may fail it.
 * Returns as fork(2) does, but skips the case on errors. */
pid_t check_fork(struct check *check);
/* Kills and reaps it. A helper that has already ended has given the verdict: the case ends here. */
void check_end_helper(pid_t helper);
/* Adds a figure to report with the verdict. */
void check_note(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Names the step that follows, for the reason of a timeout. */
void check_doing(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Uniform in [0, below), from --seed; below > 0. */
uint64_t check_random(struct check *check, uint64_t below);
void check_sleep(int64_t ns);

/* How long no byte may move before a connection counts as stuck; longer under sanitizers. */
int64_t check_patience_ns(const struct check *check);
/* How long the server may take to drain after SIGTERM. */
int64_t check_drain_ns(const struct check *check);
/* Factor on every bound: 1, or more in a build with a sanitizer. */
int64_t check_slowness(void);
/* True for our own backends in a sanitizer build. It keeps freed memory and dies when memory is
 * short, so neither says anything about the backend. */
bool check_is_sanitized(const struct check *check);

#endif
