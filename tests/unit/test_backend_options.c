/* test_backend_options.c: --options key=value,… (backends/backend_options.h). */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "backends/backend_options.h"
#include "backends/registry.h"

static const char *const colours[] = {"red", "green", "blue", NULL};

enum { FLAG, COUNT, SIZE, TIME, COLOUR, ROWS };
static const struct mux_option table[] = {
    [FLAG] = {.key = "flag", .help = "-", .fallback = "off", .kind = MUX_OPT_FLAG},
    [COUNT] = {"count", "-", "7", MUX_OPT_COUNT, .min = 1, .max = 5000},
    [SIZE] = {"size", "-", "64KiB", MUX_OPT_SIZE, .min = 0, .max = 1 << 20},
    [TIME] = {"time", "-", "1ms", MUX_OPT_TIME, .min = 1000, .max = 60000000000},
    [COLOUR] = {"colour", "-", "green", MUX_OPT_CHOICE, .choices = colours},
    [ROWS] = {0},
};

static void assert_values(const char *text, const int64_t expected[ROWS]) {
  int64_t values[MUX_MAX_OPTIONS];
  char why[256] = "";
  if (mux_options_parse(table, text, values, why, sizeof why) != 0)
    fail_msg("'%s': %s", text, why);
  for (size_t row = 0; row < ROWS; row++)
    if (values[row] != expected[row])
      fail_msg("'%s': %s is %lld, not %lld", text, table[row].key, (long long)values[row],
               (long long)expected[row]);
}

static void values_are_read_by_their_kind(void **state) {
  (void)state;
  assert_values(NULL, (int64_t[]){0, 7, 65536, 1000000, 1});
  assert_values("", (int64_t[]){0, 7, 65536, 1000000, 1});
  assert_values("flag", (int64_t[]){1, 7, 65536, 1000000, 1});
  assert_values("flag=on,count=2k", (int64_t[]){1, 2000, 65536, 1000000, 1});
  assert_values("colour=blue,size=1MiB,time=1min", (int64_t[]){0, 7, 1 << 20, 60000000000, 2});
}

static void mistakes_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"speed=1", "no option 'speed'"},
      {"=1", "no option ''"},
      {",count=1", "no option ''"},
      {"count", "'' is not a value of count"},
      {"count=0", "COUNT, 1 to 5k"},
      {"count=5001", "COUNT, 1 to 5k"},
      {"count=-1", "'-1' is not a value of count"},
      {"size=1MB", "SIZE, 0 to 1MiB"},
      {"time=1h", "TIME, 1us to 1min"},
      {"flag=yes", "off|on"},
      {"colour=Red", "red|green|blue"},
      {"count=1,count=2", "count is given twice"},
      {"count=1 ,flag", "'1 ' is not a value"},
      {"colour=\x1b[2J", "\\x1b"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    int64_t values[MUX_MAX_OPTIONS];
    char why[512] = "";
    int rc = mux_options_parse(table, cases[i].text, values, why, sizeof why);
    if (rc != -EINVAL || strstr(why, cases[i].expected) == NULL)
      fail_msg("'%s' gave %d, '%s'; expected '%s'", cases[i].text, rc, why, cases[i].expected);
  }
  char endless[4096];
  memset(endless, 'x', sizeof endless);
  endless[sizeof endless - 1] = 0;
  int64_t values[MUX_MAX_OPTIONS];
  char why[64];
  assert_int_equal(mux_options_parse(table, endless, values, why, sizeof why), -EINVAL);
  assert_int_equal(mux_options_parse(NULL, "a=b", values, why, sizeof why), -EINVAL);
  assert_int_equal(mux_options_parse(NULL, NULL, values, why, sizeof why), 0);
}

/* What is recorded is what was parsed. */
static void print_and_parse_agree(void **state) {
  (void)state;
  for (int run = 0; run < 2000; run++) {
    const int64_t values[ROWS] = {
        [FLAG] = (int64_t)test_random_in(0, 1),
        [COUNT] = (int64_t)test_random_in(1, 5000),
        [SIZE] = (int64_t)test_random_in(0, 1 << 20),
        [TIME] = (int64_t)test_random_in(1000, 60000000000),
        [COLOUR] = (int64_t)test_random_in(0, 2),
    };
    char text[256];
    assert_values(mux_options_print(text, sizeof text, table, values), values);
  }
}

static void a_broken_table_is_refused(void **state) {
  (void)state;
  static const char *const words[] = {"a", "b", NULL};
  static const char *const spaced[] = {"a", "b c", NULL};
  static const struct mux_option good = {
      .key = "one", .help = "-", .fallback = "b", .kind = MUX_OPT_CHOICE, .choices = words};
  static const struct {
    struct mux_option row;
    const char *says;
  } cases[] = {
      {{.key = "", .help = "-", .fallback = "off"}, "its key"},
      {{.key = "a=b", .help = "-", .fallback = "off"}, "its key"},
      {{.key = "one", .help = "-", .fallback = "off"}, "it is defined twice"},
      {{.key = "two", .help = "-", .fallback = "off", .kind = 99}, "its kind is unknown"},
      {{.key = "two", .fallback = "off"}, "its help"},
      {{.key = "two", .help = "a\nb", .fallback = "off"}, "its help"},
      {{.key = "two", .help = "-", .fallback = "a", .kind = MUX_OPT_CHOICE}, "its choices"},
      {{.key = "two", .help = "-", .fallback = "a", .kind = MUX_OPT_CHOICE, .choices = spaced},
       "its choices"},
      {{.key = "two", .help = "-"}, "fallback"},
      {{.key = "two", .help = "-", .fallback = "5", .kind = MUX_OPT_COUNT, .max = 4}, "fallback"},
  };
  char why[256] = "";
  assert_int_equal(mux_options_validate(NULL, why, sizeof why), 0);
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct mux_option broken[] = {good, cases[i].row, {0}};
    if (mux_options_validate(broken, why, sizeof why) != -EINVAL ||
        strstr(why, cases[i].says) == NULL)
      fail_msg("case %zu: '%s'; expected '%s'", i, why, cases[i].says);
  }
  /* Without its last row, reading would go on until it meets a NULL by chance. */
  struct mux_option endless[MUX_MAX_OPTIONS + 1];
  char keys[MUX_MAX_OPTIONS + 1][8];
  for (size_t i = 0; i < TEST_COUNT(endless); i++) {
    snprintf(keys[i], sizeof keys[i], "k%zu", i);
    endless[i] = good;
    endless[i].key = keys[i];
  }
  assert_int_equal(mux_options_validate(endless, why, sizeof why), -EINVAL);
  assert_non_null(strstr(why, "does not end within 32 rows"));
}

static void every_backend_has_a_sound_table(void **state) {
  (void)state;
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  for (size_t i = 0; i < count; i++) {
    char why[512] = "";
    if (mux_options_validate(all[i]->options, why, sizeof why) != 0)
      fail_msg("%s: %s", all[i]->name, why);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_read_by_their_kind),
      cmocka_unit_test(mistakes_are_named),
      cmocka_unit_test(print_and_parse_agree),
      cmocka_unit_test(a_broken_table_is_refused),
      cmocka_unit_test(every_backend_has_a_sound_table),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
