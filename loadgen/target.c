/* target.c: see target.h. */
#include "loadgen/target.h"

#include <dirent.h>
#include <netinet/in.h>
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
/* States of sockets (enum tcp_state; UDP has no LISTEN), and the flag __SO_ACCEPTCON of Unix ones.
 */
enum { LISTENING = 0x0a, UNCONNECTED = 0x07, UNIX_LISTENING = 0x10000 };

/* Listeners that get our connections: those of the highest rank only. */
struct inodes {
  unsigned long at[INODES_MOST];
  int count;
  int rank;
};

static void add_inode(struct inodes *inodes, int rank, unsigned long inode) {
  if (rank > inodes->rank) {
    inodes->rank = rank;
    inodes->count = 0;
  }
  if (inode != 0 && rank == inodes->rank && rank > 0 && inodes->count < INODES_MOST)
    inodes->at[inodes->count++] = inode;
}

static struct in6_addr mapped(uint32_t four) {
  struct in6_addr six = {.s6_addr32 = {0, 0, htonl(0xffff), four}};
  return six;
}

/* An address and port; IPv4 addresses are mapped (RFC 4291, 2.5.5.2). */
struct place {
  struct in6_addr address;
  int port;
};

static struct place place_of(const struct mux_addr *target) {
  const struct sockaddr *any = &target->socket.any;
  return (struct place){.address = any->sa_family == AF_INET
                                       ? mapped(((const struct sockaddr_in *)any)->sin_addr.s_addr)
                                       : ((const struct sockaddr_in6 *)any)->sin6_addr,
                        .port = mux_addr_port(target)};
}

/* The kernel gives connections for `target` to the socket of the highest rank; 0: not this one. An
 * exact address goes before a wildcard, then an IPv4 socket before a dual-stack one (compute_score
 * in Linux' net/ipv4/inet_hashtables.c and udp.c). proc(5) does not tell which IPv6 wildcards are
 * IPv6-only, but those never win: where IPv4 is served, it has another socket. */
static int rank_of(const struct in6_addr *target, const struct in6_addr *local, bool four) {
  const struct in6_addr any4 = mapped(INADDR_ANY);
  bool wants4 = IN6_IS_ADDR_V4MAPPED(target);
  if (IN6_ARE_ADDR_EQUAL(local, target))
    return 3 + four;
  bool wildcard = IN6_IS_ADDR_UNSPECIFIED(local) || (wants4 && IN6_ARE_ADDR_EQUAL(local, &any4));
  return wildcard ? 1 + four : 0;
}

/* Reads an address as /proc has it: 8 or 32 digits, words in host byte order. */
static bool read_address(const char *text, struct in6_addr *address) {
  uint32_t *words = address->s6_addr32;
  if (strlen(text) == 32)
    return sscanf(text, "%8x%8x%8x%8x", &words[0], &words[1], &words[2], &words[3]) == 4;
  *address = mapped((uint32_t)strtoul(text, NULL, 16));
  return strlen(text) == 8;
}

/* Adds the listeners for `place`; SO_REUSEPORT allows several. TCP's listeners come first in the
 * file, so that the rest, perhaps 100,000 lines, is not read. */
static void find_place(struct inodes *inodes, const char *path, const struct place *place,
                       bool udp) {
  const unsigned wanted = udp ? UNCONNECTED : LISTENING;
  FILE *file = fopen(path, "re");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char text[33];
    unsigned port;
    unsigned state;
    unsigned long inode;
    struct in6_addr local;
    if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %lu", text, &port,
               &state, &inode) != 4)
      continue; /* the headings */
    if (state != wanted && !udp)
      break;
    if (state == wanted && (int)port == place->port && read_address(text, &local))
      add_inode(inodes, rank_of(&place->address, &local, strlen(text) == 8), inode);
  }
  if (file != NULL)
    fclose(file);
}

/* A line ends with the path as it was bound. */
static void find_unix(struct inodes *inodes, const char *wanted) {
  FILE *file = fopen("/proc/net/unix", "re");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned flags;
    unsigned long inode;
    int path = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags, &inode, &path) == 2 && path > 0 &&
        (flags & UNIX_LISTENING) != 0 && strcmp(line + path, wanted) == 0)
      add_inode(inodes, 1, inode);
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
  /* A server opens its listener before it has connections: the lowest descriptors are enough. */
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
  } else {
    bool udp = target->kind == MUX_ADDR_UDP;
    struct place place = place_of(target);
    find_place(&inodes, udp ? "/proc/net/udp" : "/proc/net/tcp", &place, udp);
    find_place(&inodes, udp ? "/proc/net/udp6" : "/proc/net/tcp6", &place, udp);
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
