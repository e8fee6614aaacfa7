/* test_plan.c: the order of trials, the budget, and the verdicts that follow from rows. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/plan.h"
#include "bench/results/summary.h"
#include "common/clock.h"

static void locate(const struct experiment_source *source, const char *key, char *out,
                   size_t out_bytes) {
  (void)source;
  snprintf(out, out_bytes, "%s", key);
}

static struct experiment *experiment_of(const char *json) {
  struct experiment_source source = {.locate = locate};
  char why[512] = "";
  json_error_t error;
  json_t *tree = json_loads(json, 0, &error);
  if (tree == NULL)
    fail_msg("%s", error.text);
  struct experiment *e = experiment_from_json(tree, "test", &source, why, sizeof why);
  if (e == NULL)
    fail_msg("%s", why);
  json_decref(tree);
  return e;
}

static const char two_by_three[] =
    "{\"servers\": [\"a\", \"b\", \"c\"], \"baseline\": \"a\", \"blocks\": 8, \"seed\": 7, "
    "\"count\": "
    "\"0s\","
    " \"load\": {\"connections\": [1, 100], \"depth\": [1, 4, 16], \"think\": \"1ms\"}}";

static void blocks_hold_every_label_once(void **state) {
  (void)state;
  struct experiment *e = experiment_of(two_by_three);
  struct plan *plan = plan_new(e, e->blocks, NULL);
  assert_int_equal(plan->cell_count, 6);
  assert_int_equal(plan->label_count, 4); /* the twin */
  assert_int_equal(plan->twin, 3);
  assert_string_equal(plan->labels[3].name, "a-twin");
  assert_int_equal(plan->trial_count, 6 * 4 * 8);
  assert_string_equal(plan->cells[0].id, "connections=1;depth=1");
  assert_string_equal(plan->cells[5].id, "connections=100;depth=16");
  assert_string_equal(plan->cells[0].params, "think=1ms");
  int in_order = 0;
  for (int i = 0; i < plan->trial_count; i += 4) {
    unsigned seen = 0;
    bool sorted = true;
    for (int k = 0; k < 4; k++) {
      const struct plan_trial *trial = &plan->trials[i + k];
      assert_int_equal(trial->number, i + k + 1);
      assert_int_equal(trial->cell, i / 4 % 6);
      assert_int_equal(trial->block, i / 24 + 1);
      seen |= 1u << trial->label;
      sorted = sorted && trial->label == k;
    }
    assert_int_equal(seen, 15);
    in_order += sorted;
  }
  assert_in_range(in_order, 0, 12); /* of 48; by chance 2 */
  plan_free(plan);
  experiment_free(e);
}

static void the_order_follows_from_the_seed(void **state) {
  (void)state;
  struct experiment *e = experiment_of(two_by_three);
  struct plan *one = plan_new(e, 8, NULL);
  struct plan *two = plan_new(e, 8, NULL);
  e->seed = 8;
  struct plan *other = plan_new(e, 8, NULL);
  int differ = 0;
  for (int i = 0; i < one->trial_count; i++) {
    assert_int_equal(one->trials[i].label, two->trials[i].label);
    differ += one->trials[i].label != other->trials[i].label;
  }
  assert_in_range(differ, one->trial_count / 2, one->trial_count);
  plan_free(one);
  plan_free(two);
  plan_free(other);
  experiment_free(e);
}

/* Each label is in each place of a block about equally often. */
static void the_order_is_fair(void **state) {
  (void)state;
  struct experiment *e = experiment_of(two_by_three);
  int at[4][4] = {{0}};
  for (int seed = 0; seed < 100; seed++) {
    e->seed = seed;
    struct plan *plan = plan_new(e, 8, NULL);
    for (int i = 0; i < plan->trial_count; i++)
      at[i % 4][plan->trials[i].label]++;
    plan_free(plan);
  }
  for (int place = 0; place < 4; place++)
    for (int label = 0; label < 4; label++) /* of 4800; the deviation is 30 */
      assert_in_range(at[place][label], 1050, 1350);
  experiment_free(e);
}

static void a_budget_holds_for_any_number_of_servers(void **state) {
  (void)state;
  for (int servers = 1; servers <= 40; servers++) {
    char json[4096] = "{\"budget\": \"2min\", \"blocks\": 3, \"count\": \"0s\", \"load\": {"
                      "\"connections\": [1, 100, 1000, 10000], \"duration\": \"2s\"}, "
                      "\"servers\": [";
    for (int i = 0; i < servers; i++)
      snprintf(json + strlen(json), sizeof json - strlen(json), "%s\"s%d\"", i > 0 ? "," : "", i);
    strcat(json, "]}");
    struct experiment *e = experiment_of(json);
    int blocks = plan_fit_budget(e, NULL);
    struct plan *plan = plan_new(e, blocks, NULL);
    assert_in_range(blocks, 1, 3);
    assert_in_range(plan_estimate_ns(plan), MUX_S, e->budget_ns);
    bool fits;
    struct plan_times times =
        plan_times_for(plan, &plan->cells[3], 0, plan_usable_ns(e->budget_ns), 1, &fits);
    assert_true(fits);
    assert_in_range(times.duration_ns, e->min_duration_ns, 2 * MUX_S);
    plan_free(plan);
    experiment_free(e);
  }
}

