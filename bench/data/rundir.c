/* rundir.c: see rundir.h. */
#include "bench/data/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"

enum { JSON_BYTES_MAX = 64 << 20 };

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

/* OUT/latest, replaced in one step. A file of that name that is no link stays. */
static int point_latest(const char *out, const char *id) {
  char link[RUNDIR_PATH];
  char temporary[RUNDIR_PATH + 8];
  struct stat status;
  snprintf(link, sizeof link, "%s/latest", out);
  snprintf(temporary, sizeof temporary, "%s.tmp", link);
  if (lstat(link, &status) == 0 && !S_ISLNK(status.st_mode))
    return -EEXIST;
  unlink(temporary);
  return symlink(id, temporary) == 0 && rename(temporary, link) == 0 ? 0 : -errno;
}

int rundir_create(struct rundir *dir, const char *out, const char *experiment, char *why,
                  size_t why_bytes) {
  char stamp[32];
  char path[RUNDIR_PATH];
  char shown[256];
  unsigned random = 0;
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
    snprintf(why, why_bytes, "%s: %s", mux_printable(shown, sizeof shown, out), strerror(-rc));
    return rc;
  }
  if (mkdir(rundir_file(dir, path, "hlog"), 0777) != 0 ||
      mkdir(rundir_file(dir, path, "logs"), 0777) != 0)
    rc = -errno;
  if (rc == 0)
    rc = point_latest(out, dir->id);
  if (rc != 0) {
    snprintf(why, why_bytes, "%s: %s", mux_printable(shown, sizeof shown, dir->path),
             strerror(-rc));
    rmdir(rundir_file(dir, path, "logs"));
    rmdir(rundir_file(dir, path, "hlog"));
    rmdir(dir->path);
  }
  return rc;
}

int rundir_open(struct rundir *dir, const char *path, char *why, size_t why_bytes) {
  char shown[256];
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
    snprintf(why, why_bytes, "%s: %s", mux_printable(shown, sizeof shown, path), strerror(-rc));
  }
  free(real);
  return rc;
}

void rundir_sweep(const struct rundir *dir) {
  static const char *const parts[] = {".", "hlog", "logs"};
  char path[RUNDIR_PATH];
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    DIR *part = opendir(rundir_file(dir, path, "%s", parts[i]));
    struct dirent *entry;
    while (part != NULL && (entry = readdir(part)) != NULL)
      if (strstr(entry->d_name, ".tmp-") != NULL)
        unlinkat(dirfd(part), entry->d_name, 0);
    if (part != NULL)
      closedir(part);
  }
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
  FILE *source = fopen(from, "re");
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
  char shown[256];
  struct stat status;
  json_error_t error;
  mux_printable(shown, sizeof shown, rundir_file(dir, path, "%s", name));
  if (stat(path, &status) != 0) {
    snprintf(why, why_bytes, "%s: %s", shown, strerror(errno));
    return NULL;
  }
  if (!S_ISREG(status.st_mode) || status.st_size > JSON_BYTES_MAX) {
    snprintf(why, why_bytes, "%s: not a regular file of at most 64 MiB", shown);
    return NULL;
  }
  json_t *tree = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (tree == NULL) {
    char text[JSON_ERROR_TEXT_LENGTH];
    snprintf(why, why_bytes, "%s:%d: %s", shown, error.line,
             mux_printable(text, sizeof text, error.text));
  } else if (!json_is_object(tree)) {
    snprintf(why, why_bytes, "%s: not a JSON object", shown);
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
