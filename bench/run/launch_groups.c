/* launch_groups.c: see launch_groups.h. The limits are a share of what the host has, as others live
 * on it, too. Sources: proc(5), Documentation/admin-guide/sysctl/kernel.rst. */
#include "bench/run/launch_groups.h"

#include <stdlib.h>
#include <string.h>

#include "bench/plan/servers.h"
#include "bench/run/trial_columns.h"
#include "common/memory.h"
#include "common/proc.h"

static const double share = 0.7; /* of what is free, for a group */
/* Kernel and user memory of a connection (both ends), of a thread, of a process; generous. */
enum { CONNECTION_BYTES = 12 << 10, TASK_BYTES = 160 << 10 };

struct need {
  double tasks, bytes;
};

static struct need host_has(void) {
  char text[4096];
  double pids = mux_proc_count("/proc/sys/kernel/pid_max");
  double threads = mux_proc_count("/proc/sys/kernel/threads-max");
  int64_t free_kb = mux_proc_read("/proc/meminfo", text, sizeof text) > 0
                        ? mux_proc_number(text, "MemAvailable")
                        : -1;
  struct need has = {.tasks = share * (pids < threads ? pids : threads),
                     .bytes = share * (double)free_kb * 1024};
  return has;
}

static struct need needed_by(const struct launch *launch, const struct plan_trial *trial) {
  const struct plan *plan = launch->setting->plan;
  double connections =
      (double)(trial_number(plan, trial, "connections") + trial_number(plan, trial, "idle"));
  double tasks =
      servers_tasks(plan->experiment, &plan->cells[trial->cell], plan->labels[trial->label].server);
  return (struct need){.tasks = tasks,
                       .bytes = connections * CONNECTION_BYTES + tasks * TASK_BYTES};
}

static struct trial *add_trial(struct launch *launch, const struct plan_trial *plan, int group) {
  struct trial *trial = &launch->trials[launch->count++];
  trial->plan = *plan;
  trial->group = group;
  return trial;
}

void launch_group(struct launch *launch, const struct plan_trial *order) {
  const struct plan *plan = launch->setting->plan;
  struct need has = host_has();
  struct need base = {0};
  struct need used;
  int group = 1;
  launch->trials = mux_new(2 * (size_t)plan->label_count, sizeof *launch->trials);
  launch->count = 0;
  for (int i = 0; i < plan->label_count; i++)
    if (order[i].label == plan->baseline)
      base = needed_by(launch, &order[i]);
  used = base;
  for (int i = 0; i < plan->label_count; i++) {
    struct need need = needed_by(launch, &order[i]);
    bool is_baseline = order[i].label == plan->baseline;
    bool empty = launch->count == 0 || launch->trials[launch->count - 1].group != group;
    bool fits = used.tasks + need.tasks <= has.tasks && used.bytes + need.bytes <= has.bytes;
    bool runs = plan->cells[launch->cell].skip[order[i].label] == NULL;
    if (!launch->pace->slices) {
      add_trial(launch, &order[i], i + 1);
      continue;
    }
    if (runs && !is_baseline && !fits && !empty) {
      group++;
      used = base;
    }
    add_trial(launch, &order[i], is_baseline ? 1 : group);
    if (runs && !is_baseline) {
      used.tasks += need.tasks;
      used.bytes += need.bytes;
    }
  }
  for (int i = 0; i < plan->label_count; i++)
    for (int more = 2; launch->pace->slices && order[i].label == plan->baseline && more <= group;
         more++)
      add_trial(launch, &order[i], more)->repeated = true;
}

int launch_group_count(const struct launch *launch) {
  int groups = 1;
  for (int i = 0; i < launch->count; i++)
    groups = launch->trials[i].group > groups ? launch->trials[i].group : groups;
  return groups;
}
