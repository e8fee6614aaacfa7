/* trial_load.c: see trial_load.h. */
#include "bench/run/trial_load.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/experiment_options.h"
#include "bench/plan/plan_options.h"
#include "bench/run/trial_columns.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/units.h"

/* Words gathered in one block, so that one free() releases them. */
struct words {
  char **list;
  char *text;
  size_t used, room;
  int count;
};

static void put(struct words *words, const char *format, const char *key, const char *value) {
  int n = snprintf(words->text + words->used, words->room - words->used, format, key, value);
  /* Values are bounded when the experiment is read. */
  assert(n >= 0 && (size_t)n < words->room - words->used && words->count < TRIAL_LOAD_ARGS);
  words->list[words->count++] = words->text + words->used;
  words->used += (size_t)n + 1;
}

/* Options that depend on the trial's times are added separately. */
static bool is_passed(const struct experiment_axis *axis) {
  const char *key = axis->option->key;
  return axis->group == OPTION_LOAD && strcmp(key, "duration") != 0 && strcmp(key, "warmup") != 0 &&
         strcmp(key, "timeout") != 0;
}

/* Six points at least, so that halves can be compared; a second at most. */
static int64_t interval_for(int64_t duration_ns) {
  int64_t interval_ns = duration_ns / 6 / MUX_MS * MUX_MS;
  if (interval_ns < 10 * MUX_MS)
    return 10 * MUX_MS;
  return interval_ns < MUX_S ? interval_ns : MUX_S;
}

char **trial_load_options(const struct plan *plan, const struct plan_trial *trial,
                          const struct pace_cell *pace, const char *cpus, const char *hlog,
                          const char *json) {
  const struct experiment *e = plan->experiment;
  const struct plan_cell *cell = &plan->cells[trial->cell];
  char number[MUX_UNIT_TEXT];
  size_t list_bytes = (TRIAL_LOAD_ARGS + 1) * sizeof(char *);
  size_t room = 64 * 1024;
  char *block = mux_new(1, list_bytes + room);
  struct words words = {.list = (char **)(void *)block, .text = block + list_bytes, .room = room};
  for (int i = 0; i < e->axis_count; i++) {
    const struct experiment_axis *axis = &e->axes[i];
    char word[EXPERIMENT_TEXT + 64];
    if (is_passed(axis) && mux_option_row_word(axis->option, word, sizeof word,
                                               axis->values[cell->choice[i]].text) > 0)
      put(&words, "%s%s", word, "");
  }
  put(&words, "--%s=%s", "duration", mux_print_time(number, pace->duration_ns));
  put(&words, "--%s=%s", "warmup", mux_print_time(number, pace->warmup_ns));
  put(&words, "--%s=%s", "timeout", mux_print_time(number, trial_timeout_ns(plan, trial, pace)));
  if (plan_value(plan, cell, NULL, OPTION_LOAD, "interval") == NULL)
    put(&words, "--%s=%s", "interval", mux_print_time(number, interval_for(pace->duration_ns)));
  snprintf(number, sizeof number, "%d", trial->number);
  put(&words, "--%s=%s", "seed", number);
  if (e->agents != NULL)
    put(&words, "--%s=%s", "agents", e->agents);
  bool own_cpus = e->agents == NULL || CPU_COUNT(&e->load_cpus) > 0; /* not this host's choice */
  if (cpus[0] != 0 && own_cpus)
    put(&words, "--%s=%s", "cpus", cpus);
  if (hlog != NULL)
    put(&words, "--%s=%s", "hlog", hlog);
  if (json != NULL)
    put(&words, "--%s=%s", "json", json);
  return words.list;
}

int64_t trial_load_spin_ns(const struct plan *plan, const struct plan_trial *trial) {
  struct load_options options;
  plan_load_options(plan->experiment, &plan->cells[trial->cell], &options);
  return options.config.spin_ns;
}

int trial_load_columns(struct row *row, const json_t *result) {
  static const struct {
    enum column column;
    const char *path;
  } map[] = {
      {COL_duration_s, "duration_s"},
      {COL_established, "established"},
      {COL_sent, "sent"},
      {COL_completed, "completed"},
      {COL_completed_per_s, "completed_per_s"},
      {COL_bytes_per_s, "bytes_per_s"},
      {COL_in_flight_end, "in_flight_end"},
      {COL_errors_connect, "errors.connect"},
      {COL_errors_reset, "errors.reset"},
      {COL_errors_timeout, "errors.timeout"},
      {COL_errors_mismatch, "errors.mismatch"},
      {COL_errors_closed, "errors.closed"},
      {COL_response_p50_us, "response_us.p50"},
      {COL_response_p90_us, "response_us.p90"},
      {COL_response_p95_us, "response_us.p95"},
      {COL_response_p99_us, "response_us.p99"},
      {COL_response_p999_us, "response_us.p999"},
      {COL_response_max_us, "response_us.max"},
      {COL_service_p50_us, "service_us.p50"},
      {COL_service_p99_us, "service_us.p99"},
      {COL_service_p999_us, "service_us.p999"},
      {COL_slip_p99_us, "slip_us.p99"},
      {COL_connect_p50_us, "connect_us.p50"},
      {COL_connect_p99_us, "connect_us.p99"},
      {COL_connect_max_us, "connect_us.max"},
      {COL_held, "held"},
      {COL_idle_held, "idle_held"}, /* null: UDP */
      {COL_connecting_s, "connecting_s"},
      {COL_closing_s, "closing_s"},
      {COL_fairness_jain, "fairness_jain"},
      {COL_never_served, "never_served"},
      {COL_datagrams_lost, "datagrams.lost"}, /* null: not UDP */
      {COL_datagrams_reordered, "datagrams.reordered"},
      {COL_datagrams_duplicated, "datagrams.duplicated"},
      {COL_datagrams_late, "datagrams.late"},
  };
  if (!json_is_object(result) || isnan(rundir_number(result, "completed")))
    return -EINVAL;
  for (size_t i = 0; i < sizeof map / sizeof *map; i++)
    row_set_number(row, map[i].column, rundir_number(result, map[i].path));
  size_t i;
  json_t *flag;
  json_array_foreach(json_object_get(result, "flags"), i, flag) {
    if (json_is_string(flag))
      row_flag(row, json_string_value(flag));
  }
  return 0;
}
