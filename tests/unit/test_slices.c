/* test_slices.c: slices.csv: what is written is read again, what is appended stays whole, what
 * makes no sense is refused with its line. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/data/rows.h"
#include "bench/data/slices.h"

static const char *const cells[] = {"connections=1", "connections=100;rate=10k"};
static const char *const labels[] = {"a", "b", "a-twin"};
static const struct slice_names names = {
    .cells = cells, .labels = labels, .cell_count = 2, .label_count = 3};

static char path[64];

static int make_path(void **state) {
  (void)state;
  snprintf(path, sizeof path, "/tmp/test_slices.XXXXXX");
  int fd = mkstemp(path);
  close(fd);
  unlink(path);
  return fd >= 0 ? 0 : -1;
}

static int drop_path(void **state) {
  (void)state;
  unlink(path);
  return 0;
}

static struct slice some_slice(int i) {
  bool floor = i % 7 == 6;
  return (struct slice){.trial = floor ? 0 : i + 1,
                        .cell = i % 2,
                        .label = floor ? -1 : i % 3,
                        .block = i / 10 + 1,
                        .group = 1 + i % 2,
                        .round = i % 10,
                        .turn = i % 4 + 1,
                        .kind = floor   ? SLICE_FLOOR
                                : i % 2 ? SLICE_CAPACITY
                                        : SLICE_COST,
                        .t_s = i * 0.25,
                        .duration_s = 0.03,
                        .completed = 1000 + i,
                        .server_cpu_s = i % 5 == 4 ? NAN : 0.001 * i,
                        .client_cpu_s = floor ? NAN : 0.002,
                        .offered_per_s = i % 2 ? 1000.0 * i : NAN,
                        .late = i % 2 ? 0.01 : NAN,
                        .failed = i % 9 == 8};
}

static bool same(double a, double b) {
  return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-8 * fabs(a); /* 9 digits */
}

static void assert_same(const struct slice *a, const struct slice *b) {
  assert_int_equal(a->trial, b->trial);
  assert_int_equal(a->cell, b->cell);
  assert_int_equal(a->label, b->label);
  assert_int_equal(a->block, b->block);
  assert_int_equal(a->group, b->group);
  assert_int_equal(a->round, b->round);
  assert_int_equal(a->turn, b->turn);
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->completed, b->completed);
  assert_int_equal(a->failed, b->failed);
  assert_true(same(a->t_s, b->t_s) && same(a->duration_s, b->duration_s));
  assert_true(same(a->server_cpu_s, b->server_cpu_s) && same(a->client_cpu_s, b->client_cpu_s));
  assert_true(same(a->offered_per_s, b->offered_per_s) && same(a->late, b->late));
}

static void what_is_written_is_read_again(void **state) {
  (void)state;
  struct slices slices = {0};
  struct slices again;
  char why[256];
  for (int i = 0; i < 500; i++) {
    struct slice slice = some_slice(i);
    slices_add(&slices, &slice);
    if (i == 99)
      assert_int_equal(slices_write(&slices, &names, path), 0);
    if (i == 299) /* as launches come in */
      assert_int_equal(slices_append(&slices, 100, &names, path), 0);
  }
  assert_int_equal(slices_append(&slices, 300, &names, path), 0);
  assert_int_equal(slices_read(&again, &names, path, why, sizeof why), 0);
  assert_int_equal(again.count, slices.count);
  for (size_t i = 0; i < slices.count; i++)
    assert_same(&again.at[i], &slices.at[i]);
  slices_free(&slices);
  slices_free(&again);
}

