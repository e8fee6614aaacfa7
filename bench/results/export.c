/* export.c: see export.h. */
#include "bench/results/export.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/build_info.h"

const char *const export_format_names[] = {"markdown", "json",        "junit",
                                           "benchfmt", "openmetrics", NULL};

/* What all formats go through: every label of every cell that was measured. */
typedef void (*print_entry)(const struct summary *s, int cell, int label, double allowed, FILE *to);

static void each(const struct summary *s, print_entry print, double allowed, FILE *to) {
  int metric = summary_objective(s->plan);
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int label = 0; label < s->plan->label_count; label++)
      if (summary_at(s, cell, metric, label)->n > 0)
        print(s, cell, label, allowed, to);
}

static const struct summary_entry *objective_at(const struct summary *s, int cell, int label) {
  return summary_at(s, cell, summary_objective(s->plan), label);
}

/* ---- Markdown ---------------------------------------------------------------------------------
 */

static void markdown_entry(const struct summary *s, int cell, int label, double allowed, FILE *to) {
  const struct summary_entry *entry = objective_at(s, cell, label);
  (void)allowed;
  fprintf(to, "| %s | `%s` | %.4g%s | ", s->plan->cells[cell].id, s->plan->labels[label].name,
          entry->median, summary_metrics[summary_objective(s->plan)].unit);
  if (isnan(entry->ratio))
    fputs("| ", to);
  else if (isnan(entry->ratio_low))
    fprintf(to, "%.3f× | ", entry->ratio);
  else
    fprintf(to, "%.3f× [%.3f, %.3f] | ", entry->ratio, entry->ratio_low, entry->ratio_high);
  fprintf(to, "%s |\n", verdict_names[entry->verdict]);
}

static void write_markdown(const struct summary *s, double allowed, FILE *to) {
  fprintf(
      to,
      "| cell | label | %s | ratio to `%s`, 95 %% interval | verdict |\n|---|---|--:|--:|---|\n",
      summary_metrics[summary_objective(s->plan)].what,
      s->plan->baseline >= 0 ? s->plan->labels[s->plan->baseline].name : "-");
  each(s, markdown_entry, allowed, to);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *entry_json(const struct summary *s, int cell, int metric, int label) {
  const struct summary_entry *e = summary_at(s, cell, metric, label);
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:i, s:s}", "cell_id", s->plan->cells[cell].id, "label",
                s->plan->labels[label].name, "metric", column_names[summary_metrics[metric].column],
                "launches", e->n, "verdict", verdict_names[e->verdict]);
  json_object_set_new(object, "median", number(e->median));
  json_object_set_new(object, "ratio", number(e->ratio));
  json_object_set_new(object, "ratio_low", number(e->ratio_low));
  json_object_set_new(object, "ratio_high", number(e->ratio_high));
  json_object_set_new(object, "p_adjusted", number(e->p_adjusted));
  json_object_set_new(object, "detectable", number(e->detectable));
  json_object_set_new(object, "best", e->has_best ? json_boolean(e->best) : json_null());
  return object;
}

static int write_json(const struct summary *s, FILE *to) {
  json_t *list = json_array();
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int metric = 0; metric < summary_metric_count; metric++)
      for (int label = 0; label < s->plan->label_count; label++)
        if (summary_at(s, cell, metric, label)->n > 0)
          json_array_append_new(list, entry_json(s, cell, metric, label));
  json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "experiment", s->plan->experiment->name,
                             "objective", s->plan->experiment->objective, "baseline",
                             s->plan->baseline >= 0 ? s->plan->labels[s->plan->baseline].name : "",
                             "results", list);
  int rc = object != NULL ? json_dumpf(object, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : -1;
  json_decref(object);
  fputc('\n', to);
  return rc == 0 ? 0 : -ENOMEM;
}

/* ---- JUnit -------------------------------------------------------------------------------------
 */

static enum gate gate_of(const struct summary *s, int cell, int label, double allowed) {
  bool lower = summary_metrics[summary_objective(s->plan)].better == BETTER_LOWER;
  return summary_gate(objective_at(s, cell, label), lower, allowed);
}

/* Values of options are part of cell ids. */
static void put_xml(const char *text, FILE *to) {
  for (; *text != 0; text++)
    switch (*text) {
    case '<':
      fputs("&lt;", to);
      break;
    case '&':
      fputs("&amp;", to);
      break;
    case '"':
      fputs("&quot;", to);
      break;
    default:
      fputc(*text, to);
    }
}

static void junit_entry(const struct summary *s, int cell, int label, double allowed, FILE *to) {
  const struct summary_entry *e = objective_at(s, cell, label);
  enum gate gate = gate_of(s, cell, label, allowed);
  if (!plan_is_rival(s->plan, label))
    return;
  fputs("  <testcase classname=\"", to);
  put_xml(s->plan->cells[cell].id, to);
  fprintf(to, "\" name=\"%s\">", s->plan->labels[label].name);
  if (gate == GATE_FAILED)
    fprintf(to, "<failure message=\"%.3f times the baseline [%.3f, %.3f]\"/>", e->ratio,
            e->ratio_low, e->ratio_high);
  else if (gate == GATE_UNDECIDED)
    fprintf(to, "<skipped message=\"undecided: %.3f times the baseline\"/>", e->ratio);
  fputs("</testcase>\n", to);
}

