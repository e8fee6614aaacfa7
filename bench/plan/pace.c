/* pace.c: see pace.h.
 *
 * The estimates are readings on the project's kind of machine (2 cores), rounded up. While a run is
 * on, what launches really took replaces them, so the budget holds on others too. */
#include "bench/plan/pace.h"

#include <math.h>
#include <stdlib.h>

#include "bench/data/launch_estimate.h"
#include "bench/data/power.h"
#include "bench/data/stats.h"
#include "common/addr.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/units.h"

/* Starting and ending a server and a load, their files. */
#define START_NS (40 * MUX_MS)
/* Connecting, accepting, closing, draining, per connection. A thread per connection included. */
#define CONNECTION_NS (50 * MUX_US)
/* The conformance gate, once per server and kind of socket; several are asked at a time. */
#define GATE_NS (300 * MUX_MS)
/* Orders and answers of a slice. */
#define SLICE_NS (2 * MUX_MS)
/* Of a budget, kept for files and the report. */
#define RESERVE_PERCENT 6

enum {
  REQUESTS_PER_S = 100000, /* of a closed loop, both cores busy */
  ROUND_TRIPS = 10,        /* of every connection in a slice */
  ROUNDS_MOST = 20,
  SOUGHT_ROUNDS = 30,  /* half of them to come near the rate that is sought */
  SOUGHT_LIMITS = 100, /* a slice in limits of response time: a rate 1 % too high is found out */
};
/* Noise as seen: coefficient of variation of a slice, and of a server from launch to launch. */
static const double slice_cv = .08;
static const double launch_cv = .015;
static const double fresh_cv = .05; /* ... of one that is measured alone, at another time */

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static int64_t connections_of(const struct plan *plan, const struct plan_cell *cell) {
  return plan_number(plan, cell, OPTION_LOAD, "connections", 1) +
         plan_number(plan, cell, OPTION_LOAD, "idle", 0);
}

/* Long enough for every connection to go round some times (a closed loop begins with a batch, which
 * a slice must outlive), or for some hundred messages of an open loop. */
static void set_slice(struct pace_cell *pace, const struct plan *plan,
                      const struct plan_cell *cell) {
  int64_t rate = plan_number(plan, cell, OPTION_LOAD, "rate", 0);
  int64_t active = plan_number(plan, cell, OPTION_LOAD, "connections", 1);
  int64_t depth = plan_number(plan, cell, OPTION_LOAD, "depth", 1);
  int64_t asked_ns = plan->experiment->slice_ns;
  if (pace->seeks) {
    int64_t limit_ns = plan_objective(plan, cell).limit_ns;
    pace->warmup_ns = 20 * MUX_MS;
    pace->duration_ns = clamp(SOUGHT_LIMITS * limit_ns, 200 * MUX_MS, 2 * MUX_S);
  } else if (rate > 0) {
    pace->warmup_ns = 20 * MUX_MS;
    pace->duration_ns = clamp(500 * MUX_S / rate, 50 * MUX_MS, MUX_S);
  } else {
    int64_t trip_ns = active * depth * MUX_S / REQUESTS_PER_S;
    pace->warmup_ns = clamp(2 * trip_ns, 5 * MUX_MS, 300 * MUX_MS);
    pace->duration_ns = clamp(ROUND_TRIPS * trip_ns, 30 * MUX_MS, 250 * MUX_MS);
  }
  if (asked_ns > 0)
    pace->duration_ns = asked_ns;
}

/* The best number of rounds, whatever the budget. */
static int best_rounds(const struct pace_cell *pace) {
  if (pace->seeks)
    return SOUGHT_ROUNDS;
  double rounds =
      slice_cv / launch_cv *
      sqrt((double)pace->overhead_ns / (double)(pace->round_ns > 0 ? pace->round_ns : 1));
  return (int)clamp((int64_t)rounds, LAUNCH_ROUNDS_MIN, ROUNDS_MOST);
}

