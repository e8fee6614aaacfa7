/* cpus.c: see cpus.h. */
#include "common/cpus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parse_number(const char **text, int *value) {
  if (**text < '0' || **text > '9')
    return -EINVAL;
  char *end;
  long number = strtol(*text, &end, 10);
  if (number < 0 || number >= CPU_SETSIZE)
    return -ENODEV;
  *value = (int)number;
  *text = end;
  return 0;
}

int mux_cpus_parse(cpu_set_t *set, const char *text) {
  cpu_set_t allowed;
  CPU_ZERO(set);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return -errno;
  do {
    int first;
    int last;
    int rc = parse_number(&text, &first);
    last = first;
    if (rc == 0 && *text == '-') {
      text++;
      rc = parse_number(&text, &last);
    }
    if (rc != 0)
      return rc;
    if (last < first)
      return -EINVAL;
    for (int cpu = first; cpu <= last; cpu++) {
      if (!CPU_ISSET((size_t)cpu, &allowed))
        return -ENODEV;
      CPU_SET((size_t)cpu, set);
    }
  } while (*text++ == ',');
  return text[-1] == 0 ? 0 : -EINVAL;
}

char *mux_cpus_print(char out[MUX_CPUS_TEXT], const cpu_set_t *set) {
  size_t at = 0;
  out[0] = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET((size_t)cpu, set))
      continue;
    int last = cpu;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET((size_t)last + 1, set))
      last++;
    at += (size_t)snprintf(out + at, MUX_CPUS_TEXT - at, last > cpu ? "%s%d-%d" : "%s%d",
                           at > 0 ? "," : "", cpu, last);
    assert(at < MUX_CPUS_TEXT);
    cpu = last;
  }
  return out;
}

int mux_cpus_nth(const cpu_set_t *set, int n) {
  int count = CPU_COUNT(set);
  if (count == 0)
    return -1;
  n %= count;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET((size_t)cpu, set) && n-- == 0)
      return cpu;
  return -1;
}

int mux_cpus_pin(const cpu_set_t *set) {
  return sched_setaffinity(0, sizeof *set, set) == 0 ? 0 : -errno;
}

int mux_cpus_pin_nth(const cpu_set_t *set, int n) {
  int cpu = mux_cpus_nth(set, n);
  if (cpu < 0)
    return 0;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((size_t)cpu, &one);
  return mux_cpus_pin(&one);
}

/* First number in a sysfs file; -1 when it cannot be read. */
static int sysfs_first(const char *format, int cpu) {
  char path[128];
  snprintf(path, sizeof path, format, cpu);
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return -1;
  int value = -1;
  if (fscanf(file, "%d", &value) != 1)
    value = -1;
  fclose(file);
  return value;
}

static int node_of(int cpu) {
  for (int node = 0; node < 64; node++) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
    if (access(path, F_OK) == 0)
      return node;
  }
  return 0;
}

int mux_cpus_split(cpu_set_t *server, cpu_set_t *load, int server_cores) {
  cpu_set_t allowed;
  CPU_ZERO(server);
  CPU_ZERO(load);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return -errno;
  int node = -1;
  int taken = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET((size_t)cpu, &allowed))
      continue;
    int first = sysfs_first("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (first >= 0 && first != cpu && CPU_ISSET((size_t)first, &allowed))
      continue; /* the second hardware thread of a core that counts already */
    if (node < 0)
      node = node_of(cpu);
    if (node_of(cpu) != node)
      continue;
    CPU_SET((size_t)cpu, taken++ < server_cores ? server : load);
  }
  if (CPU_COUNT(load) > 0)
    return 0;
  if (taken >= 2) { /* the server has all of them: leave one to the load */
    int last = mux_cpus_nth(server, taken - 1);
    CPU_CLR((size_t)last, server);
    CPU_SET((size_t)last, load);
    return 0;
  }
  *load = *server;
  return -ENODEV;
}
