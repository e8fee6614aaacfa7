/* test_summary.c: verdicts that follow from rows and slices, and the conclusions from those. How
 * often verdicts are right is for the simulation (docs/statistics.md); here is what they rest on.
 */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/results/conclusions.h"
#include "bench/results/summary.h"
#include "common/clock.h"
#include "tests/run_experiment.h"

/* A run that did not happen: what each label costs, and how much that scatters. */
struct made {
  struct experiment *e;
  struct plan *plan;
  struct rows rows;
  struct slices slices;
};

/* Nearly normal, mean 0, deviation 1. */
static double noise(void) {
  double sum = 0;
  for (int i = 0; i < 12; i++)
    sum += (double)(test_random() >> 11) / 9007199254740992.0;
  return sum - 6;
}

/* A row and `rounds` slices of every label in every launch of every cell: server and load cost
 * cost[label] µs each, times noise that the launch's labels share, times noise of each slice. */
static struct made make(const char *json, int launches, int rounds, const double *cost,
                        double spread) {
  struct made made = {.e = test_experiment(json)};
  made.plan = plan_new(made.e, NULL);
  struct plan_trial trials[EXPERIMENT_LABELS];
  for (int block = 1; block <= launches; block++)
    for (int cell = 0; cell < made.plan->cell_count; cell++) {
      double common = exp(0.1 * noise());
      plan_launch(made.plan, cell, block, trials);
      for (int round = 1; round <= rounds; round++)
        for (int i = 0; i < made.plan->label_count; i++) {
          double us = cost[trials[i].label] * common * exp(spread * noise());
          slices_add(&made.slices, &(struct slice){.trial = trials[i].number,
                                                   .cell = cell,
                                                   .label = trials[i].label,
                                                   .block = block,
                                                   .group = 1,
                                                   .round = round,
                                                   .turn = i + 1,
                                                   .duration_s = 0.03,
                                                   .completed = 1000,
                                                   .server_cpu_s = us * 1e-3,
                                                   .client_cpu_s = us * 1e-3});
        }
      for (int i = 0; i < made.plan->label_count; i++) {
        struct row row = {0};
        row_set(&row, COL_trial, "%d", trials[i].number);
        row_set(&row, COL_block, "%d", block);
        row_set(&row, COL_cell_id, "%s", made.plan->cells[cell].id);
        row_set(&row, COL_label, "%s", made.plan->labels[trials[i].label].name);
        row_set(&row, COL_status, "ok");
        row_set_number(&row, COL_server_cpu_us_per_req, cost[trials[i].label] * common);
        row_set_number(&row, COL_host_cpu_us_per_req, 2 * cost[trials[i].label] * common);
        row_set_number(&row, COL_rss_bytes_per_conn,
                       100 * cost[trials[i].label] * exp(spread * noise()));
        rows_add(&made.rows, &row);
      }
    }
  return made;
}

static void made_free(struct made *made) {
  rows_free(&made->rows);
  slices_free(&made->slices);
  plan_free(made->plan);
  experiment_free(made->e);
}

static struct summary *summary_of(const struct made *made) {
  return summary_new(made->plan, &made->rows, &made->slices);
}

static const char one_cell[] =
    "{\"servers\": [\"a\", \"b\", \"c\"], \"baseline\": \"a\", \"blocks\": 10, \"seed\": 1}";
static const double nobody_differs[] = {4, 4, 4, 4};

/* Slices carry the verdict where they have the metric, rows elsewhere; both find what is there. */
static void a_dearer_server_is_found(void **state) {
  (void)state;
  static const double cost[] = {4, 4.4, 4, 4};
  static const enum column columns[] = {COL_host_cpu_us_per_req, COL_server_cpu_us_per_req,
                                        COL_client_cpu_us_per_req, COL_rss_bytes_per_conn};
  struct made made = make(one_cell, 10, 8, cost, 0.02);
  struct summary *s = summary_of(&made);
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    int metric = summary_metric_of(columns[i]);
    const struct summary_entry *b = summary_at(s, 0, metric, 1);
    bool of_slices = columns[i] != COL_rss_bytes_per_conn;
    if (summary_at(s, 0, metric, made.plan->twin)->verdict == VERDICT_VOID)
      continue; /* one in twenty, by design */
    assert_int_equal(b->verdict, VERDICT_WORSE);
    assert_true(fabs(b->ratio - 1.1) < 0.05);
    assert_true(b->ratio_low > 1 && b->ratio_low < b->ratio && b->ratio < b->ratio_high);
    assert_int_equal(b->launches, 10);
    assert_int_equal(b->rounds, of_slices ? 8 : 0);
    assert_int_equal(summary_at(s, 0, metric, 0)->verdict, VERDICT_BASELINE);
    assert_true(fabs(summary_at(s, 0, metric, 2)->ratio - 1) < 0.05);
  }
  summary_free(s);
  made_free(&made);
}

