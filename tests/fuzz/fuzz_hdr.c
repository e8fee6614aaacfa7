/* fuzz_hdr.c: histograms in HdrHistogram's wire form. What decodes encodes to the same counts, and
 * adds up to twice as many, or to nothing new. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "hdr/hdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct mux_hdr *h = mux_hdr_decode((const char *)data, bytes);
  if (h == NULL)
    return 0;
  char *text = mux_hdr_encode(h);
  assert(text != NULL);
  struct mux_hdr *again = mux_hdr_decode(text, strlen(text));
  assert(again != NULL && again->counts_length == h->counts_length && again->total == h->total);
  assert(memcmp(h->counts, again->counts, (size_t)h->counts_length * sizeof *h->counts) == 0);
  int64_t total = h->total;
  assert(h->clamped >= 0 && h->clamped <= total);
  assert(mux_hdr_percentile(h, 99) <= h->max);
  (void)mux_hdr_mean(h);
  int rc = mux_hdr_add(again, h);
  assert(rc == (total > INT64_MAX / 2 ? -EOVERFLOW : 0));
  assert(again->total == (rc == 0 ? 2 * total : total));
  free(text);
  mux_hdr_free(h);
  mux_hdr_free(again);
  return 0;
}
