/* cmd_compare.c: muxbench compare RUN_A RUN_B. */
#include <errno.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/rundir.h"
#include "bench/results/compare.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/memory.h"

enum { METRICS_MAX = 32 };

struct compare_options {
  const char *runs[2];
  int run_count;
  const char *metrics;
  const char *json; /* "-": stdout; NULL: text */
  double threshold; /* below 0: none */
};

enum { OPT_THRESHOLD = 256, OPT_METRICS, OPT_JSON };

static const struct argp_option option_table[] = {
    {"threshold", OPT_THRESHOLD, "PERCENT", 0,
     "Exit 3 when something is proved worse by more than this, such as 5%", 0},
    {"metrics", OPT_METRICS, "A,B", 0,
     "Columns of measurements.csv to compare "
     "(host_cpu_us_per_req,server_cpu_us_per_req,completed_per_s,response_p99_us)",
     0},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "Result as JSON, to FILE or stdout", 0},
    {0}};

static double read_percent(const char *text) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || (*end != 0 && strcmp(end, "%") != 0) || !(value >= 0 && value <= 1000)) {
    char shown[64];
    mux_die(MUX_EXIT_USAGE, "--threshold: '%s' is not a percentage such as 5%%",
            mux_printable(shown, sizeof shown, text));
  }
  return value / 100;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
  struct compare_options *options = state->input;
  switch (key) {
  case OPT_THRESHOLD:
    options->threshold = read_percent(arg);
    return 0;
  case OPT_METRICS:
    options->metrics = arg;
    return 0;
  case OPT_JSON:
    options->json = arg != NULL ? arg : "-";
    return 0;
  case ARGP_KEY_ARG:
    if (options->run_count == 2)
      mux_die(MUX_EXIT_USAGE, "compare: two runs, no more");
    options->runs[options->run_count++] = arg;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "RUN_A RUN_B",
    .doc = "Compare the same cells of two runs: two commits, machines or kernels. What is compared "
           "is each label's ratio to the baseline, which must be the same in both runs; cells "
           "whose settings differ are refused. To compare two servers, run them together: "
           "`muxbench versus`.\v"
           "Exit: 0 fine; 1 cells were refused; 2 the runs cannot be read, or have no baseline or "
           "no cell in common; 3 --threshold was missed.\n\n"
           "Example: muxbench compare --threshold 5% results/BEFORE results/AFTER"};

static int parse_metrics(const char *list, const struct summary_metric *out[METRICS_MAX]) {
  char *copy = mux_copy(list);
  char *rest = copy;
  int n = 0;
  for (char *name; rest != NULL && (name = strsep(&rest, ",")) != NULL;) {
    char shown[64];
    if (n == METRICS_MAX || (out[n] = summary_metric_find(name)) == NULL)
      mux_die(MUX_EXIT_USAGE, "--metrics: '%s' is not a metric with a direction",
              mux_printable(shown, sizeof shown, name));
    n++;
  }
  free(copy);
  return n;
}

/* Rows, and what the run compared with: "" for nothing. The caller frees both. */
static char *read_run(const char *path, struct rows *rows) {
  struct rundir dir;
  char file[RUNDIR_PATH];
  char why[768];
  json_t *effective = NULL;
  if (rundir_open(&dir, path, why, sizeof why) != 0 ||
      rows_read(rows, rundir_file(&dir, file, "measurements.csv"), why, sizeof why) != 0 ||
      (effective = rundir_read_json(&dir, "effective.json", why, sizeof why)) == NULL)
    mux_die(MUX_EXIT_USAGE, "compare: %s", why);
  const char *baseline = json_string_value(json_object_get(effective, "baseline"));
  char *copy = mux_copy(baseline != NULL ? baseline : "");
  json_decref(effective);
  return copy;
}

/* Between two runs nothing but ratios to the same baseline can be compared. */
static void check_baselines(char *const baselines[2], const char *const runs[2]) {
  if (*baselines[0] != 0 && strcmp(baselines[0], baselines[1]) == 0)
    return;
  mux_die(MUX_EXIT_USAGE,
          "compare: %s has %s%s, %s has %s%s; two runs are compared by their ratios to one "
          "baseline. Run both servers together: muxbench versus",
          runs[0], *baselines[0] != 0 ? "the baseline " : "no baseline", baselines[0], runs[1],
          *baselines[1] != 0 ? "the baseline " : "no baseline", baselines[1]);
}

/* ---- Output -----------------------------------------------------------------------------------
 */

static void print_line(struct libscols_table *table, const struct compare_entry *e) {
  struct libscols_line *line = mux_made(scols_table_new_line(table, NULL));
  char text[128];
  scols_line_set_data(line, 0, mux_printable(text, sizeof text, e->cell));
  scols_line_set_data(line, 1, mux_printable(text, sizeof text, e->label));
  scols_line_set_data(line, 2, column_names[e->metric->column]);
  snprintf(text, sizeof text, "%.4g", e->a);
  scols_line_set_data(line, 3, isnan(e->a) ? "-" : text);
  snprintf(text, sizeof text, "%.4g", e->b);
  scols_line_set_data(line, 4, isnan(e->b) ? "-" : text);
  if (isnan(e->ratio))
    snprintf(text, sizeof text, "-");
  else if (isnan(e->low))
    snprintf(text, sizeof text, "%.3f", e->ratio);
  else
    snprintf(text, sizeof text, "%.3f [%.3f, %.3f]", e->ratio, e->low, e->high);
  scols_line_set_data(line, 5, text);
  scols_line_set_data(line, 6, verdict_names[e->verdict]);
}

