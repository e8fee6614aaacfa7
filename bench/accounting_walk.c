/* accounting_walk.c: the processes below another one.
 *
 * /proc/PID/task/TID/children is cheap for a process of few threads; for one of thousands, reading
 * the parent of every process of the host is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/accounting.h"

enum { FEW_THREADS = 64, FEW_PROCESSES = 64, PIDS_MAX = 1 << 22 };

/* While it is looked for, tree->pids begins with the root. */
static void add(struct accounting_tree *tree, pid_t pid) {
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

/* Adds the children that one thread has made. */
static void add_children_of_task(struct accounting_tree *tree, pid_t pid, const char *tid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid);
  FILE *file = fopen(path, "re");
  int child;
  while (file != NULL && fscanf(file, "%d", &child) == 1)
    add(tree, child);
  if (file != NULL)
    fclose(file);
}

/* Returns false when the process has too many threads for this. */
static bool add_children(struct accounting_tree *tree, pid_t pid) {
  char path[64];
  char tids[FEW_THREADS][16];
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
    snprintf(tids[count++], sizeof tids[0], "%.15s", entry->d_name);
  }
  if (dir != NULL)
    closedir(dir);
  for (int i = 0; i < count; i++)
    add_children_of_task(tree, pid, tids[i]);
  return true;
}

static pid_t parent_of(const char *pid) {
  char path[64];
  char text[512];
  snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  if (n <= 0)
    return -1;
  text[n] = 0;
  const char *name_end = strrchr(text, ')'); /* the name itself may hold anything */
  int parent;
  return name_end != NULL && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

static void add_children_by_scan(struct accounting_tree *tree, pid_t pid) {
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == pid)
      add(tree, (pid_t)atoi(entry->d_name));
  if (dir != NULL)
    closedir(dir);
}

/* Puts those that live in the place of the root and the ended. */
static void find_clocks(struct accounting_tree *tree) {
  int found = 0;
  tree->clocks = reallocarray(tree->clocks, (size_t)tree->room, sizeof *tree->clocks);
  if (tree->clocks == NULL && tree->room > 0)
    abort();
  for (int i = 1; i < tree->count; i++)
    if (clock_getcpuclockid(tree->pids[i], &tree->clocks[found]) == 0)
      tree->pids[found++] = tree->pids[i];
  tree->count = found;
}

int accounting_tree_find(struct accounting_tree *tree) {
  tree->count = 0;
  tree->many = tree->no_memory = false;
  add(tree, tree->root);
  for (int i = 0; i < tree->count; i++)
    if (!add_children(tree, tree->pids[i])) {
      add_children_by_scan(tree, tree->pids[i]);
      tree->many = true;
    }
  find_clocks(tree);
  tree->many = tree->many || tree->count > FEW_PROCESSES;
  return tree->no_memory ? -ENOMEM : 0;
}

void accounting_tree_free(struct accounting_tree *tree) {
  free(tree->pids);
  free(tree->clocks);
  *tree = (struct accounting_tree){.root = tree->root};
}

int accounting_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data) {
  struct accounting_tree tree = {.root = root};
  int rc = accounting_tree_find(&tree);
  for (int i = 0; i < tree.count; i++)
    visit(tree.pids[i], data);
  accounting_tree_free(&tree);
  return rc;
}
