/* table.c: see table.h. Numbers are medians of the trials that measured. */
#include "bench/results/table.h"

#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/shown.h"
#include "common/memory.h"
#include "common/units.h"

/* The usual columns; those that the experiment asks for come before the last two. */
enum { BACKEND, HOST, SERVER, CLIENT, THROUGHPUT, P50, P99, USUAL };

static const char *const heads[USUAL] = {"BACKEND",    "CPU/REQ", "SERVER", "LOAD",
                                         "REQUESTS/S", "P50",     "P99"};
static const enum column columns[USUAL] = {
    [HOST] = COL_host_cpu_us_per_req,     [SERVER] = COL_server_cpu_us_per_req,
    [CLIENT] = COL_client_cpu_us_per_req, [THROUGHPUT] = COL_completed_per_s,
    [P50] = COL_response_p50_us,          [P99] = COL_response_p99_us};

/* Flags of the label's rows in this cell, or why there is none of them. */
static void flags_of(const struct plan *plan, const struct rows *rows, int cell, int label,
                     char *out, size_t out_bytes) {
  struct row all = {0};
  for (size_t i = 0; i < rows->count; i++) {
    const struct row *row = &rows->rows[i];
    struct plan_trial trial;
    if (!plan_find(plan, row, &trial) || trial.cell != cell || trial.label != label)
      continue;
    if (!row_has_result(row))
      row_flag(&all, row_text(row, COL_status));
    char *flags = strdup(row_text(row, COL_flags));
    char *rest = flags;
    for (char *flag; rest != NULL && (flag = strsep(&rest, ";")) != NULL;)
      if (*flag != 0)
        row_flag(&all, flag);
    free(flags);
  }
  snprintf(out, out_bytes, "%s", row_text(&all, COL_flags));
  row_clear(&all);
}

static void set_time(struct libscols_line *line, size_t column, double us) {
  char text[MUX_UNIT_TEXT];
  if (!isnan(us))
    scols_line_set_data(line, column, mux_show_time(text, us * 1e3));
  else
    scols_line_set_data(line, column, "-");
}

static void verdict_text(const struct summary_entry *entry, char *out, size_t out_bytes) {
  const char *name = verdict_names[entry->verdict];
  if (entry->verdict == VERDICT_BASELINE || isnan(entry->ratio))
    snprintf(out, out_bytes, "%s", name);
  else if (isnan(entry->ratio_low))
    snprintf(out, out_bytes, "%.2f", entry->ratio);
  else
    snprintf(out, out_bytes, "%.2f [%.2f, %.2f] %s", entry->ratio, entry->ratio_low,
             entry->ratio_high, name);
}

static void add_line(struct libscols_table *table, const struct summary *s, const struct rows *rows,
                     int cell, int label) {
  struct libscols_line *line = mux_made(scols_table_new_line(table, NULL));
  const struct experiment *e = s->plan->experiment;
  size_t next = USUAL;
  char text[256];
  char shown[SHOWN_TEXT];
  scols_line_set_data(line, BACKEND, s->plan->labels[label].name);
  for (size_t i = HOST; i < USUAL; i++) {
    const struct summary_entry *entry = summary_at(s, cell, summary_metric_of(columns[i]), label);
    if (i != THROUGHPUT)
      set_time(line, i, entry->median);
    else
      scols_line_set_data(line, i, entry->n > 0 ? mux_show_count(text, entry->median) : "-");
  }
  for (int i = 0; i < e->column_count; i++)
    scols_line_set_data(line, next++,
                        shown_value(shown, rows, s->plan->cells[cell].id,
                                    s->plan->labels[label].name, e->columns[i]));
  verdict_text(summary_at(s, cell, summary_objective(s->plan), label), text, sizeof text);
  scols_line_set_data(line, next++, text);
  flags_of(s->plan, rows, cell, label, text, sizeof text);
  scols_line_set_data(line, next, text);
}

static void add_column(struct libscols_table *table, const char *head, bool right) {
  mux_made(scols_table_new_column(table, head, 0, right ? SCOLS_FL_RIGHT : 0));
}

static void print_cell(const struct summary *s, const struct rows *rows, int cell, FILE *to) {
  struct libscols_table *table = mux_made(scols_new_table());
  const struct experiment *e = s->plan->experiment;
  for (size_t i = 0; i < USUAL; i++)
    add_column(table, heads[i], i != BACKEND);
  for (int i = 0; i < e->column_count; i++)
    add_column(table, column_names[e->columns[i]], true);
  add_column(table, "VS BASELINE", false);
  add_column(table, "FLAGS", false);
  for (int label = 0; label < s->plan->label_count; label++)
    add_line(table, s, rows, cell, label);
  scols_table_set_stream(table, to);
  fprintf(to, "\n%s\n", s->plan->cells[cell].id);
  scols_print_table(table);
  scols_unref_table(table);
}

void table_print(const struct summary *summary, const struct rows *rows, FILE *to) {
  for (int cell = 0; cell < summary->plan->cell_count; cell++)
    print_cell(summary, rows, cell, to);
  fprintf(to,
          "\nMedians of the launches. CPU/REQ is CPU time per request, the server's and the load's "
          "together: on\nloopback, waking a sleeping server is billed to the client. P50 and P99 "
          "are response times. VS BASELINE:\nratio of %s, its 95 %% interval (simultaneous for "
          "all labels of the cell), and the verdict.\n",
          summary->plan->experiment->objective);
}
