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

/* A sysctl that has to be at least so much, and what to set it to if it is less. */
struct doctor_setting {
  const char *key;
  long now; /* -1: this kernel does not have it */
  long least, advised;
};

enum { DOCTOR_FINDINGS = 24, DOCTOR_SETTINGS = 16, DOCTOR_CONNECTIONS = 10000 };

struct doctor_report {
  struct doctor_finding findings[DOCTOR_FINDINGS];
  int count;
  struct doctor_setting settings[DOCTOR_SETTINGS]; /* that are too low */
  int setting_count;
  enum doctor_level worst;
};

/* Examines everything, for so many connections (DOCTOR_CONNECTIONS: what most experiments need).
 * Takes about 200 ms, in which it watches what else runs. */
void doctor_examine(struct doctor_report *report, long connections);

/* Raises the settings that are too low, and writes what they were into a file, a line "KEY=VALUE"
 * each, before it does. Lines on `to` say what was done. Returns 0 or -errno, with one line on
 * stderr; what was set by then is put back. */
int doctor_apply(const struct doctor_report *report, const char *path, FILE *to);
/* Sets what such a file (not trusted) says. */
int doctor_restore(const char *path, FILE *to);
json_t *doctor_json(const struct doctor_report *report);
/* A line per finding, and one per fix. Findings below `from` are left out. */
void doctor_print(const struct doctor_report *report, enum doctor_level from, FILE *to);

/* ---- For the files of the doctor --------------------------------------------------------------
 */

void doctor_find(struct doctor_finding *finding, enum doctor_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The command, or the advice, that goes with a finding. */
void doctor_fix(struct doctor_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* doctor_limits.c: adds the findings about what limits the number of connections. */
void doctor_limits(struct doctor_report *report, long connections);

#endif
