/* plan_time.c: how long trials take, and how to make them fit a budget.
 *
 * The estimates are readings on the project's kind of machine (2 cores), rounded up; while a run is
 * on, what trials really took corrects them (overhead_scale), so the budget holds on others too. */
#include "bench/plan/plan.h"

#include "common/addr.h"
#include "common/clock.h"

/* Start and stop of a server and a load process, their files, the snapshots. */
#define TRIAL_NS (80 * MUX_MS)
/* Connecting, accepting, closing, draining, per connection. A thread per connection included. */
#define CONNECTION_NS (60 * MUX_US)
/* Once per server and kind of socket: the conformance gate. Once per number of connections and
 * payload: the floor. */
#define GATE_NS  (500 * MUX_MS)
#define FLOOR_NS (250 * MUX_MS)
/* The short phase for counting has a warm-up of its own and connects again. */
#define COUNT_WARMUP_NS (100 * MUX_MS)
/* Of a budget, kept for everything that is not a trial. */
#define RESERVE_PERCENT 8

static int64_t number_in(const struct plan *plan, const struct plan_cell *cell, const char *key) {
  const struct experiment_value *value = plan_value(plan, cell, NULL, OPTION_LOAD, key);
  return value != NULL ? value->number : 0;
}

void plan_estimate_overheads(struct plan *plan) {
  int64_t count_ns = plan->experiment->count_ns;
  for (int i = 0; i < plan->cell_count; i++) {
    struct plan_cell *cell = &plan->cells[i];
    int64_t connections = number_in(plan, cell, "connections") + number_in(plan, cell, "idle");
    int64_t once = TRIAL_NS + connections * CONNECTION_NS;
    cell->overhead_ns = once;
    if (count_ns > 0)
      cell->overhead_ns += once + COUNT_WARMUP_NS + count_ns;
  }
}

static int kinds_of_socket(const struct plan *plan) {
  unsigned seen = 0;
  for (int i = 0; i < plan->cell_count; i++) {
    const struct experiment_value *listen =
        plan_value(plan, &plan->cells[i], NULL, OPTION_SERVE, "listen");
    struct mux_addr addr = {.kind = MUX_ADDR_TCP};
    char why[160];
    if (listen == NULL || mux_addr_parse(&addr, listen->text, true, why, sizeof why) == 0)
      seen |= 1u << addr.kind;
  }
  return __builtin_popcount(seen);
}

/* What the run does once beside its trials. */
static int64_t plan_once_ns(const struct plan *plan) {
  int64_t total_ns = plan->experiment->server_count * kinds_of_socket(plan) * GATE_NS;
  for (int i = 0; i < plan->cell_count; i++)
    total_ns += FLOOR_NS + number_in(plan, &plan->cells[i], "connections") * CONNECTION_NS;
  return total_ns;
}

int64_t plan_usable_ns(int64_t budget_ns) {
  return budget_ns - budget_ns * RESERVE_PERCENT / 100;
}

struct plan_times plan_times_for(const struct plan *plan, const struct plan_cell *cell, int first,
                                 int64_t left_ns, double overhead_scale, bool *fits) {
  struct plan_times times = {.warmup_ns = number_in(plan, cell, "warmup"),
                             .duration_ns = number_in(plan, cell, "duration")};
  *fits = true;
  if (plan->experiment->budget_ns == 0)
    return times;
  int64_t overhead_ns = 0;
  int trials = 0;
  for (int i = first; i < plan->trial_count; i++)
    if (plan->trials[i].skip == NULL) {
      overhead_ns += plan->cells[plan->trials[i].cell].overhead_ns;
      trials++;
    }
  if (first == 0)
    overhead_ns += plan_once_ns(plan);
  int64_t each_ns =
      trials > 0 ? (left_ns - (int64_t)((double)overhead_ns * overhead_scale)) / trials : 0;
  int64_t wanted_ns = times.warmup_ns + times.duration_ns;
  if (each_ns >= wanted_ns)
    return times;
  /* Warm-up shrinks in proportion, but keeps a sixth of the time. */
  if (times.warmup_ns > each_ns / 6)
    times.warmup_ns = each_ns > 0 ? each_ns / 6 : 0;
  times.duration_ns = (each_ns - times.warmup_ns) / MUX_MS * MUX_MS;
  times.warmup_ns = times.warmup_ns / MUX_MS * MUX_MS;
  if (times.duration_ns < plan->experiment->min_duration_ns) {
    *fits = false;
    times.duration_ns = plan->experiment->min_duration_ns;
    times.warmup_ns = times.duration_ns / 5;
  }
  return times;
}

int plan_fit_budget(const struct experiment *experiment, plan_skip_rule skip) {
  int blocks = experiment->blocks;
  bool fits = false;
  while (!fits && blocks > 1) {
    struct plan *plan = plan_new(experiment, blocks, skip);
    plan_times_for(plan, &plan->cells[0], 0, plan_usable_ns(experiment->budget_ns), 1, &fits);
    plan_free(plan);
    if (!fits)
      blocks--;
  }
  return blocks;
}

int64_t plan_estimate_ns(const struct plan *plan) {
  int64_t total_ns = plan_once_ns(plan);
  int64_t usable_ns = plan_usable_ns(plan->experiment->budget_ns);
  for (int i = 0; i < plan->trial_count; i++) {
    const struct plan_trial *trial = &plan->trials[i];
    if (trial->skip != NULL)
      continue;
    const struct plan_cell *cell = &plan->cells[trial->cell];
    bool fits;
    struct plan_times times = plan_times_for(plan, cell, 0, usable_ns, 1, &fits);
    total_ns += cell->overhead_ns + times.warmup_ns + times.duration_ns;
  }
  return total_ns;
}
