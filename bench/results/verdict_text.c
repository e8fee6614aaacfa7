/* verdict_text.c: see verdict_text.h. */
#include "bench/results/verdict_text.h"

#include <math.h>
#include <string.h>

#include "common/units.h"

/* "at 1000 connections, 20k messages/s": what the cell has that is not usual. */
static void print_load(const struct plan *plan, const struct plan_cell *cell, FILE *to) {
  char text[MUX_UNIT_TEXT];
  int64_t connections = plan_number(plan, cell, OPTION_LOAD, "connections", 1);
  int64_t idle = plan_number(plan, cell, OPTION_LOAD, "idle", 0);
  int64_t rate = plan_number(plan, cell, OPTION_LOAD, "rate", 0);
  int64_t payload = plan_number(plan, cell, OPTION_LOAD, "payload", 64);
  int64_t depth = plan_number(plan, cell, OPTION_LOAD, "depth", 1);
  fprintf(to, "at %lld connection%s", (long long)connections, connections == 1 ? "" : "s");
  if (idle > 0)
    fprintf(to, " beside %lld idle ones", (long long)idle);
  if (rate > 0)
    fprintf(to, ", %s messages/s", mux_print_count(text, rate));
  else
    fputs(", closed loop", to);
  if (payload != 64)
    fprintf(to, ", %s a message", mux_print_size(text, payload));
  if (depth > 1)
    fprintf(to, ", depth %lld", (long long)depth);
}

static void print_basis(const struct summary *s, int cell, const struct summary_entry *entry,
                        FILE *to) {
  print_load(s->plan, &s->plan->cells[cell], to);
  fprintf(to, " (%d launch%s)", entry->n, entry->n == 1 ? "" : "es");
}

static void print_interval(const struct summary_entry *entry, FILE *to) {
  fprintf(to, "%.3f× [%.3f, %.3f]", entry->ratio, entry->ratio_low, entry->ratio_high);
}

/* "4.1 % less CPU than a [2.0 % less, 6.3 % less]", "3.2 times a's CPU [3.1, 3.4]". */
static void print_claim(const struct summary_entry *entry, const char *what, const char *baseline,
                        FILE *to) {
  if (entry->ratio > 2) {
    fprintf(to, "%.2f times %s's %s [%.2f, %.2f] ", entry->ratio, baseline, what, entry->ratio_low,
            entry->ratio_high);
    return;
  }
  bool less = entry->ratio < 1;
  double near = 100 * fabs((less ? entry->ratio_high : entry->ratio_low) - 1);
  double far = 100 * fabs((less ? entry->ratio_low : entry->ratio_high) - 1);
  fprintf(to, "%.1f %% %s %s than %s [%.1f %%, %.1f %%] ", 100 * fabs(entry->ratio - 1),
          less ? "less" : "more", what, baseline, near, far);
}

static void print_undecided(const struct summary *s, int cell, int metric, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  fputs("undecided, ", to);
  print_interval(entry, to);
  fprintf(to, " of %s's %s ", plan->labels[plan->baseline].name, summary_metrics[metric].what);
  print_basis(s, cell, entry, to);
  if (entry->detectable > 0)
    fprintf(to, ". A difference of %.1f %% or more would have shown", entry->detectable * 100);
  int needed = summary_launches_needed(s, cell, metric, label, -1);
  if (needed > entry->n)
    fprintf(to, "; about %d launches would decide it", needed);
}

void verdict_text_print(const struct summary *s, int cell, int metric, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  const char *baseline = plan->labels[plan->baseline].name;
  const char *what = summary_metrics[metric].what;
  fprintf(to, "%s: ", plan->labels[label].name);
  switch (entry->verdict) {
  case VERDICT_BETTER:
  case VERDICT_WORSE:
    print_claim(entry, what, baseline, to);
    print_basis(s, cell, entry, to);
    break;
  case VERDICT_EQUIVALENT:
    fprintf(to, "the same %s as %s within ±%.3g %%, ", what, baseline,
            plan->experiment->margin * 100);
    print_interval(entry, to);
    fputs(" ", to);
    print_basis(s, cell, entry, to);
    break;
  case VERDICT_UNDECIDED:
    print_undecided(s, cell, metric, label, to);
    break;
  case VERDICT_VOID:
    fputs("void: ", to);
    fputs(plan->twin >= 0 && summary_at(s, cell, metric, plan->twin)->verdict == VERDICT_VOID
              ? "the baseline differs from itself; the host is too unsteady"
              : "flags forbid a claim, see measurements.csv",
          to);
    break;
  default:
    if (entry->n == 0)
      fputs("not measured", to);
    else if (isnan(entry->ratio))
      fprintf(to, "%d launch%s, not enough to compare (a claim takes %d)", entry->n,
              entry->n == 1 ? "" : "es", FAMILY_LAUNCHES_MIN);
    else
      fprintf(to, "%.3f times %s's %s in %d launch%s, too few for a claim (it takes %d)",
              entry->ratio, baseline, what, entry->n, entry->n == 1 ? "" : "es",
              FAMILY_LAUNCHES_MIN);
  }
  fputs(".\n", to);
}

void verdict_text_print_twin(const struct summary *s, int cell, int metric, FILE *to) {
  int twin = s->plan->twin;
  if (twin < 0)
    return;
  const struct summary_entry *entry = summary_at(s, cell, metric, twin);
  if (isnan(entry->ratio_low))
    return;
  fprintf(to, "The baseline against itself (%s): ", s->plan->labels[twin].name);
  print_interval(entry, to);
  fputs(".\n", to);
}

void verdict_text_print_gate(const struct summary *s, int cell, int metric, int label,
                             double allowed, FILE *to) {
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  bool lower = summary_metrics[metric].better == BETTER_LOWER;
  const char *name = s->plan->labels[label].name;
  const char *baseline = s->plan->labels[s->plan->baseline].name;
  switch (summary_gate(entry, lower, allowed)) {
  case GATE_PASSED:
    fprintf(to, "gate passed: %s is not more than %.3g %% worse than %s\n", name, allowed * 100,
            baseline);
    break;
  case GATE_FAILED:
    fprintf(to, "gate failed: %s is more than %.3g %% worse than %s\n", name, allowed * 100,
            baseline);
    break;
  case GATE_UNDECIDED: {
    fprintf(to, "gate undecided: whether %s is more than %.3g %% worse than %s", name,
            allowed * 100, baseline);
    int needed = summary_launches_needed(s, cell, metric, label, allowed);
    if (needed > entry->n)
      fprintf(to, "; about %d launches would decide it, there were %d", needed, entry->n);
    fputs("\n", to);
  }
  }
}
