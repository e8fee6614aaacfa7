/* derive.c: see derive.h. */
#include "bench/results/derive.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/data/csv.h"
#include "common/cli.h"
#include "common/input.h"
#include "hdr/hdr_log.h"

static void put_number(FILE *to, double value) {
  char text[32] = "";
  if (isfinite(value))
    snprintf(text, sizeof text, "%.9g", value);
  csv_put(to, text, false);
}

static void put_identity(FILE *to, const struct row *row) {
  csv_put(to, row_text(row, COL_trial), true);
  csv_put(to, row_text(row, COL_cell_id), false);
  csv_put(to, row_text(row, COL_block), false);
  csv_put(to, row_text(row, COL_label), false);
}

static void put_points(FILE *to, const struct row *row, const json_t *result) {
  static const char *const keys[] = {
      "t_s", "completed", "errors", "response_p50_us", "response_p99_us", "response_max_us"};
  size_t i;
  json_t *point;
  json_array_foreach(json_object_get(result, "timeline"), i, point) {
    put_identity(to, row);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
      put_number(to, rundir_number(point, keys[k]));
    csv_end_row(to);
  }
}

int derive_timeline(const struct rundir *dir, const struct rows *rows) {
  char path[RUNDIR_PATH];
  struct mux_output out;
  int rc = mux_output_open(&out, rundir_file(dir, path, "timeline.csv"));
  if (rc != 0)
    return rc;
  fputs("trial,cell_id,block,label,t_s,completed,errors,response_p50_us,response_p99_us,"
        "response_max_us\n",
        out.stream);
  for (size_t i = 0; i < rows->count; i++) {
    const struct row *row = &rows->rows[i];
    char name[64];
    char why[512];
    if (!row_has_result(row))
      continue;
    snprintf(name, sizeof name, "logs/%.0f.load.json", row_number(row, COL_trial));
    json_t *result = rundir_read_json(dir, name, why, sizeof why);
    if (result == NULL)
      mux_warn("timeline.csv lacks a trial: %s", why);
    else
      put_points(out.stream, row, result);
    json_decref(result);
  }
  return mux_output_commit(&out);
}

/* Of a label in a cell, all launches together. */
struct distribution {
  struct mux_hdr *times, *peaks;
  int recorders; /* load threads */
};

/* Adds the response times of one trial. Returns 0, or -errno with the reason in why; *d has what
 * came before the mistake. */
static int merge_log(const char *path, struct distribution *d, char *why, size_t why_bytes) {
  FILE *file = mux_input_open(path, 0, why, why_bytes);
  if (file == NULL)
    return -errno;
  struct mux_hdr_log_line interval;
  int rc;
  long line = 0;
  while ((rc = mux_hdr_log_next(file, &interval, &line)) == 1) {
    if (strcmp(interval.tag, "response") == 0)
      rc = mux_hdr_add(d->times, interval.histogram);
    else if (strcmp(interval.tag, "response_peak") == 0)
      rc = mux_hdr_add(d->peaks, interval.histogram);
    mux_hdr_free(interval.histogram);
    if (rc < 0)
      break;
  }
  fclose(file);
  if (rc != 0)
    snprintf(why, why_bytes, "%s:%ld: %s", path, line, strerror(-rc));
  return rc;
}

/* Steps get finer towards the top: ten to each halving of what is beyond. */
static void put_distribution(FILE *to, const char *cell, const char *label,
                             const struct distribution *d) {
  const struct mux_hdr *h = d->times;
  enum { STEPS = 10 };
  double beyond = 1;
  for (int step = 0; h->total > 0 && step < 40 * STEPS; step++) {
    double percentile = 100 * (1 - beyond * (1 - 0.5 * (step % STEPS) / STEPS));
    if (step % STEPS == STEPS - 1)
      beyond /= 2;
    if (!mux_hdr_is_spread(h, d->peaks, d->recorders, percentile))
      break;
    csv_put(to, cell, true);
    csv_put(to, label, false);
    put_number(to, percentile);
    put_number(to, (double)mux_hdr_percentile(h, percentile) / 1e3);
    put_number(to, (double)h->total);
    csv_end_row(to);
  }
}

static void merge_trials(const struct rundir *dir, const struct summary *s, int cell, int label,
                         struct distribution *d) {
  mux_hdr_reset(d->times);
  mux_hdr_reset(d->peaks);
  d->recorders = (int)plan_number(s->plan, &s->plan->cells[cell], OPTION_LOAD, "threads", 1);
  for (int block = 1; block <= s->blocks; block++) {
    const struct row *row = summary_row(s, cell, block, label);
    char path[RUNDIR_PATH];
    char why[RUNDIR_PATH + 128];
    if (row == NULL)
      continue;
    rundir_file(dir, path, "hlog/%s.hlog", row_text(row, COL_trial));
    if (merge_log(path, d, why, sizeof why) != 0)
      mux_warn("percentiles.csv lacks (part of) a trial: %s", why);
  }
}

int derive_percentiles(const struct rundir *dir, const struct summary *s) {
  const struct plan *plan = s->plan;
  char path[RUNDIR_PATH];
  struct mux_output out;
  struct distribution d = {.times = mux_hdr_new_latency(), .peaks = mux_hdr_new_latency()};
  int rc = d.times == NULL || d.peaks == NULL
               ? -ENOMEM
               : mux_output_open(&out, rundir_file(dir, path, "percentiles.csv"));
  if (rc != 0) {
    mux_hdr_free(d.times);
    mux_hdr_free(d.peaks);
    return rc;
  }
  fputs("cell_id,label,percentile,value_us,count\n", out.stream);
  for (int cell = 0; cell < plan->cell_count; cell++)
    for (int label = 0; label < plan->label_count; label++) {
      merge_trials(dir, s, cell, label, &d);
      put_distribution(out.stream, plan->cells[cell].id, plan->labels[label].name, &d);
    }
  mux_hdr_free(d.times);
  mux_hdr_free(d.peaks);
  return mux_output_commit(&out);
}
