/* output.c: see output.h. */
#include "common/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* path_resolution(7) */

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* stdout or stderr if it writes to that file, as /dev/stdout does; else NULL. Opened once more, the
 * file would be written from its beginning. */
static FILE *standard_stream(const struct stat *file) {
  FILE *const streams[] = {stdout, stderr};
  struct stat own;
  for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
    if (fstat(fileno(streams[i]), &own) == 0 && is_same_file(&own, file))
      return streams[i];
  return NULL;
}

/* Where the symbolic links that `path` may be lead to, whether or not there is something. Returns
 * it, the caller's to free, or NULL with errno. */
static char *follow_links(const char *path) {
  char link[PATH_MAX];
  char *at = strdup(path);
  for (int i = 0; at != NULL && i < LINKS_MAX; i++) {
    ssize_t n = readlink(at, link, sizeof link);
    if (n < 0 || n == (ssize_t)sizeof link)
      return at;
    const char *slash = link[0] != '/' ? strrchr(at, '/') : NULL;
    int directory = slash != NULL ? (int)(slash - at) + 1 : 0;
    char *next;
    if (asprintf(&next, "%.*s%.*s", directory, at, (int)n, link) < 0)
      next = NULL;
    free(at);
    at = next;
  }
  if (at != NULL)
    errno = ELOOP;
  free(at);
  return NULL;
}

/* Leaves `out` empty. */
static void output_free(struct mux_output *out) {
  free(out->temporary);
  free(out->target);
  *out = (struct mux_output){0};
}

/* A new file next to out->target, made like `old` (NULL: there is none). Returns its descriptor,
 * or -1 with errno. */
static int open_temporary(struct mux_output *out, const struct stat *old) {
  unsigned random = 0;
  if (getrandom(&random, sizeof random, 0) < 0 ||
      asprintf(&out->temporary, "%s.tmp-%08x", out->target, random) < 0) {
    out->temporary = NULL;
    return -1;
  }
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = open(out->temporary, flags, old != NULL ? 0600 : 0666);
  if (fd < 0 || old == NULL)
    return fd;
  if (fchown(fd, old->st_uid, old->st_gid) != 0)
    (void)!fchown(fd, (uid_t)-1, old->st_gid);
  if (fchmod(fd, old->st_mode & 07777) != 0) { /* after the owner, who takes set-uid off */
    close(fd);
    unlink(out->temporary);
    return -1;
  }
  return fd;
}

/* Does not wait for the reader of a FIFO. Returns a descriptor, or -1 with errno. */
static int open_in_place(const char *path) {
  int fd = open(path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || fcntl(fd, F_SETFL, 0) == 0)
    return fd;
  close(fd);
  return -1;
}

int mux_output_open(struct mux_output *out, const char *path) {
  struct stat old;
  struct stat place;
  *out = (struct mux_output){0};
  if (path == NULL || strcmp(path, "-") == 0) {
    out->stream = stdout;
    return 0;
  }
  bool exists = stat(path, &old) == 0;
  if ((!exists && errno != ENOENT) || *path == 0)
    return -errno;
  if (exists && S_ISDIR(old.st_mode))
    return -EISDIR;
  if (exists && (out->stream = standard_stream(&old)) != NULL)
    return 0;
  if (exists && euidaccess(path, W_OK) != 0)
    return -errno;
  out->target = follow_links(path);
  int fd = -1;
  if (out->target != NULL) {
    bool replaced =
        !exists || (S_ISREG(old.st_mode) && lstat(out->target, &place) == 0 &&
                    is_same_file(&place, &old)); /* not if procfs leads to a file without a name */
    fd = replaced ? open_temporary(out, exists ? &old : NULL) : open_in_place(path);
  }
  out->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (out->stream == NULL) {
    int error = errno;
    if (fd >= 0)
      close(fd);
    if (fd >= 0 && out->temporary != NULL)
      unlink(out->temporary);
    output_free(out);
    return -error;
  }
  return 0;
}

static bool is_standard(const FILE *stream) {
  return stream == stdout || stream == stderr;
}

int mux_output_commit(struct mux_output *out) {
  int error = 0;
  if (out->stream == NULL)
    return -EBADF;
  if (fflush(out->stream) != 0 || ferror(out->stream))
    error = errno != 0 ? errno : EIO;
  if (is_standard(out->stream))
    clearerr(out->stream); /* the caller knows now */
  else if (fclose(out->stream) != 0 && error == 0)
    error = errno;
  if (out->temporary != NULL) {
    if (error == 0 && rename(out->temporary, out->target) != 0)
      error = errno;
    if (error != 0)
      unlink(out->temporary);
  }
  output_free(out);
  return -error;
}

void mux_output_abort(struct mux_output *out) {
  if (out->stream != NULL && !is_standard(out->stream))
    fclose(out->stream);
  if (out->temporary != NULL)
    unlink(out->temporary);
  output_free(out);
}