static void late_trials_get_less_and_never_below_the_least(void **state) {
  (void)state;
  struct experiment *e = experiment_of("{\"budget\": \"20s\", \"blocks\": 3, \"count\": \"0s\", "
                                       "\"load\": {\"connections\": 10}, \"servers\": [\"a\", "
                                       "\"b\"]}");
  struct plan *plan = plan_new(e, 3, NULL);
  bool fits;
  int64_t before_ns = INT64_MAX;
  for (int64_t left_s = 15; left_s >= 0; left_s--) {
    struct plan_times times = plan_times_for(plan, &plan->cells[0], 1, left_s * MUX_S, 1, &fits);
    assert_true(times.duration_ns <= before_ns);
    assert_true(times.duration_ns >= e->min_duration_ns);
    before_ns = times.duration_ns;
  }
  assert_false(fits);
  plan_free(plan);
  experiment_free(e);
}

static char *skip_b(const struct experiment *e, const struct plan_cell *cell,
                    const struct experiment_server *server) {
  (void)e;
  (void)cell;
  return strcmp(server->label, "b") == 0 ? strdup("because") : NULL;
}

static void skipped_trials_stay_in_the_plan(void **state) {
  (void)state;
  struct experiment *e = experiment_of(two_by_three);
  struct plan *plan = plan_new(e, 8, skip_b);
  int skipped = 0;
  for (int i = 0; i < plan->trial_count; i++)
    skipped += plan->trials[i].skip != NULL;
  assert_int_equal(skipped, 6 * 8);
  plan_free(plan);
  experiment_free(e);
}

static void what_is_moot_makes_no_cells(void **state) {
  (void)state;
  struct experiment *e =
      experiment_of("{\"servers\": [\"a\"], \"blocks\": 1, \"serve\": {\"accept\": "
                    "[\"reuseport\", \"shared\", \"handoff\"], \"workers\": [1, 2, 4]}}");
  struct plan *plan = plan_new(e, 1, NULL);
  assert_int_equal(plan->cell_count, 1 + 2 * 3);
  int alone = 0;
  for (int i = 0; i < plan->cell_count; i++) {
    const struct plan_cell *cell = &plan->cells[i];
    bool one = strcmp(cell->id, "workers=1") == 0;
    alone += one;
    assert_int_equal(strstr(cell->id, "accept=") != NULL, !one);
    assert_int_equal(strstr(cell->params, "accept=") != NULL, !one);
    assert_int_equal(plan_value(plan, cell, NULL, OPTION_SERVE, "accept") != NULL, !one);
  }
  assert_int_equal(alone, 1);
  plan_free(plan);
  experiment_free(e);
}

/* ---- Verdicts ---------------------------------------------------------------------------------
 */

/* Nearly normal, mean 0, deviation 1. */
static double noise(void) {
  double sum = 0;
  for (int i = 0; i < 12; i++)
    sum += (double)(test_random() >> 11) / 9007199254740992.0;
  return sum - 6;
}

/* Rows of all trials: `cost` per label, times block noise that all share, times noise of each. */
static struct rows simulate(const struct plan *plan, const double *cost, double spread) {
  struct rows rows = {0};
  double block = 1;
  for (int i = 0; i < plan->trial_count; i++) {
    const struct plan_trial *trial = &plan->trials[i];
    struct row row = {0};
    if (i % plan->label_count == 0)
      block = exp(0.1 * noise());
    row_set(&row, COL_trial, "%d", trial->number);
    row_set(&row, COL_status, "ok");
    row_set_number(&row, COL_server_cpu_us_per_req,
                   cost[trial->label] * block * exp(spread * noise()));
    rows_add(&rows, &row);
  }
  return rows;
}

static int metric_of(const char *column) {
  return (int)(summary_metric_find(column) - summary_metrics);
}

static const char one_cell[] =
    "{\"servers\": [\"a\", \"b\", \"c\"], \"baseline\": \"a\", \"blocks\": 10, \"seed\": 1}";

/* Nothing differs: in at most 1 of 20 runs may anything be called different. */
static void twins_are_not_told_apart(void **state) {
  (void)state;
  enum { RUNS = 400 };
  static const double cost[] = {4, 4, 4, 4};
  int metric = metric_of("server_cpu_us_per_req");
  struct experiment *e = experiment_of(one_cell);
  struct plan *plan = plan_new(e, 10, NULL);
  int called = 0;
  for (int run = 0; run < RUNS; run++) {
    struct rows rows = simulate(plan, cost, 0.02);
    struct summary *s = summary_new(plan, &rows);
    const struct summary_entry *twin = summary_at(s, 0, metric, plan->twin);
    assert_true(twin->delta > 0);
    called += twin->verdict == VERDICT_BETTER || twin->verdict == VERDICT_WORSE;
    summary_free(s);
    rows_free(&rows);
  }
  assert_in_range(called, 0, RUNS / 20);
  plan_free(plan);
  experiment_free(e);
}

