/* target.c: see target.h. */
#include "loadgen/target.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"

enum { INODES_MOST = 64, DESCRIPTORS_MOST = 128 };
/* Of a socket, enum tcp_state: UDP knows no LISTEN. */
enum { LISTENING = 0x0a, UNCONNECTED = 0x07 };

struct inodes {
  unsigned long at[INODES_MOST];
  int count;
};

static void add_inode(struct inodes *inodes, unsigned long inode) {
  if (inode != 0 && inodes->count < INODES_MOST)
    inodes->at[inodes->count++] = inode;
}

/* Listeners on the port; several share it with SO_REUSEPORT. Another one on the same port of
 * another address counts too: it is hardly there, and harmless. The kernel lists TCP's listeners
 * first, so the rest, perhaps 100,000 lines, is not read. */
static void find_port(struct inodes *inodes, const char *path, int port, unsigned wanted) {
  FILE *file = fopen(path, "re");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned local;
    unsigned state;
    unsigned long inode;
    if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %lu", &local,
               &state, &inode) != 3)
      continue; /* the headings */
    if (state != wanted && wanted == LISTENING)
      break;
    if (state == wanted && (int)local == port)
      add_inode(inodes, inode);
  }
  if (file != NULL)
    fclose(file);
}

static void find_unix(struct inodes *inodes, const char *wanted) {
  FILE *file = fopen("/proc/net/unix", "re");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned long inode;
    char path[200];
    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %199s", &inode, path) == 2 &&
        strcmp(path, wanted) == 0)
      add_inode(inodes, inode);
  }
  if (file != NULL)
    fclose(file);
}

static bool holds_one(const char *pid, const struct inodes *inodes) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/fd", pid);
  DIR *directory = opendir(path);
  if (directory == NULL)
    return false;
  bool found = false;
  /* A server opens its listener before it has connections: low descriptors are enough. */
  for (int seen = 0; !found && seen < DESCRIPTORS_MOST; seen++) {
    struct dirent *entry = readdir(directory);
    if (entry == NULL)
      break;
    char link[64];
    unsigned long inode;
    ssize_t n = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
    if (n <= 0)
      continue;
    link[n] = 0;
    if (sscanf(link, "socket:[%lu]", &inode) != 1)
      continue;
    for (int i = 0; i < inodes->count; i++)
      found = found || inodes->at[i] == inode;
  }
  closedir(directory);
  return found;
}

void load_target_find(struct load_target *server, const struct mux_addr *target) {
  *server = (struct load_target){0};
  struct inodes inodes = {0};
  if (target->kind == MUX_ADDR_UNIX) {
    find_unix(&inodes, ((const struct sockaddr_un *)&target->socket.storage)->sun_path);
  } else if (target->kind == MUX_ADDR_UDP) {
    find_port(&inodes, "/proc/net/udp", mux_addr_port(target), UNCONNECTED);
    find_port(&inodes, "/proc/net/udp6", mux_addr_port(target), UNCONNECTED);
  } else {
    find_port(&inodes, "/proc/net/tcp", mux_addr_port(target), LISTENING);
    find_port(&inodes, "/proc/net/tcp6", mux_addr_port(target), LISTENING);
  }
  DIR *directory = inodes.count > 0 ? opendir("/proc") : NULL;
  if (directory == NULL)
    return;
  int threads = 0;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 0 || server->count == LOAD_TARGET_PROCESSES || !holds_one(entry->d_name, &inodes))
      continue;
    cpu_set_t own;
    if (sched_getaffinity(pid, sizeof own, &own) == 0)
      CPU_OR(&cpus, &cpus, &own);
    server->pids[server->count++] = pid;
    int64_t tasks = mux_proc_of(pid, "status", "Threads");
    threads += tasks > 0 ? (int)tasks : 1;
  }
  closedir(directory);
  int most = CPU_COUNT(&cpus) > 0 ? CPU_COUNT(&cpus) : 1;
  server->cpus = threads < most ? threads : most;
}

int64_t load_target_cpu_ns(const struct load_target *server) {
  int64_t sum = 0;
  for (int i = 0; i < server->count; i++) {
    int64_t cpu = mux_process_cpu_ns(server->pids[i]);
    sum += cpu > 0 ? cpu : 0;
  }
  return sum;
}
