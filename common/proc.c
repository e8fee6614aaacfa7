/* proc.c: see proc.h. */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t mux_proc_read(const char *path, char *text, size_t bytes) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  text[0] = 0;
  if (fd < 0)
    return -errno;
  size_t used = 0;
  ssize_t n;
  while (used < bytes - 1 && (n = read(fd, text + used, bytes - 1 - used)) > 0)
    used += (size_t)n;
  close(fd);
  text[used] = 0;
  return (ssize_t)used;
}

double mux_proc_count(const char *path) {
  char text[64];
  return mux_proc_read(path, text, sizeof text) > 0 ? strtod(text, NULL) : 0;
}

int64_t mux_proc_number(const char *text, const char *key) {
  size_t length = strlen(key);
  for (const char *line = text; line != NULL && *line != 0;) {
    if (strncmp(line, key, length) == 0 && line[length] == ':')
      return strtoll(line + length + 1, NULL, 10);
    line = strchr(line, '\n');
    line = line != NULL ? line + 1 : NULL;
  }
  return -1;
}

int64_t mux_proc_of(pid_t pid, const char *file, const char *key) {
  char path[64];
  char text[4096];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
  return mux_proc_read(path, text, sizeof text) > 0 ? mux_proc_number(text, key) : -1;
}

int mux_proc_stat(pid_t pid, struct mux_proc_stat *stat) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  ssize_t n = mux_proc_read(path, text, sizeof text);
  if (n <= 0)
    return n == 0 || n == -ENOENT ? -ESRCH : (int)n;
  const char *p = strrchr(text, ')'); /* the name itself may hold anything */
  return p != NULL && sscanf(p + 1,
                             " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %" SCNd64 " %" SCNd64
                             " %" SCNd64 " %" SCNd64,
                             &stat->state, &stat->parent, &stat->flags, &stat->user, &stat->system,
                             &stat->children_user, &stat->children_system) == 7
             ? 0
             : -ESRCH;
}
