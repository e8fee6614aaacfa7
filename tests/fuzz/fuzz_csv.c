/* fuzz_csv.c: rows of comma-separated values. What is read and written again reads back the same
 * (but for the apostrophe that defuses formulas). */
#include "tests/fuzz/fuzz.h"

#include "bench/data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes == 0)
    return 0;
  FILE *from = fmemopen((void *)(uintptr_t)data, bytes, "r");
  struct csv csv = {.from = from};
  assert(from != NULL);
  int rc;
  while ((rc = csv_next(&csv)) == 1) {
    char *written = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&written, &length);
    for (int i = 0; i < csv.count; i++)
      csv_put(to, csv.fields[i], i == 0);
    csv_end_row(to);
    fclose(to);
    FILE *back = fmemopen(written, length, "r");
    struct csv again = {.from = back};
    assert(csv_next(&again) == 1 && again.count == csv.count);
    for (int i = 0; i < csv.count; i++)
      assert(strcmp(again.fields[i] +
                        (strcmp(again.fields[i], csv.fields[i]) != 0 && again.fields[i][0] == '\''),
                    csv.fields[i]) == 0);
    csv_free(&again);
    fclose(back);
    free(written);
  }
  assert(rc == 0 || csv.why != NULL);
  csv_free(&csv);
  fclose(from);
  return 0;
}
