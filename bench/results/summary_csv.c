/* summary_csv.c: summary.csv, see summary.h. */
#include <math.h>
#include <stdio.h>

#include "bench/data/csv.h"
#include "bench/results/summary.h"
#include "common/cli.h"

static void put_number(FILE *to, double value) {
  char text[32] = "";
  if (isfinite(value))
    snprintf(text, sizeof text, "%.9g", value);
  csv_put(to, text, false);
}

static void put_entry(const struct summary *s, int cell, int metric, int label, FILE *to) {
  const struct plan *plan = s->plan;
  const struct summary_entry *entry = summary_at(s, cell, metric, label);
  if (entry->n == 0)
    return;
  csv_put(to, plan->cells[cell].id, true);
  csv_put(to, plan->labels[label].name, false);
  csv_put(to, column_names[summary_metrics[metric].column], false);
  put_number(to, entry->n);
  put_number(to, entry->median);
  put_number(to, entry->low);
  put_number(to, entry->high);
  csv_put(to, plan->baseline >= 0 ? plan->labels[plan->baseline].name : "", false);
  put_number(to, entry->ratio);
  put_number(to, entry->ratio_low);
  put_number(to, entry->ratio_high);
  csv_put(to, "", false); /* p_holm, of earlier versions */
  csv_put(to, verdict_names[entry->verdict], false);
  put_number(to, entry->delta);
  put_number(to, entry->rank_low > 0 ? (double)entry->rank_low : NAN);
  put_number(to, entry->rank_high > 0 ? (double)entry->rank_high : NAN);
  put_number(to, entry->p_adjusted);
  put_number(to, entry->detectable);
  csv_put(to, !entry->has_best ? "" : entry->best ? "yes" : "no", false);
  csv_put(to, summary_regime_names[s->regimes[cell * plan->label_count + label]], false);
  csv_end_row(to);
}

int summary_write(const struct summary *s, const char *path) {
  struct mux_output out;
  int rc = mux_output_open(&out, path);
  if (rc != 0)
    return rc;
  fputs("cell_id,label,metric,n,median,low,high,baseline,ratio,ratio_low,ratio_high,p_holm,verdict,"
        "noise,rank_low,rank_high,p_adjusted,detectable,best,regime\n",
        out.stream);
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int metric = 0; metric < summary_metric_count; metric++)
      for (int label = 0; label < s->plan->label_count; label++)
        put_entry(s, cell, metric, label, out.stream);
  return mux_output_commit(&out);
}
