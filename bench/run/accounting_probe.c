/* accounting_probe.c: tracepoint counters on a tree of processes. Sources: perf_event_open(2);
 * Documentation/trace/events.rst of Linux; fsopen(2), fsmount(2). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
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

/* ---- Where the tracepoints are ----------------------------------------------------------------
 */

static int open_directory(int at, const char *path) {
  int fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}

/* The events of a tracefs that is mounted nowhere, for root on a host that has mounted none: the
 * mount is ours alone and goes with its last descriptor. */
static int open_detached_events(void) {
  int context = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
  int mount = -1;
  if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
    mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
  int events = mount >= 0 ? open_directory(mount, "events") : -errno;
  if (mount >= 0)
    close(mount);
  if (context >= 0)
    close(context);
  return events;
}

/* The directory of all events, or -errno: -EACCES where a tracefs is mounted, but not for us. */
static int open_events(void) {
  int mounted = open_directory(AT_FDCWD, "/sys/kernel/tracing/events");
  if (mounted >= 0)
    return mounted;
  int events = open_detached_events();
  if (events >= 0)
    return events;
  int old = open_directory(AT_FDCWD, "/sys/kernel/debug/tracing/events"); /* before Linux 4.1 */
  if (old >= 0)
    return old;
  return mounted == -EACCES ? mounted : events;
}

static int tracepoint_id(int events, const char *tracepoint, uint64_t *id) {
  char path[64];
  char text[32];
  snprintf(path, sizeof path, "%s/id", tracepoint);
  int fd = openat(events, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t n = read(fd, text, sizeof text - 1);
  int error = n < 0 ? -errno : 0;
  close(fd);
  text[n > 0 ? n : 0] = 0;
  return error != 0 ? error : sscanf(text, "%" SCNu64, id) == 1 ? 0 : -EINVAL;
}

static int tracepoint_ids(uint64_t ids[EVENTS]) {
  int events = open_events();
  int rc = events < 0 ? events : 0;
  for (int i = 0; i < EVENTS && rc == 0; i++)
    rc = tracepoint_id(events, tracepoints[i], &ids[i]);
  if (events >= 0)
    close(events);
  return rc;
}

static void blame_tracefs(char *why, size_t why_bytes, int error) {
  char remedy[96] = ""; /* none if the kernel has no tracefs */
  int gid = (int)getgid();
  if (error == -EACCES)
    snprintf(remedy, sizeof remedy, "mount -o remount,mode=750,gid=%d /sys/kernel/tracing", gid);
  else if (error != -ENODEV)
    snprintf(remedy, sizeof remedy, "mount -t tracefs -o mode=750,gid=%d none /sys/kernel/tracing",
             gid);
  snprintf(why, why_bytes, "tracepoints cannot be read (%s)%s%s", strerror(-error),
           *remedy != 0 ? "; as root: " : "", remedy);
}

static void blame_perf(char *why, size_t why_bytes, int error) {
  bool refused = error == -EACCES || error == -EPERM;
  if (error == -E2BIG)
    snprintf(why, why_bytes, "the server has more than %d threads and processes", TASKS_MAX);
  else
    snprintf(why, why_bytes, "perf_event_open %s (%s)%s", refused ? "is not permitted" : "failed",
             strerror(-error), refused ? "; as root: sysctl kernel.perf_event_paranoid=-1" : "");
}

/* ---- Counters ---------------------------------------------------------------------------------
 */

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
  if (probe == NULL) {
    snprintf(why, why_bytes, "%s", strerror(ENOMEM));
    return -ENOMEM;
  }
  int rc = tracepoint_ids(probe->ids);
  if (rc != 0) {
    blame_tracefs(why, why_bytes, rc);
    free(probe);
    return rc;
  }
  rc = mux_tree_walk(root, attach_process, probe);
  if (rc == 0)
    rc = probe->error;
  if (rc == 0 && probe->tasks == 0)
    rc = -ESRCH;
  if (rc != 0) {
    blame_perf(why, why_bytes, rc);
    accounting_probe_close(probe);
    return rc;
  }
  *result = probe;
  return 0;
}

int accounting_probe_permitted(char *why, size_t why_bytes) {
  uint64_t ids[EVENTS];
  int rc = tracepoint_ids(ids);
  if (rc != 0) {
    blame_tracefs(why, why_bytes, rc);
    return rc;
  }
  for (int i = 0; i < EVENTS; i++) {
    int fd = open_counter(ids[i], 0);
    if (fd < 0) {
      blame_perf(why, why_bytes, fd);
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