/* What slices say does not depend on the rows' own figures, nor on slices that do not count. */
static void failed_slices_and_other_kinds_do_not_count(void **state) {
  (void)state;
  struct made made = make(one_cell, 8, 8, nobody_differs, 0.01);
  size_t count = made.slices.count;
  for (size_t i = 0; i < count; i++) {
    struct slice odd = made.slices.at[i];
    odd.server_cpu_s *= 100;
    odd.failed = i % 2 == 0;
    odd.kind = i % 2 == 0 ? SLICE_COST : SLICE_LATENCY;
    if (odd.label == 1)
      slices_add(&made.slices, &odd); /* after the others: a launch of its own, if it counted */
  }
  struct summary *s = summary_of(&made);
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  assert_true(fabs(summary_at(s, 0, metric, 1)->ratio - 1) < 0.05);
  summary_free(s);
  made_free(&made);
}

static void flags_void_claims(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 4, 4};
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  struct made made = make(one_cell, 10, 8, cost, 0.01);
  for (size_t i = 0; i < made.rows.count; i++) {
    row_flag(&made.rows.rows[i], "noisy_host"); /* says where to look */
    if (strcmp(row_text(&made.rows.rows[i], COL_label), "b") == 0)
      row_flag(&made.rows.rows[i], "errors");
  }
  struct summary *s = summary_of(&made);
  assert_int_equal(summary_at(s, 0, metric, 1)->verdict, VERDICT_VOID);
  assert_int_equal(summary_at(s, 0, metric, 1)->n, 10); /* shown all the same */
  assert_false(summary_at(s, 0, metric, 1)->best);
  if (summary_at(s, 0, metric, made.plan->twin)->verdict != VERDICT_VOID) /* one in twenty */
    assert_int_not_equal(summary_at(s, 0, metric, 2)->verdict, VERDICT_VOID);
  summary_free(s);
  made_free(&made);
}

/* A label whose load is the bottleneck has no throughput of its own, but CPU per request. */
static void a_regime_is_of_the_label_not_of_the_launch(void **state) {
  (void)state;
  struct made made = make(one_cell, 8, 8, nobody_differs, 0.01);
  for (size_t i = 0; i < made.rows.count; i++) {
    struct row *row = &made.rows.rows[i];
    bool is_b = strcmp(row_text(row, COL_label), "b") == 0;
    row_set(row, COL_workers, "1");
    row_set(row, COL_threads, "1");
    row_set_number(row, COL_completed_per_s, 1000);
    row_set_number(row, COL_server_cores_used, is_b ? 0.8 : 0.97);
    row_set_number(row, COL_client_cores_used, is_b ? 0.95 : 0.9);
    if (i % 5 == 0)
      row_flag(row, "client_bound"); /* of one launch: nothing follows from it */
  }
  struct summary *s = summary_of(&made);
  int speed = summary_metric_of(COL_completed_per_s);
  int cpu = summary_metric_of(COL_server_cpu_us_per_req);
  assert_int_equal(s->regimes[1], REGIME_CLIENT_BOUND);
  assert_int_equal(s->regimes[0], REGIME_SERVER_BOUND);
  assert_int_equal(summary_at(s, 0, speed, 1)->verdict, VERDICT_VOID);
  if (summary_at(s, 0, speed, made.plan->twin)->verdict != VERDICT_VOID)
    assert_int_not_equal(summary_at(s, 0, speed, 2)->verdict, VERDICT_VOID);
  assert_int_not_equal(summary_at(s, 0, cpu, 1)->launches, 0);
  summary_free(s);
  made_free(&made);
}

