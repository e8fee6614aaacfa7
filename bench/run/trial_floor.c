/* trial_floor.c: see trial_floor.h. */
#include "bench/run/trial_floor.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/run/trial_columns.h"
#include "common/clock.h"

#define START_LIMIT_NS (20 * MUX_S)
#define SLICE_LIMIT_NS (10 * MUX_S)
#define SLICE_NS       (15 * MUX_MS) /* it has no luck of its own: short ones do */

int trial_floor_start(const struct trial_setting *setting, const struct plan_trial *trial,
                      struct session *session) {
  const struct plan *plan = setting->plan;
  char words[5][RUNDIR_PATH + 16];
  char cpus[MUX_CPUS_TEXT];
  char log[RUNDIR_PATH];
  session_init(session, setting->stop_fd);
  if (strcmp(trial_text(plan, trial, OPTION_LOAD, "mode"), "echo") != 0)
    return -EOPNOTSUPP;
  snprintf(words[0], sizeof words[0], "--connections=%s",
           trial_text(plan, trial, OPTION_LOAD, "connections"));
  snprintf(words[1], sizeof words[1], "--payload=%s",
           trial_text(plan, trial, OPTION_LOAD, "payload"));
  snprintf(words[2], sizeof words[2], "--listen=%s",
           trial_text(plan, trial, OPTION_SERVE, "listen"));
  snprintf(words[3], sizeof words[3], "--cpus=%s", mux_cpus_print(cpus, &setting->server_cpus));
  snprintf(words[4], sizeof words[4], "--load-cpus=%s", mux_cpus_print(cpus, &setting->load_cpus));
  const char *argv[] = {"muxbench", "floor",  "--events-fd", "3",      "--control", "4",
                        words[0],   words[1], words[2],      words[3], words[4],    NULL};
  int rc = session_start(session, argv, NULL, rundir_file(setting->dir, log, "logs/floor.log"));
  if (rc == 0)
    rc = session_connected(session, START_LIMIT_NS);
  if (rc != 0)
    session_close(session);
  return rc;
}

int trial_floor_slice(const struct trial_setting *setting, struct session *session,
                      const struct pace_cell *pace, struct slice *slice) {
  struct mux_order order = {.duration_ns = SLICE_NS};
  struct mux_answer answer;
  (void)setting;
  (void)pace;
  int rc = session_slice(session, &order, SLICE_LIMIT_NS, &answer);
  if (rc == 0)
    *slice = (struct slice){.kind = SLICE_FLOOR,
                            .label = -1,
                            .duration_s = (double)answer.duration_ns / 1e9,
                            .completed = answer.completed,
                            .server_cpu_s = (double)answer.server_ns / 1e9,
                            .client_cpu_s = NAN,
                            .offered_per_s = NAN,
                            .late = NAN};
  return rc;
}

void trial_floor_columns(struct row *row, double floor_us) {
  if (strcmp(row_text(row, COL_mode), "echo") != 0 || !row_has_result(row))
    return;
  double server_us = row_number(row, COL_server_cpu_us_per_req);
  row_set_number(row, COL_floor_us, floor_us);
  row_set_number(row, COL_floor_ratio, server_us / floor_us);
  if (server_us < floor_us) /* nothing can cost less than its own system calls */
    row_flag(row, "floor_broken");
}
