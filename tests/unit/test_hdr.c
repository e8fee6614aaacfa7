/* test_hdr.c: histograms count exactly, have HdrHistogram's percentiles, and survive encoding
 * (hdr/hdr.h). test_hdr_oracles.c compares them with other implementations. */
#include "tests/support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hdr/hdr.h"

static void the_latency_layout_is_that_of_hdrhistogram(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  assert_non_null(h);
  assert_int_equal(h->counts_length, 27648);
  assert_int_equal(h->sub_bucket_half_count_magnitude, 10);
  assert_int_equal(h->unit_magnitude, 0);
  mux_hdr_free(h);
}

/* Counters adjoin, and each holds its own values. */
static void counters_cover_every_value_once(void **state) {
  (void)state;
  static const struct {
    int64_t lowest, highest;
    int digits;
  } layouts[] = {{1, 60000000000, 3}, {1, 2, 1},       {1000, 3600000000000, 2},
                 {7, 100000, 4},      {1, 1000000, 5}, {1 << 20, INT64_MAX, 3}};
  for (size_t k = 0; k < TEST_COUNT(layouts); k++) {
    struct mux_hdr *h = mux_hdr_new(layouts[k].lowest, layouts[k].highest, layouts[k].digits);
    assert_non_null(h);
    int32_t end = mux_hdr_index(h, h->highest);
    assert_true(end < h->counts_length);
    assert_int_equal(mux_hdr_lowest_at(h, 0), 0);
    for (int32_t i = 0; i <= end; i++) {
      int64_t low = mux_hdr_lowest_at(h, i);
      int64_t high = mux_hdr_highest_at(h, i);
      if (mux_hdr_index(h, low) != i || mux_hdr_index(h, high) != i ||
          (i > 0 && mux_hdr_highest_at(h, i - 1) + 1 != low))
        fail_msg("counter %d of layout %zu: %" PRId64 "…%" PRId64, i, k, low, high);
    }
    mux_hdr_free(h);
  }
}

static void values_keep_three_digits(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  for (int i = 0; i < 100000; i++) {
    int64_t value = (int64_t)(test_random() >> test_random_in(29, 63));
    if (value > h->highest)
      continue;
    int32_t index = mux_hdr_index(h, value);
    int64_t width = mux_hdr_highest_at(h, index) - mux_hdr_lowest_at(h, index);
    if (width > value / 1000)
      fail_msg("%" PRId64 " is kept to %" PRId64, value, width);
  }
  mux_hdr_free(h);
}

