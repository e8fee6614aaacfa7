/* test_hdr_log.c: interval logs are read as they were written; bad lines are refused and numbered
 * (hdr/hdr_log.h). */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hdr/hdr_log.h"

static FILE *text_file(const char *text) {
  FILE *file = tmpfile();
  assert_non_null(file);
  fputs(text, file);
  rewind(file);
  return file;
}

static void what_is_written_is_read(void **state) {
  (void)state;
  static const char *const tags[] = {"response", "service", "slip", "connect"};
  FILE *file = tmpfile();
  struct mux_hdr *h = mux_hdr_new_latency();
  assert_int_equal(mux_hdr_log_begin(file, 1700000000.5), 0);
  for (int i = 0; i < 40; i++) {
    mux_hdr_reset(h);
    for (int k = 0; k < i; k++) /* the first is empty */
      mux_hdr_record(h, (int64_t)k * 1000000000);
    assert_int_equal(mux_hdr_log_write(file, tags[i % 4], i, 0.25, h), 0);
  }
  rewind(file);
  long number = 0;
  for (int i = 0; i < 40; i++) {
    struct mux_hdr_log_line line;
    assert_int_equal(mux_hdr_log_next(file, &line, &number), 1);
    assert_string_equal(line.tag, tags[i % 4]);
    assert_true(line.start_s == i && line.length_s == 0.25);
    assert_int_equal(line.histogram->total, i);
    assert_int_equal(number, 5 + i); /* after the header and the legend */
    mux_hdr_free(line.histogram);
  }
  struct mux_hdr_log_line line;
  assert_int_equal(mux_hdr_log_next(file, &line, &number), 0);
  mux_hdr_free(h);
  fclose(file);
}

static void bad_lines_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text;
    long number;
  } bad[] = {
      {"nonsense\n", 1},
      {"#[comment]\n\"legend\"\nTag=x,0.0,1.0,2.0,HISTFAAAA\n", 3},
      {"#\n\n0.0,1.0\n", 3},
      {"Tag=response\n", 1},
      {"Tag=a-tag-that-is-much-longer-than-any-tag-may-be,0,1,2,HISTF\n", 1},
      {"nan,1.0,2.0,HISTFAAAACd4AZNpmSzMwMDACsQgwAyhGBiBNO8P9wgG+w8Qkd4aJlcmAGd2BXU=\n", 1},
  };
  for (size_t i = 0; i < TEST_COUNT(bad); i++) {
    FILE *file = text_file(bad[i].text);
    struct mux_hdr_log_line line;
    long number = 0;
    if (mux_hdr_log_next(file, &line, &number) != -EINVAL || number != bad[i].number)
      fail_msg("case %zu: line %ld", i, number);
    fclose(file);
  }
}

static void an_empty_log_ends_at_once(void **state) {
  (void)state;
  struct mux_hdr_log_line line;
  long number = 0;
  FILE *file = text_file("#[Histogram log format version 1.3]\n\"StartTimestamp\"\n\n");
  assert_int_equal(mux_hdr_log_next(file, &line, &number), 0);
  fclose(file);
}

/* A line without an end does not use up the memory. */
static void an_endless_line_is_refused(void **state) {
  (void)state;
  FILE *file = tmpfile();
  static char block[1 << 20];
  memset(block, 'A', sizeof block);
  for (int i = 0; i < 17; i++)
    fwrite(block, 1, sizeof block, file);
  rewind(file);
  struct mux_hdr_log_line line;
  long number = 0;
  assert_int_equal(mux_hdr_log_next(file, &line, &number), -EINVAL);
  fclose(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(bad_lines_are_named),
      cmocka_unit_test(an_empty_log_ends_at_once),
      cmocka_unit_test(an_endless_line_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
