/* doctor.h: is this machine fit to measure? Each finding says how to fix it. */
#ifndef MUX_DOCTOR_H
#define MUX_DOCTOR_H

#include <jansson.h>
#include <stdio.h>

enum doctor_level { DOCTOR_FINE, DOCTOR_WARNING, DOCTOR_FAILURE };
extern const char *const doctor_level_names[];

struct doctor_finding {
  const char *name;
  enum doctor_level level;
  char text[256]; /* what was found, one printable line */
  char fix[256];  /* the command, or the advice, that fixes it; "" if it is fine */
};

enum { DOCTOR_FINDINGS = 24 };

struct doctor_report {
  struct doctor_finding findings[DOCTOR_FINDINGS];
  int count;
  enum doctor_level worst;
};

/* Examines everything. Takes about 200 ms, in which it watches what else runs. */
void doctor_examine(struct doctor_report *report);
json_t *doctor_json(const struct doctor_report *report);
/* A line per finding, and one per fix. Findings below `from` are left out. */
void doctor_print(const struct doctor_report *report, enum doctor_level from, FILE *to);

#endif
