/* fuzz_options.c: --options key=value,… of every backend in the tree. */
#include "tests/fuzz/fuzz.h"

#include "backends/backend_options.h"
#include "backends/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  if (bytes == 0 || count == 0)
    return 0;
  const struct mux_option *table = all[data[0] % count]->options;
  char why[200];
  char shown[1024];
  int64_t values[MUX_MAX_OPTIONS];
  int64_t again[MUX_MAX_OPTIONS];
  char *text = fuzz_text(data + 1, bytes - 1);
  if (mux_options_parse(table, text, values, why, sizeof why) == 0) {
    mux_options_print(shown, sizeof shown, table, values);
    assert(mux_options_parse(table, shown, again, why, sizeof why) == 0);
    assert(memcmp(values, again, mux_options_count(table) * sizeof *values) == 0);
  }
  free(text);
  return 0;
}
