/* test_mechanisms.c: does a backend wait with the system call that it is named after, with no
 * other, and as often as its mechanism requires? A wrong fallback would still echo, and be measured
 * under a false name. The server's calls are traced with ptrace(2), which works where strace and
 * tracepoints are not available. */
#include "tests/support.h"

#include <errno.h>
#include <jansson.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/spawn.h"
#include "tests/trace.h"

enum { CONNECTIONS = 10 };

/* ---- Counting ------------------------------------------------------------------------------- */

enum way { NONE, SELECT, POLL, PPOLL, EPOLL, SIGNAL, URING, WAYS };
static const char *const way_names[WAYS] = {"none",  "select", "poll", "ppoll",
                                            "epoll", "signal", "uring"};

static enum way way_of(long number) {
  switch (number) {
#ifdef SYS_select
  case SYS_select:
#endif
  case SYS_pselect6:
    return SELECT;
#ifdef SYS_poll /* newer architectures have ppoll only */
  case SYS_poll:
    return POLL;
#endif
  case SYS_ppoll:
    return PPOLL;
#ifdef SYS_epoll_wait
  case SYS_epoll_wait:
#endif
  case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
  case SYS_epoll_pwait2:
#endif
    return EPOLL;
  case SYS_rt_sigtimedwait:
    return SIGNAL;
  case SYS_io_uring_enter:
    return URING;
  default:
    return NONE;
  }
}

/* Calls of a server under load. */
struct tally {
  long waits[WAYS];
  long sleepy;   /* epoll waits that would have slept */
  long receives; /* that brought bytes */
  long retries;  /* receives that would have blocked */
  long sends;
  long changes; /* EPOLL_CTL_MOD */
  int loads;    /* runs of `load` that it took */
};

static void count_call(void *arg, const struct test_call *call) {
  struct tally *tally = arg;
  enum way way = way_of(call->number);
  tally->waits[way] += way != NONE;
  tally->sleepy += way == EPOLL && (int)call->args[3] != 0;
  if (call->number == SYS_recvfrom || call->number == SYS_recvmsg || call->number == SYS_read ||
      call->number == SYS_readv) {
    tally->receives += call->result > 1; /* and not an eventfd or a pipe's single byte */
    tally->retries += call->result == -EAGAIN && call->number != SYS_read;
  } else if (call->number == SYS_sendto || call->number == SYS_sendmsg ||
             call->number == SYS_write || call->number == SYS_writev) {
    tally->sends += call->result > 0;
  } else if (call->number == SYS_epoll_ctl) {
    tally->changes += call->args[1] == EPOLL_CTL_MOD;
  }
}

static void trace_load(struct tally *tally, const struct test_server *server, const char *load) {
  static struct test_result result;
  static struct test_trace trace;
  struct test_process loader;
  char command[256];
  if (!test_trace_begin(&trace, server->process.pid, count_call, tally)) {
    print_message("no ptrace(2) of a child here: nothing can be counted\n");
    skip();
  }
  snprintf(command, sizeof command, "load --target %s --warmup 0s --json %s", server->target, load);
  test_start(&loader, command);
  test_trace_until(&trace, loader.pid);
  test_wait(&loader, &result);
  json_t *json = test_json(&result);
  assert_int_equal(test_json_int(json, "errors.mismatch"), 0);
  json_decref(json);
}

/* Counts the calls of a server, "NAME OPTION…", under `load LOAD`, which is repeated until the
 * server has sent `sends` times: a busy machine may do little each time. False if the backend is
 * not available. */
static bool tally_calls(struct tally *tally, const char *backend, const char *load, long sends) {
  struct test_server server;
  *tally = (struct tally){0};
  if (!test_has_backend(backend))
    return false;
  test_serve(&server, "--backend %s", backend);
  while (tally->sends < sends && tally->loads < 50) {
    trace_load(tally, &server, load);
    tally->loads++;
  }
  test_stop(&server);
  if (tally->sends < sends)
    fail_msg("%s sends %ld times only", backend, tally->sends);
  return true;
}

/* What the start and the end of each connection may add to a count. */
static long edges_of(const struct tally *tally) {
  return (long)tally->loads * CONNECTIONS;
}

/* ---- Which call ----------------------------------------------------------------------------- */

#ifdef SYS_poll
enum { POLL_CALL = POLL };
#else
enum { POLL_CALL = PPOLL };
#endif

