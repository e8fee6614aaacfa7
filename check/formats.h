/* formats.h: what `check` says: a line per case while it runs, a table, JSON, TAP, JUnit XML. */
#ifndef MUX_CHECK_FORMATS_H
#define MUX_CHECK_FORMATS_H

#include <stdio.h>

#include "check/cases.h"

struct check_line {
  const struct check_case *one;
  struct check_result result;
};

struct check_report {
  const char *server; /* as the user named it; printable, as the reasons are (mux_printable) */
  const char *transport;
  uint64_t seed;
  int count;
  struct check_line *lines;
  bool interrupted;
};

const char *check_verdict_word(enum check_verdict verdict);
int check_report_count(const struct check_report *report, enum check_verdict verdict);

/* The stream remembers what could not be written. */
void check_report_table(const struct check_report *report, FILE *out);
void check_report_json(const struct check_report *report, FILE *out);
void check_report_tap(const struct check_report *report, FILE *out);   /* testanything.org, 13 */
void check_report_junit(const struct check_report *report, FILE *out); /* one testsuite */

#endif
