/* formats.c: see formats.h. */
#include "check/formats.h"

#include <inttypes.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/memory.h"

static const char *const words[] = {
    [CHECK_RUNNING] = "not run", [CHECK_PASS] = "pass",     [CHECK_FAIL] = "FAIL",
    [CHECK_SKIP] = "skip",       [CHECK_EXEMPT] = "exempt",
};

const char *check_verdict_word(enum check_verdict verdict) {
  return words[verdict];
}

int check_report_count(const struct check_report *report, enum check_verdict verdict) {
  int count = 0;
  for (int i = 0; i < report->count; i++)
    count += report->lines[i].result.verdict == verdict;
  return count;
}

static double seconds(const struct check_result *result) {
  return (double)result->took_ns / (double)MUX_S;
}

/* The reason, and for a failure what usually causes it. */
static char *explain(char *out, size_t bytes, const struct check_line *line) {
  const struct check_result *result = &line->result;
  snprintf(out, bytes, "%s%s%s%s", result->reason,
           result->verdict == CHECK_FAIL ? ". Usual cause: " : "",
           result->verdict == CHECK_FAIL ? line->one->advice : "",
           result->verdict == CHECK_PASS ? result->note : "");
  return out;
}

void check_report_table(const struct check_report *report, FILE *out) {
  char text[1000];
  struct libscols_table *table = mux_made(scols_new_table());
  scols_table_set_stream(table, out);
  scols_table_new_column(table, "CASE", 0, 0);
  scols_table_new_column(table, "VERDICT", 0, 0);
  scols_table_new_column(table, "TIME", 0, SCOLS_FL_RIGHT);
  scols_table_new_column(table, "WHY", 0, isatty(fileno(out)) ? SCOLS_FL_WRAP : 0);
  for (int i = 0; i < report->count; i++) {
    const struct check_line *line = &report->lines[i];
    struct libscols_line *row = mux_made(scols_table_new_line(table, NULL));
    scols_line_set_data(row, 0, line->one->name);
    scols_line_set_data(row, 1, words[line->result.verdict]);
    snprintf(text, sizeof text, "%.2f s", seconds(&line->result));
    if (line->result.took_ns > 0)
      scols_line_set_data(row, 2, text);
    scols_line_set_data(row, 3, explain(text, sizeof text, line));
  }
  fprintf(out, "%s over %s, seed %" PRIu64 "\n", report->server, report->transport, report->seed);
  scols_print_table(table);
  scols_unref_table(table);
  double total = 0;
  for (int i = 0; i < report->count; i++)
    total += seconds(&report->lines[i].result);
  fprintf(out, "%d pass, %d fail, %d skip, %d exempt in %.1f s%s\n",
          check_report_count(report, CHECK_PASS), check_report_count(report, CHECK_FAIL),
          check_report_count(report, CHECK_SKIP), check_report_count(report, CHECK_EXEMPT), total,
          report->interrupted ? " (interrupted)" : "");
}

static json_t *line_json(const struct check_line *line) {
  const struct check_result *result = &line->result;
  const char *word = result->verdict == CHECK_FAIL ? "fail" : words[result->verdict];
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:f}", "case", line->one->name, "verdict", word, "property",
                line->one->property, "took_s", (double)(result->took_ns / MUX_MS) / 1e3);
  if (result->reason[0] != 0)
    json_object_set_new(object, "reason", json_string(result->reason));
  if (result->verdict == CHECK_FAIL)
    json_object_set_new(object, "advice", json_string(line->one->advice));
  if (result->note[0] != 0)
    json_object_set_new(object, "note", json_string(result->note));
  return object;
}

void check_report_json(const struct check_report *report, FILE *out) {
  json_t *cases = json_array();
  for (int i = 0; i < report->count; i++)
    json_array_append_new(cases, line_json(&report->lines[i]));
  json_t *root = mux_made(json_pack(
      "{s:s, s:s, s:I, s:i, s:i, s:i, s:i, s:b, s:o}", "server", report->server, "transport",
      report->transport, "seed", (json_int_t)report->seed, "passed",
      check_report_count(report, CHECK_PASS), "failed", check_report_count(report, CHECK_FAIL),
      "skipped", check_report_count(report, CHECK_SKIP), "exempt",
      check_report_count(report, CHECK_EXEMPT), "interrupted", report->interrupted, "cases",
      cases));
  json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  fputc('\n', out);
  json_decref(root);
}

/* A description in which no directive can begin (TAP 14 lets '#' be escaped). */
static void print_tap(FILE *out, const char *text) {
  for (; *text != 0; text++)
    fprintf(out, *text == '#' ? "\\%c" : "%c", *text);
}

void check_report_tap(const struct check_report *report, FILE *out) {
  char text[1000];
  fprintf(out, "TAP version 13\n1..%d\n", report->count);
  for (int i = 0; i < report->count; i++) {
    const struct check_line *line = &report->lines[i];
    enum check_verdict verdict = line->result.verdict;
    bool ok = verdict != CHECK_FAIL && verdict != CHECK_RUNNING;
    fprintf(out, "%s %d - ", ok ? "ok" : "not ok", i + 1);
    print_tap(out, report->server);
    fprintf(out, ": %s", line->one->name);
    if (verdict == CHECK_SKIP || verdict == CHECK_EXEMPT)
      fprintf(out, " # SKIP %s%s", verdict == CHECK_EXEMPT ? "exempt: " : "", line->result.reason);
    fputc('\n', out);
    if (!ok)
      fprintf(out, "  # %s\n", explain(text, sizeof text, line));
  }
}

static void print_xml(FILE *out, const char *text) {
  for (; *text != 0; text++) {
    const char *entity = *text == '<'   ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
    if (entity != NULL)
      fputs(entity, out);
    else
      fputc(*text, out);
  }
}

void check_report_junit(const struct check_report *report, FILE *out) {
  char text[1000];
  fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
  print_xml(out, report->server);
  fprintf(out, "\" tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\">\n", report->count,
          check_report_count(report, CHECK_FAIL) + check_report_count(report, CHECK_RUNNING),
          check_report_count(report, CHECK_SKIP) + check_report_count(report, CHECK_EXEMPT));
  for (int i = 0; i < report->count; i++) {
    const struct check_line *line = &report->lines[i];
    fprintf(out, "  <testcase classname=\"muxbench.check\" name=\"%s\" time=\"%.3f\"",
            line->one->name, seconds(&line->result));
    if (line->result.verdict == CHECK_PASS) {
      fputs("/>\n", out);
      continue;
    }
    bool skipped = line->result.verdict == CHECK_SKIP || line->result.verdict == CHECK_EXEMPT;
    fprintf(out, ">\n    <%s message=\"", skipped ? "skipped" : "failure");
    print_xml(out, explain(text, sizeof text, line));
    fputs("\"/>\n  </testcase>\n", out);
  }
  fputs("</testsuite>\n", out);
}
