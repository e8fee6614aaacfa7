/* accounting_kernel.c: what sockets take in the kernel, by the slab caches that hold their parts.
 *
 * The sum of all slab caches would have in it what the rest of the host does meanwhile: reading
 * /proc alone makes a dentry and an inode per file, ten kilobytes a connection among a hundred. So
 * the caches are named. The kernel merges caches of equal size and shows the merged one under one
 * of its names; /sys/kernel/slab says which names are the same (slab_sysfs_init, mm/slub.c).
 * Sources: slabinfo(5), Documentation/ABI/testing/sysfs-kernel-slab. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/run/accounting.h"
#include "common/clock.h"
#include "common/proc.h"

enum { SLABINFO_BYTES = 256 * 1024, NAME = 64 };
#define STEADY_LIMIT_NS (300 * MUX_MS)
#define STEADY_NS       (5 * MUX_MS)

/* How many objects of a cache are a connection's. Where the kernel counts sockets itself, that is
 * exact; slabinfo counts objects that are free, but kept for a CPU, as used: some 100 KiB. */
enum count { SOCKETS, TCP, TCP6, UDP, UDP6, SLABINFO, COUNTS };
static const struct {
  const char *name;
  enum count count;
} caches[] = {
    {"TCP", TCP},
    {"TCPv6", TCP6},
    {"UDP", UDP},
    {"UDPv6", UDP6},
    {"UNIX", SLABINFO},
    {"UNIX-STREAM", SLABINFO},
    {"sock_inode_cache", SOCKETS}, /* every socket has one of each, as other files have */
    {"filp", SOCKETS},
    {"dentry", SOCKETS},
    {"lsm_inode_cache", SOCKETS},
    {"lsm_file_cache", SOCKETS},
    {"eventpoll_epi", SLABINFO},
    {"ep_head", SLABINFO},
    {"eventpoll_pwq", SLABINFO},
    {"io_kiocb", SLABINFO},
    {"skbuff_head_cache", SLABINFO},
    {"skbuff_small_head", SLABINFO},
    {"skbuff_fclone_cache", SLABINFO},
};
enum { CACHES = sizeof caches / sizeof *caches };

/* ---- slabinfo ----------------------------------------------------------------------------------
 */

/* Under which name a merged cache is known: the same for all that are merged. */
static void identity(const char *name, char out[NAME]) {
  char path[128];
  snprintf(path, sizeof path, "/sys/kernel/slab/%s", name);
  ssize_t n = readlink(path, out, NAME - 1);
  if (n > 0)
    out[n] = 0;
  else
    snprintf(out, NAME, "%s", name);
}

/* The name in a line of slabinfo. */
static bool name_in(const char *line, char shown[NAME]) {
  int64_t objects;
  return sscanf(line, "%63s %" SCNd64, shown, &objects) == 2;
}

static const char *next_line(const char *line) {
  line = strchr(line, '\n');
  return line != NULL ? line + 1 : "";
}

/* What slabinfo calls the caches, which does not change; "": it does not have it. */
static const char *const *shown_names(const char *text) {
  static char names[CACHES][NAME];
  static const char *list[CACHES];
  for (int i = 0; i < CACHES && list[CACHES - 1] == NULL; i++) {
    char wanted[NAME];
    char shown[NAME];
    char known_as[NAME];
    identity(caches[i].name, wanted);
    for (const char *line = text; *line != 0 && names[i][0] == 0; line = next_line(line))
      if (name_in(line, shown)) {
        bool same = strcmp(shown, caches[i].name) == 0;
        if (!same && wanted[0] == ':') {
          identity(shown, known_as);
          same = strcmp(known_as, wanted) == 0;
        }
        if (same)
          snprintf(names[i], NAME, "%s", shown);
      }
    list[i] = names[i];
  }
  return list;
}

static bool find(const char *text, const char *name, int64_t *objects, int64_t *object_bytes) {
  char shown[NAME];
  for (const char *line = text; *line != 0 && *name != 0; line = next_line(line))
    if (sscanf(line, "%63s %" SCNd64 " %*d %" SCNd64, shown, objects, object_bytes) == 3 &&
        strcmp(shown, name) == 0)
      return true;
  return false;
}

/* ---- sockstat ----------------------------------------------------------------------------------
 */

/* The number after the word in the line that begins so; 0 if there is none. */
static int64_t stat_of(const char *text, const char *begin, const char *word) {
  const char *line = strstr(text, begin);
  const char *at = line != NULL ? strstr(line, word) : NULL;
  const char *end = line != NULL ? strchr(line, '\n') : NULL;
  return at != NULL && (end == NULL || at < end) ? strtoll(at + strlen(word), NULL, 10) : 0;
}

/* Sockets that there are; *pages: that TCP has for their data. */
static void count_sockets(int64_t counts[COUNTS], int64_t *pages) {
  char text[4096];
  memset(counts, 0, COUNTS * sizeof *counts);
  *pages = 0;
  if (mux_proc_read("/proc/net/sockstat6", text, sizeof text) > 0) {
    counts[TCP6] = stat_of(text, "TCP6:", " inuse ");
    counts[UDP6] = stat_of(text, "UDP6:", " inuse ");
  }
  if (mux_proc_read("/proc/net/sockstat", text, sizeof text) > 0) {
    counts[SOCKETS] = stat_of(text, "sockets:", " used ");
    counts[TCP] = stat_of(text, "TCP:", " alloc ") - counts[TCP6]; /* of both kinds */
    counts[UDP] = stat_of(text, "UDP:", " inuse ");
    *pages = stat_of(text, "TCP:", " mem ");
  }
}

/* -1 where slabinfo cannot be read. */
static int64_t socket_bytes(void) {
  char *text = malloc(SLABINFO_BYTES);
  int64_t counts[COUNTS];
  int64_t pages;
  int64_t objects;
  int64_t bytes;
  int64_t total = -1;
  if (text != NULL && mux_proc_read("/proc/slabinfo", text, SLABINFO_BYTES) > 0) {
    const char *const *names = shown_names(text);
    count_sockets(counts, &pages);
    total = pages * sysconf(_SC_PAGESIZE);
    for (int i = 0; i < CACHES; i++)
      if (find(text, names[i], &objects, &bytes))
        total += (caches[i].count == SLABINFO ? objects : counts[caches[i].count]) * bytes;
  }
  free(text);
  return total;
}

void accounting_kernel(struct accounting_kernel *out) {
  char text[4096];
  *out = (struct accounting_kernel){.socket_bytes = socket_bytes(), .task_bytes = -1};
  if (mux_proc_read("/proc/meminfo", text, sizeof text) > 0) {
    int64_t stacks = mux_proc_number(text, "KernelStack");
    int64_t tables = mux_proc_number(text, "PageTables");
    out->task_bytes = stacks >= 0 && tables >= 0 ? (stacks + tables) * 1024 : -1;
  }
}

void accounting_kernel_steady(struct accounting_kernel *out) {
  int64_t until_ns = mux_now_ns() + STEADY_LIMIT_NS;
  struct timespec pause = mux_ns_timespec(STEADY_NS);
  int64_t before;
  accounting_kernel(out);
  do {
    before = out->socket_bytes;
    nanosleep(&pause, NULL);
    accounting_kernel(out);
  } while (out->socket_bytes < before && mux_now_ns() < until_ns);
}