/* 5 % are found with 10 blocks when trials scatter by 1 %, and the others are left alone. */
static void a_slower_server_is_found(void **state) {
  (void)state;
  enum { RUNS = 100 };
  static const double cost[] = {4, 4.2, 4, 4};
  int metric = metric_of("server_cpu_us_per_req");
  struct experiment *e = experiment_of(one_cell);
  struct plan *plan = plan_new(e, 10, NULL);
  int found = 0;
  int wrong = 0;
  for (int run = 0; run < RUNS; run++) {
    struct rows rows = simulate(plan, cost, 0.01);
    struct summary *s = summary_new(plan, &rows);
    const struct summary_entry *slow = summary_at(s, 0, metric, 1);
    found += slow->verdict == VERDICT_WORSE && slow->ratio > 1.02 && slow->ratio < 1.08;
    wrong += slow->verdict == VERDICT_BETTER;
    assert_int_equal(summary_at(s, 0, metric, 0)->verdict, VERDICT_BASELINE);
    summary_free(s);
    rows_free(&rows);
  }
  assert_in_range(found, RUNS * 95 / 100, RUNS);
  assert_int_equal(wrong, 0);
  plan_free(plan);
  experiment_free(e);
}

static void flags_void_claims(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 4, 4};
  int metric = metric_of("server_cpu_us_per_req");
  struct experiment *e = experiment_of(one_cell);
  struct plan *plan = plan_new(e, 10, NULL);
  struct rows rows = simulate(plan, cost, 0.01);
  for (size_t i = 0; i < rows.count; i++) {
    row_flag(&rows.rows[i], "client_bound"); /* leaves CPU alone */
    if (plan->trials[i].label == 1)
      row_flag(&rows.rows[i], "errors");
  }
  struct summary *s = summary_new(plan, &rows);
  assert_int_equal(summary_at(s, 0, metric, 1)->verdict, VERDICT_VOID);
  assert_int_equal(summary_at(s, 0, metric, 1)->n, 10); /* shown all the same */
  assert_int_not_equal(summary_at(s, 0, metric, 2)->verdict, VERDICT_VOID);
  summary_free(s);
  rows_free(&rows);
  plan_free(plan);
  experiment_free(e);
}

static void few_blocks_claim_nothing(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 4, 4};
  int metric = metric_of("server_cpu_us_per_req");
  struct experiment *e = experiment_of(one_cell);
  struct plan *plan = plan_new(e, 5, NULL);
  struct rows rows = simulate(plan, cost, 0.01);
  struct summary *s = summary_new(plan, &rows);
  const struct summary_entry *entry = summary_at(s, 0, metric, 1);
  assert_int_equal(entry->verdict, VERDICT_NONE);
  assert_true(isnan(entry->ratio_low) && isnan(entry->p_holm) && isnan(entry->low));
  assert_true(fabs(entry->ratio - 2) < 0.1);
  assert_int_equal(entry->rank_low, 0);
  summary_free(s);
  rows_free(&rows);
  plan_free(plan);
  experiment_free(e);
}

/* The best and the worst have a rank to themselves, baseline and twin share the two between. */
static void ranks_are_what_the_intervals_leave_open(void **state) {
  (void)state;
  static const double cost[] = {4, 8, 2, 4};
  static const int lowest[] = {2, 4, 1, 2};
  static const int highest[] = {3, 4, 1, 3};
  int metric = metric_of("server_cpu_us_per_req");
  struct experiment *e = experiment_of(one_cell);
  struct plan *plan = plan_new(e, 10, NULL);
  struct rows rows = simulate(plan, cost, 0.01);
  struct summary *s = summary_new(plan, &rows);
  bool tied = summary_at(s, 0, metric, plan->twin)->verdict == VERDICT_TIE; /* by design 19 of 20 */
  for (int label = 0; label < plan->label_count; label++) {
    const struct summary_entry *entry = summary_at(s, 0, metric, label);
    assert_in_range(entry->rank_low, lowest[label], highest[label]);
    assert_in_range(entry->rank_high, entry->rank_low, highest[label]);
    if (tied)
      assert_int_equal(entry->rank_high - entry->rank_low, highest[label] - lowest[label]);
  }
  summary_free(s);
  rows_free(&rows);
  plan_free(plan);
  experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_hold_every_label_once),
      cmocka_unit_test(the_order_follows_from_the_seed),
      cmocka_unit_test(the_order_is_fair),
      cmocka_unit_test(a_budget_holds_for_any_number_of_servers),
      cmocka_unit_test(late_trials_get_less_and_never_below_the_least),
      cmocka_unit_test(skipped_trials_stay_in_the_plan),
      cmocka_unit_test(what_is_moot_makes_no_cells),
      cmocka_unit_test(twins_are_not_told_apart),
      cmocka_unit_test(a_slower_server_is_found),
      cmocka_unit_test(flags_void_claims),
      cmocka_unit_test(few_blocks_claim_nothing),
      cmocka_unit_test(ranks_are_what_the_intervals_leave_open),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
