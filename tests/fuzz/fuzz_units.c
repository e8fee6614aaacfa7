/* fuzz_units.c: quantities. What is read prints as a text that reads back as the same value. */
#include "tests/fuzz/fuzz.h"

#include "common/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static int (*const parse[])(const char *, int64_t *) = {mux_parse_count, mux_parse_size,
                                                          mux_parse_time};
  static char *(*const print[])(char[MUX_UNIT_TEXT], int64_t) = {mux_print_count, mux_print_size,
                                                                 mux_print_time};
  char *text = fuzz_text(data, bytes);
  for (size_t i = 0; i < 3; i++) {
    char shown[MUX_UNIT_TEXT];
    int64_t value = -1;
    int64_t again = -1;
    if (parse[i](text, &value) != 0)
      continue;
    assert(value >= 0);
    assert(parse[i](print[i](shown, value), &again) == 0 && again == value);
  }
  free(text);
  return 0;
}
