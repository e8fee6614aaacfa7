/* fuzz_hlog.c: HdrHistogram log files, read and summed up as a run's histograms are. */
#include "tests/fuzz/fuzz.h"

#include "hdr/hdr_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes == 0)
    return 0;
  FILE *from = fmemopen((void *)(uintptr_t)data, bytes, "r");
  assert(from != NULL);
  struct mux_hdr_log_line line;
  long number = 0;
  struct mux_hdr *sum = mux_hdr_new_latency();
  assert(sum != NULL);
  while (mux_hdr_log_next(from, &line, &number) == 1) {
    assert(line.histogram != NULL && memchr(line.tag, 0, sizeof line.tag) != NULL);
    (void)mux_hdr_add(sum, line.histogram);
    mux_hdr_free(line.histogram);
  }
  assert(number >= 0);
  assert(mux_hdr_beyond(sum, 99) <= sum->total);
  mux_hdr_free(sum);
  fclose(from);
  return 0;
}
