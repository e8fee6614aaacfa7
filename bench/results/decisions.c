/* decisions.c: what follows from the intervals of a cell: ranks, a gate, whether it has been
 * measured enough; see summary.h. */
#include <math.h>

#include "bench/data/power.h"
#include "bench/results/summary.h"

/* Is a proven better than b? Against the baseline the verdict says it; between two others the
 * intervals of their ratios must not touch, which is more careful than a test of the two. */
static bool proven_better(bool lower, const struct summary_entry *a,
                          const struct summary_entry *b) {
  if (a->verdict == VERDICT_BASELINE)
    return b->verdict == VERDICT_WORSE;
  if (b->verdict == VERDICT_BASELINE)
    return a->verdict == VERDICT_BETTER;
  return lower ? a->ratio_high < b->ratio_low : a->ratio_low > b->ratio_high;
}

static bool is_ranked(const struct summary_entry *entry) {
  return entry->verdict == VERDICT_BASELINE ||
         (entry->verdict != VERDICT_VOID && !isnan(entry->ratio_low));
}

void summary_rank(struct summary_entry *entries, int labels, bool lower) {
  int ranked = 0;
  for (int i = 0; i < labels; i++)
    ranked += is_ranked(&entries[i]);
  for (int i = 0; i < labels && ranked > 1; i++) {
    if (!is_ranked(&entries[i]))
      continue;
    entries[i].rank_low = 1;
    entries[i].rank_high = ranked;
    for (int k = 0; k < labels; k++) {
      if (k == i || !is_ranked(&entries[k]))
        continue;
      entries[i].rank_low += proven_better(lower, &entries[k], &entries[i]);
      entries[i].rank_high -= proven_better(lower, &entries[i], &entries[k]);
    }
  }
}

enum gate summary_gate(const struct summary_entry *entry, bool lower_is_better, double allowed) {
  /* How much worse it is at least, at most. */
  double least = lower_is_better ? entry->ratio_low : 1 / entry->ratio_high;
  double most = lower_is_better ? entry->ratio_high : 1 / entry->ratio_low;
  if (entry->verdict == VERDICT_VOID)
    return GATE_UNDECIDED;
  if (entry->verdict == VERDICT_WORSE && least > 1 + allowed)
    return GATE_FAILED;
  return most <= 1 + allowed ? GATE_PASSED : GATE_UNDECIDED;
}

int summary_launches_needed(const struct summary *s, int cell, int metric, int label,
                            double allowed) {
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  bool lower = summary_metrics[metric].better == BETTER_LOWER;
  int rivals = 0;
  for (int i = 0; i < s->plan->label_count; i++)
    rivals += plan_is_rival(s->plan, i) && summary_at(s, cell, metric, i)->launches > 0;
  struct power_plan plan =
      power_plan_of(&entry->rival, rivals > 0 ? rivals : 1, entry->rounds > 0 ? entry->rounds : 1,
                    s->plan->experiment->precision > 0);
  double wanted = allowed >= 0
                      ? power_half_width_to_gate(&entry->rival, lower, allowed)
                      : power_half_width_to_decide(&entry->rival, s->plan->experiment->margin);
  return power_launches(&plan, wanted);
}

double summary_half_width(const struct summary *s, int cell) {
  int metric = summary_objective(s->plan);
  struct family_rival rivals[EXPERIMENT_LABELS];
  int n = 0;
  for (int label = 0; label < s->plan->label_count; label++) {
    const struct summary_entry *entry = summary_at(s, cell, metric, label);
    if (plan_is_rival(s->plan, label) && entry->n > 0 && entry->verdict != VERDICT_VOID)
      rivals[n++] = entry->rival;
  }
  return n > 0 ? family_half_width(rivals, n) : INFINITY;
}
