/* test_hdr_oracles.c: two other implementations of HdrHistogram, in Java and JavaScript, read the
 * same counts from our logs as we do. `make test` installs them; without one its case is skipped.
 */
#include "tests/support.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hdr/hdr_log.h"
#include "tests/spawn.h"

static const char java_library[] = "/usr/share/java/hdrhistogram.jar";
static const char js_library[] = "tests/oracle/node_modules/hdr-histogram-js/package.json";

enum { TAGS = 4 };
static const char *const tags[TAGS] = {"response", "service", "slip", "connect"};
static char real_log[256];
static char made_log[256];
static struct test_result result;

/* A log of a real run, several intervals long, idle at its end: some intervals are empty. */
static void make_real_log(void) {
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  snprintf(real_log, sizeof real_log, "%s/real.hlog", test_directory());
  test_command(&result,
               "load --target %s --connections 20 --rate 30 --duration 600ms --interval 20ms "
               "--warmup 50ms --hlog %s",
               server.target, real_log);
  if (access(real_log, R_OK) != 0)
    fail_msg("no log: %s", result.err);
  test_stop(&server);
}

/* Rare in a run: values at both ends, beyond the end, and very large counts. */
static void make_extreme_log(void) {
  snprintf(made_log, sizeof made_log, "%s/made.hlog", test_directory());
  FILE *file = fopen(made_log, "w");
  assert_non_null(file);
  mux_hdr_log_begin(file, 1700000000.25);
  struct mux_hdr *h = mux_hdr_new_latency();
  for (int i = 0; i < 40; i++) {
    mux_hdr_reset(h);
    if (i % 5 == 1)
      mux_hdr_record_n(h, h->highest, i);
    if (i % 5 == 2)
      mux_hdr_record_n(h, INT64_MAX, 1); /* counted as the highest */
    if (i % 5 == 3)
      mux_hdr_record_n(h, 0, INT64_C(1) << i);
    if (i % 5 == 4)
      for (int k = 0; k < 5000; k++)
        mux_hdr_record_n(h, (int64_t)(test_random() >> test_random_in(28, 63)),
                         (int64_t)test_random_in(1, 300));
    assert_int_equal(mux_hdr_log_write(file, tags[i % TAGS], i * 0.5, 0.5, h), 0);
  }
  mux_hdr_free(h);
  assert_int_equal(fclose(file), 0);
}

static int make_logs(void **state) {
  test_seed(state);
  if (test_make_directory(state) != 0)
    return -1;
  make_real_log();
  make_extreme_log();
  return 0;
}

static FILE *run(const char *format, const char *a, const char *b) {
  char command[1024];
  snprintf(command, sizeof command, format, a, b);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  return pipe;
}

/* One "L" line and its "C" lines against one interval of ours. `line` holds the L line, and then
 * the line after these. */
static bool same_interval(FILE *js, char *line, size_t bytes, const struct mux_hdr_log_line *ours) {
  char tag[32];
  double start;
  double length;
  int64_t total;
  if (sscanf(line, "L %31s %lf %lf %" SCNd64, tag, &start, &length, &total) != 4)
    fail_msg("JavaScript says: %s", line);
  assert_string_equal(tag, ours->tag);
  assert_int_equal(total, ours->histogram->total);
  int64_t seen = 0;
  bool more;
  while ((more = fgets(line, (int)bytes, js) != NULL) && line[0] == 'C') {
    int64_t value;
    int64_t count;
    assert_int_equal(sscanf(line, "C %" SCNd64 " %" SCNd64, &value, &count), 2);
    if (ours->histogram->counts[mux_hdr_index(ours->histogram, value)] != count)
      fail_msg("%s: %" PRId64 " times %" PRId64 " in JavaScript's eyes", tag, count, value);
    seen += count;
  }
  assert_int_equal(seen, total);
  return more;
}

