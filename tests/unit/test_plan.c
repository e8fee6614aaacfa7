/* test_plan.c: cells, labels, the order of launches; what fits a budget (pace.h). */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "bench/data/stats.h"
#include "bench/plan/pace.h"
#include "common/clock.h"
#include "tests/run_experiment.h"

static const char two_by_three[] =
    "{\"servers\": [\"a\", \"b\", \"c\"], \"baseline\": \"a\", \"blocks\": 8, \"seed\": 7, "
    "\"count\": "
    "\"0s\","
    " \"load\": {\"connections\": [1, 100], \"depth\": [1, 4, 16], \"think\": \"1ms\"}}";

static void a_launch_holds_every_label_once(void **state) {
  (void)state;
  struct experiment *e = test_experiment(two_by_three);
  struct plan *plan = plan_new(e, NULL);
  assert_int_equal(plan->cell_count, 6);
  assert_int_equal(plan->label_count, 4); /* the twin */
  assert_int_equal(plan->twin, 3);
  assert_string_equal(plan->labels[3].name, "a-twin");
  assert_string_equal(plan->cells[0].id, "connections=1;depth=1");
  assert_string_equal(plan->cells[5].id, "connections=100;depth=16");
  assert_string_equal(plan->cells[0].params, "think=1ms");
  int in_order = 0;
  int number = 0;
  for (int block = 1; block <= 8; block++)
    for (int cell = 0; cell < 6; cell++) {
      struct plan_trial trials[4];
      unsigned seen = 0;
      bool sorted = true;
      plan_launch(plan, cell, block, trials);
      for (int k = 0; k < 4; k++) {
        assert_int_equal(trials[k].number, ++number);
        assert_int_equal(trials[k].cell, cell);
        assert_int_equal(trials[k].block, block);
        seen |= 1u << trials[k].label;
        sorted = sorted && trials[k].label == k;
      }
      assert_int_equal(seen, 15);
      in_order += sorted;
    }
  assert_in_range(in_order, 0, 12); /* of 48; by chance 2 */
  plan_free(plan);
  experiment_free(e);
}

/* The order of a launch depends on the seed, the cell and the launch alone. */
static void the_order_follows_from_the_seed(void **state) {
  (void)state;
  struct experiment *e = test_experiment(two_by_three);
  struct experiment *f = test_experiment(two_by_three);
  f->seed = 8;
  struct plan *one = plan_new(e, NULL);
  struct plan *two = plan_new(e, NULL);
  struct plan *other = plan_new(f, NULL);
  int differ = 0;
  for (int block = 8; block >= 1; block--)
    for (int cell = 0; cell < 6; cell++) {
      struct plan_trial a[4];
      struct plan_trial b[4];
      struct plan_trial c[4];
      plan_launch(one, cell, block, a);
      plan_launch(two, cell, block, b);
      plan_launch(other, cell, block, c);
      for (int k = 0; k < 4; k++) {
        assert_int_equal(a[k].label, b[k].label);
        differ += a[k].label != c[k].label;
      }
    }
  assert_in_range(differ, 6 * 8 * 4 / 2, 6 * 8 * 4);
  plan_free(one);
  plan_free(two);
  plan_free(other);
  experiment_free(e);
  experiment_free(f);
}

/* Each label is in each place of a launch about equally often. */
static void the_order_is_fair(void **state) {
  (void)state;
  struct experiment *e = test_experiment(two_by_three);
  int at[4][4] = {{0}};
  struct plan *plan = plan_new(e, NULL);
  for (int seed = 0; seed < 100; seed++)
    for (int block = 1; block <= 8; block++)
      for (int cell = 0; cell < 6; cell++) {
        struct plan_trial trials[4];
        e->seed = seed;
        plan_launch(plan, cell, block, trials);
        for (int k = 0; k < 4; k++)
          at[k][trials[k].label]++;
      }
  for (int place = 0; place < 4; place++)
    for (int label = 0; label < 4; label++) /* of 4800; the deviation is 30 */
      assert_in_range(at[place][label], 1050, 1350);
  plan_free(plan);
  experiment_free(e);
}

