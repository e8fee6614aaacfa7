/* report_text.c: see report.h. The ranking of every cell as text with bars, for people on a server.
 *
 * An entry is one label in one cell: its figures for the objective come from summary.csv (ranks
 * included: nothing is judged here), its flags and what became of it from measurements.csv, the
 * reason from run.json. Text of the files is printed with control characters escaped. */
#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/csv.h"
#include "bench/data/shown.h"
#include "bench/results/report.h"
#include "bench/results/summary.h"
#include "common/cli.h"
#include "common/input.h"
#include "common/memory.h"

enum { ENTRIES_MAX = 100000, BAR_CELLS = 24, SHOWN = 128, OBJECTIVE_BYTES = 64 };

// clang-format off
enum figure {
  MEDIAN, LOW, HIGH, RATIO, RATIO_LOW, RATIO_HIGH, RANK_LOW, RANK_HIGH, DETECTABLE, FIGURES
};
static const char *const figure_names[FIGURES] = {
  "median", "low", "high", "ratio", "ratio_low", "ratio_high", "rank_low", "rank_high", "detectable"
};
// clang-format on

struct text_entry {
  char *cell, *label;
  double figure[FIGURES]; /* NAN: none */
  char verdict[16];
  bool best;       /* may be: no other is proved better */
  char status[16]; /* of its last trial */
  struct row seen; /* only its flags are used: the union of its trials' */
  char reason[SHOWN];
  int order; /* by first appearance */
};

struct text {
  void *index; /* tsearch tree by cell and label */
  struct text_entry **entries;
  int count;
  struct rows rows;
  const json_t *columns; /* names of those to show beside the objective */
  char objective[OBJECTIVE_BYTES];
  char *why;
  size_t why_bytes;
};

static int by_key(const void *a, const void *b) {
  const struct text_entry *x = a;
  const struct text_entry *y = b;
  int order = strcmp(x->cell, y->cell);
  return order != 0 ? order : strcmp(x->label, y->label);
}

static void free_entry(void *p) {
  struct text_entry *entry = p;
  row_clear(&entry->seen);
  free(entry->cell);
  free(entry->label);
  free(entry);
}

/* The entry of that cell and label, made if `make`; NULL if not there, or too many. */
static struct text_entry *find_entry(struct text *t, const char *cell, const char *label,
                                     bool make) {
  struct text_entry key = {.cell = (char *)cell, .label = (char *)label};
  struct text_entry **found = tfind(&key, &t->index, by_key);
  if (found != NULL)
    return *found;
  if (!make || t->count == ENTRIES_MAX)
    return NULL;
  struct text_entry *entry = mux_new(1, sizeof *entry);
  entry->cell = mux_copy(cell);
  entry->label = mux_copy(label);
  mux_made(tsearch(entry, &t->index, by_key));
  for (int i = 0; i < FIGURES; i++)
    entry->figure[i] = NAN;
  entry->order = t->count;
  t->entries[t->count++] = entry;
  return entry;
}

/* ---- Reading --------------------------------------------------------------------------------- */
static int read_measurements(struct text *t, const char *path) {
  if (rows_read(&t->rows, path, t->why, t->why_bytes) != 0)
    return -EINVAL;
  for (size_t i = 0; i < t->rows.count; i++) {
    const struct row *row = &t->rows.rows[i];
    struct text_entry *entry =
        find_entry(t, row_text(row, COL_cell_id), row_text(row, COL_label), true);
    if (entry == NULL) {
      snprintf(t->why, t->why_bytes, "%s: more than %d cells and labels", path, ENTRIES_MAX);
      return -EINVAL;
    }
    snprintf(entry->status, sizeof entry->status, "%s", row_text(row, COL_status));
    char *flags = strdup(row_text(row, COL_flags));
    char *rest = flags;
    for (char *flag; rest != NULL && (flag = strsep(&rest, ";")) != NULL;)
      if (*flag != 0)
        row_flag(&entry->seen, flag);
    free(flags);
  }
  return 0;
}

