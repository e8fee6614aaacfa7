/* accounting_probe.c: tracepoint counters on a tree of processes. Source: perf_event_open(2). */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/run/accounting.h"

enum { EVENTS = 2, TASKS_MAX = 4096 };

struct accounting_probe {
  int fds[TASKS_MAX][EVENTS];
  int tasks;
  uint64_t ids[EVENTS];
  int error;
};

static const char *const tracepoints[EVENTS] = {"raw_syscalls/sys_enter", "sched/sched_switch"};

static int tracepoint_id(const char *tracepoint, uint64_t *id) {
  static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
  int error = ENOENT;
  for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
    char path[128];
    unsigned long value;
    snprintf(path, sizeof path, "%s/events/%s/id", roots[i], tracepoint);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
      error = errno == EACCES ? EACCES : error;
      continue;
    }
    int got = fscanf(file, "%lu", &value);
    fclose(file);
    if (got == 1) {
      *id = value;
      return 0;
    }
  }
  return -error;
}

static void complain(char *why, size_t why_bytes, int error, bool tracefs) {
  snprintf(why, why_bytes, "%s (%s); as root: %s",
           tracefs ? "tracepoints cannot be read" : "perf_event_open is refused", strerror(-error),
           tracefs ? "mount -t tracefs none /sys/kernel/tracing"
                   : "sysctl kernel.perf_event_paranoid=-1");
}

static int open_counter(uint64_t id, pid_t task) {
  struct perf_event_attr attr = {
      .type = PERF_TYPE_TRACEPOINT, .size = sizeof attr, .config = id, .inherit = 1};
  long fd = syscall(SYS_perf_event_open, &attr, task, -1, -1, PERF_FLAG_FD_CLOEXEC);
  return fd >= 0 ? (int)fd : -errno;
}

static void attach_task(pid_t pid, pid_t task, void *data) {
  struct accounting_probe *probe = data;
  (void)pid;
  if (probe->error != 0)
    return;
  if (probe->tasks == TASKS_MAX) {
    probe->error = -E2BIG;
    return;
  }
  int *fds = probe->fds[probe->tasks];
  for (int i = 0; i < EVENTS; i++) {
    fds[i] = open_counter(probe->ids[i], task);
    if (fds[i] < 0) {
      int error = fds[i];
      while (i-- > 0)
        close(fds[i]);
      if (error != -ESRCH) /* it has just ended */
        probe->error = error;
      return;
    }
  }
  probe->tasks++;
}

static void attach_process(pid_t pid, void *data) {
  mux_tree_tasks(pid, attach_task, data);
}

int accounting_probe_open(struct accounting_probe **result, pid_t root, char *why,
                          size_t why_bytes) {
  struct accounting_probe *probe = calloc(1, sizeof *probe);
  int rc = probe == NULL ? -ENOMEM : 0;
  for (int i = 0; i < EVENTS && rc == 0; i++)
    rc = tracepoint_id(tracepoints[i], &probe->ids[i]);
  if (rc != 0) {
    snprintf(why, why_bytes,
             "tracepoints cannot be read (%s); as root: mount -t tracefs none "
             "/sys/kernel/tracing",
             strerror(-rc));
    free(probe);
    return rc;
  }
  rc = mux_tree_walk(root, attach_process, probe);
  if (rc == 0)
    rc = probe->error;
  if (rc == 0 && probe->tasks == 0)
    rc = -ESRCH;
  if (rc != 0) {
    complain(why, why_bytes, rc, false);
    accounting_probe_close(probe);
    return rc;
  }
  *result = probe;
  return 0;
}

int accounting_probe_permitted(char *why, size_t why_bytes) {
  for (int i = 0; i < EVENTS; i++) {
    uint64_t id;
    int rc = tracepoint_id(tracepoints[i], &id);
    int fd = rc == 0 ? open_counter(id, 0) : rc;
    if (fd < 0) {
      complain(why, why_bytes, fd, rc != 0);
      return fd;
    }
    close(fd);
  }
  return 0;
}

int accounting_probe_read(struct accounting_probe *probe, struct accounting_counts *out) {
  uint64_t sums[EVENTS] = {0};
  for (int task = 0; task < probe->tasks; task++)
    for (int i = 0; i < EVENTS; i++) {
      uint64_t value;
      if (read(probe->fds[task][i], &value, sizeof value) != (ssize_t)sizeof value)
        return -EIO;
      sums[i] += value;
    }
  *out = (struct accounting_counts){.syscalls = (int64_t)sums[0], .switches = (int64_t)sums[1]};
  return 0;
}

void accounting_probe_close(struct accounting_probe *probe) {
  for (int task = 0; task < probe->tasks; task++)
    for (int i = 0; i < EVENTS; i++)
      close(probe->fds[task][i]);
  free(probe);
}