static void a_row_is_found_again(void **state) {
  (void)state;
  struct experiment *e = test_experiment(two_by_three);
  struct plan *plan = plan_new(e, NULL);
  for (int block = 1; block <= 3; block++)
    for (int cell = 0; cell < 6; cell++) {
      struct plan_trial trials[4];
      plan_launch(plan, cell, block, trials);
      for (int k = 0; k < 4; k++) {
        struct row row = {0};
        struct plan_trial found;
        row_set(&row, COL_trial, "%d", trials[k].number);
        row_set(&row, COL_label, "%s", plan->labels[trials[k].label].name);
        assert_true(plan_find(plan, &row, &found));
        assert_memory_equal(&found, &trials[k], sizeof found);
        row_set(&row, COL_label, "nobody");
        assert_false(plan_find(plan, &row, &found));
        row_clear(&row);
      }
    }
  static const char *const numbers[] = {"", "0", "-1", "1e99", "nan", "99999999999"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct row row = {0};
    struct plan_trial found;
    row_set(&row, COL_trial, "%s", numbers[i]);
    row_set(&row, COL_label, "a");
    assert_false(plan_find(plan, &row, &found));
    row_clear(&row);
  }
  plan_free(plan);
  experiment_free(e);
}

static char *skip_b(const struct experiment *e, const struct plan_cell *cell,
                    const struct experiment_server *server) {
  (void)e;
  (void)cell;
  return strcmp(server->label, "b") == 0 ? strdup("because") : NULL;
}

static void skipped_labels_stay_in_the_plan(void **state) {
  (void)state;
  struct experiment *e = test_experiment(two_by_three);
  struct plan *plan = plan_new(e, skip_b);
  for (int cell = 0; cell < plan->cell_count; cell++) {
    assert_int_equal(plan->cells[cell].running, 3);
    for (int label = 0; label < plan->label_count; label++)
      assert_int_equal(plan->cells[cell].skip[label] != NULL,
                       strcmp(plan->labels[label].name, "b") == 0);
  }
  plan_free(plan);
  experiment_free(e);
}

