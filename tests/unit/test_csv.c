/* test_csv.c: what is written reads back; what is broken is refused with its line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/csv.h"
#include "tests/support.h"

static FILE *file_of(const char *text, size_t bytes) {
  FILE *file = tmpfile();
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, bytes, file), bytes);
  rewind(file);
  return file;
}

static void test_quoting_after_rfc_4180(void **state) {
  (void)state;
  FILE *file = tmpfile();
  static const char *const fields[] = {"plain",      "with,comma", "with \"quotes\"",
                                       "two\nlines", "",           NULL};
  for (int i = 0; i < 6; i++)
    csv_put(file, fields[i], i == 0);
  csv_end_row(file);
  char text[256] = "";
  rewind(file);
  size_t n = fread(text, 1, sizeof text - 1, file);
  text[n] = 0;
  assert_string_equal(text, "plain,\"with,comma\",\"with \"\"quotes\"\"\",\"two\nlines\",,\n");
  rewind(file);
  struct csv csv = {.from = file};
  assert_int_equal(csv_next(&csv), 1);
  assert_int_equal(csv.count, 6);
  for (int i = 0; i < 6; i++)
    assert_string_equal(csv.fields[i], fields[i] == NULL ? "" : fields[i]);
  assert_int_equal(csv_next(&csv), 0);
  csv_free(&csv);
  fclose(file);
}

static void test_formulas_are_neutralised(void **state) {
  (void)state;
  static const char *const fields[][2] = {{"=cmd()", "'=cmd()"},  {"@sum", "'@sum"},
                                          {"+x", "'+x"},          {"-x", "'-x"},
                                          {"-1.5e-3", "-1.5e-3"}, {"+4", "+4"}};
  for (size_t i = 0; i < TEST_COUNT(fields); i++) {
    FILE *file = tmpfile();
    csv_put(file, fields[i][0], true);
    csv_end_row(file);
    rewind(file);
    struct csv csv = {.from = file};
    assert_int_equal(csv_next(&csv), 1);
    assert_string_equal(csv.fields[0], fields[i][1]);
    csv_free(&csv);
    fclose(file);
  }
}

static void test_broken_files_name_their_line(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bytes;
    int rows;
    long line;
  } cases[] = {
      {"a,b\n1,\"open", 11, 1, 2}, {"a,b\n1,2", 7, 1, 2}, {"a\n\"x\"y\n", 8, 1, 2},
      {"a\nx\"y\n", 7, 1, 2},      {"a\0b\n", 4, 0, 1},   {"\"1\n2\"\n\"x", 8, 1, 3},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    FILE *file = file_of(cases[i].text, cases[i].bytes);
    struct csv csv = {.from = file};
    for (int row = 0; row < cases[i].rows; row++)
      assert_int_equal(csv_next(&csv), 1);
    assert_int_equal(csv_next(&csv), -EINVAL);
    assert_int_equal(csv.line, cases[i].line);
    assert_non_null(csv.why);
    csv_free(&csv);
    fclose(file);
  }
}

static void test_bounds(void **state) {
  (void)state;
  char *wide = malloc(MUX_CSV_ROW_BYTES + 16);
  memset(wide, ',', MUX_CSV_FIELDS + 1);
  FILE *file = file_of(wide, MUX_CSV_FIELDS + 1);
  struct csv csv = {.from = file};
  assert_int_equal(csv_next(&csv), -EINVAL);
  fclose(file);
  memset(wide, 'x', MUX_CSV_ROW_BYTES + 16);
  file = file_of(wide, MUX_CSV_ROW_BYTES + 16);
  csv.from = file;
  assert_int_equal(csv_next(&csv), -EINVAL);
  fclose(file);
  csv_free(&csv);
  free(wide);
}

/* Whatever bytes come in, the reader ends and stays within its bounds (run under ASan in CI). */
static void test_random_bytes(void **state) {
  (void)state;
  static const char alphabet[] = ",\"\n\rab'=1 ";
  for (int round = 0; round < 2000; round++) {
    char text[64];
    size_t bytes = test_random_in(0, sizeof text);
    for (size_t i = 0; i < bytes; i++)
      text[i] = alphabet[test_random() % (sizeof alphabet - 1)];
    FILE *file = file_of(text, bytes);
    struct csv csv = {.from = file};
    int rows = 0;
    while (csv_next(&csv) == 1)
      rows++;
    assert_in_range(rows, 0, 64);
    csv_free(&csv);
    fclose(file);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_quoting_after_rfc_4180),
      cmocka_unit_test(test_formulas_are_neutralised),
      cmocka_unit_test(test_broken_files_name_their_line),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_random_bytes),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