/* Where the columns of summary.csv are; -1: not there, as those of earlier versions may be. */
struct columns {
  int cell, label, metric, verdict, best, figure[FIGURES];
};

static int column_of(const struct csv *csv, const char *name) {
  for (int i = 0; i < csv->count; i++)
    if (strcmp(csv->fields[i], name) == 0)
      return i;
  return -1;
}

static bool find_columns(const struct csv *csv, struct columns *c) {
  c->cell = column_of(csv, "cell_id");
  c->label = column_of(csv, "label");
  c->metric = column_of(csv, "metric");
  c->verdict = column_of(csv, "verdict");
  c->best = column_of(csv, "best");
  for (int i = 0; i < FIGURES; i++)
    c->figure[i] = column_of(csv, figure_names[i]);
  return c->cell >= 0 && c->label >= 0 && c->metric >= 0 && c->verdict >= 0 &&
         c->figure[MEDIAN] >= 0 && c->figure[RATIO] >= 0;
}

/* One row of summary.csv. Returns NULL, or what is wrong with it. */
static const char *take_summary(struct text *t, const struct csv *csv, const struct columns *c,
                                int width) {
  if (csv->count != width)
    return "not as many fields as the header has";
  if (strcmp(csv->fields[c->metric], t->objective) != 0)
    return NULL;
  struct text_entry *entry = find_entry(t, csv->fields[c->cell], csv->fields[c->label], false);
  if (entry == NULL)
    return "a cell and label that measurements.csv does not have";
  for (int i = 0; i < FIGURES; i++) {
    const char *field = c->figure[i] < 0 ? "" : csv->fields[c->figure[i]];
    char *end;
    double value = strtod(field, &end);
    if (*end != 0 || !isfinite(value))
      return "a figure that is not a number";
    entry->figure[i] = *field != 0 ? value : NAN;
  }
  mux_printable(entry->verdict, sizeof entry->verdict, csv->fields[c->verdict]);
  entry->best = c->best >= 0 && strcmp(csv->fields[c->best], "yes") == 0;
  return NULL;
}

static int read_summary(struct text *t, const char *path) {
  struct csv csv = {.from = mux_input_open(path, 0, t->why, t->why_bytes)};
  struct columns columns;
  const char *wrong = NULL;
  if (csv.from == NULL)
    return -EINVAL;
  int rc = csv_next(&csv);
  int width = csv.count;
  if (rc == 1 && !find_columns(&csv, &columns))
    wrong = "not the columns of summary.csv";
  while (rc == 1 && wrong == NULL && (rc = csv_next(&csv)) == 1)
    wrong = take_summary(t, &csv, &columns, width);
  if (rc < 0)
    wrong = csv.why != NULL ? csv.why : strerror(-rc);
  if (wrong != NULL)
    snprintf(t->why, t->why_bytes, "%s:%ld: %s", path, csv.line, wrong);
  fclose(csv.from);
  csv_free(&csv);
  return wrong != NULL ? -EINVAL : 0;
}

static void take_reasons(struct text *t, const json_t *run) {
  size_t i;
  json_t *trial;
  json_array_foreach(json_object_get(run, "trials"), i, trial) {
    const char *cell = json_string_value(json_object_get(trial, "cell_id"));
    const char *label = json_string_value(json_object_get(trial, "label"));
    const char *reason = json_string_value(json_object_get(trial, "reason"));
    struct text_entry *entry =
        cell == NULL || label == NULL || reason == NULL ? NULL : find_entry(t, cell, label, false);
    if (entry != NULL)
      mux_printable(entry->reason, sizeof entry->reason, reason);
  }
}

/* ---- Printing -------------------------------------------------------------------------------- */

static bool is_utf8(void) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (value != NULL && *value != 0)
      return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
  }
  return false;
}

static void print_line(const char *indent, const char *text, FILE *to) {
  fputs(indent, to);
  mux_put_printable(text, to);
  fputc('\n', to);
}

