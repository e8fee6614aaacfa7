/* fuzz_rows.c: measurements.csv of a run directory that somebody hands over. */
#include "tests/fuzz/fuzz.h"

#include "bench/data/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  char path[64];
  char why[300] = "";
  struct rows rows = {0};
  int fd = fuzz_file(data, bytes, path);
  if (rows_read(&rows, path, why, sizeof why) != 0)
    assert(why[0] != 0 && strchr(why, '\n') == NULL);
  rows_free(&rows);
  close(fd);
  return 0;
}
