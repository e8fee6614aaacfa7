/* test_cli.c: messages and option values (common/cli.h). */
#include "tests/support.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/cli.h"

static void assert_one_line(const char *text) {
  assert_memory_equal(text, "muxbench: ", 10);
  assert_true(strlen(text) > 11);
  assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

/* The length of the UTF-8 sequence that text begins with (RFC 3629), 0 if it is none. */
static size_t sequence_bytes(const char *text) {
  wchar_t decoded;
  mbstate_t shift = {0};
  size_t n = mbrtowc(&decoded, text, strlen(text), &shift);
  return n > 4 ? 0 : n;
}

static void printable_escapes_controls_only(void **state) {
  (void)state;
  static const char *const samples[][2] = {
      {"a b~", "a b~"},
      {"\x1b[2J\n\x7f\t", "\\x1b[2J\\x0a\\x7f\\x09"},
      {"h\u00e9 \u00fc\u00df \u4e16\u754c \U0001f600",
       "h\u00e9 \u00fc\u00df \u4e16\u754c \U0001f600"},
      {"\xc2\x80\xc2\x9b", "\\xc2\\x80\\xc2\\x9b"}, /* C1 */
      {"\u200e\u200f\u202e\u2066\u2069",            /* turn what follows around */
       "\\xe2\\x80\\x8e\\xe2\\x80\\x8f\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
      {"\u2028\u2029\u2027\u2030", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9\u2027\u2030"}, /* line ends */
      {"\xc3", "\\xc3"},                                                          /* cut short */
      {"\xe4\xb8z", "\\xe4\\xb8z"},
      {"\x80\xbf\xff", "\\x80\\xbf\\xff"},                   /* no beginning */
      {"\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf"}, /* longer than need be */
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                   /* a surrogate */
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},          /* beyond U+10FFFF */
      {"\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"},
  };
  char out[128];
  for (size_t i = 0; i < TEST_COUNT(samples); i++) {
    char *written = NULL;
    size_t bytes;
    FILE *to = open_memstream(&written, &bytes);
    mux_put_printable(samples[i][0], to);
    fclose(to);
    assert_string_equal(written, samples[i][1]);
    assert_string_equal(mux_printable(out, sizeof out, samples[i][0]), samples[i][1]);
    free(written);
  }
}

static void printable_fits_and_is_utf8(void **state) {
  (void)state;
  char out[64];
  if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
    skip();
  for (int i = 0; i < 20000; i++) {
    char text[40];
    size_t n = test_random_in(0, sizeof text - 1);
    for (size_t k = 0; k < n; k++)
      text[k] = (char)(i % 2 == 0 ? test_random_in(1, 255) : test_random_in(0x80, 0xf5));
    text[n] = 0;
    size_t room = test_random_in(1, sizeof out);
    memset(out, '!', sizeof out);
    mux_printable(out, room, text);
    assert_true(strlen(out) < room);
    for (size_t k = 0, bytes; out[k] != 0; k += bytes) {
      bytes = sequence_bytes(out + k);
      assert_true(bytes > 0);
      assert_true(bytes > 1 || (out[k] >= 0x20 && out[k] < 0x7f));
    }
    for (size_t k = room; k < sizeof out; k++)
      assert_int_equal(out[k], '!');
  }
  setlocale(LC_CTYPE, "C");
}

struct sample {
  int64_t (*parse)(const char *option, const char *text, int64_t min, int64_t max);
  const char *text;
  int64_t min;
  int64_t max;
  int64_t value;
  const char *says; /* NULL: it is good */
};

static void take_option(void *arg) {
  const struct sample *option = arg;
  exit(option->parse("--thing", option->text, option->min, option->max) == option->value ? 0 : 99);
}

static void options_are_held_to_their_range(void **state) {
  (void)state;
  static const struct sample options[] = {
      {mux_option_count, "10k", 1, 1000000, 10000, NULL},
      {mux_option_count, "1", 1, 1, 1, NULL},
      {mux_option_count, "0", 1, 1000000, 0, "--thing: 0 is out of range (1 to 1M)"},
      {mux_option_count, "2M", 1, 1000000, 0, "--thing: 2M is out of range"},
      {mux_option_count, "99999999999999999999", 1, INT64_MAX, 0, "out of range"},
      {mux_option_count, "1.5", 1, 10, 0, "--thing: '1.5' is not a count"},
      {mux_option_count, "-1", 1, 10, 0, "--thing: '-1' is not a count"},
      {mux_option_count, "\x1b", 1, 10, 0, "'\\x1b' is not a count"},
      {mux_option_size, "16KiB", 1, 1 << 20, 16384, NULL},
      {mux_option_size, "16kb", 1, 1 << 20, 0, "--thing: '16kb' is not a size"},
      {mux_option_size, "2MiB", 1, 1 << 20, 0, "(1 to 1MiB)"},
      {mux_option_time, "50us", 0, INT64_MAX, 50000, NULL},
      {mux_option_time, "2", 0, INT64_MAX, 2000000000, NULL},
      {mux_option_time, "soon", 0, 1, 0, "--thing: 'soon' is not a time"},
      {mux_option_time, "1h", 0, 1, 0, "is not a time"},
      {mux_option_time, "1s", 0, 1000000, 0, "(0 to 1ms)"},
  };
  for (size_t i = 0; i < TEST_COUNT(options); i++) {
    struct sample option = options[i];
    char errors[1024];
    int status = test_in_child(take_option, &option, errors, sizeof errors);
    if (option.says == NULL) {
      assert_int_equal(status, 0);
      assert_string_equal(errors, "");
      continue;
    }
    assert_int_equal(status, MUX_EXIT_USAGE);
    assert_one_line(errors);
    if (strstr(errors, option.says) == NULL)
      fail_msg("expected '%s' in '%s'", option.says, errors);
  }
}

static void say_much(void *arg) {
  (void)arg;
  char text[5000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  mux_warn("%s", text);
  mux_note("short");
  mux_note("%s: %s", "\x1b[2J\nhost", "\u00e9");
  mux_die(3, "the end: %d", 7);
}

static void messages_are_whole_lines(void **state) {
  (void)state;
  char errors[8192];
  assert_int_equal(test_in_child(say_much, NULL, errors, sizeof errors), 3);
  char *second = strchr(errors, '\n');
  assert_memory_equal(errors, "muxbench: warning: xxx", 22);
  assert_non_null(second);
  assert_string_equal(
      second, "\nmuxbench: short\nmuxbench: \\x1b[2J\\x0ahost: \u00e9\nmuxbench: the end: 7\n");
}

static void parse_nothing(void *arg) {
  char *argv[] = {"thing", arg, NULL};
  static const struct argp argp = {.doc = "does a thing"};
  mux_parse_args(&argp, arg != NULL ? 2 : 1, argv, NULL);
  exit(50);
}

static void arguments_that_are_not_known_end_with_2(void **state) {
  (void)state;
  char errors[1024];
  assert_int_equal(test_in_child(parse_nothing, NULL, errors, sizeof errors), 50);
  assert_int_equal(test_in_child(parse_nothing, "--bogus", errors, sizeof errors), MUX_EXIT_USAGE);
  assert_one_line(errors);
  assert_non_null(strstr(errors, "thing: '--bogus' is not an option"));
  assert_int_equal(test_in_child(parse_nothing, "stray", errors, sizeof errors), MUX_EXIT_USAGE);
  assert_one_line(errors);
  assert_non_null(strstr(errors, "thing: 'stray' is one argument too many"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(printable_escapes_controls_only),
      cmocka_unit_test(printable_fits_and_is_utf8),
      cmocka_unit_test(options_are_held_to_their_range),
      cmocka_unit_test(messages_are_whole_lines),
      cmocka_unit_test(arguments_that_are_not_known_end_with_2),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