static void assert_waits_with(const char *backend, int expected) {
  struct tally tally;
  char load[64];
  snprintf(load, sizeof load, "--connections %d --duration 100ms", CONNECTIONS);
  if (!tally_calls(&tally, backend, load, 20))
    return;
  for (int way = NONE + 1; way < WAYS; way++)
    if ((tally.waits[way] > 0) != (way == expected))
      fail_msg("%s makes %ld waits of the kind %s, but should wait with %s only", backend,
               tally.waits[way], way_names[way], way_names[expected]);
}

static void each_waits_with_its_own_call_only(void **state) {
  (void)state;
  static const struct {
    const char *backend;
    int way;
  } rows[] = {
      {"select", SELECT},
      {"poll", POLL_CALL},
      {"ppoll", PPOLL},
      {"sigio", SIGNAL},
      {"spin", NONE},
      {"epoll-lt", EPOLL},
      {"epoll-et", EPOLL},
      {"epoll-oneshot", EPOLL},
      {"epoll-spin", EPOLL},
      {"libev", EPOLL},
      {"libev --options backend=poll", POLL_CALL},
      {"libev --options backend=select", SELECT},
      {"libevent", EPOLL},
      {"libevent --options backend=poll", POLL_CALL},
      {"libevent --options backend=select", SELECT},
      {"libevent-buffer", EPOLL},
      {"libuv", EPOLL},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++)
    assert_waits_with(rows[i].backend, rows[i].way);
}

/* With these a user may choose another mechanism for every program that uses the library. */
static void the_environment_changes_no_mechanism(void **state) {
  (void)state;
  static const char *const variables[][2] = {{"EVENT_NOEPOLL", "1"},
                                             {"EVENT_EPOLL_USE_CHANGELIST", "1"},
                                             {"LIBEV_FLAGS", "1"},
                                             {"UV_USE_IO_URING", "1"}};
  static const char *const backends[] = {"libev", "libevent", "libevent-buffer", "libuv"};
  for (size_t i = 0; i < TEST_COUNT(variables); i++)
    setenv(variables[i][0], variables[i][1], 1);
  for (size_t i = 0; i < TEST_COUNT(backends); i++)
    assert_waits_with(backends[i], EPOLL);
  for (size_t i = 0; i < TEST_COUNT(variables); i++)
    unsetenv(variables[i][0]);
}

/* ---- How often ------------------------------------------------------------------------------ */

/* One receive and one send per message and no wait in between: these wait in recv(). They call
 * poll(2) only to wait for connections. */
static void blocking_models_make_two_calls_a_message(void **state) {
  (void)state;
  static const char *const names[] = {"threads", "fork", "pool --workers 10"};
  char load[64];
  snprintf(load, sizeof load, "--connections %d --duration 100ms", CONNECTIONS);
  for (size_t i = 0; i < TEST_COUNT(names); i++) {
    struct tally tally;
    assert_true(tally_calls(&tally, names[i], load, 500));
    long waits = 0;
    for (int way = 0; way < WAYS; way++)
      waits += tally.waits[way];
    long apart = labs(tally.receives - tally.sends);
    if (apart > edges_of(&tally) || tally.retries > edges_of(&tally) || waits > tally.sends / 2)
      fail_msg("%s: %ld receives, %ld that would block, %ld sends, %ld waits", names[i],
               tally.receives, tally.retries, tally.sends, waits);
  }
}

/* A message costs one receive and one send. No further receive is needed to find out that the
 * socket is empty. */
static void epoll_receives_once_a_message(void **state) {
  (void)state;
  static const char *const names[] = {"epoll-lt", "epoll-et", "epoll-oneshot"};
  char load[64];
  snprintf(load, sizeof load, "--connections %d --duration 100ms", CONNECTIONS);
  for (size_t i = 0; i < TEST_COUNT(names); i++) {
    struct tally tally;
    assert_true(tally_calls(&tally, names[i], load, 500));
    bool oneshot = i == 2;
    if (tally.retries > edges_of(&tally))
      fail_msg("%s: %ld receives would have blocked, %ld sends", names[i], tally.retries,
               tally.sends);
    /* One-shot: re-armed for every event; the others are told once. */
    if (oneshot ? labs(tally.changes - tally.sends) > edges_of(&tally) : tally.changes > 0)
      fail_msg("%s: %ld epoll_ctl for %ld messages", names[i], tally.changes, tally.sends);
  }
}

/* When a socket takes no more bytes, a level-triggered backend starts to watch for writability and
 * stops when all is sent, as every wait would report it. An edge-triggered one changes nothing. */
