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

enum { FEW_THREADS = 64, PIDS_MAX = 1 << 22 };

struct pids {
  pid_t *list;
  int count, room;
  bool no_memory;
};

static void add(struct pids *pids, pid_t pid) {
  if (pids->count == pids->room) {
    int room = pids->room > 0 ? pids->room * 2 : 64;
    pid_t *grown = room > PIDS_MAX ? NULL : realloc(pids->list, (size_t)room * sizeof *grown);
    if (grown == NULL) {
      pids->no_memory = true;
      return;
    }
    pids->list = grown;
    pids->room = room;
  }
  pids->list[pids->count++] = pid;
}

/* Adds the children that one thread has made. */
static void add_children_of_task(struct pids *pids, pid_t pid, const char *tid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid);
  FILE *file = fopen(path, "re");
  int child;
  while (file != NULL && fscanf(file, "%d", &child) == 1)
    add(pids, child);
  if (file != NULL)
    fclose(file);
}

/* Returns false when the process has too many threads for this. */
static bool add_children(struct pids *pids, pid_t pid) {
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
    add_children_of_task(pids, pid, tids[i]);
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

static void add_children_by_scan(struct pids *pids, pid_t pid) {
  DIR *dir = opendir("/proc");
  struct dirent *entry;
  while (dir != NULL && (entry = readdir(dir)) != NULL)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == pid)
      add(pids, (pid_t)atoi(entry->d_name));
  if (dir != NULL)
    closedir(dir);
}

int accounting_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data) {
  struct pids pids = {0};
  add(&pids, root);
  for (int i = 0; i < pids.count && !pids.no_memory; i++)
    if (!add_children(&pids, pids.list[i]))
      add_children_by_scan(&pids, pids.list[i]);
  for (int i = 1; i < pids.count; i++)
    visit(pids.list[i], data);
  free(pids.list);
  return pids.no_memory ? -ENOMEM : 0;
}