static void impossible_layouts_are_refused(void **state) {
  (void)state;
  assert_null(mux_hdr_new(0, 1000, 3));
  assert_null(mux_hdr_new(1, 1, 3));
  assert_null(mux_hdr_new(1, 1000, 0));
  assert_null(mux_hdr_new(1, 1000, 6));
  assert_null(mux_hdr_new(INT64_MAX, INT64_MAX, 3));
  assert_null(mux_hdr_new(INT64_C(1) << 60, INT64_MAX, 5));
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Compared with the sorted values: rank ceil(p·n), value to three digits. */
static void percentiles_are_those_of_the_sorted_values(void **state) {
  (void)state;
  enum { N = 5000 };
  static int64_t values[N];
  static const double levels[] = {0, 0.01, 1, 25, 50, 90, 99, 99.9, 99.98, 100};
  for (int round = 0; round < 20; round++) {
    struct mux_hdr *h = mux_hdr_new_latency();
    for (int i = 0; i < N; i++) {
      values[i] = (int64_t)(test_random() >> test_random_in(30, 60)) % (h->highest + 1);
      mux_hdr_record(h, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    for (size_t k = 0; k < TEST_COUNT(levels); k++) {
      /* In hundredths of a percent the rank is exact. */
      int64_t hundredths = (int64_t)(levels[k] * 100 + 0.5);
      int64_t rank = (hundredths * N + 9999) / 10000;
      rank = rank < 1 ? 1 : rank;
      int64_t want = mux_hdr_highest_at(h, mux_hdr_index(h, values[rank - 1]));
      want = want < values[N - 1] ? want : values[N - 1];
      if (mux_hdr_percentile(h, levels[k]) != want)
        fail_msg("p%g is %" PRId64 ", not %" PRId64, levels[k], mux_hdr_percentile(h, levels[k]),
                 want);
      assert_int_equal(mux_hdr_beyond(h, levels[k]), N - rank);
    }
    assert_int_equal(h->min, values[0]);
    assert_int_equal(h->max, values[N - 1]);
    mux_hdr_free(h);
  }
}

static void values_out_of_range_are_kept_and_counted(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new(1, 1000000, 3);
  mux_hdr_record(h, -5);
  mux_hdr_record(h, 1000000);
  mux_hdr_record_n(h, INT64_MAX, 3);
  assert_int_equal(h->total, 5);
  assert_int_equal(h->clamped, 3);
  assert_int_equal(h->min, 0);
  assert_int_equal(h->max, 1000000);
  mux_hdr_free(h);
}

static void recording_none_changes_nothing(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  mux_hdr_record(h, 500);
  mux_hdr_record_n(h, 3, 0);
  mux_hdr_record_n(h, INT64_MAX, 0);
  assert_int_equal(h->total, 1);
  assert_int_equal(h->clamped, 0);
  assert_int_equal(h->min, 500);
  assert_int_equal(h->max, 500);
  mux_hdr_free(h);
}

/* 60 messages wait for one stall: more than ten beyond p99, but they are one event. */
static void a_stall_alone_is_no_percentile(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  struct mux_hdr *peaks = mux_hdr_new_latency();
  for (int stretch = 0; stretch < 100; stretch++) {
    mux_hdr_record_n(h, 20000 + stretch, 50);
    mux_hdr_record(peaks, 20000 + stretch);
  }
  mux_hdr_record_n(h, 13000000, 60);
  mux_hdr_record(peaks, 13000000);
  assert_true(mux_hdr_is_known(h, 99));
  assert_false(mux_hdr_is_spread(h, peaks, 1, 99));
  assert_true(mux_hdr_is_spread(h, peaks, 1, 50));
  /* Ten stalls are something to go by, unless ten threads may have seen one. */
  mux_hdr_record_n(h, 13000000, 9);
  mux_hdr_record_n(peaks, 13000000, 9);
  assert_true(mux_hdr_is_spread(h, peaks, 1, 99));
  assert_false(mux_hdr_is_spread(h, peaks, 2, 99));
  /* Ten stretches, but nine values beyond. */
  assert_false(mux_hdr_is_spread(h, peaks, 1, 100 * (1 - 9.0 / (double)h->total)));
  mux_hdr_free(h);
  mux_hdr_free(peaks);
}

static void an_empty_histogram_answers(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  assert_int_equal(mux_hdr_percentile(h, 99), 0);
  assert_int_equal(mux_hdr_beyond(h, 50), 0);
  assert_false(mux_hdr_is_known(h, 50));
  assert_false(mux_hdr_is_spread(h, h, 1, 50));
  assert_true(mux_hdr_mean(h) == 0);
  mux_hdr_free(h);
}

static void assert_same_counts(const struct mux_hdr *a, const struct mux_hdr *b) {
  assert_int_equal(a->counts_length, b->counts_length);
  assert_int_equal(a->total, b->total);
  assert_memory_equal(a->counts, b->counts, (size_t)a->counts_length * sizeof a->counts[0]);
}

/* Adding equals recording everything in one histogram; resetting leaves nothing behind. */
static void adding_and_resetting_are_exact(void **state) {
  (void)state;
  struct mux_hdr *parts[2] = {mux_hdr_new_latency(), mux_hdr_new_latency()};
  struct mux_hdr *whole = mux_hdr_new_latency();
  struct mux_hdr *empty = mux_hdr_new_latency();
  for (int i = 0; i < 20000; i++) {
    int64_t value = (int64_t)(test_random() >> test_random_in(20, 63));
    int64_t n = (int64_t)test_random_in(1, 5);
    mux_hdr_record_n(parts[i & 1], value, n);
    mux_hdr_record_n(whole, value, n);
  }
  assert_int_equal(mux_hdr_add(parts[0], parts[1]), 0);
  assert_same_counts(parts[0], whole);
  assert_int_equal(parts[0]->clamped, whole->clamped);
  assert_int_equal(parts[0]->min, whole->min);
  assert_int_equal(parts[0]->max, whole->max);
  assert_true(parts[0]->sum == whole->sum);
  mux_hdr_reset(whole);
  assert_same_counts(whole, empty);
  assert_int_equal(whole->min, INT64_MAX);
  struct mux_hdr *other = mux_hdr_new(1, 1000, 3);
  assert_int_equal(mux_hdr_add(whole, other), -EINVAL);
  mux_hdr_free(parts[0]);
  mux_hdr_free(parts[1]);
  mux_hdr_free(whole);
  mux_hdr_free(empty);
  mux_hdr_free(other);
}

/* Counts also come from files, and their sum may not fit. */
static void a_sum_that_does_not_fit_is_refused(void **state) {
  (void)state;
  struct mux_hdr *to = mux_hdr_new_latency();
  struct mux_hdr *from = mux_hdr_new_latency();
  mux_hdr_record_n(to, 1000, INT64_MAX - 5);
  mux_hdr_record_n(from, 1000, 5);
  mux_hdr_record_n(from, 2000, 1);
  assert_int_equal(mux_hdr_add(to, from), -EOVERFLOW);
  assert_int_equal(to->total, INT64_MAX - 5);
  assert_int_equal(to->max, 1000);
  assert_int_equal(to->counts[mux_hdr_index(to, 1000)], INT64_MAX - 5);
  mux_hdr_reset(from);
  mux_hdr_record_n(from, 1000, 5);
  assert_int_equal(mux_hdr_add(to, from), 0);
  assert_int_equal(to->total, INT64_MAX);
  static const double levels[] = {0, 50, 99.999999, 100};
  for (size_t i = 0; i < TEST_COUNT(levels); i++) {
    assert_int_equal(mux_hdr_percentile(to, levels[i]), 1000);
    assert_true(mux_hdr_beyond(to, levels[i]) >= 0);
  }
  mux_hdr_free(to);
  mux_hdr_free(from);
}

/* The wire form has no field for them: they are what the highest counter holds. */
static void clamped_values_survive_the_codec(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  mux_hdr_record(h, 1000);
  mux_hdr_record_n(h, h->highest + 1, 3);
  char *text = mux_hdr_encode(h);
  struct mux_hdr *back = mux_hdr_decode(text, strlen(text));
  assert_non_null(back);
  assert_int_equal(back->clamped, 3);
  assert_int_equal(mux_hdr_add(back, h), 0);
  assert_int_equal(back->clamped, 6);
  free(text);
  mux_hdr_free(h);
  mux_hdr_free(back);
}

static void what_is_encoded_is_decoded(void **state) {
  (void)state;
  static const int64_t counts[] = {
      0, 1, 63, 64, 127, 128, 1 << 20, INT64_C(1) << 41, INT64_C(1) << 50, 2};
  for (int round = 0; round < 60; round++) {
    struct mux_hdr *h = mux_hdr_new_latency();
    int values = round == 0 ? 0 : (int)test_random_in(1, 300);
    for (int i = 0; i < values; i++)
      mux_hdr_record_n(h, (int64_t)(test_random() >> test_random_in(28, 63)),
                       counts[test_random_in(0, TEST_COUNT(counts) - 1)]);
    if (round == 1)
      mux_hdr_record(h, h->highest);
    char *text = mux_hdr_encode(h);
    assert_non_null(text);
    assert_memory_equal(text, "HISTF", 5);
    struct mux_hdr *back = mux_hdr_decode(text, strlen(text));
    assert_non_null(back);
    assert_same_counts(h, back);
    free(text);
    mux_hdr_free(h);
    mux_hdr_free(back);
  }
}

/* Damaged text is refused or read as some histogram; it never does harm (run it under SAN=). */
static void damaged_text_does_no_harm(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  for (int i = 0; i < 50; i++)
    mux_hdr_record(h, (int64_t)test_random_in(0, 1000000));
  char *text = mux_hdr_encode(h);
  size_t length = strlen(text);
  int refused = 0;
  for (int round = 0; round < 3000; round++) {
    char *copy = strdup(text);
    size_t n = test_random_in(0, 3) == 0 ? test_random_in(0, length) : length;
    for (uint64_t k = test_random_in(1, 3); k > 0; k--)
      copy[test_random_in(0, length - 1)] = (char)test_random_in(1, 127);
    struct mux_hdr *back = mux_hdr_decode(copy, n);
    refused += back == NULL;
    if (back == NULL)
      assert_int_equal(errno, EINVAL);
    mux_hdr_free(back);
    free(copy);
  }
  assert_true(refused > 2000);
  assert_null(mux_hdr_decode("", 0));
  assert_null(mux_hdr_decode("HISTF", 5));
  free(text);
  mux_hdr_free(h);
}

/* Rows of value, percentile, count, 1/(1-p), rising to the maximum. */
static void hgrm_rises_to_the_maximum(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  for (int64_t i = 1; i <= 10000; i++)
    mux_hdr_record(h, i * 1000);
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  assert_int_equal(mux_hdr_print_hgrm(h, to, 5, 1000), 0);
  fclose(to);
  int rows = 0;
  double last[3] = {-1, -1, -1};
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    double value, percentile, inverse;
    long long count;
    if (sscanf(line, "%lf %lf %lld %lf", &value, &percentile, &count, &inverse) != 4)
      continue;
    rows++;
    assert_true(value >= last[0] && percentile >= last[1] && (double)count >= last[2]);
    assert_true((double)count >= percentile * 10000 - 1e-6);
    assert_true(value >= percentile * 10000 * 0.999 && value <= (percentile * 10000 + 1) * 1.002);
    last[0] = value;
    last[1] = percentile;
    last[2] = (double)count;
  }
  assert_true(rows > 30);
  assert_true(last[0] == 10000 && last[1] == 1 && last[2] == 10000);
  free(text);
  mux_hdr_free(h);
}

/* One value in 2^60 is larger: a double cannot tell its percentile from 100 %. */
static void hgrm_ends_however_many_values(void **state) {
  (void)state;
  struct mux_hdr *h = mux_hdr_new_latency();
  mux_hdr_record_n(h, 1000, INT64_C(1) << 60);
  mux_hdr_record(h, 2000);
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  alarm(20); /* ends the test */
  assert_int_equal(mux_hdr_print_hgrm(h, to, 5, 1000), 0);
  alarm(0);
  fclose(to);
  assert_true(bytes < 100000);
  assert_non_null(strstr(text, "1.000000000000 1152921504606846977"));
  free(text);
  mux_hdr_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_latency_layout_is_that_of_hdrhistogram),
      cmocka_unit_test(counters_cover_every_value_once),
      cmocka_unit_test(values_keep_three_digits),
      cmocka_unit_test(impossible_layouts_are_refused),
      cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
      cmocka_unit_test(values_out_of_range_are_kept_and_counted),
      cmocka_unit_test(recording_none_changes_nothing),
      cmocka_unit_test(a_stall_alone_is_no_percentile),
      cmocka_unit_test(an_empty_histogram_answers),
      cmocka_unit_test(adding_and_resetting_are_exact),
      cmocka_unit_test(a_sum_that_does_not_fit_is_refused),
      cmocka_unit_test(clamped_values_survive_the_codec),
      cmocka_unit_test(what_is_encoded_is_decoded),
      cmocka_unit_test(damaged_text_does_no_harm),
      cmocka_unit_test(hgrm_rises_to_the_maximum),
      cmocka_unit_test(hgrm_ends_however_many_values),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