/* The program was killed while it wrote: wherever the file ends, its whole lines are read. */
static void a_line_that_was_cut_short_is_not_there(void **state) {
  (void)state;
  struct slices slices = {0};
  struct stat status;
  char why[256];
  for (int i = 0; i < 5; i++) {
    struct slice slice = some_slice(i);
    slices_add(&slices, &slice);
  }
  assert_int_equal(slices_write(&slices, &names, path), 0);
  assert_int_equal(stat(path, &status), 0);
  size_t before = 5;
  for (off_t size = status.st_size; size >= 0; size--) {
    struct slices again;
    assert_int_equal(truncate(path, size), 0);
    assert_int_equal(slices_read(&again, &names, path, why, sizeof why), 0);
    assert_true(again.count <= before);
    for (size_t i = 0; i < again.count; i++)
      assert_same(&again.at[i], &slices.at[i]);
    before = again.count;
    slices_free(&again);
  }
  assert_int_equal(before, 0);
  slices_free(&slices);
}

static void what_makes_no_sense_is_refused_with_its_line(void **state) {
  (void)state;
  static const char head[] =
      "trial,cell_id,block,round,turn,label,t_s,duration_s,completed,"
      "server_cpu_s,client_cpu_s,status,flags,kind,group,offered_per_s,late\n";
  static const struct {
    const char *row, *said;
  } cases[] = {
      {"1,connections=1,1,1,1,a,0,0.03,1,0.1,0.1,ok,,cost,1,,\n1,elsewhere,1,1,1,a,0,0.03,1,0.1,0."
       "1,"
       "ok,,cost,1,,\n",
       ":3: cell_id makes no sense"},
      {"1,connections=1,1,1,1,nobody,0,0.03,1,0.1,0.1,ok,,cost,1,,\n", ":2: label makes no sense"},
      {"1,connections=1,1,-1,1,a,0,0.03,1,0.1,0.1,ok,,cost,1,,\n", ":2: round makes no sense"},
      {"1,connections=1,1e9,1,1,a,0,0.03,1,0.1,0.1,ok,,cost,1,,\n", ":2: block makes no sense"},
      {"1,connections=1,1,1,1,a,0,0.03,nan,0.1,0.1,ok,,cost,1,,\n", ":2: completed makes no sense"},
      {"1,connections=1,1,1,1,a,0,0.03,1,0.1,0.1,ok,,mean,1,,\n", ":2: kind makes no sense"},
      {"1,connections=1,1,1,1,a\n", ":2: the number of fields makes no sense"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct slices slices;
    char why[256] = "";
    FILE *file = fopen(path, "w");
    fprintf(file, "%s%s", head, cases[i].row);
    fclose(file);
    assert_int_not_equal(slices_read(&slices, &names, path, why, sizeof why), 0);
    assert_int_equal(slices.count, 0);
    if (strstr(why, cases[i].said) == NULL)
      fail_msg("'%s' instead of '%s'", why, cases[i].said);
  }
}

/* What does not fit on the disk is not there at all. */
static void an_append_that_fails_leaves_the_file_as_it_was(void **state) {
  (void)state;
  struct rows rows = {0};
  struct row row = {0};
  row_set(&row, COL_label, "a");
  rows_add(&rows, &row);
  assert_int_equal(rows_append(&rows, 0, "/dev/full"), -ENOSPC);
  assert_int_equal(rows_append(&rows, 0, "/nowhere/measurements.csv"), -ENOENT);
  assert_int_equal(rows_append(&rows, 0, path), 0);
  struct stat before;
  struct stat after;
  assert_int_equal(stat(path, &before), 0);
  assert_int_equal(rows_append(&rows, 1, path), 0); /* nothing new */
  assert_int_equal(stat(path, &after), 0);
  assert_int_equal(before.st_size, after.st_size);
  rows_free(&rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_is_written_is_read_again, make_path, drop_path),
      cmocka_unit_test_setup_teardown(a_line_that_was_cut_short_is_not_there, make_path, drop_path),
      cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused_with_its_line, make_path,
                                      drop_path),
      cmocka_unit_test_setup_teardown(an_append_that_fails_leaves_the_file_as_it_was, make_path,
                                      drop_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
