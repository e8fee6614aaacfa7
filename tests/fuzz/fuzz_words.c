/* fuzz_words.c: command lines. Words hold no more than the line, and replacing leaves no name. */
#include "tests/fuzz/fuzz.h"

#include "common/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  char *text = fuzz_text(data, bytes);
  char **words = mux_words_split(text);
  size_t used = 0;
  for (char **word = words; words != NULL && *word != NULL; word++) {
    used += strlen(*word);
    char *replaced = mux_words_replace(*word, "{port}", "7");
    assert(replaced != NULL && strlen(replaced) <= strlen(*word));
    free(replaced);
  }
  assert(words == NULL || words[0] != NULL);
  assert(used <= strlen(text));
  free(words);
  free(text);
  return 0;
}
