/* units.c: see units.h. */
#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

struct unit {
  const char *suffix;
  int64_t scale;
};

/* Rising scales; the first is the one a bare number has. `bare` times are seconds, as in wrk. */
static const struct unit count_units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit time_units[] = {{"ns", 1},         {"us", 1000},         {"ms", 1000000},
                                         {"s", 1000000000}, {"min", 60000000000}, {NULL, 0}};

/* Spellings accepted besides the ones printed. */
static const struct unit count_extra[] = {{"K", 1000}, {NULL, 0}};
static const struct unit size_extra[] = {{"B", 1}, {NULL, 0}};
static const struct unit time_extra[] = {{"", 1000000000}, {NULL, 0}};

static int64_t find_scale(const struct unit *units, const char *suffix) {
  for (; units->suffix != NULL; units++)
    if (strcmp(units->suffix, suffix) == 0)
      return units->scale;
  return 0;
}

/* number := digits [ "." digits ]; computed exactly in 128 bits. */
static int parse(const char *text, const struct unit *units, const struct unit *extra,
                 int64_t *value) {
  const char *p = text;
  __int128 digits = 0;
  __int128 divisor = 1;
  int count = 0;
  for (int fraction = 0;; p++) {
    if (*p == '.' && !fraction && count > 0) {
      fraction = 1;
      continue;
    }
    if (!isdigit((unsigned char)*p))
      break;
    if (++count > 24)
      return -ERANGE;
    digits = digits * 10 + (*p - '0');
    if (fraction)
      divisor *= 10;
  }
  if (count == 0 || p[-1] == '.')
    return -EINVAL;
  if (*p == ' ' && p[1] != 0)
    p++;
  int64_t scale = find_scale(units, p);
  if (scale == 0)
    scale = find_scale(extra, p);
  if (scale == 0)
    return -EINVAL;
  __int128 scaled = digits * scale;
  if (scaled % divisor != 0)
    return -EINVAL;
  if (scaled / divisor > INT64_MAX)
    return -ERANGE;
  *value = (int64_t)(scaled / divisor);
  return 0;
}

static char *print(char out[MUX_UNIT_TEXT], const struct unit *units, int64_t value) {
  const struct unit *best = units;
  for (const struct unit *unit = units; unit->suffix != NULL; unit++)
    if (value != 0 && value % unit->scale == 0)
      best = unit;
  snprintf(out, MUX_UNIT_TEXT, "%" PRId64 "%s", value / best->scale, best->suffix);
  return out;
}

static char *show(char out[MUX_UNIT_TEXT], const struct unit *units, double value,
                  const char *space) {
  const struct unit *best = units;
  for (const struct unit *unit = units; unit->suffix != NULL; unit++)
    if (fabs(value) >= (double)unit->scale * 0.9995)
      best = unit;
  double scaled = value / (double)best->scale;
  double size = fabs(scaled);
  int decimals = size >= 99.95 || scaled == 0 ? 0 : size >= 9.995 ? 1 : 2;
  if (best == units && best->scale == 1 && scaled == floor(scaled))
    decimals = 0;
  snprintf(out, MUX_UNIT_TEXT, "%.*f%s%s", decimals, scaled, *best->suffix != 0 ? space : "",
           best->suffix);
  return out;
}

int mux_parse_count(const char *text, int64_t *value) {
  return parse(text, count_units, count_extra, value);
}
int mux_parse_size(const char *text, int64_t *bytes) {
  return parse(text, size_units, size_extra, bytes);
}
int mux_parse_time(const char *text, int64_t *ns) {
  return parse(text, time_units, time_extra, ns);
}

char *mux_print_count(char out[MUX_UNIT_TEXT], int64_t value) {
  return print(out, count_units, value);
}
char *mux_print_size(char out[MUX_UNIT_TEXT], int64_t bytes) {
  return print(out, size_units, bytes);
}
char *mux_print_time(char out[MUX_UNIT_TEXT], int64_t ns) {
  return print(out, time_units, ns);
}

char *mux_show_count(char out[MUX_UNIT_TEXT], double value) {
  return show(out, count_units, value, "");
}
char *mux_show_size(char out[MUX_UNIT_TEXT], double bytes) {
  return show(out, size_units, bytes, " ");
}
char *mux_show_time(char out[MUX_UNIT_TEXT], double ns) {
  return show(out, time_units, ns, " ");
}

int mux_parse_percent(const char *text, double *ratio) {
  char *end;
  if (*text < '0' || *text > '9') /* no sign, no word such as "inf" */
    return -EINVAL;
  double value = strtod(text, &end);
  while (*end == ' ')
    end++;
  if (strcmp(end, "%") != 0 || !isfinite(value))
    return -EINVAL;
  *ratio = value / 100;
  return 0;
}