/* A bar of BAR_CELLS columns, in eighths of a column where the terminal has them. */
static void print_bar(double share, bool utf8, FILE *to) {
  static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
  int length = (int)lround(fmin(1, fmax(0, share)) * BAR_CELLS * 8);
  for (int i = 0; i < BAR_CELLS; i++, length -= 8) {
    int part = length >= 8 ? 8 : length > 0 ? length : 0;
    fputs(utf8 ? eighths[part] : part >= 4 ? "#" : " ", to);
  }
}

static int by_rank(const void *a, const void *b) {
  const struct text_entry *x = *(const struct text_entry *const *)a;
  const struct text_entry *y = *(const struct text_entry *const *)b;
  static const enum figure keys[] = {RANK_LOW, RANK_HIGH, MEDIAN};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    double p = x->figure[keys[i]];
    double q = y->figure[keys[i]];
    if (isnan(p) != isnan(q))
      return isnan(p) - isnan(q);
    if (p < q || p > q)
      return p < q ? -1 : 1;
  }
  return x->order - y->order;
}

static void print_rank(const struct text_entry *entry, FILE *to) {
  char text[32] = "";
  double low = entry->figure[RANK_LOW];
  double high = entry->figure[RANK_HIGH];
  if (!isnan(low) && !isnan(high))
    snprintf(text, sizeof text, low < high ? "%.0f-%.0f" : "%.0f", low, high);
  fprintf(to, "%s %5s  ", entry->best ? "*" : " ", text);
}

static void print_figures(const struct text_entry *entry, double most, bool utf8, FILE *to) {
  const double *f = entry->figure;
  char text[96];
  int decimals = most >= 1000 ? 0 : most >= 100 ? 1 : 2;
  print_bar(f[MEDIAN] / most, utf8, to);
  fprintf(to, " %10.*f", decimals, f[MEDIAN]);
  text[0] = 0;
  if (!isnan(f[LOW]) && !isnan(f[HIGH]))
    snprintf(text, sizeof text, "[%.*f, %.*f]", decimals, f[LOW], decimals, f[HIGH]);
  fprintf(to, " %-20s", text);
  if (isnan(f[RATIO]))
    snprintf(text, sizeof text, "%s", entry->verdict);
  else if (isnan(f[RATIO_LOW]))
    snprintf(text, sizeof text, "%.2f %s", f[RATIO], entry->verdict);
  else
    snprintf(text, sizeof text, "%.2f [%.2f, %.2f] %s", f[RATIO], f[RATIO_LOW], f[RATIO_HIGH],
             entry->verdict);
  if (strcmp(entry->verdict, "undecided") == 0 && !isnan(f[DETECTABLE]))
    snprintf(text + strlen(text), sizeof text - strlen(text), " (>= %.1f %%)", 100 * f[DETECTABLE]);
  const char *flags = row_text(&entry->seen, COL_flags);
  char shown[SHOWN];
  if (*flags != 0)
    fprintf(to, " %-26s %s", text, mux_printable(shown, sizeof shown, flags));
  else
    fprintf(to, " %s", text);
}

/* What else the experiment asks for, by its names in measurements.csv. */
static void print_columns(const struct text *t, const struct text_entry *entry, FILE *to) {
  size_t i;
  const json_t *name;
  json_array_foreach(t->columns, i, name) {
    char value[SHOWN_TEXT];
    enum column column = shown_column(json_is_string(name) ? json_string_value(name) : "");
    if (column != COLUMN_COUNT)
      fprintf(to, "  %s %s", column_names[column],
              shown_value(value, &t->rows, entry->cell, entry->label, column));
  }
}