static void compare_with_javascript(const char *log) {
  FILE *file = fopen(log, "r");
  FILE *js = run("node tests/oracle/decode.mjs '%s'%s", log, "");
  char line[512] = "";
  bool more = fgets(line, sizeof line, js) != NULL;
  struct mux_hdr_log_line ours;
  long number = 0;
  int intervals = 0;
  int empty = 0;
  for (; mux_hdr_log_next(file, &ours, &number) == 1; intervals++) {
    if (!more)
      fail_msg("JavaScript sees %d intervals only", intervals);
    empty += ours.histogram->total == 0;
    more = same_interval(js, line, sizeof line, &ours);
    mux_hdr_free(ours.histogram);
  }
  assert_false(more);
  assert_int_equal(pclose(js), 0);
  fclose(file);
  assert_true(intervals >= 40);
  assert_true(empty > 0);
}

/* The sum of a tag's intervals. */
static struct mux_hdr *sum_of(const char *log, const char *tag) {
  struct mux_hdr *sum = mux_hdr_new_latency();
  FILE *file = fopen(log, "r");
  struct mux_hdr_log_line line;
  long number = 0;
  while (mux_hdr_log_next(file, &line, &number) == 1) {
    if (strcmp(line.tag, tag) == 0)
      assert_int_equal(mux_hdr_add(sum, line.histogram), 0);
    mux_hdr_free(line.histogram);
  }
  fclose(file);
  return sum;
}

static int64_t count_up_to(const struct mux_hdr *h, int64_t value) {
  int64_t count = 0;
  for (int32_t i = 0; i <= mux_hdr_index(h, value); i++)
    count += h->counts[i];
  return count;
}

/* Java's distribution of each tag: every row's count of values up to it, and the total. */
static void compare_with_java(const char *log) {
  for (int t = 0; t < TAGS; t++) {
    struct mux_hdr *sum = sum_of(log, tags[t]);
    FILE *java = run("java -XX:TieredStopAtLevel=1 -cp /usr/share/java/hdrhistogram.jar "
                     "org.HdrHistogram.HistogramLogProcessor -i '%s' -tag %s "
                     "-outputValueUnitRatio 1 -percentilesOutputTicksPerHalf 100",
                     log, tags[t]);
    char line[512];
    int rows = 0;
    long long total = -1;
    while (fgets(line, sizeof line, java) != NULL) {
      double value;
      double percentile;
      long long count;
      char *at = strstr(line, "Total count");
      if (at != NULL)
        sscanf(at, "Total count = %lld", &total);
      else if (sscanf(line, "%lf %lf %lld", &value, &percentile, &count) == 3 && ++rows > 0 &&
               count != count_up_to(sum, (int64_t)value))
        fail_msg("%s: Java counts %lld up to %.0f, we %" PRId64, tags[t], count, value,
                 count_up_to(sum, (int64_t)value));
    }
    assert_int_equal(pclose(java), 0);
    assert_int_equal(total, sum->total);
    assert_true(rows > 0 || sum->total == 0);
    mux_hdr_free(sum);
  }
}

static void javascript_reads_the_same_counts(void **state) {
  (void)state;
  if (access(js_library, R_OK) != 0) {
    print_message("skipped: hdr-histogram-js is not installed (npm ci in tests/oracle)\n");
    skip();
  }
  compare_with_javascript(real_log);
  compare_with_javascript(made_log);
}

static void java_reads_the_same_counts(void **state) {
  (void)state;
  if (access(java_library, R_OK) != 0 || system("java -version 2>/dev/null") != 0) {
    print_message("skipped: libhdrhistogram-java or java is not installed\n");
    skip();
  }
  compare_with_java(real_log);
  compare_with_java(made_log);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(javascript_reads_the_same_counts),
      cmocka_unit_test(java_reads_the_same_counts),
  };
  return cmocka_run_group_tests(tests, make_logs, test_remove_directory);
}
