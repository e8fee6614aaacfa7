/* test_units.c: quantities are read and printed exactly (common/units.h). */
#include "tests/support.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

static const struct kind {
  const char *name;
  int (*parse)(const char *text, int64_t *value);
  char *(*print)(char out[MUX_UNIT_TEXT], int64_t value);
  char *(*show)(char out[MUX_UNIT_TEXT], double value);
} kinds[] = {
    {"count", mux_parse_count, mux_print_count, mux_show_count},
    {"size", mux_parse_size, mux_print_size, mux_show_size},
    {"time", mux_parse_time, mux_print_time, mux_show_time},
};

struct example {
  const char *text;
  int rc;
  int64_t value;
};

static void check(int (*parse)(const char *, int64_t *), const struct example *examples) {
  for (; examples->text != NULL; examples++) {
    int64_t value = -77;
    int rc = parse(examples->text, &value);
    if (rc != examples->rc || value != (rc == 0 ? examples->value : -77))
      fail_msg("'%s' gave %d and %" PRId64, examples->text, rc, value);
  }
}

static void counts_take_k_and_m(void **state) {
  (void)state;
  static const struct example examples[] = {
      {"0", 0, 0},
      {"64", 0, 64},
      {"10k", 0, 10000},
      {"10K", 0, 10000},
      {"1.5M", 0, 1500000},
      {"1.2345k", -EINVAL, 0}, /* not whole */
      {"0.5", -EINVAL, 0},
      {"2.000", 0, 2},
      {"007", 0, 7},
      {"3000000000", 0, INT64_C(3000000000)},
      {"9223372036854775807", 0, INT64_MAX},
      {"9223372036854775808", -ERANGE, 0},
      {"9223372036854776k", -ERANGE, 0},
      {"99999999999999999999999999999999999999999999", -ERANGE, 0},
      {NULL, 0, 0},
  };
  check(mux_parse_count, examples);
}

static void sizes_take_powers_of_1024(void **state) {
  (void)state;
  static const struct example examples[] = {
      {"64", 0, 64},      {"64B", 0, 64},         {"16KiB", 0, 16384},    {"16 KiB", 0, 16384},
      {"0.5KiB", 0, 512}, {"64MiB", 0, 64 << 20}, {"3GiB", 0, 3LL << 30}, {"1KB", -EINVAL},
      {"1k", -EINVAL},    {"0.3KiB", -EINVAL},    {NULL, 0, 0},
  };
  check(mux_parse_size, examples);
}

static void times_are_nanoseconds_and_bare_seconds(void **state) {
  (void)state;
  static const struct example examples[] = {
      {"1ns", 0, 1},
      {"50us", 0, 50000},
      {"1.5ms", 0, 1500000},
      {"2s", 0, 2000000000},
      {"2", 0, 2000000000},
      {"0.25", 0, 250000000},
      {"1min", 0, 60000000000},
      {"0.1ns", -EINVAL},
      {"1m", -EINVAL},
      {"1h", -EINVAL},
      {"9223372036s", 0, 9223372036000000000},
      {"9223372037s", -ERANGE},
      {NULL, 0, 0},
  };
  check(mux_parse_time, examples);
}

static void garbage_is_refused_by_all(void **state) {
  (void)state;
  static const char *const bad[] = {"",         " ",     "-1",    "+1",  " 1",   "1 ",   ".5",
                                    "5.",       "1..2",  "1.2.3", "1e3", "0x10", "1 k ", "1  k",
                                    "k",        "1kk",   "1;",    "1\n", "inf",  "nan",  "1,5",
                                    "\xc2\xb2", "1_000", "--1",   ".",   "1.k"};
  for (size_t k = 0; k < TEST_COUNT(kinds); k++)
    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
      int64_t value = -77;
      if (kinds[k].parse(bad[i], &value) != -EINVAL || value != -77)
        fail_msg("%s '%s' was not refused", kinds[k].name, bad[i]);
    }
}

/* A value of random magnitude, often a multiple of a unit. */
static int64_t random_value(void) {
  static const int64_t scales[] = {1, 1, 1000, 1024, 1000000, 1 << 20, 1000000000, 60000000000};
  int64_t scale = scales[test_random_in(0, TEST_COUNT(scales) - 1)];
  uint64_t most = (uint64_t)(INT64_MAX / scale);
  return (int64_t)((test_random() >> test_random_in(1, 63)) % most) * scale;
}

