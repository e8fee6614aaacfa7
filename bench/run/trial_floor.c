/* trial_floor.c: see trial_floor.h. */
#include "bench/run/trial_floor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/run/trial_columns.h"
#include "bench/run/trial_load.h"
#include "common/clock.h"
#include "process/process.h"

#define FLOOR_CPU_NS   (100 * MUX_MS)
#define FLOOR_LIMIT_NS (20 * MUX_S)

/* Runs `muxbench floor`; its result is the file, or nothing. */
static void measure(const struct trial_setting *setting, const struct plan_trial *trial,
                    const struct row *row, const char *path) {
  const struct plan *plan = setting->plan;
  char words[6][RUNDIR_PATH + 16];
  char cpus[MUX_CPUS_TEXT];
  char duration[32];
  int64_t limit_ns = FLOOR_LIMIT_NS;
  snprintf(duration, sizeof duration, "--duration=%lldns", (long long)FLOOR_CPU_NS);
  snprintf(words[0], sizeof words[0], "--connections=%s", row_text(row, COL_connections));
  snprintf(words[1], sizeof words[1], "--payload=%s", row_text(row, COL_payload_bytes));
  snprintf(words[2], sizeof words[2], "--listen=%s",
           trial_text(plan, trial, OPTION_SERVE, "listen"));
  snprintf(words[3], sizeof words[3], "--cpus=%s", mux_cpus_print(cpus, &setting->server_cpus));
  snprintf(words[4], sizeof words[4], "--load-cpus=%s", mux_cpus_print(cpus, &setting->load_cpus));
  snprintf(words[5], sizeof words[5], "--json=%s", path);
  char *argv[] = {"muxbench", "floor",  duration, words[0], words[1],
                  words[2],   words[3], words[4], words[5], NULL};
  struct mux_process_spec spec = {
      .path = "/proc/self/exe", .argv = argv, .stdout_fd = -1, .stderr_fd = -1};
  struct mux_process process;
  if (setting->deadline_ns > 0 && setting->deadline_ns - mux_now_ns() < limit_ns)
    limit_ns = setting->deadline_ns - mux_now_ns();
  if (mux_process_start(&process, &spec) != 0)
    return;
  mux_process_wait(&process, limit_ns);
  mux_process_end(&process);
}

void trial_floor(const struct trial_setting *setting, const struct plan_trial *trial,
                 struct row *row) {
  char name[128];
  char path[RUNDIR_PATH];
  char why[512];
  if (strcmp(row_text(row, COL_mode), "echo") != 0)
    return;
  snprintf(name, sizeof name, "logs/floor.%s.%s.%s.json", row_text(row, COL_transport),
           row_text(row, COL_connections), row_text(row, COL_payload_bytes));
  if (access(rundir_file(setting->dir, path, "%s", name), F_OK) != 0)
    measure(setting, trial, row, path);
  if (access(path, F_OK) != 0)
    return;
  json_t *result = rundir_read_json(setting->dir, name, why, sizeof why);
  double us = rundir_number(result, "floor_us");
  json_decref(result);
  row_set_number(row, COL_floor_us, us);
  row_set_number(row, COL_floor_ratio, row_number(row, COL_server_cpu_us_per_req) / us);
}
