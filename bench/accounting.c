/* accounting.c: see accounting.h. */
#include "bench/accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

/* Reading a file of each of more would take longer than a phase may be disturbed for. */
enum { PROCESSES_ASKED = 256 };

/* A whole small file of /proc. Returns its length or -errno. */
static ssize_t read_file(const char *path, char *text, size_t bytes) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  size_t used = 0;
  ssize_t n;
  while (used < bytes - 1 && (n = read(fd, text + used, bytes - 1 - used)) > 0)
    used += (size_t)n;
  close(fd);
  text[used] = 0;
  return (ssize_t)used;
}

/* Fields 14 to 17 of /proc/PID/stat. */
struct ticks {
  int64_t user, system, children_user, children_system;
};

static bool read_ticks(pid_t pid, struct ticks *ticks) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (read_file(path, text, sizeof text) <= 0)
    return false;
  const char *p = strrchr(text, ')');
  return p != NULL &&
         sscanf(p + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNd64 " %" SCNd64 " %" SCNd64
                " %" SCNd64,
                &ticks->user, &ticks->system, &ticks->children_user, &ticks->children_system) == 4;
}

static int64_t tick_ns(void) {
  static int64_t ns;
  if (ns == 0)
    ns = MUX_S / sysconf(_SC_CLK_TCK);
  return ns;
}

static void add_ended(struct accounting_cpu *out, const struct ticks *ticks) {
  out->total_ns += (ticks->children_user + ticks->children_system) * tick_ns();
  out->user_ticks += ticks->children_user;
  out->system_ticks += ticks->children_system;
}

int accounting_cpu(struct accounting_tree *tree, struct accounting_cpu *out) {
  struct ticks ticks;
  *out = (struct accounting_cpu){0};
  int rc = tree->many ? 0 : accounting_tree_find(tree);
  out->at_ns = mux_now_ns();
  for (int i = 0; i < tree->count; i++) {
    struct timespec time;
    if (clock_gettime(tree->clocks[i], &time) != 0)
      continue; /* it has just ended: its parent's numbers have it */
    out->total_ns += mux_timespec_ns(&time);
    out->processes++;
  }
  out->done_ns = mux_now_ns();
  if (tree->many && out->processes < tree->count)
    out->processes = 0; /* who had their time is not known */
  for (int i = 0; i < tree->count && tree->count <= PROCESSES_ASKED; i++) {
    if (!read_ticks(tree->pids[i], &ticks))
      continue;
    out->user_ticks += ticks.user;
    out->system_ticks += ticks.system;
    add_ended(out, &ticks);
  }
  if (read_ticks(tree->root, &ticks))
    add_ended(out, &ticks);
  return rc != 0 ? rc : out->processes > 0 ? 0 : -ESRCH;
}

/* "Key:   123 kB" as bytes, -1 if it is not there. */
static int64_t find_kb(const char *text, const char *key) {
  const char *p = text;
  size_t length = strlen(key);
  while (p != NULL && *p != 0) {
    if (strncmp(p, key, length) == 0 && p[length] == ':')
      return strtoll(p + length + 1, NULL, 10) * 1024;
    p = strchr(p, '\n');
    p = p != NULL ? p + 1 : NULL;
  }
  return -1;
}

/* The sum of two such lines, -1 if either is not there. */
static int64_t find_kb_of(const char *text, const char *one, const char *other) {
  int64_t a = find_kb(text, one);
  int64_t b = find_kb(text, other);
  return a >= 0 && b >= 0 ? a + b : -1;
}

/* Pages of files are left out: no connection adds any, and whoever else maps the same library, such
 * as the load, takes its share of them away. */
static void add_memory(pid_t pid, void *data) {
  int64_t *total = data;
  char path[64];
  char text[4096];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  int64_t bytes =
      read_file(path, text, sizeof text) > 0 ? find_kb_of(text, "Pss_Anon", "Pss_Shmem") : -1;
  if (bytes < 0) {
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    bytes = read_file(path, text, sizeof text) > 0 ? find_kb_of(text, "RssAnon", "RssShmem") : -1;
  }
  *total += bytes > 0 ? bytes : 0;
}

int64_t accounting_memory_bytes(pid_t root) {
  int64_t total = 0;
  int rc = accounting_walk(root, add_memory, &total);
  return rc != 0 ? rc : total > 0 ? total : -ESRCH;
}

/* The value under a name in files of line pairs: "Tcp: A B", "Tcp: 1 2" (snmp, netstat). */
static int64_t find_pair(const char *text, const char *prefix, const char *name) {
  const char *names = strstr(text, prefix);
  const char *values = names != NULL ? strchr(names, '\n') : NULL;
  if (values == NULL || strncmp(values + 1, prefix, strlen(prefix)) != 0)
    return -1;
  const char *end = values;
  values += 1 + strlen(prefix);
  names += strlen(prefix);
  while (names < end) {
    size_t length = strcspn(names + 1, " \n");
    char *next;
    int64_t value = strtoll(values, &next, 10);
    if (next == values)
      return -1;
    if (length == strlen(name) && memcmp(names + 1, name, length) == 0)
      return value;
    names += 1 + length;
    values = next;
  }
  return -1;
}

void accounting_host(struct accounting_host *out) {
  char text[16384];
  int64_t t[8] = {0};
  *out = (struct accounting_host){-1, -1, -1, -1, -1, -1, -1, -1, -1};
  if (read_file("/proc/stat", text, sizeof text) > 0 &&
      sscanf(text,
             "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
             " %" SCNd64,
             &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8) {
    out->steal_ticks = t[7];
    out->busy_ticks = t[0] + t[1] + t[2] + t[5] + t[6];
    out->total_ticks = out->busy_ticks + t[3] + t[4] + t[7];
  }
  if (read_file("/proc/pressure/cpu", text, sizeof text) > 0) {
    const char *total = strstr(text, "total=");
    if (total != NULL)
      out->pressure_us = strtoll(total + 6, NULL, 10);
  }
  if (read_file("/proc/net/snmp", text, sizeof text) > 0)
    out->retransmits = find_pair(text, "Tcp:", "RetransSegs");
  if (read_file("/proc/net/netstat", text, sizeof text) > 0)
    out->listen_overflows = find_pair(text, "TcpExt:", "ListenOverflows");
  if (read_file("/proc/meminfo", text, sizeof text) > 0) {
    int64_t stacks = find_kb(text, "KernelStack");
    int64_t tables = find_kb(text, "PageTables");
    out->slab_bytes = find_kb(text, "Slab");
    out->task_bytes = stacks >= 0 && tables >= 0 ? stacks + tables : -1;
  }
  if (read_file("/proc/net/sockstat", text, sizeof text) > 0) {
    const char *tcp = strstr(text, "TCP: ");
    const char *pages = tcp != NULL ? strstr(tcp, " mem ") : NULL;
    if (pages != NULL)
      out->socket_bytes = strtoll(pages + 5, NULL, 10) * sysconf(_SC_PAGESIZE);
  }
}