static void few_launches_claim_nothing(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 4, 4};
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  struct made made = make(one_cell, 5, 8, cost, 0.01);
  struct summary *s = summary_of(&made);
  const struct summary_entry *entry = summary_at(s, 0, metric, 1);
  assert_int_equal(entry->verdict, VERDICT_NONE);
  assert_true(isnan(entry->ratio_low) && isnan(entry->p_adjusted) && isnan(entry->low));
  assert_true(fabs(entry->ratio - 2) < 0.1);
  assert_int_equal(entry->rank_low, 0);
  assert_false(entry->has_best);
  summary_free(s);
  made_free(&made);
}

/* A twin that differs from the baseline voids the cell: the instrument disagrees with itself. */
static void a_twin_that_differs_voids_the_cell(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 4, 5};
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  struct made made = make(one_cell, 10, 8, cost, 0.01);
  struct summary *s = summary_of(&made);
  for (int label = 1; label < made.plan->label_count; label++) {
    assert_int_equal(summary_at(s, 0, metric, label)->verdict, VERDICT_VOID);
    assert_true(summary_at(s, 0, metric, label)->delta > 0.2);
  }
  summary_free(s);
  made_free(&made);
}

/* The best and the worst have a rank to themselves. */
static void ranks_and_the_set_of_best_follow_from_the_intervals(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  static const int lowest[] = {2, 4, 1, 2};
  static const int highest[] = {3, 4, 1, 3};
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  struct made made = make(one_cell, 10, 8, cost, 0.01);
  struct summary *s = summary_of(&made);
  if (summary_at(s, 0, metric, made.plan->twin)->verdict != VERDICT_VOID) {
    for (int label = 0; label < made.plan->label_count; label++) {
      const struct summary_entry *entry = summary_at(s, 0, metric, label);
      assert_in_range(entry->rank_low, lowest[label], highest[label]);
      assert_in_range(entry->rank_high, entry->rank_low, highest[label]);
      if (label != made.plan->twin)
        assert_int_equal(entry->best, label == 2);
    }
  }
  summary_free(s);
  made_free(&made);
}

static void equivalence_is_a_verdict_of_its_own(void **state) {
  (void)state;
  int metric = summary_metric_of(COL_server_cpu_us_per_req);
  struct made made = make(one_cell, 12, 10, nobody_differs, 0.01);
  struct summary *s = summary_of(&made);
  const struct summary_entry *entry = summary_at(s, 0, metric, 1);
  if (entry->verdict != VERDICT_VOID && entry->verdict != VERDICT_BETTER &&
      entry->verdict != VERDICT_WORSE) { /* one in twenty */
    assert_int_equal(entry->verdict, VERDICT_EQUIVALENT);
    assert_int_equal(summary_gate(entry, true, 0.05), GATE_PASSED);
    assert_true(entry->detectable > 0 && entry->detectable < 0.05);
  }
  summary_free(s);
  made_free(&made);
}

static void gates_need_the_whole_interval(void **state) {
  (void)state;
  struct summary_entry entry = {
      .ratio = 1.1, .ratio_low = 1.06, .ratio_high = 1.14, .verdict = VERDICT_WORSE};
  assert_int_equal(summary_gate(&entry, true, 0.05), GATE_FAILED);
  assert_int_equal(summary_gate(&entry, true, 0.10), GATE_UNDECIDED);
  assert_int_equal(summary_gate(&entry, true, 0.15), GATE_PASSED);
  assert_int_equal(summary_gate(&entry, false, 0.05), GATE_PASSED); /* more is better */
  entry.verdict = VERDICT_VOID;
  assert_int_equal(summary_gate(&entry, true, 0.15), GATE_UNDECIDED);
  entry = (struct summary_entry){.ratio = NAN, .ratio_low = NAN, .ratio_high = NAN};
  assert_int_equal(summary_gate(&entry, true, 0.15), GATE_UNDECIDED);
}

/* ---- Conclusions ------------------------------------------------------------------------------
 */