/* The entries of one cell, best first; bars share the cell's largest median. */
static void print_cell(const struct text *t, struct text_entry **entries, int count, bool utf8,
                       FILE *to) {
  char shown[SHOWN];
  int width = 0;
  double most = 0;
  qsort(entries, (size_t)count, sizeof *entries, by_rank);
  for (int i = 0; i < count; i++) {
    int length = (int)strlen(mux_printable(shown, sizeof shown, entries[i]->label));
    width = length > width ? length : width;
    most = fmax(most, entries[i]->figure[MEDIAN]);
  }
  print_line("\n", entries[0]->cell, to);
  for (int i = 0; i < count; i++) {
    const struct text_entry *entry = entries[i];
    char status[32];
    print_rank(entry, to);
    fprintf(to, "%-*s  ", width, mux_printable(shown, sizeof shown, entry->label));
    if (!isnan(entry->figure[MEDIAN]) && most > 0) {
      print_figures(entry, most, utf8, to);
      print_columns(t, entry, to);
    } else {
      fprintf(to, "%s%s%s", mux_printable(status, sizeof status, entry->status),
              *entry->reason != 0 ? ": " : "", entry->reason);
    }
    fputc('\n', to);
  }
}

static int by_cell(const void *a, const void *b) {
  const struct text_entry *x = *(const struct text_entry *const *)a;
  const struct text_entry *y = *(const struct text_entry *const *)b;
  int order = strverscmp(x->cell, y->cell); /* 100 before 1000 before 20000 */
  return order != 0 ? order : x->order - y->order;
}

static void print_answer(const json_t *run, FILE *to) {
  size_t i;
  json_t *line;
  const char *question = json_string_value(json_object_get(run, "question"));
  if (question != NULL && *question != 0)
    print_line("", question, to);
  json_array_foreach(json_object_get(run, "answer"), i, line) if (json_is_string(line))
      print_line("  ", json_string_value(line), to);
}

static void print_all(struct text *t, const json_t *run, FILE *to) {
  const struct summary_metric *metric = summary_metric_find(t->objective);
  char shown[OBJECTIVE_BYTES];
  print_answer(run, to);
  fprintf(to,
          "\nBy %s%s%s, %s is better: median, 95 %% interval, ratio to the baseline and its\n"
          "interval, verdict (undecided: and what would have shown), flags. *: may be the best.\n",
          metric != NULL ? metric->what : mux_printable(shown, sizeof shown, t->objective),
          metric != NULL && *metric->unit != 0 ? " in" : "", metric != NULL ? metric->unit : "",
          metric != NULL && metric->better == BETTER_HIGHER ? "higher" : "lower");
  /* Cells in the order of their first trials would be the random order of the blocks. */
  qsort(t->entries, (size_t)t->count, sizeof *t->entries, by_cell);
  bool utf8 = is_utf8();
  for (int i = 0, end; i < t->count; i = end) {
    for (end = i + 1; end < t->count && strcmp(t->entries[end]->cell, t->entries[i]->cell) == 0;)
      end++;
    print_cell(t, t->entries + i, end - i, utf8, to);
  }
}

int report_text(const struct rundir *dir, FILE *to, char *why, size_t why_bytes) {
  struct text t = {.objective = "host_cpu_us_per_req", .why = why, .why_bytes = why_bytes};
  char path[RUNDIR_PATH];
  t.entries = mux_new(ENTRIES_MAX, sizeof *t.entries);
  json_t *effective = rundir_read_json(dir, "effective.json", why, why_bytes);
  t.columns = json_object_get(effective, "columns");
  json_t *run = effective == NULL ? NULL : rundir_read_json(dir, "run.json", why, why_bytes);
  int rc = run == NULL ? -EINVAL : 0;
  const char *objective = json_string_value(json_object_get(effective, "objective"));
  if (objective != NULL)
    snprintf(t.objective, sizeof t.objective, "%s", objective);
  if (rc == 0)
    rc = read_measurements(&t, rundir_file(dir, path, "measurements.csv"));
  if (rc == 0)
    rc = read_summary(&t, rundir_file(dir, path, "summary.csv"));
  if (rc == 0) {
    take_reasons(&t, run);
    print_all(&t, run, to);
  }
  json_decref(run);
  json_decref(effective);
  rows_free(&t.rows);
  tdestroy(t.index, free_entry);
  free(t.entries);
  return rc;
}
