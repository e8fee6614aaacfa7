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

/* What only connections use, or nearly so. */
static const char *const counted[] = {"TCP",
                                      "TCPv6",
                                      "UDP",
                                      "UDPv6",
                                      "UNIX",
                                      "UNIX-STREAM",
                                      "filp",
                                      "eventpoll_epi",
                                      "ep_head",
                                      "eventpoll_pwq",
                                      "io_kiocb",
                                      "lsm_file_cache",
                                      "skbuff_head_cache",
                                      "skbuff_small_head",
                                      "skbuff_fclone_cache",
                                      "sock_inode_cache"};
/* Every socket has one of each, but so has every other file of the host: as many are counted as
 * there are sockets. */
static const char *const per_socket[] = {"dentry", "lsm_inode_cache"};

/* Under which name the merged cache is known: the same for all that are merged. */
static void identity(const char *name, char out[NAME]) {
  char path[128];
  snprintf(path, sizeof path, "/sys/kernel/slab/%s", name);
  ssize_t n = readlink(path, out, NAME - 1);
  if (n > 0)
    out[n] = 0;
  else
    snprintf(out, NAME, "%s", name);
}

struct cache {
  int64_t objects, object_bytes;
};

/* The line of a cache, or of one that it is merged with. */
static bool find(const char *text, const char *name, struct cache *cache) {
  char wanted[NAME];
  identity(name, wanted);
  bool merged = wanted[0] == ':';
  for (const char *line = text; line != NULL && *line != 0;) {
    char shown[NAME];
    char known_as[NAME];
    if (sscanf(line, "%63s %" SCNd64 " %*d %" SCNd64, shown, &cache->objects,
               &cache->object_bytes) == 3) {
      bool same = strcmp(shown, name) == 0;
      if (!same && merged) {
        identity(shown, known_as);
        same = strcmp(known_as, wanted) == 0;
      }
      if (same)
        return true;
    }
    line = strchr(line, '\n');
    line = line != NULL ? line + 1 : NULL;
  }
  return false;
}

/* -1 where slabinfo cannot be read. */
static int64_t slab_bytes(void) {
  char *text = malloc(SLABINFO_BYTES);
  int64_t total = -1;
  struct cache sockets = {0};
  struct cache cache;
  if (text != NULL && mux_proc_read("/proc/slabinfo", text, SLABINFO_BYTES) > 0 &&
      find(text, "sock_inode_cache", &sockets)) {
    total = 0;
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
      if (find(text, counted[i], &cache))
        total += cache.objects * cache.object_bytes;
    for (size_t i = 0; i < sizeof per_socket / sizeof *per_socket; i++)
      if (find(text, per_socket[i], &cache))
        total += sockets.objects * cache.object_bytes;
  }
  free(text);
  return total;
}

void accounting_kernel(struct accounting_kernel *out) {
  char text[16384];
  *out = (struct accounting_kernel){.socket_bytes = slab_bytes(), .task_bytes = -1};
  if (mux_proc_read("/proc/meminfo", text, sizeof text) > 0) {
    int64_t stacks = mux_proc_number(text, "KernelStack");
    int64_t tables = mux_proc_number(text, "PageTables");
    out->task_bytes = stacks >= 0 && tables >= 0 ? (stacks + tables) * 1024 : -1;
  }
  if (out->socket_bytes >= 0 && mux_proc_read("/proc/net/sockstat", text, sizeof text) > 0) {
    const char *tcp = strstr(text, "TCP: ");
    const char *pages = tcp != NULL ? strstr(tcp, " mem ") : NULL;
    if (pages != NULL)
      out->socket_bytes += strtoll(pages + 5, NULL, 10) * sysconf(_SC_PAGESIZE);
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
