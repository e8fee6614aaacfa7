/* input.c: see input.h. */
#include "common/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/units.h"

/* Returns a descriptor or -errno. */
static int open_regular(const char *path, int64_t bytes_max) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENXIO ? -EINVAL : -errno; /* a socket, or a device without a driver */
  int error = fstat(fd, &status) != 0                       ? errno
              : !S_ISREG(status.st_mode)                    ? EINVAL
              : bytes_max > 0 && status.st_size > bytes_max ? EFBIG
              : fcntl(fd, F_SETFL, 0) != 0                  ? errno
                                                            : 0;
  if (error == 0)
    return fd;
  close(fd);
  return -error;
}

const char *mux_input_strerror(int error) {
  return error == EINVAL ? "not a regular file" : strerror(error);
}

FILE *mux_input_open(const char *path, int64_t bytes_max, char *why, size_t why_bytes) {
  char size[MUX_UNIT_TEXT];
  int fd = open_regular(path, bytes_max);
  FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
  if (file != NULL)
    return file;
  int error = fd < 0 ? -fd : errno;
  if (fd >= 0)
    close(fd);
  if (error == EFBIG)
    snprintf(why, why_bytes, "%s: larger than %s", path, mux_print_size(size, bytes_max));
  else
    snprintf(why, why_bytes, "%s: %s", path, mux_input_strerror(error));
  errno = error;
  return NULL;
}