static void only_level_triggers_ask_to_write(void **state) {
  (void)state;
  static const char load[] = "--connections 2 --payload 1MiB --duration 200ms --timeout 30s";
  struct tally lt;
  struct tally et;
  assert_true(tally_calls(&lt, "epoll-lt --sndbuf 8KiB", load, 100));
  assert_true(tally_calls(&et, "epoll-et --sndbuf 8KiB", load, 100));
  if (lt.changes < 10 || et.changes != 0)
    fail_msg("epoll_ctl(MOD): %ld level-triggered, %ld edge-triggered", lt.changes, et.changes);
}

static void spinners_wait_without_sleeping(void **state) {
  (void)state;
  struct tally tally;
  assert_true(tally_calls(&tally, "epoll-spin", "--connections 2 --duration 100ms", 20));
  assert_true(tally.waits[EPOLL] > 10);
  assert_int_equal(tally.sleepy, 0);
  assert_true(tally_calls(&tally, "spin", "--connections 1 --idle 9 --duration 100ms", 20));
  assert_true(tally.retries > tally.receives); /* it tries silent connections, too */
}

/* ---- Statistics ----------------------------------------------------------------------------- */

struct timing {
  int files;    /* written by --stats and renamed into place */
  int realtime; /* waits that would end early or late when the clock is set */
};

static bool is_rename(long number) {
#ifdef SYS_rename /* newer architectures have the others only */
  if (number == SYS_rename)
    return true;
#endif
  return number == SYS_renameat || number == SYS_renameat2;
}

static void count_timing(void *arg, const struct test_call *call) {
  struct timing *timing = arg;
  timing->files += is_rename(call->number) && call->result == 0;
  timing->realtime += call->number == SYS_futex && call->args[3] != 0 &&
                      (call->args[1] & FUTEX_CLOCK_REALTIME) != 0;
}

static void statistics_do_not_follow_the_wall_clock(void **state) {
  (void)state;
  static struct test_result result;
  static struct test_trace trace;
  struct timing timing = {0};
  struct test_server server;
  char command[256];
  test_serve(&server, "--backend epoll-lt --stats %s/stats", test_directory());
  for (int i = 0; i < 20 && timing.files < 2; i++) {
    struct test_process loader;
    if (!test_trace_begin(&trace, server.process.pid, count_timing, &timing)) {
      print_message("no ptrace(2) of a child here: nothing can be counted\n");
      test_stop(&server);
      skip();
    }
    snprintf(command, sizeof command, "load --target %s --duration 600ms --warmup 0s --json",
             server.target);
    test_start(&loader, command);
    test_trace_until(&trace, loader.pid);
    test_wait(&loader, &result);
  }
  test_stop(&server);
  assert_true(timing.files >= 2);
  assert_int_equal(timing.realtime, 0);
}

/* ---- What is lost --------------------------------------------------------------------------- */

/* Without room for a single queued signal, every event is lost, and found by trying all. */
static void sigio_survives_a_full_queue(void **state) {
  (void)state;
  static struct test_result result;
  static const rlim_t rooms[] = {0, 16};
  for (size_t i = 0; i < TEST_COUNT(rooms); i++) {
    struct test_server server;
    struct rlimit limit = {rooms[i], rooms[i]};
    test_serve(&server, "--backend sigio");
    assert_int_equal(prlimit(server.process.pid, RLIMIT_SIGPENDING, &limit, NULL), 0);
    test_command(&result,
                 "load --target %s --connections 100 --duration 500ms --timeout 40s --json",
                 server.target);
    json_t *json = test_json(&result);
    assert_int_equal(test_json_int(json, "established"), 100);
    assert_int_equal(test_json_int(json, "in_flight_end"), 0); /* each has got its last echo */
    assert_int_equal(test_json_int(json, "errors.timeout"), 0);
    assert_int_equal(test_json_int(json, "errors.mismatch"), 0);
    assert_int_equal(test_json_int(json, "errors.closed"), 0);
    json_decref(json);
    test_stop(&server);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_waits_with_its_own_call_only),
      cmocka_unit_test(the_environment_changes_no_mechanism),
      cmocka_unit_test(blocking_models_make_two_calls_a_message),
      cmocka_unit_test(epoll_receives_once_a_message),
      cmocka_unit_test(only_level_triggers_ask_to_write),
      cmocka_unit_test(spinners_wait_without_sleeping),
      cmocka_unit_test(statistics_do_not_follow_the_wall_clock),
      cmocka_unit_test(sigio_survives_a_full_queue),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
