/* accounting.c: see accounting.h. */
#include "bench/run/accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"

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
  *out = (struct accounting_host){-1, -1, -1, -1, -1, -1};
  if (mux_proc_read("/proc/stat", text, sizeof text) > 0 &&
      sscanf(text,
             "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
             " %" SCNd64,
             &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8) {
    out->steal_ticks = t[7];
    out->busy_ticks = t[0] + t[1] + t[2] + t[5] + t[6];
    out->total_ticks = out->busy_ticks + t[3] + t[4] + t[7];
  }
  if (mux_proc_read("/proc/pressure/cpu", text, sizeof text) > 0) {
    const char *total = strstr(text, "total=");
    if (total != NULL)
      out->pressure_us = strtoll(total + 6, NULL, 10);
  }
  if (mux_proc_read("/proc/net/snmp", text, sizeof text) > 0)
    out->retransmits = find_pair(text, "Tcp:", "RetransSegs");
  if (mux_proc_read("/proc/net/netstat", text, sizeof text) > 0)
    out->listen_overflows = find_pair(text, "TcpExt:", "ListenOverflows");
}

static void add(int64_t *sum, int64_t a, int64_t b) {
  if (a >= 0 && b >= 0)
    *sum += b - a;
}

void accounting_host_add(struct accounting_host *sum, const struct accounting_host *a,
                         const struct accounting_host *b) {
  add(&sum->busy_ticks, a->busy_ticks, b->busy_ticks);
  add(&sum->steal_ticks, a->steal_ticks, b->steal_ticks);
  add(&sum->total_ticks, a->total_ticks, b->total_ticks);
  add(&sum->retransmits, a->retransmits, b->retransmits);
  add(&sum->listen_overflows, a->listen_overflows, b->listen_overflows);
  add(&sum->pressure_us, a->pressure_us, b->pressure_us);
}
