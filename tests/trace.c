/* trace.c: see trace.h. */
#include "tests/trace.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/spawn.h"
#include "tests/support.h"

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK };

static int find_task(struct test_trace *trace, pid_t id) {
  int at = 0;
  while (at < trace->count && trace->tasks[at].id != id)
    at++;
  if (at == trace->count) {
    assert_true(trace->count < TEST_TRACED_TASKS);
    trace->tasks[trace->count++].id = id;
    trace->tasks[at].call.number = -1;
  }
  return at;
}

bool test_trace_begin(struct test_trace *trace, pid_t server,
                      void (*seen)(void *arg, const struct test_call *call), void *arg) {
  char path[64];
  *trace = (struct test_trace){.seen = seen, .arg = arg, .server = server};
  snprintf(path, sizeof path, "/proc/%d/task", (int)server);
  DIR *tasks = opendir(path);
  assert_non_null(tasks);
  const struct dirent *entry;
  bool may = true;
  while (may && (entry = readdir(tasks)) != NULL) {
    pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);
    if (id == 0)
      continue;
    bool seized = ptrace(PTRACE_SEIZE, id, 0, OPTIONS) == 0;
    may = seized || errno == ESRCH; /* it has ended meanwhile: there is nothing to see */
    if (seized) {
      find_task(trace, id);
      assert_true(ptrace(PTRACE_INTERRUPT, id, 0, 0) == 0 || errno == ESRCH);
    }
  }
  closedir(tasks);
  return may;
}

static void see_call(struct test_trace *trace, pid_t id) {
  struct __ptrace_syscall_info info;
  struct test_call *call = &trace->tasks[find_task(trace, id)].call;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) < 0)
    return; /* killed meanwhile */
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    call->number = (long)info.entry.nr;
    for (int i = 0; i < 6; i++)
      call->args[i] = info.entry.args[i];
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && call->number >= 0) {
    call->result = info.exit.rval;
    trace->seen(trace->arg, call);
    call->number = -1;
  }
}

/* Returns the signal that the task is to get now. */
static int see_stop(struct test_trace *trace, pid_t id, int status) {
  int event = status >> 16;
  if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
    see_call(trace, id);
    return 0;
  }
  unsigned long child;
  if ((event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK) &&
      ptrace(PTRACE_GETEVENTMSG, id, 0, &child) == 0)
    find_task(trace, (pid_t)child);
  return event == 0 ? WSTOPSIG(status) : 0;
}

/* Waits for a task (0: any, or any child), and fills status if it has stopped; false: it has ended.
 * The ends of the server and of other children are left for whoever waits for them. */
static bool next_stop(const struct test_trace *trace, pid_t *id, int *status) {
  siginfo_t info = {0};
  int rc;
  do
    rc = waitid(*id == 0 ? P_ALL : P_PID, (id_t)*id, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL);
  while (rc != 0 && errno == EINTR);
  assert_int_equal(rc, 0);
  *id = info.si_pid;
  bool stopped = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED;
  bool traced = false;
  for (int i = 0; i < trace->count; i++)
    traced = traced || trace->tasks[i].id == *id;
  if (stopped || (traced && *id != trace->server))
    assert_int_equal(waitpid(*id, status, __WALL), *id);
  return stopped;
}

/* A task that was in the list when it ended is skipped by leave(). */
static void forget_task(struct test_trace *trace, pid_t id) {
  trace->tasks[find_task(trace, id)] = trace->tasks[trace->count - 1];
  trace->count--;
}

static void leave(struct test_trace *trace) {
  for (int i = 0; i < trace->count; i++)
    ptrace(PTRACE_INTERRUPT, trace->tasks[i].id, 0, 0);
  for (int i = 0; i < trace->count; i++) { /* to which a last clone may add */
    pid_t id = trace->tasks[i].id;
    int status;
    if (next_stop(trace, &id, &status))
      ptrace(PTRACE_DETACH, id, 0, see_stop(trace, id, status));
  }
}

void test_trace_until(struct test_trace *trace, pid_t other) {
  alarm(TEST_TIMEOUT_S);
  for (;;) {
    pid_t id = 0;
    int status;
    bool stopped = next_stop(trace, &id, &status);
    if (id == trace->server && !stopped)
      fail_msg("the server has ended under trace");
    if (id == other && !stopped)
      break;
    if (stopped)
      ptrace(PTRACE_SYSCALL, id, 0, see_stop(trace, id, status));
    else
      forget_task(trace, id);
  }
  leave(trace);
  alarm(0);
}
