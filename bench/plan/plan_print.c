/* plan_print.c: what --dry-run shows. */
#include <stdio.h>

#include "bench/plan/plan.h"
#include "common/units.h"

void plan_print(const struct plan *plan, FILE *to) {
  const struct experiment *e = plan->experiment;
  char text[MUX_UNIT_TEXT];
  int skipped = 0;
  for (int i = 0; i < plan->trial_count; i++)
    skipped += plan->trials[i].skip != NULL;
  fprintf(to, "%s: %d cells x %d servers x %d blocks = %d trials, %d of them skipped\n", e->name,
          plan->cell_count, plan->label_count, plan->blocks, plan->trial_count, skipped);
  for (int i = 0; i < plan->cell_count; i++) {
    const struct plan_cell *cell = &plan->cells[i];
    bool fits;
    struct plan_times times = plan_times_for(plan, cell, 0, plan_usable_ns(e->budget_ns), 1, &fits);
    fprintf(to, "  %-32s overhead about %s, ", cell->id,
            mux_show_time(text, (double)cell->overhead_ns));
    fprintf(to, "warm-up %s, ", mux_show_time(text, (double)times.warmup_ns));
    fprintf(to, "measured %s per trial%s\n", mux_show_time(text, (double)times.duration_ns),
            fits ? "" : " (the least; the budget will cut the last blocks)");
  }
  fprintf(to, "Servers:");
  for (int i = 0; i < plan->label_count; i++)
    fprintf(to, " %s", plan->labels[i].name);
  fprintf(to, "\n");
  for (int i = 0; i < plan->trial_count && plan->trials[i].block == 1; i++)
    if (plan->trials[i].skip != NULL)
      fprintf(to, "Skips %s, %s: %s\n", plan->cells[plan->trials[i].cell].id,
              plan->labels[plan->trials[i].label].name, plan->trials[i].skip);
  fprintf(to, "Takes about %s", mux_show_time(text, (double)plan_estimate_ns(plan)));
  if (e->budget_ns > 0)
    fprintf(to, " of a budget of %s (experiment: %d blocks)",
            mux_show_time(text, (double)e->budget_ns), e->blocks);
  fprintf(to, "\n");
}
