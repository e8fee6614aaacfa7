/* trace.h: every system call of a running server, seen by ptrace(2) as strace does. It needs no
 * privilege and no program: a process may trace its children, in containers too. */
#ifndef MUX_TRACE_H
#define MUX_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One call that has returned. */
struct test_call {
  long number; /* SYS_… */
  uint64_t args[6];
  int64_t result; /* -errno if it failed */
};

enum { TEST_TRACED_TASKS = 1024 };

struct test_trace {
  void (*seen)(void *arg, const struct test_call *call);
  void *arg;
  pid_t server;
  int count; /* of tasks: threads and child processes */
  struct {
    pid_t id;
    struct test_call call; /* that it is in; number -1: none */
  } tasks[TEST_TRACED_TASKS];
};

/* Begins to trace `server`, a child: all its threads, and those and the processes it starts from
 * now on. It is stopped until test_trace_until(). False if tracing is not permitted here. */
bool test_trace_begin(struct test_trace *trace, pid_t server,
                      void (*seen)(void *arg, const struct test_call *call), void *arg);
/* Lets it run, and calls seen() for each call, until `other`, another child, has ended (which is
 * left to be waited for). Then the server runs on untraced. */
void test_trace_until(struct test_trace *trace, pid_t other);

#endif