static void print_text(const struct compare *c) {
  static const char *const heads[] = {"CELL", "LABEL", "METRIC", "A", "B", "B/A", "B IS"};
  int verdicts[VERDICT_VOID + 1] = {0};
  struct libscols_table *table = mux_made(scols_new_table());
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    mux_made(scols_table_new_column(table, heads[i], 0, i == 3 || i == 4 ? SCOLS_FL_RIGHT : 0));
  for (int i = 0; i < c->count; i++) {
    verdicts[c->entries[i].verdict]++;
    print_line(table, &c->entries[i]);
  }
  printf("Of %d comparisons B is better in %d, worse in %d, equivalent in %d; %d are undecided, %d "
         "have too few launches for a claim, %d are void.\nA and B are ratios to the baseline.\n\n",
         c->count, verdicts[VERDICT_BETTER], verdicts[VERDICT_WORSE], verdicts[VERDICT_EQUIVALENT],
         verdicts[VERDICT_UNDECIDED], verdicts[VERDICT_NONE], verdicts[VERDICT_VOID]);
  scols_print_table(table);
  scols_unref_table(table);
}

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *entry_json(const struct compare_entry *e) {
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:i, s:i}", "cell_id", e->cell, "label", e->label, "metric",
                column_names[e->metric->column], "n_a", e->n_a, "n_b", e->n_b);
  if (object == NULL) /* a name that is not UTF-8 */
    object = json_object();
  json_object_set_new(object, "a", number(e->a));
  json_object_set_new(object, "b", number(e->b));
  json_object_set_new(object, "ratio", number(e->ratio));
  json_object_set_new(object, "ratio_low", number(e->low));
  json_object_set_new(object, "ratio_high", number(e->high));
  json_object_set_new(object, "verdict", json_string(verdict_names[e->verdict]));
  return object;
}

static int print_json(const struct compare *c, struct mux_output *out, const char *path) {
  json_t *list = json_array();
  for (int i = 0; i < c->count; i++)
    json_array_append_new(list, entry_json(&c->entries[i]));
  json_t *object = json_pack("{s:o}", "comparisons", list);
  json_dumpf(object, out->stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
  fputc('\n', out->stream);
  json_decref(object);
  return mux_result_commit(out, "--json", path);
}

/* Names what was proved worse. Returns how many. */
static int tell_regressions(const struct compare *c, double threshold) {
  int n = 0;
  for (int i = 0; i < c->count; i++) {
    const struct compare_entry *e = &c->entries[i];
    char cell[128];
    char label[96];
    if (!compare_is_regression(e, threshold))
      continue;
    n++;
    mux_note(
        "regression: %s, %s: %s is, relative to the baseline, %.3f times what it was [%.3f, %.3f]",
        mux_printable(cell, sizeof cell, e->cell), mux_printable(label, sizeof label, e->label),
        e->metric->what, e->ratio, e->low, e->high);
  }
  return n;
}

int cmd_compare(int argc, char **argv) {
  struct compare_options options = {
      .metrics = "host_cpu_us_per_req,server_cpu_us_per_req,completed_per_s,response_p99_us",
      .threshold = -1};
  const struct summary_metric *metrics[METRICS_MAX];
  struct rows rows[2];
  struct mux_output out = {0};
  mux_parse_args(&parser, argc, argv, &options);
  if (options.run_count != 2)
    mux_die(MUX_EXIT_USAGE, "compare: name two run directories");
  int n = parse_metrics(options.metrics, metrics);
  char *baselines[2];
  for (int i = 0; i < 2; i++)
    baselines[i] = read_run(options.runs[i], &rows[i]);
  check_baselines(baselines, options.runs);
  if (options.json != NULL && mux_result_open(&out, "--json", options.json) != 0)
    exit(MUX_EXIT_USAGE);
  struct compare *c = compare_new(&rows[0], &rows[1], baselines[0], metrics, n);
  for (int i = 0; i < c->refused_count; i++)
    mux_note("refused: %s", c->refused[i]);
  int status = c->refused_count > 0 ? MUX_EXIT_FAILED : MUX_EXIT_OK;
  if (c->count == 0) {
    mux_note("compare: the two runs have no cell in common that could be compared");
    status = MUX_EXIT_USAGE;
  } else if (options.json == NULL) {
    print_text(c);
  } else if (print_json(c, &out, options.json) != 0) {
    status = MUX_EXIT_FAILED;
  }
  mux_output_abort(&out);
  if (c->count > 0 && options.threshold >= 0 && tell_regressions(c, options.threshold) > 0)
    status = MUX_EXIT_THRESHOLD;
  compare_free(c);
  for (int i = 0; i < 2; i++) {
    rows_free(&rows[i]);
    free(baselines[i]);
  }
  return status;
}