static void what_is_printed_reads_back(void **state) {
  (void)state;
  for (int i = 0; i < 200000; i++) {
    int64_t value = i == 0 ? 0 : i == 1 ? INT64_MAX : random_value();
    for (size_t k = 0; k < TEST_COUNT(kinds); k++) {
      char text[MUX_UNIT_TEXT];
      int64_t back = -1;
      int rc = kinds[k].parse(kinds[k].print(text, value), &back);
      if (rc != 0 || back != value)
        fail_msg("%s %" PRId64 " printed '%s', read %d %" PRId64, kinds[k].name, value, text, rc,
                 back);
    }
  }
}

/* Random text never gets past the parser as something it is not: if it is accepted, printing and
 * reading again gives the same value, and it began with a digit. */
static void random_text_is_judged_consistently(void **state) {
  (void)state;
  static const char alphabet[] = "0123456789..kKMGiBsunmin -+e";
  for (int i = 0; i < 300000; i++) {
    char text[16];
    size_t length = test_random_in(0, sizeof text - 1);
    for (size_t c = 0; c < length; c++)
      text[c] = alphabet[test_random_in(0, sizeof alphabet - 2)];
    text[length] = 0;
    for (size_t k = 0; k < TEST_COUNT(kinds); k++) {
      int64_t value = -1;
      int64_t again = -2;
      char printed[MUX_UNIT_TEXT];
      if (kinds[k].parse(text, &value) != 0)
        continue;
      assert_true(text[0] >= '0' && text[0] <= '9' && value >= 0);
      assert_int_equal(kinds[k].parse(kinds[k].print(printed, value), &again), 0);
      assert_true(again == value);
    }
  }
}

static void shown_for_people(void **state) {
  (void)state;
  static const struct {
    size_t kind;
    double value;
    const char *text;
  } examples[] = {
      {0, 0, "0"},
      {0, 7, "7"},
      {0, 999, "999"},
      {0, 1000, "1.00k"},
      {0, 45600, "45.6k"},
      {0, 999600, "1.00M"},
      {0, 123456789, "123M"},
      {0, 12.34, "12.3"},
      {1, 64, "64"},
      {1, 1536, "1.50 KiB"},
      {1, 67108864, "64.0 MiB"},
      {2, 850, "850 ns"},
      {2, 1234567, "1.23 ms"},
      {2, 999.7, "1.00 us"},
      {2, 0, "0 ns"},
      {2, 1e9, "1.00 s"},
      {2, 90e9, "1.50 min"},
  };
  for (size_t i = 0; i < TEST_COUNT(examples); i++) {
    char text[MUX_UNIT_TEXT];
    assert_string_equal(kinds[examples[i].kind].show(text, examples[i].value), examples[i].text);
  }
}

/* What is shown is the value, to three digits. */
static void shown_is_within_half_a_percent(void **state) {
  (void)state;
  static const struct {
    const char *suffix;
    double scale;
  } units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}};
  for (int i = 0; i < 100000; i++) {
    double value = (double)(test_random() >> test_random_in(12, 63));
    char text[MUX_UNIT_TEXT];
    char *end;
    double back = strtod(mux_show_count(text, value), &end);
    double scale = 0;
    for (size_t u = 0; u < TEST_COUNT(units); u++)
      if (strcmp(end, units[u].suffix) == 0)
        scale = units[u].scale;
    if (scale == 0 || fabs(back * scale - value) > value * 0.00501)
      fail_msg("%.0f was shown as '%s'", value, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_take_k_and_m),
      cmocka_unit_test(sizes_take_powers_of_1024),
      cmocka_unit_test(times_are_nanoseconds_and_bare_seconds),
      cmocka_unit_test(garbage_is_refused_by_all),
      cmocka_unit_test(what_is_printed_reads_back),
      cmocka_unit_test(random_text_is_judged_consistently),
      cmocka_unit_test(shown_for_people),
      cmocka_unit_test(shown_is_within_half_a_percent),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