static void set_cell(struct pace_cell *pace, const struct plan *plan,
                     const struct plan_cell *cell) {
  int64_t connections = connections_of(plan, cell);
  int64_t count_ns = plan->experiment->count_ns;
  int running = cell->running;
  pace->slices = plan_slices(plan, cell);
  pace->seeks = plan_objective(plan, cell).percentile > 0;
  pace->rounds = pace->turns = 1;
  pace->launches = plan->experiment->blocks;
  pace->overhead_ns = running * (START_NS + connections * CONNECTION_NS);
  if (count_ns > 0)
    pace->overhead_ns += running * count_ns;
  if (!pace->slices) {
    pace->warmup_ns = plan_number(plan, cell, OPTION_LOAD, "warmup", 0);
    pace->duration_ns = plan_number(plan, cell, OPTION_LOAD, "duration", 0);
    pace->round_ns = running * (pace->warmup_ns + pace->duration_ns);
    return;
  }
  set_slice(pace, plan, cell);
  bool latency = plan_number(plan, cell, OPTION_LOAD, "rate", 0) > 0;
  int64_t slice_ns = pace->warmup_ns * 3 / 2 + pace->duration_ns + SLICE_NS;
  /* Dunnett 1955: a control that k others are compared with deserves √k of their effort. */
  int rivals = plan_rivals(plan, cell);
  pace->turns = pace->seeks ? 1 : (int)fmax(1, round(sqrt(rivals)));
  pace->overhead_ns += running * slice_ns; /* each settles in a slice that is not counted */
  pace->round_ns = (running + pace->turns) * slice_ns * (latency ? 2 : 1); /* and the floor */
  pace->rounds = plan->experiment->rounds > 0 ? plan->experiment->rounds : best_rounds(pace);
}

struct pace *pace_new(const struct plan *plan) {
  struct pace *pace = mux_new(1, sizeof *pace);
  pace->cells = mux_new((size_t)plan->cell_count, sizeof *pace->cells);
  for (int i = 0; i < plan->cell_count; i++)
    set_cell(&pace->cells[i], plan, &plan->cells[i]);
  pace_fit(pace, plan, 0, pace_usable_ns(plan));
  return pace;
}

void pace_free(struct pace *pace) {
  if (pace != NULL)
    free(pace->cells);
  free(pace);
}

int64_t pace_cell_ns(const struct pace_cell *cell) {
  return cell->overhead_ns + cell->rounds * cell->round_ns;
}

/* A fresh server's trial shrinks to min_duration and no further; its warm-up in proportion. */
static void shorten(struct pace_cell *cell, const struct plan *plan, int i, double effort) {
  int64_t warmup_ns = plan_number(plan, &plan->cells[i], OPTION_LOAD, "warmup", 0);
  int64_t duration_ns = plan_number(plan, &plan->cells[i], OPTION_LOAD, "duration", 0);
  int64_t least_ns = clamp(plan->experiment->min_duration_ns, 0, duration_ns);
  double part = (double)least_ns / (double)duration_ns;
  part += (1 - part) * effort;
  cell->duration_ns = (int64_t)((double)duration_ns * part) / MUX_MS * MUX_MS;
  cell->warmup_ns = clamp((int64_t)((double)warmup_ns * part), cell->duration_ns / 5, warmup_ns);
  cell->warmup_ns = cell->warmup_ns / MUX_MS * MUX_MS;
  cell->round_ns = plan->cells[i].running * (cell->warmup_ns + cell->duration_ns);
}

/* Rounds of slices, or the length of a fresh trial: effort is 0 for the least, 1 for the best. */
static void set_effort(struct pace *pace, const struct plan *plan, int i, double effort) {
  struct pace_cell *cell = &pace->cells[i];
  int asked = plan->experiment->rounds;
  int best = asked > 0 ? asked : best_rounds(cell);
  int least = best < LAUNCH_ROUNDS_MIN || cell->seeks ? best : LAUNCH_ROUNDS_MIN;
  if (cell->slices)
    cell->rounds = least + (int)floor((best - least) * effort);
  else
    shorten(cell, plan, i, effort);
}

static int launches_for_a_claim(const struct plan *plan) {
  int blocks = plan->experiment->blocks;
  return blocks < STATS_BLOCKS_MIN ? blocks : STATS_BLOCKS_MIN;
}

