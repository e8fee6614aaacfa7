/* tree.c: see tree.h.
 *
 * For a process with few threads reading /proc/PID/task/TID/children is cheap; for one with
 * thousands it is cheaper to read the parent of every process on the host. */
#include "process/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"

enum { FEW_THREADS = 64, FEW_PROCESSES = 64, PIDS_MAX = 1 << 22 };
/* Reading a file of each of more would take longer than a measurement may be disturbed for. */
enum { PROCESSES_ASKED = 256 };

/* ---- Finding --------------------------------------------------------------------------------- */

/* During the search tree->pids begins with the root. */
static void add(pid_t pid, void *data) {
  struct mux_tree *tree = data;
  if (tree->count == tree->room) {
    int room = tree->room > 0 ? tree->room * 2 : 64;
    pid_t *grown = room > PIDS_MAX ? NULL : realloc(tree->pids, (size_t)room * sizeof *grown);
    if (grown == NULL) {
      tree->no_memory = true;
      return;
    }
    tree->pids = grown;
    tree->room = room;
  }
  tree->pids[tree->count++] = pid;
}

void mux_tree_children(const char *path, void (*visit)(pid_t pid, void *data), void *data) {
  char text[4096];
  ssize_t n;
  pid_t pid = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
    for (ssize_t i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) { /* every number is followed by a space */
        visit(pid, data);
        pid = 0;
      }
    }
  if (fd >= 0)
    close(fd);
}

/* Returns false if the process has too many threads for this. */
static bool add_children(struct mux_tree *tree, pid_t pid) {
  char path[64];
  pid_t tids[FEW_THREADS];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *dir = opendir(path);
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    if (count == FEW_THREADS) {
      closedir(dir);
      return false;
    }
    tids[count++] = (pid_t)atoi(entry->d_name);
  }
  if (dir != NULL)
    closedir(dir);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)tids[i]);
    mux_tree_children(path, add, tree);
  }
  return true;
}

static void add_children_by_scan(struct mux_tree *tree, pid_t pid) {
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  struct mux_proc_stat stat;
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    pid_t other = (pid_t)atoi(entry->d_name);
    if (other > 0 && mux_proc_stat(other, &stat) == 0 && stat.parent == pid)
      add(other, tree);
  }
  if (dir != NULL)
    closedir(dir);
}

/* Finds the clocks, and removes the root and the processes that have ended. */
static void find_clocks(struct mux_tree *tree) {
  int found = 0;
  clockid_t *clocks = reallocarray(tree->clocks, (size_t)tree->room, sizeof *tree->clocks);
  tree->no_memory = tree->no_memory || (clocks == NULL && tree->room > 0);
  if (tree->no_memory)
    tree->count = 0;
  else
    tree->clocks = clocks;
  for (int i = 1; i < tree->count; i++)
    if (clock_getcpuclockid(tree->pids[i], &tree->clocks[found]) == 0)
      tree->pids[found++] = tree->pids[i];
  tree->count = found;
}

int mux_tree_find(struct mux_tree *tree) {
  tree->count = 0;
  tree->many = tree->no_memory = false;
  add(tree->root, tree);
  for (int i = 0; i < tree->count; i++)
    if (!add_children(tree, tree->pids[i])) {
      add_children_by_scan(tree, tree->pids[i]);
      tree->many = true;
    }
  find_clocks(tree);
  tree->many = tree->many || tree->count > FEW_PROCESSES;
  return tree->no_memory ? -ENOMEM : 0;
}

void mux_tree_free(struct mux_tree *tree) {
  free(tree->pids);
  free(tree->clocks);
  *tree = (struct mux_tree){.root = tree->root};
}

int mux_tree_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data) {
  struct mux_tree tree = {.root = root};
  int rc = mux_tree_find(&tree);
  for (int i = 0; i < tree.count; i++)
    visit(tree.pids[i], data);
  mux_tree_free(&tree);
  return rc;
}

void mux_tree_tasks(pid_t pid, void (*visit)(pid_t pid, pid_t tid, void *data), void *data) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *dir = opendir(path);
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] != '.')
      visit(pid, (pid_t)atoi(entry->d_name), data);
  if (dir != NULL)
    closedir(dir);
}

static void send_signal(pid_t pid, void *signal) {
  kill(pid, *(int *)signal);
}

int mux_tree_signal(pid_t root, int signal) {
  return mux_tree_walk(root, send_signal, &signal);
}

/* ---- CPU time ---------------------------------------------------------------------------------
 */

static int64_t tick_ns(void) {
  static int64_t ns;
  if (ns == 0)
    ns = MUX_S / sysconf(_SC_CLK_TCK);
  return ns;
}

static void add_ended(struct mux_tree_cpu *out, const struct mux_proc_stat *ticks) {
  out->total_ns += (ticks->children_user + ticks->children_system) * tick_ns();
  out->user_ticks += ticks->children_user;
  out->system_ticks += ticks->children_system;
}

int mux_tree_cpu(struct mux_tree *tree, struct mux_tree_cpu *out) {
  struct mux_proc_stat ticks;
  *out = (struct mux_tree_cpu){0};
  int rc = tree->many ? 0 : mux_tree_find(tree);
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
    if (mux_proc_stat(tree->pids[i], &ticks) != 0)
      continue;
    out->user_ticks += ticks.user;
    out->system_ticks += ticks.system;
    add_ended(out, &ticks);
  }
  if (mux_proc_stat(tree->root, &ticks) == 0)
    add_ended(out, &ticks);
  return rc != 0 ? rc : out->processes > 0 ? 0 : -ESRCH;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* The sum in bytes of two lines of a file in /proc/PID, -1 if one is missing. */
static int64_t sum_of(pid_t pid, const char *file, const char *one, const char *other) {
  int64_t a = mux_proc_of(pid, file, one);
  int64_t b = mux_proc_of(pid, file, other);
  return a >= 0 && b >= 0 ? (a + b) * 1024 : -1;
}

static void add_memory(pid_t pid, void *data) {
  int64_t *total = data;
  int64_t bytes = sum_of(pid, "smaps_rollup", "Pss_Anon", "Pss_Shmem");
  if (bytes < 0)
    bytes = sum_of(pid, "status", "RssAnon", "RssShmem");
  *total += bytes > 0 ? bytes : 0;
}

int64_t mux_tree_memory_bytes(pid_t root) {
  int64_t total = 0;
  int rc = mux_tree_walk(root, add_memory, &total);
  return rc != 0 ? rc : total > 0 ? total : -ESRCH;
}
