/* rundir.c: see rundir.h. */
#include "bench/data/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/input.h"
#include "common/output.h"

enum { JSON_BYTES_MAX = 64 << 20 };
#define LOCK_NS (2 * MUX_S)

void rundir_print_path(const struct rundir *dir, const char *what, const char *name, FILE *to) {
  fprintf(to, "%s: ", what);
  mux_put_printable(dir->path, to);
  fprintf(to, "%s%s\n", *name != 0 ? "/" : "", name);
}

char *rundir_file(const struct rundir *dir, char out[RUNDIR_PATH], const char *format, ...) {
  int n = snprintf(out, RUNDIR_PATH, "%s/", dir->path);
  va_list args;
  va_start(args, format);
  vsnprintf(out + n, (size_t)(RUNDIR_PATH - n), format, args);
  va_end(args);
  return out;
}

static int make_parents(const char *path) {
  char partial[RUNDIR_PATH];
  if (snprintf(partial, sizeof partial, "%s", path) >= (int)sizeof partial)
    return -ENAMETOOLONG;
  for (char *p = partial + 1; *p != 0; p++) {
    if (*p != '/')
      continue;
    *p = 0;
    if (mkdir(partial, 0777) != 0 && errno != EEXIST)
      return -errno;
    *p = '/';
  }
  return mkdir(partial, 0777) != 0 && errno != EEXIST ? -errno : 0;
}

/* OUT/latest, replaced in one step. A file of that name that is no link stays. The name it has
 * before is the run's own: other runs, and people, have theirs. */
static int point_latest(const char *out, const char *id) {
  char link[RUNDIR_PATH];
  char temporary[RUNDIR_PATH];
  struct stat status;
  snprintf(link, sizeof link, "%s/latest", out);
  if (snprintf(temporary, sizeof temporary, "%s/.latest-%s", out, id) >= (int)sizeof temporary)
    return -ENAMETOOLONG;
  if (lstat(link, &status) == 0 && !S_ISLNK(status.st_mode))
    return -EEXIST;
  if (symlink(id, temporary) != 0)
    return -errno;
  if (rename(temporary, link) == 0)
    return 0;
  int error = errno;
  unlink(temporary);
  return -error;
}

/* 0 or an error number. What a runner has forked dies with it, but a moment later, and holds its
 * lock until then. */
static int lock_soon(int fd) {
  int64_t deadline_ns = mux_now_ns() + LOCK_NS;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || mux_now_ns() >= deadline_ns)
      return errno;
    nanosleep(&(struct timespec){.tv_nsec = 10 * MUX_MS}, NULL);
  }
  return 0;
}

int rundir_lock(struct rundir *dir, char *why, size_t why_bytes) {
  int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = fd < 0 ? errno : lock_soon(fd);
  dir->lock_fd = fd;
  if (error == 0)
    return 0;
  rundir_unlock(dir);
  snprintf(why, why_bytes, "%s: %s", dir->path,
           error == EWOULDBLOCK ? "another muxbench is writing it" : strerror(error));
  return error == EWOULDBLOCK ? -EBUSY : -error;
}

void rundir_unlock(struct rundir *dir) {
  if (dir->lock_fd >= 0)
    close(dir->lock_fd);
  dir->lock_fd = -1;
}

int rundir_create(struct rundir *dir, const char *out, const char *experiment, char *why,
                  size_t why_bytes) {
  char stamp[32];
  char path[RUNDIR_PATH];
  unsigned random = 0;
  dir->lock_fd = -1;
  time_t now = time(NULL);
  struct tm utc;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
    random = (unsigned)mux_now_ns();
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
  snprintf(dir->id, sizeof dir->id, "%s_%.32s_%06x", stamp, experiment, random & 0xffffff);
  int rc = snprintf(dir->path, sizeof dir->path, "%s/%s", out, dir->id) < (int)sizeof dir->path
               ? make_parents(out)
               : -ENAMETOOLONG;
  if (rc == 0 && mkdir(dir->path, 0777) != 0)
    rc = -errno;
  if (rc != 0) {
    snprintf(why, why_bytes, "%s: %s", out, strerror(-rc));
    return rc;
  }
  if (mkdir(rundir_file(dir, path, "hlog"), 0777) != 0 ||
      mkdir(rundir_file(dir, path, "logs"), 0777) != 0)
    rc = -errno;
  if (rc == 0)
    rc = point_latest(out, dir->id);
  if (rc != 0)
    snprintf(why, why_bytes, "%s: %s", dir->path, strerror(-rc));
  else
    rc = rundir_lock(dir, why, why_bytes);
  if (rc != 0) {
    rmdir(rundir_file(dir, path, "logs"));
    rmdir(rundir_file(dir, path, "hlog"));
    rmdir(dir->path);
  }
  return rc;
}