static char *conclusions_of(const struct made *made) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  struct summary *s = summary_of(made);
  conclusions_print(s, to);
  fclose(to);
  summary_free(s);
  return text;
}

static void a_lone_median_is_never_announced(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  struct made made = make(one_cell, 1, 8, cost, 0.01);
  char *text = conclusions_of(&made);
  assert_non_null(strstr(text, "1 launch, too few for a claim"));
  assert_null(strcasestr(text, "take "));
  free(text);
  made_free(&made);
  made = make("{\"servers\": [\"a\", \"b\"], \"blocks\": 10}", 10, 8, cost, 0.01);
  text = conclusions_of(&made);
  assert_non_null(strstr(text, "No baseline"));
  assert_null(strcasestr(text, "take "));
  free(text);
  made_free(&made);
}

static void the_set_of_best_is_the_answer(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  struct made made = make(one_cell, 10, 8, cost, 0.005);
  char *text = conclusions_of(&made);
  if (strstr(text, "void") == NULL) {
    assert_non_null(strstr(text, "ake c 0.50×; proved worse: a, b 2.0"));
  }
  free(text);
  made_free(&made);
}

/* A slope holds within one value of every other axis. */
static void other_axes_are_not_pooled(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  struct made made =
      make("{\"servers\": [\"a\"], \"baseline\": \"a\", \"blocks\": 6, \"answer\": \"slope\", "
           "\"along\": \"idle\", \"load\": {\"rate\": \"1k\", \"idle\": [0, 1000], \"payload\": "
           "[64, 4096]}}",
           6, 8, cost, 0.01);
  char *text = conclusions_of(&made);
  assert_non_null(strstr(text, "a, payload 64: "));
  assert_non_null(strstr(text, "a, payload 4KiB: "));
  free(text);
  made_free(&made);
}

/* Where the load was the limit the rate is a lower bound, and nothing is claimed of it. */
static void a_capacity_is_the_servers_or_a_bound(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  struct made made =
      make("{\"servers\": [\"a\", \"b\", \"c\"], \"baseline\": \"a\", \"blocks\": 6, "
           "\"objective\": \"capacity_per_s\", \"answer\": \"capacity\", \"load\": "
           "{\"find-rate\": \"p99<1ms\"}}",
           6, 8, cost, 0.01);
  for (size_t i = 0; i < made.rows.count; i++) {
    struct row *row = &made.rows.rows[i];
    const char *label = row_text(row, COL_label);
    double rate = *label == 'a' ? 100000 : *label == 'b' ? 80000 : 200000;
    row_set_number(row, COL_capacity_per_s, rate * (1 + .001 * row_number(row, COL_block)));
    if (*label == 'c')
      row_flag(row, "load_limited");
  }
  char *text = conclusions_of(&made);
  assert_non_null(strstr(text, "a: 100k messages/s [100k, 101k] with p99<1ms.\n"));
  assert_non_null(strstr(text, "b: 80.3k messages/s [80.1k, 80.4k] with p99<1ms.\n"));
  assert_non_null(strstr(text, "c: at least 201k messages/s"));
  assert_non_null(strstr(text, "beyond that the load was the limit"));
  assert_non_null(strstr(text, "Take a; proved worse: b 0.80×.\n"));
  free(text);
  made_free(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_dearer_server_is_found),
      cmocka_unit_test(failed_slices_and_other_kinds_do_not_count),
      cmocka_unit_test(flags_void_claims),
      cmocka_unit_test(a_regime_is_of_the_label_not_of_the_launch),
      cmocka_unit_test(few_launches_claim_nothing),
      cmocka_unit_test(a_twin_that_differs_voids_the_cell),
      cmocka_unit_test(ranks_and_the_set_of_best_follow_from_the_intervals),
      cmocka_unit_test(equivalence_is_a_verdict_of_its_own),
      cmocka_unit_test(gates_need_the_whole_interval),
      cmocka_unit_test(a_lone_median_is_never_announced),
      cmocka_unit_test(the_set_of_best_is_the_answer),
      cmocka_unit_test(other_axes_are_not_pooled),
      cmocka_unit_test(a_capacity_is_the_servers_or_a_bound),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
