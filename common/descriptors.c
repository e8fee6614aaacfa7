/* descriptors.c: see descriptors.h. */
#include "common/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const mux_descriptors_names[] = {"own", "shared", NULL};

int mux_descriptors_own(void) {
  return unshare(CLONE_FILES) == 0 ? 0 : -errno;
}

static bool shares_table(pid_t a, pid_t b) {
  return syscall(SYS_kcmp, a, b, KCMP_FILES, 0UL, 0UL) <= 0; /* -1: not told */
}

int mux_descriptors_tables(pid_t pid, pid_t *tasks, int most) {
  char path[64];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *directory = opendir(path);
  if (directory == NULL)
    return 0;
  if (most > 0)
    tasks[count++] = pid;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < most;) {
    pid_t task = (pid_t)strtol(entry->d_name, NULL, 10);
    bool known = task <= 0 || task == pid;
    for (int i = 0; i < count && !known; i++)
      known = shares_table(tasks[i], task);
    if (!known)
      tasks[count++] = task;
  }
  closedir(directory);
  return count;
}