int rundir_open(struct rundir *dir, const char *path, char *why, size_t why_bytes) {
  dir->lock_fd = -1;
  struct stat status;
  char *real = realpath(path, NULL);
  int rc = 0;
  if (real == NULL || stat(real, &status) != 0)
    rc = -errno;
  else if (!S_ISDIR(status.st_mode))
    rc = -ENOTDIR;
  else if (strlen(real) >= sizeof dir->path)
    rc = -ENAMETOOLONG;
  if (rc == 0) {
    const char *slash = strrchr(real, '/');
    snprintf(dir->path, sizeof dir->path, "%s", real);
    snprintf(dir->id, sizeof dir->id, "%s", slash != NULL ? slash + 1 : real);
  } else {
    snprintf(why, why_bytes, "%s: %s", path, strerror(-rc));
  }
  free(real);
  return rc;
}

/* "….tmp-1234": what mux_output leaves when it is killed. */
static bool is_temporary(const char *name) {
  const char *mark = strstr(name, ".tmp-");
  return mark != NULL && mark[5] != 0 && mark[5 + strspn(mark + 5, "0123456789")] == 0;
}

void rundir_sweep(const struct rundir *dir) {
  static const char *const parts[] = {".", "hlog", "logs"};
  int root = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; root >= 0 && i < sizeof parts / sizeof *parts; i++) {
    /* A link would lead out of the run. */
    int fd = openat(root, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *part = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    while (part != NULL && (entry = readdir(part)) != NULL)
      if (is_temporary(entry->d_name))
        unlinkat(dirfd(part), entry->d_name, 0);
    if (part != NULL)
      closedir(part);
    else if (fd >= 0)
      close(fd);
  }
  if (root >= 0)
    close(root);
}

int rundir_write_json(const struct rundir *dir, const char *name, const json_t *tree) {
  char path[RUNDIR_PATH];
  struct mux_output out;
  int rc = mux_output_open(&out, rundir_file(dir, path, "%s", name));
  if (rc != 0)
    return rc;
  if (json_dumpf(tree, out.stream, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) !=
          0 ||
      fputc('\n', out.stream) == EOF) {
    rc = errno != 0 ? -errno : -EIO;
    mux_output_abort(&out);
    return rc;
  }
  return mux_output_commit(&out);
}

int rundir_copy(const struct rundir *dir, const char *name, const char *from) {
  char path[RUNDIR_PATH];
  char block[65536];
  struct mux_output out;
  char why[RUNDIR_PATH];
  FILE *source = mux_input_open(from, 0, why, sizeof why);
  if (source == NULL)
    return -errno;
  int rc = mux_output_open(&out, rundir_file(dir, path, "%s", name));
  size_t n;
  while (rc == 0 && (n = fread(block, 1, sizeof block, source)) > 0)
    fwrite(block, 1, n, out.stream);
  fclose(source);
  return rc == 0 ? mux_output_commit(&out) : rc;
}

json_t *rundir_read_json(const struct rundir *dir, const char *name, char *why, size_t why_bytes) {
  char path[RUNDIR_PATH];
  json_error_t error;
  FILE *file = mux_input_open(rundir_file(dir, path, "%s", name), JSON_BYTES_MAX, why, why_bytes);
  if (file == NULL)
    return NULL;
  json_t *tree = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
  fclose(file);
  if (tree == NULL) {
    snprintf(why, why_bytes, "%s:%d: %s", path, error.line, error.text);
  } else if (!json_is_object(tree)) {
    snprintf(why, why_bytes, "%s: not a JSON object", path);
    json_decref(tree);
    tree = NULL;
  }
  return tree;
}

double rundir_number(const json_t *tree, const char *path) {
  char key[64];
  const char *dot;
  while ((dot = strchr(path, '.')) != NULL) {
    snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
    tree = json_object_get(tree, key);
    path = dot + 1;
  }
  const json_t *value = json_object_get(tree, path);
  return json_is_number(value) ? json_number_value(value) : NAN;
}