static void write_junit(const struct summary *s, double allowed, FILE *to) {
  int count[3] = {0};
  int metric = summary_objective(s->plan);
  for (int cell = 0; cell < s->plan->cell_count; cell++)
    for (int label = 0; label < s->plan->label_count; label++)
      if (plan_is_rival(s->plan, label) && summary_at(s, cell, metric, label)->n > 0) {
        enum gate gate = gate_of(s, cell, label, allowed);
        count[gate == GATE_PASSED ? 0 : gate == GATE_FAILED ? 1 : 2]++;
      }
  fprintf(to,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"%s\" tests=\"%d\" "
          "failures=\"%d\" skipped=\"%d\">\n",
          s->plan->experiment->name, count[0] + count[1] + count[2], count[1], count[2]);
  each(s, junit_entry, allowed, to);
  fputs("</testsuite>\n", to);
}

/* ---- Go's benchmark format ---------------------------------------------------------------------
 */

static void benchfmt_entry(const struct summary *s, int cell, int label, double allowed, FILE *to) {
  (void)allowed;
  for (int block = 1; block <= s->blocks; block++) {
    const struct row *row = summary_row(s, cell, block, label);
    if (row == NULL)
      continue;
    fprintf(to, "BenchmarkEcho/cell=%s/label=%s %s", s->plan->cells[cell].id,
            s->plan->labels[label].name, row_text(row, COL_completed));
    static const struct {
      enum column column;
      const char *unit;
    } values[] = {{COL_host_cpu_us_per_req, "host-cpu-ns/req"},
                  {COL_server_cpu_us_per_req, "server-cpu-ns/req"},
                  {COL_client_cpu_us_per_req, "load-cpu-ns/req"},
                  {COL_response_p50_us, "p50-ns"},
                  {COL_response_p99_us, "p99-ns"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
      if (!isnan(row_number(row, values[i].column)))
        fprintf(to, " %.6g %s", row_number(row, values[i].column) * 1e3, values[i].unit);
    fputc('\n', to);
  }
}

static void write_benchfmt(const struct summary *s, double allowed, FILE *to) {
  fprintf(to, "goos: linux\npkg: muxbench\nmuxbench: %s\n", mux_build_info.version);
  each(s, benchfmt_entry, allowed, to);
}

/* ---- OpenMetrics -------------------------------------------------------------------------------
 */

/* Names hold no quote, backslash or line break (experiment_options.c). */
static void put_sample(const struct summary *s, int cell, int label, const char *name, double value,
                       FILE *to) {
  if (!isnan(value))
    fprintf(to, "muxbench_%s{experiment=\"%s\",cell=\"%s\",label=\"%s\"} %.9g\n", name,
            s->plan->experiment->name, s->plan->cells[cell].id, s->plan->labels[label].name, value);
}

static void write_openmetrics(const struct summary *s, FILE *to) {
  static const struct {
    const char *name, *help;
    size_t offset;
  } families[] = {
      {"median", "Median of the launches, of the experiment's objective.",
       offsetof(struct summary_entry, median)},
      {"ratio", "Ratio to the baseline.", offsetof(struct summary_entry, ratio)},
      {"ratio_low", "Its simultaneous 95 % interval.", offsetof(struct summary_entry, ratio_low)},
      {"ratio_high", "Its simultaneous 95 % interval.", offsetof(struct summary_entry, ratio_high)},
  };
  int metric = summary_objective(s->plan);
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    fprintf(to, "# TYPE muxbench_%s gauge\n# HELP muxbench_%s %s\n", families[i].name,
            families[i].name, families[i].help);
    for (int cell = 0; cell < s->plan->cell_count; cell++)
      for (int label = 0; label < s->plan->label_count; label++) {
        const struct summary_entry *e = summary_at(s, cell, metric, label);
        if (e->n > 0)
          put_sample(s, cell, label, families[i].name,
                     *(const double *)((const char *)e + families[i].offset), to);
      }
  }
  fputs("# EOF\n", to);
}

int export_write(const struct summary *s, enum export_format format, double allowed, FILE *to) {
  switch (format) {
  case EXPORT_MARKDOWN:
    write_markdown(s, allowed, to);
    return 0;
  case EXPORT_JSON:
    return write_json(s, to);
  case EXPORT_JUNIT:
    write_junit(s, allowed, to);
    return 0;
  case EXPORT_BENCHFMT:
    write_benchfmt(s, allowed, to);
    return 0;
  case EXPORT_OPENMETRICS:
    write_openmetrics(s, to);
    return 0;
  }
  return -EINVAL;
}
