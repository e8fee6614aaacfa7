/* fuzz.h: what the fuzz targets share. Each fuzz_NAME.c is one libFuzzer program (clang) over
 * code that reads what it cannot trust; besides not crashing, each asserts what must hold of the
 * result. corpus/NAME holds the inputs that are kept. `make fuzz` runs them all for a while. */
#ifndef MUX_FUZZ_H
#define MUX_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The input as a string; caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t bytes) {
  char *text = malloc(bytes + 1);
  assert(text != NULL);
  if (bytes > 0)
    memcpy(text, data, bytes);
  text[bytes] = 0;
  return text;
}

/* The input as a file in memory, for readers that take a path: path names it until fd is closed. */
static inline int fuzz_file(const uint8_t *data, size_t bytes, char path[64]) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  assert(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
  assert(lseek(fd, 0, SEEK_SET) == 0);
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  return fd;
}

#endif
