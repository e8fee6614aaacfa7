/* doctor.h: is this machine fit to measure? Each finding says how to mend it. */
#ifndef MUX_DOCTOR_H
#define MUX_DOCTOR_H

#include <jansson.h>
#include <stdio.h>

enum doctor_level { DOCTOR_FINE, DOCTOR_WARNING, DOCTOR_FAILURE };
extern const char *const doctor_level_names[];

struct doctor_finding {
  const char *name;
  enum doctor_level level;
  char text[256]; /* what was found */
  char fix[256];  /* the command that mends it; "" if it is fine */
};

enum { DOCTOR_FINDINGS = 24 };

struct doctor_report {
  struct doctor_finding findings[DOCTOR_FINDINGS];
  int count;
  enum doctor_level worst;
};

/* Looks at everything; takes about 200 ms, in which it watches what else runs. */
void doctor_examine(struct doctor_report *report);
json_t *doctor_json(const struct doctor_report *report);
/* One line each; below `from` left out. */
void doctor_print(const struct doctor_report *report, enum doctor_level from, FILE *to);

#endif
