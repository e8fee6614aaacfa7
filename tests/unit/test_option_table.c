/* test_option_table.c: a table of options: what it reads, prints, refuses and shows. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/option_table.h"

struct sample {
  bool flag;
  int32_t count;
  int64_t size_bytes;
  uint64_t wide;
  uint32_t delay_us;
  int word;
  const char *text;
  cpu_set_t cpus;
};

static const char *const words[] = {"low", "high", NULL};
#define FIELD(member) MUX_FIELD(struct sample, member)
static const struct mux_option_row sample_rows[] = {
    {"flag", .letter = 'f', .kind = MUX_VALUE_FLAG, FIELD(flag), .help = "A flag"},
    {"count", .letter = 'n', .kind = MUX_VALUE_COUNT, FIELD(count), .min = 1, .max = INT32_MAX,
     .fallback = "7", .none = "nothing", .unit = "things", .help = "A count"},
    {"size", .kind = MUX_VALUE_SIZE, FIELD(size_bytes), .min = 0, .max = 1 << 20,
     .fallback = "16KiB", .help = "A size"},
    {"wide", .kind = MUX_VALUE_COUNT, FIELD(wide), .min = 0, .max = INT64_MAX, .absent = "drawn",
     .help = "A large count"},
    {"delay", .kind = MUX_VALUE_TIME, FIELD(delay_us), .min = MUX_US, .max = MUX_S, .scale = MUX_US,
     .absent = "off", .help = "A time"},
    {"word", .kind = MUX_VALUE_CHOICE, FIELD(word), .min = 1, .choices = words, .absent = "none",
     .alone = "high", .help = "A word"},
    {"text", .kind = MUX_VALUE_TEXT, FIELD(text), .argument = "TEXT", .absent = "none",
     .flags = MUX_OPTION_POSITIONAL, .help = "A text"},
    {"cpus", .kind = MUX_VALUE_CPUS, FIELD(cpus), .absent = "inherited", .help = "CPUs"},
    {"secret", .kind = MUX_VALUE_COUNT, FIELD(wide), .min = 0, .max = 9, .absent = "none",
     .flags = MUX_OPTION_HIDDEN, .help = "Not shown"},
    {0},
};

static void fields_hold_what_was_read(void **state) {
  (void)state;
  struct sample sample = {0};
  char *argv[] = {"sample",     "-fn2147483647", "--size=1MiB", "--wide", "9223372036854775807",
                  "--delay=1s", "--word",        "--cpus=0",    "here",   NULL};
  mux_option_table_defaults(sample_rows, &sample);
  assert_int_equal(sample.count, 7);
  assert_int_equal(sample.size_bytes, 16384);
  mux_option_table_parse(sample_rows, "", 9, argv, &sample);
  assert_true(sample.flag);
  assert_int_equal(sample.count, INT32_MAX);
  assert_int_equal(sample.size_bytes, 1 << 20);
  assert_true(sample.wide == INT64_MAX);
  assert_int_equal(sample.delay_us, 1000000);
  assert_int_equal(sample.word, 2);
  assert_string_equal(sample.text, "here");
  assert_int_equal(CPU_COUNT(&sample.cpus), 1);
  char *again[] = {"sample", "--word=low", "--count=nothing", NULL};
  mux_option_table_parse(sample_rows, "", 3, again, &sample);
  assert_int_equal(sample.word, 1);
  assert_int_equal(sample.count, 0);
}

static void the_same_quantity_has_the_same_text(void **state) {
  (void)state;
  static const struct {
    const char *key, *typed, *printed;
  } cases[] = {
      {"count", "10k", "10000"}, {"count", "nothing", "nothing"},
      {"size", "1024", "1KiB"},  {"size", "0.5MiB", "512KiB"},
      {"delay", "0.5", "500ms"}, {"delay", "1000us", "1ms"},
      {"flag", "yes", "yes"},    {"flag", "no", "no"},
      {"word", "low", "low"},    {"text", "a b", "a b"},
      {"cpus", "0-0", "0"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct sample sample = {0};
    struct mux_option_error error;
    char out[MUX_OPTION_TEXT];
    const struct mux_option_row *row = mux_option_table_find(sample_rows, cases[i].key);
    assert_int_equal(mux_option_row_read(row, cases[i].typed, &sample, &error), 0);
    assert_string_equal(mux_option_row_print(row, out, &sample), cases[i].printed);
  }
  struct sample nothing = {0};
  char out[MUX_OPTION_TEXT];
  static const char *const unset[] = {"delay", "word", "text", "cpus"};
  for (size_t i = 0; i < TEST_COUNT(unset); i++)
    assert_null(mux_option_row_print(mux_option_table_find(sample_rows, unset[i]), out, &nothing));
}

static void parse_sample(void *arg) {
  char *const *typed = arg;
  struct sample sample = {0};
  char *argv[] = {"sample", typed[0], typed[1], NULL};
  dup2(STDERR_FILENO, STDOUT_FILENO);
  mux_option_table_parse(sample_rows, "", typed[1] != NULL ? 3 : 2, argv, &sample);
  exit(50);
}

static void a_bad_value_is_refused_in_one_line_and_changes_nothing(void **state) {
  (void)state;
  static const struct {
    char *typed[2];
    const char *says;
  } cases[] = {
      {{"--count=0"}, "muxbench: --count: 0 is out of range (1 to 2147483647)\n"},
      {{"-n2147483648"}, "muxbench: --count: 2147483648 is out of range (1 to 2147483647)\n"},
      {{"--count=many"},
       "muxbench: --count: 'many' is not a count (examples: 64, 10k, 1.5M) or 'nothing'\n"},
      {{"--size=2MiB"}, "muxbench: --size: 2MiB is out of range (0 to 1MiB)\n"},
      {{"--delay=1500ns"}, "muxbench: --delay: '1500ns' is not a multiple of 1us\n"},
      {{"--word=LOW"}, "muxbench: --word: 'LOW' is not one of low, high\n"},
      {{"--word="}, "muxbench: --word: '' is not one of low, high\n"},
      {{"--cpus=\x1b"}, "muxbench: --cpus: '\\x1b' is not a list such as 0,2-3\n"},
      {{"--cpus=1023"}, "muxbench: --cpus: '1023' names a CPU that this process may not use\n"},
      {{"one", "two"}, "muxbench: unexpected argument 'two': --text is one already\n"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    char *typed[] = {cases[i].typed[0], cases[i].typed[1]};
    char errors[1024];
    assert_int_equal(test_in_child(parse_sample, typed, errors, sizeof errors), MUX_EXIT_USAGE);
    assert_string_equal(errors, cases[i].says);
  }
  struct sample before;
  struct sample sample;
  struct mux_option_error error;
  memset(&before, 0x55, sizeof before);
  for (const struct mux_option_row *row = sample_rows; row->key != NULL; row++) {
    memcpy(&sample, &before, sizeof sample);
    if (row->kind == MUX_VALUE_TEXT)
      continue;
    assert_int_not_equal(mux_option_row_read(row, "?", &sample, &error), 0);
    assert_string_equal(error.key, row->key);
    assert_memory_equal(&sample, &before, sizeof sample);
  }
}

static void a_value_is_a_word_of_a_command_line(void **state) {
  (void)state;
  char out[64];
  const struct mux_option_row *flag = mux_option_table_find(sample_rows, "flag");
  assert_int_equal(mux_option_row_word(flag, out, sizeof out, "yes"), 6);
  assert_string_equal(out, "--flag");
  assert_int_equal(mux_option_row_word(flag, out, sizeof out, "no"), 0);
  mux_option_row_word(mux_option_table_find(sample_rows, "count"), out, sizeof out, "nothing");
  assert_string_equal(out, "--count=nothing");
}

static void the_help_has_range_unit_and_default(void **state) {
  (void)state;
  static const char *const expected[] = {
      "A flag (default: no)",
      "A count (1 to 2147483647 things; default: 7)",
      "A size (0 to 1MiB; default: 16KiB)",
      "A large count (0 or more; default: drawn)",
      "A time (1us to 1s; default: off)",
      "A word (default: none)",
      "A text (default: none)",
      "CPUs (default: inherited)",
  };
  for (size_t i = 0; i < TEST_COUNT(expected); i++) {
    char *help = mux_option_row_help(&sample_rows[i]);
    assert_string_equal(help, expected[i]);
    free(help);
  }
  char *typed[] = {"--help", NULL};
  char help[8192];
  assert_int_equal(test_in_child(parse_sample, typed, help, sizeof help), 0);
  static const char *const shown[] = {"[OPTION...] [TEXT]\n", "  -f, --flag  ", "  -n, --count=N  ",
                                      "--word[=low|high]  ", "--cpus=LIST  "};
  for (size_t i = 0; i < TEST_COUNT(shown); i++)
    assert_non_null(strstr(help, shown[i]));
  assert_null(strstr(help, "secret"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_hold_what_was_read),
      cmocka_unit_test(the_same_quantity_has_the_same_text),
      cmocka_unit_test(a_bad_value_is_refused_in_one_line_and_changes_nothing),
      cmocka_unit_test(a_value_is_a_word_of_a_command_line),
      cmocka_unit_test(the_help_has_range_unit_and_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
