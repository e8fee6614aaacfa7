/* target.c: see target.h. */
#include "loadgen/target.h"

#include <dirent.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptors.h"
#include "common/proc.h"

enum { INODES_MOST = 64, DESCRIPTORS_MOST = 128, TABLES_MOST = 64 };
/* A reader of /proc/net misses sockets when others before them go away meanwhile: several readings
 * together do not. What is gone by then is in no process. */
enum { READINGS = 6 };
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
  for (int i = 0; i < inodes->count; i++)
    if (inodes->at[i] == inode)
      return;
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

/* Of servers that were bound to one path, each after the path of the one before was removed, only
 * the last can be reached: the inode of the path is its socket's (sock_diag(7)). True also where
 * the kernel does not tell. */
static bool is_bound_there(unsigned long inode, const struct stat *place) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req body;
  } question = {
      .header = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
      .body = {.sdiag_family = AF_UNIX,
               .udiag_states = ~0U,
               .udiag_ino = (uint32_t)inode,
               .udiag_show = UDIAG_SHOW_VFS,
               .udiag_cookie = {~0U, ~0U}},
  };
  struct {
    struct nlmsghdr header;
    struct unix_diag_msg body;
    struct nlattr attribute; /* what was asked for comes first */
    struct unix_diag_vfs vfs;
  } answer = {0};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  bool told = fd >= 0 && send(fd, &question, sizeof question, 0) > 0 &&
              recv(fd, &answer, sizeof answer, MSG_DONTWAIT) == sizeof answer &&
              answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
              answer.attribute.nla_type == UNIX_DIAG_VFS;
  if (fd >= 0)
    close(fd);
  return !told || answer.vfs.udiag_vfs_ino == (uint32_t)place->st_ino;
}

/* A line ends with the path as it was bound. */
static void find_unix(struct inodes *inodes, const char *wanted) {
  struct stat place;
  if (stat(wanted, &place) != 0)
    return;
  FILE *file = fopen("/proc/net/unix", "re");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned flags;
    unsigned long inode;
    int path = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags, &inode, &path) == 2 && path > 0 &&
        (flags & UNIX_LISTENING) != 0 && strcmp(line + path, wanted) == 0 &&
        is_bound_there(inode, &place))
      add_inode(inodes, 1, inode);
  }
  if (file != NULL)
    fclose(file);
}

static bool holds_one(pid_t task, const struct inodes *inodes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)task);
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

/* Does one of its threads? Mostly they have one table of descriptors together. */
static bool listens(pid_t pid, const struct inodes *inodes) {
  pid_t tasks[TABLES_MOST];
  bool found = holds_one(pid, inodes);
  int count = found ? 0 : mux_descriptors_tables(pid, tasks, TABLES_MOST);
  for (int i = 1; i < count && !found; i++)
    found = holds_one(tasks[i], inodes);
  return found;
}

void load_target_find(struct load_target *server, const struct mux_addr *target, pid_t root) {
  *server = (struct load_target){.tree.root = root};
  if (root > 0) {
    mux_tree_find(&server->tree);
    server->cpus = 1;
    return;
  }
  struct inodes inodes = {0};
  bool udp = target->kind == MUX_ADDR_UDP;
  for (int i = 0; i < READINGS; i++) {
    if (target->kind == MUX_ADDR_UNIX) {
      find_unix(&inodes, ((const struct sockaddr_un *)&target->socket.storage)->sun_path);
    } else {
      struct place place = place_of(target);
      find_place(&inodes, udp ? "/proc/net/udp" : "/proc/net/tcp", &place, udp);
      find_place(&inodes, udp ? "/proc/net/udp6" : "/proc/net/tcp6", &place, udp);
    }
  }
  DIR *directory = inodes.count > 0 ? opendir("/proc") : NULL;
  if (directory == NULL)
    return;
  int threads = 0;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 0 || server->count == LOAD_TARGET_PROCESSES || !listens(pid, &inodes))
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

void load_target_look_again(struct load_target *server) {
  if (server->tree.root > 0)
    mux_tree_find(&server->tree);
}

bool load_target_known(const struct load_target *server) {
  return server->tree.root > 0 || server->count > 0;
}

void load_target_free(struct load_target *server) {
  mux_tree_free(&server->tree);
}

int64_t load_target_cpu_ns(struct load_target *server) {
  struct mux_tree_cpu cpu;
  int64_t sum = 0;
  if (server->tree.root > 0)
    return mux_tree_cpu(&server->tree, &cpu) == 0 ? cpu.total_ns : 0;
  for (int i = 0; i < server->count; i++) {
    int64_t one = mux_process_cpu_ns(server->pids[i]);
    sum += one > 0 ? one : 0;
  }
  return sum;
}