static void what_is_moot_makes_no_cells(void **state) {
  (void)state;
  struct experiment *e =
      test_experiment("{\"servers\": [\"a\"], \"blocks\": 1, \"serve\": {\"accept\": "
                      "[\"reuseport\", \"shared\", \"handoff\"], \"workers\": [1, 2, 4]}}");
  struct plan *plan = plan_new(e, NULL);
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

/* ---- Pace -------------------------------------------------------------------------------------
 */

static struct experiment *with_servers(const char *keys, int servers) {
  char json[8192];
  snprintf(json, sizeof json, "{%s, \"servers\": [", keys);
  for (int i = 0; i < servers; i++)
    snprintf(json + strlen(json), sizeof json - strlen(json), "%s\"s%d\"", i > 0 ? "," : "", i);
  strcat(json, "], \"baseline\": \"s0\"}");
  return test_experiment(json);
}

static void a_budget_holds_for_any_number_of_servers(void **state) {
  (void)state;
  static const char *const methods[] = {"slices", "fresh"};
  for (int i = 0; i < 2; i++)
    for (int servers = 1; servers <= 30; servers++) {
      char keys[256];
      snprintf(keys, sizeof keys,
               "\"method\": \"%s\", \"budget\": \"10min\", \"blocks\": 200, \"count\": \"0s\", "
               "\"load\": {\"connections\": [1, 100, 1000, 10000], \"duration\": \"2s\"}",
               methods[i]);
      struct experiment *e = with_servers(keys, servers);
      struct plan *plan = plan_new(e, NULL);
      struct pace *pace = pace_new(plan);
      assert_in_range(pace_launches(pace, plan), 1, 200);
      assert_in_range(pace_run_ns(pace, plan), MUX_S, e->budget_ns);
      for (int cell = 0; cell < plan->cell_count; cell++) {
        assert_in_range(pace->cells[cell].rounds, 1, 20);
        if (i == 1)
          assert_in_range(pace->cells[cell].duration_ns, e->min_duration_ns, 2 * MUX_S);
      }
      pace_free(pace);
      plan_free(plan);
      experiment_free(e);
    }
}

/* With little time it is launches that are kept, down to the six that a claim takes. */
static void rounds_give_way_to_launches(void **state) {
  (void)state;
  struct experiment *e = with_servers(
      "\"budget\": \"30s\", \"blocks\": 200, \"count\": \"0s\", \"load\": {\"connections\": 100}",
      4);
  struct plan *plan = plan_new(e, NULL);
  struct pace *pace = pace_new(plan);
  int before = pace->cells[0].launches;
  int rounds = pace->cells[0].rounds;
  assert_in_range(before, STATS_BLOCKS_MIN, 200);
  for (int64_t left_s = 25; left_s >= 6; left_s--) {
    pace_fit(pace, plan, 0, left_s * MUX_S);
    assert_in_range(pace->cells[0].launches, STATS_BLOCKS_MIN, before);
    assert_in_range(pace->cells[0].rounds, 1, rounds);
    before = pace->cells[0].launches;
  }
  pace_fit(pace, plan, before, 0); /* nothing is left */
  assert_int_equal(pace->cells[0].launches, before);
  pace_free(pace);
  plan_free(plan);
  experiment_free(e);
}

/* A claim where there is room for one comes before a look at everything. */
static void cheap_cells_have_their_claims_first(void **state) {
  (void)state;
  struct experiment *e = with_servers(
      "\"budget\": \"1min\", \"blocks\": 200, \"load\": {\"connections\": [10000, 100]}", 8);
  struct plan *plan = plan_new(e, NULL);
  struct pace *pace = pace_new(plan);
  assert_in_range(pace->cells[0].launches, 1, STATS_BLOCKS_MIN - 1);
  assert_in_range(pace->cells[1].launches, STATS_BLOCKS_MIN, 200);
  assert_int_equal(pace_launches(pace, plan), pace->cells[1].launches);
  pace->cells[1].precise = true; /* then the other one has it all */
  int before = pace->cells[0].launches;
  pace_fit(pace, plan, 1, 55 * MUX_S);
  assert_true(pace->cells[0].launches > before);
  pace_free(pace);
  plan_free(plan);
  experiment_free(e);
}

/* What really took longer leaves less to do. */
static void costs_that_were_seen_count(void **state) {
  (void)state;
  struct experiment *e =
      with_servers("\"budget\": \"60s\", \"blocks\": 200, \"load\": {\"connections\": 100}", 4);
  struct plan *plan = plan_new(e, NULL);
  struct pace *pace = pace_new(plan);
  int planned = pace->cells[0].launches;
  pace->cells[0].overhead_ns *= 3;
  pace->cells[0].round_ns *= 3;
  pace_fit(pace, plan, 1, 50 * MUX_S);
  assert_true(pace->cells[0].launches < planned);
  pace_free(pace);
  plan_free(plan);
  experiment_free(e);
}

static void the_baseline_has_root_k_turns(void **state) {
  (void)state;
  static const int expected[] = {1, 1, 1, 2, 2, 2, 2, 3, 3, 3};
  for (int servers = 1; servers <= 10; servers++) {
    struct experiment *e = with_servers("\"load\": {\"connections\": 10}", servers);
    struct plan *plan = plan_new(e, NULL);
    struct pace *pace = pace_new(plan);
    assert_int_equal(pace->cells[0].turns, expected[servers - 1]);
    pace_free(pace);
    plan_free(plan);
    experiment_free(e);
  }
}

/* Short connections leave TIME_WAIT behind: they are not sliced. */
static void short_connections_are_measured_alone(void **state) {
  (void)state;
  struct experiment *e =
      with_servers("\"load\": {\"connections\": 10, \"mode\": [\"echo\", \"crr\"]}", 2);
  struct plan *plan = plan_new(e, NULL);
  struct pace *pace = pace_new(plan);
  assert_true(pace->cells[0].slices);
  assert_false(pace->cells[1].slices);
  assert_int_equal(pace->cells[1].duration_ns, 2 * MUX_S);
  pace_free(pace);
  plan_free(plan);
  experiment_free(e);
}

static void many_cells_are_planned_at_once(void **state) {
  (void)state;
  struct experiment *e =
      with_servers("\"blocks\": 200, \"load\": {\"connections\": [1,2,3,4,5,6,7,8], \"payload\": "
                   "[8,16,32,64,128,256,512,1024]}",
                   20);
  int64_t began_ns = mux_thread_cpu_ns();
  struct plan *plan = plan_new(e, NULL);
  struct pace *pace = pace_new(plan);
  struct plan_trial trials[21];
  for (int block = 1; block <= 200; block++)
    for (int cell = 0; cell < 64; cell++)
      plan_launch(plan, cell, block, trials);
  assert_int_equal(trials[20].number, 64 * 21 * 200);
  assert_in_range(mux_thread_cpu_ns() - began_ns, 0, MUX_S); /* 50 ms; quadratic it took 18 s */
  pace_free(pace);
  plan_free(plan);
  experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_launch_holds_every_label_once),
      cmocka_unit_test(the_order_follows_from_the_seed),
      cmocka_unit_test(the_order_is_fair),
      cmocka_unit_test(a_row_is_found_again),
      cmocka_unit_test(skipped_labels_stay_in_the_plan),
      cmocka_unit_test(what_is_moot_makes_no_cells),
      cmocka_unit_test(a_budget_holds_for_any_number_of_servers),
      cmocka_unit_test(rounds_give_way_to_launches),
      cmocka_unit_test(cheap_cells_have_their_claims_first),
      cmocka_unit_test(costs_that_were_seen_count),
      cmocka_unit_test(the_baseline_has_root_k_turns),
      cmocka_unit_test(short_connections_are_measured_alone),
      cmocka_unit_test(many_cells_are_planned_at_once),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