/* Cheapest first. Cells that have what they need are left out. Returns how many there are. */
static int sort_cells(const struct pace *pace, const struct plan *plan, int *order) {
  int n = 0;
  for (int i = 0; i < plan->cell_count; i++) {
    int at = n;
    if (pace->cells[i].precise)
      continue;
    for (; at > 0 && pace_cell_ns(&pace->cells[order[at - 1]]) > pace_cell_ns(&pace->cells[i]);
         at--)
      order[at] = order[at - 1];
    order[at] = i;
    n++;
  }
  return n;
}

/* As many launches as a claim takes, of the least effort, for as many cells as there is room for;
 * each has one in any case. Moves those cells to the front and returns how many they are. */
static int grant_claims(struct pace *pace, const struct plan *plan, int *order, int n, int done,
                        int64_t *left_ns) {
  int claims = 0;
  for (int k = 0; k < n; k++) {
    struct pace_cell *cell = &pace->cells[order[k]];
    cell->done = cell->launches < done ? cell->launches : done;
    cell->launches = cell->done > 0 ? cell->done : 1;
    *left_ns -= cell->done > 0 ? 0 : pace_cell_ns(cell);
  }
  for (int k = 0; k < n; k++) {
    struct pace_cell *cell = &pace->cells[order[k]];
    int64_t missing = clamp(launches_for_a_claim(plan) - cell->launches, 0, STATS_BLOCKS_MIN);
    if (missing * pace_cell_ns(cell) > *left_ns)
      break;
    *left_ns -= missing * pace_cell_ns(cell);
    cell->launches += (int)missing;
    claims++;
  }
  return claims;
}

/* More rounds, or longer trials, in what is left. */
static void grant_effort(struct pace *pace, const struct plan *plan, const int *order, int n,
                         int64_t *left_ns) {
  int64_t least_ns = 0;
  int64_t best_ns = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int k = 0; k < n; k++) {
      const struct pace_cell *cell = &pace->cells[order[k]];
      set_effort(pace, plan, order[k], pass);
      *(pass == 0 ? &least_ns : &best_ns) += (cell->launches - cell->done) * pace_cell_ns(cell);
    }
  double effort = best_ns > least_ns ? (double)*left_ns / (double)(best_ns - least_ns) : 1;
  effort = fmax(0, fmin(1, effort));
  for (int k = 0; k < n; k++)
    set_effort(pace, plan, order[k], effort);
  *left_ns -= (int64_t)((double)(best_ns - least_ns) * effort);
}

/* More launches of these cells, all alike. */
static void grant_launches(struct pace *pace, const int *order, int n, int most, int64_t *left_ns) {
  int64_t all_ns = 0;
  for (int k = 0; k < n; k++)
    all_ns += pace_cell_ns(&pace->cells[order[k]]);
  int64_t more = all_ns > 0 && *left_ns > 0 ? *left_ns / all_ns : 0;
  for (int k = 0; k < n; k++) {
    struct pace_cell *cell = &pace->cells[order[k]];
    int before = cell->launches;
    cell->launches = (int)clamp(before + more, before, before > most ? before : most);
    *left_ns -= (cell->launches - before) * pace_cell_ns(cell);
  }
}

void pace_fit(struct pace *pace, const struct plan *plan, int done, int64_t left_ns) {
  const struct experiment *e = plan->experiment;
  if (e->budget_ns == 0)
    return;
  int *order = mux_new((size_t)plan->cell_count, sizeof *order);
  for (int i = 0; i < plan->cell_count; i++)
    if (!pace->cells[i].precise)
      set_effort(pace, plan, i, 0);
  int n = sort_cells(pace, plan, order);
  int claims = grant_claims(pace, plan, order, n, done, &left_ns);
  grant_effort(pace, plan, order, claims, &left_ns);
  grant_launches(pace, order, claims, e->blocks, &left_ns);
  for (int k = claims; k < n; k++) /* no claim, but a look */
    grant_launches(pace, order + k, 1, launches_for_a_claim(plan), &left_ns);
  free(order);
}

