/* differences.c: see differences.h. */
#include "bench/results/differences.h"

#include <math.h>
#include <stdlib.h>

#include "bench/data/launch_estimate.h"
#include "common/memory.h"

/* A slice's value of a metric, NAN if slices do not have it. */
static double slice_value(const struct slice *slice, enum column column) {
  double n = (double)slice->completed;
  switch (column) {
  case COL_server_cpu_us_per_req:
    return slice->server_cpu_s * 1e6 / n;
  case COL_client_cpu_us_per_req:
    return slice->client_cpu_s * 1e6 / n;
  case COL_host_cpu_us_per_req:
    return (slice->server_cpu_s + slice->client_cpu_s) * 1e6 / n;
  case COL_completed_per_s:
    return n / slice->duration_s;
  default:
    return NAN;
  }
}

static bool slices_have(enum column column) {
  static const struct slice one = {.completed = 1, .duration_s = 1};
  return !isnan(slice_value(&one, column));
}

/* One launch (slices [from, to) of one cell, block and group) by its rounds. */
static void compare_slices(const struct summary *s, const struct slices *slices, size_t from,
                           size_t to, enum column column, struct differences *out) {
  int labels = s->plan->label_count;
  struct launch_slice *list = mux_new(to - from, sizeof *list);
  struct launch_estimate *estimates = mux_new((size_t)labels, sizeof *estimates);
  int count = 0;
  for (size_t i = from; i < to; i++) {
    const struct slice *slice = &slices->at[i];
    if (slice->kind == SLICE_COST && slice->round > 0 && !slice->failed)
      list[count++] = (struct launch_slice){
          .label = slice->label, .round = slice->round, .value = slice_value(slice, column)};
  }
  launch_estimate(list, count, labels, s->plan->baseline, estimates);
  for (int label = 0; label < labels; label++) {
    size_t at = (size_t)(slices->at[from].block - 1) * (size_t)labels + (size_t)label;
    if (isnan(out->d[at]) && estimates[label].rounds > 0) {
      out->d[at] = estimates[label].d;
      out->variance[at] = estimates[label].variance;
      out->rounds[at] = estimates[label].rounds;
    }
  }
  free(list);
  free(estimates);
}

static bool same_launch(const struct slice *a, const struct slice *b) {
  return a->cell == b->cell && a->block == b->block && a->group == b->group;
}

/* Slices stand in the order of running: launch by launch. */
static void compare_by_slices(const struct summary *s, const struct slices *slices, int cell,
                              enum column column, struct differences *out) {
  for (size_t from = 0; from < slices->count;) {
    size_t to = from + 1;
    while (to < slices->count && same_launch(&slices->at[to], &slices->at[from]))
      to++;
    if (slices->at[from].cell == cell && slices->at[from].block <= s->blocks)
      compare_slices(s, slices, from, to, column, out);
    from = to;
  }
}

static void compare_by_rows(const struct summary *s, int cell, enum column column,
                            struct differences *out) {
  for (int block = 1; block <= s->blocks; block++) {
    double base = summary_value(s, cell, block, s->plan->baseline, column);
    for (int label = 0; label < s->plan->label_count; label++) {
      double value = summary_value(s, cell, block, label, column);
      size_t at = (size_t)(block - 1) * (size_t)s->plan->label_count + (size_t)label;
      if (base > 0 && value > 0)
        out->d[at] = log(value / base);
    }
  }
}

void differences_fill(struct differences *out, const struct summary *s, const struct slices *slices,
                      int cell, enum column column) {
  size_t size = (size_t)s->blocks * (size_t)s->plan->label_count;
  *out = (struct differences){.d = mux_new(size, sizeof *out->d),
                              .variance = mux_new(size, sizeof *out->variance),
                              .rounds = mux_new(size, sizeof *out->rounds)};
  for (size_t i = 0; i < size; i++)
    out->d[i] = out->variance[i] = NAN;
  if (plan_slices(s->plan, &s->plan->cells[cell]) && slices_have(column))
    compare_by_slices(s, slices, cell, column, out);
  else
    compare_by_rows(s, cell, column, out);
}

void differences_free(struct differences *differences) {
  free(differences->d);
  free(differences->variance);
  free(differences->rounds);
}