int pace_launches(const struct pace *pace, const struct plan *plan) {
  int most = 0;
  for (int i = 0; i < plan->cell_count; i++)
    most = pace->cells[i].launches > most ? pace->cells[i].launches : most;
  return most;
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

static int64_t gates_ns(const struct plan *plan) {
  return plan->experiment->server_count * kinds_of_socket(plan) * GATE_NS;
}

int64_t pace_usable_ns(const struct plan *plan) {
  int64_t budget_ns = plan->experiment->budget_ns;
  int64_t usable_ns = budget_ns - budget_ns * RESERVE_PERCENT / 100 - gates_ns(plan);
  return usable_ns > 0 ? usable_ns : 0;
}

int64_t pace_run_ns(const struct pace *pace, const struct plan *plan) {
  int64_t total_ns = gates_ns(plan);
  for (int i = 0; i < plan->cell_count; i++)
    total_ns += pace->cells[i].launches * pace_cell_ns(&pace->cells[i]);
  return total_ns;
}

/* ---- For people ------------------------------------------------------------------------------ */

/* The smallest difference from the baseline that these launches show, of usual noise; NAN: none. */
static double detectable(const struct pace_cell *pace, const struct plan *plan,
                         const struct plan_cell *cell) {
  int rivals = plan_rivals(plan, cell);
  bool is_compared = plan->baseline >= 0 && rivals > 0 && cell->skip[plan->baseline] == NULL;
  double in_a_round = slice_cv * slice_cv * (1 + 1.0 / pace->turns);
  bool by_rounds = pace->slices && !pace->seeks;
  double alone = by_rounds ? launch_cv : fresh_cv;
  struct power_plan power = {.rivals = rivals,
                             .launches = pace->launches,
                             .rounds = pace->rounds,
                             .precision_stopping = plan->experiment->precision > 0,
                             .between = 2 * alone * alone,
                             .within_round = by_rounds ? in_a_round : 0};
  return is_compared ? expm1(power_detectable(&power)) : NAN;
}

static void print_cell(const struct pace_cell *pace, const struct plan *plan,
                       const struct plan_cell *cell, FILE *to) {
  char warmup[MUX_UNIT_TEXT];
  char duration[MUX_UNIT_TEXT];
  char whole[MUX_UNIT_TEXT];
  mux_show_time(warmup, (double)pace->warmup_ns);
  mux_show_time(duration, (double)pace->duration_ns);
  mux_show_time(whole, (double)pace_cell_ns(pace));
  fprintf(to, "  %-32s %d label%s, %d launch%s of %s: ", cell->id, cell->running,
          cell->running == 1 ? "" : "s", pace->launches, pace->launches == 1 ? "" : "es", whole);
  if (pace->slices)
    fprintf(to, "%d round%s of %s slices after %s", pace->rounds, pace->rounds == 1 ? "" : "s",
            duration, warmup);
  else
    fprintf(to, "each alone for %s after %s", duration, warmup);
  double shown = detectable(pace, plan, cell);
  if (isnan(shown))
    fputs("; no claim\n", to);
  else
    fprintf(to, "; shows differences from %.0f %%\n", 100 * shown);
}

void pace_print(const struct pace *pace, const struct plan *plan, FILE *to) {
  const struct experiment *e = plan->experiment;
  char text[MUX_UNIT_TEXT];
  fprintf(to, "%s: %d cell%s, %d label%s\n", e->name, plan->cell_count,
          plan->cell_count == 1 ? "" : "s", plan->label_count, plan->label_count == 1 ? "" : "s");
  for (int i = 0; i < plan->cell_count; i++)
    print_cell(&pace->cells[i], plan, &plan->cells[i], to);
  fprintf(to, "Labels:");
  for (int i = 0; i < plan->label_count; i++)
    fprintf(to, " %s", plan->labels[i].name);
  fprintf(to, "\n");
  for (int i = 0; i < plan->cell_count; i++)
    for (int label = 0; label < plan->label_count; label++)
      if (plan->cells[i].skip[label] != NULL)
        fprintf(to, "Skips %s, %s: %s\n", plan->cells[i].id, plan->labels[label].name,
                plan->cells[i].skip[label]);
  fprintf(to, "Takes about %s", mux_show_time(text, (double)pace_run_ns(pace, plan)));
  if (e->budget_ns > 0)
    fprintf(to, " of a budget of %s", mux_show_time(text, (double)e->budget_ns));
  fprintf(to,
          "\nDifferences that show are those of a host as noisy as a shared one usually is; fewer "
          "than %d\n"
          "launches carry no claim.\n",
          FAMILY_LAUNCHES_MIN);
}
