/* experiment_options.c: which options of serve and load an experiment may set, and how their values
 * are read. The ranges are wide: the commands themselves have the last word. */
#include "bench/plan/experiment_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/accept.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/units.h"

#define HOUR_NS (3600 * MUX_S)

static const char *const arrivals[] = {"constant", "poisson", NULL};
static const char *const modes[] = {"echo", "crr", "stream", NULL};

static const char *const no_yes[] = {"no", "yes", NULL};

static const struct experiment_option options[] = {
    {"connections", OPTION_LOAD, OPTION_COUNT, 1, 1000000, "1", NULL},
    {"idle", OPTION_LOAD, OPTION_COUNT, 0, 1000000, "0", NULL},
    {"threads", OPTION_LOAD, OPTION_COUNT, 1, 1024, "1", NULL},
    {"payload", OPTION_LOAD, OPTION_SIZE, 1, INT64_C(1) << 30, "64", NULL},
    {"depth", OPTION_LOAD, OPTION_COUNT, 1, 1000000, "1", NULL},
    {"rate", OPTION_LOAD, OPTION_RATE, 1, 1000000000, "closed", NULL},
    {"arrival", OPTION_LOAD, OPTION_WORD, 0, 0, "constant", arrivals},
    {"mode", OPTION_LOAD, OPTION_WORD, 0, 0, "echo", modes},
    {"duration", OPTION_LOAD, OPTION_TIME, MUX_MS, 24 * HOUR_NS, "2s", NULL},
    {"warmup", OPTION_LOAD, OPTION_TIME, 0, HOUR_NS, "500ms", NULL},
    {"timeout", OPTION_LOAD, OPTION_TIME, MUX_MS, HOUR_NS, "5s", NULL},
    {"interval", OPTION_LOAD, OPTION_TIME, 10 * MUX_MS, HOUR_NS, NULL, NULL},
    {"ramp", OPTION_LOAD, OPTION_COUNT, 1, 1000000000, NULL, NULL},
    {"think", OPTION_LOAD, OPTION_TIME, 0, HOUR_NS, NULL, NULL},
    {"spin", OPTION_LOAD, OPTION_TIME, 0, MUX_S, NULL, NULL},
    {"sources", OPTION_LOAD, OPTION_TEXT, 0, 0, NULL, NULL},
    {"linger0", OPTION_LOAD, OPTION_FLAG, 0, 0, NULL, no_yes},
    {"timestamps", OPTION_LOAD, OPTION_TEXT, 0, 0, NULL, NULL},
    {"engine", OPTION_LOAD, OPTION_TEXT, 0, 0, NULL, NULL},
    {"congestion", OPTION_LOAD, OPTION_TEXT, 0, 0, NULL, NULL},
    {"listen", OPTION_SERVE, OPTION_TEXT, 0, 0, "tcp://127.0.0.1:0", NULL},
    {"workers", OPTION_SERVE, OPTION_COUNT, 1, 1024, NULL, NULL},
    {"work", OPTION_SERVE, OPTION_TIME, 0, MUX_S, NULL, NULL},
    {"drain", OPTION_SERVE, OPTION_TIME, 0, HOUR_NS, NULL, NULL},
    {"buffer", OPTION_SERVE, OPTION_SIZE, 1, INT64_C(1) << 30, NULL, NULL},
    {"backlog", OPTION_SERVE, OPTION_COUNT, 1, 1 << 20, NULL, NULL},
    {"rcvbuf", OPTION_SERVE, OPTION_SIZE, 1, INT64_C(1) << 30, NULL, NULL},
    {"sndbuf", OPTION_SERVE, OPTION_SIZE, 1, INT64_C(1) << 30, NULL, NULL},
    {"options", OPTION_SERVE, OPTION_TEXT, 0, 0, NULL, NULL},
    {"rcvlowat", OPTION_SERVE, OPTION_SIZE, 1, INT64_C(1) << 30, NULL, NULL},
    {"busy-poll", OPTION_SERVE, OPTION_TIME, MUX_US, MUX_S, NULL, NULL},
    {"quickack", OPTION_SERVE, OPTION_FLAG, 0, 0, NULL, no_yes},
    {"defer-accept", OPTION_SERVE, OPTION_TIME, MUX_S, 60 * MUX_S, NULL, NULL},
    {"accept", OPTION_SERVE, OPTION_WORD, 0, 0, NULL, mux_accept_names},
    {"nagle", OPTION_SERVE, OPTION_FLAG, 0, 0, NULL, no_yes},
    {"congestion", OPTION_SERVE, OPTION_TEXT, 0, 0, NULL, NULL},
};

const struct experiment_option *experiment_options(size_t *count) {
  *count = sizeof options / sizeof *options;
  return options;
}

const struct experiment_option *experiment_option_find(enum option_group group, const char *key) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].group == group && strcmp(options[i].key, key) == 0)
      return &options[i];
  return NULL;
}

static int read_quantity(const struct experiment_option *option, const char *text, int64_t *number,
                         char printed[MUX_UNIT_TEXT], char *why, size_t why_bytes) {
  static const struct {
    int (*parse)(const char *text, int64_t *value);
    char *(*print)(char out[MUX_UNIT_TEXT], int64_t value);
    const char *example;
  } kinds[] = {
      [OPTION_COUNT] = {mux_parse_count, mux_print_count, "a count such as 64 or \"10k\""},
      [OPTION_SIZE] = {mux_parse_size, mux_print_size, "a size such as 64 or \"16KiB\""},
      [OPTION_TIME] = {mux_parse_time, mux_print_time, "a time such as \"50us\" or \"2s\""},
      [OPTION_RATE] = {mux_parse_count, mux_print_count, "a rate such as \"10k\", or \"closed\""},
  };
  char shown[64];
  int rc = kinds[option->kind].parse(text, number);
  if (rc == -EINVAL) {
    snprintf(why, why_bytes, "%s: '%s' is not %s%s", option->key,
             mux_printable(shown, sizeof shown, text), kinds[option->kind].example,
             *text == '-' ? " (write numbers above 2147483647 in quotes)" : "");
    return rc;
  }
  if (rc == 0 && *number >= option->min && *number <= option->max) {
    if (option->kind == OPTION_COUNT || option->kind == OPTION_RATE) /* for every tool to read */
      snprintf(printed, MUX_UNIT_TEXT, "%" PRId64, *number);
    else
      kinds[option->kind].print(printed, *number);
    return 0;
  }
  char low[MUX_UNIT_TEXT];
  char high[MUX_UNIT_TEXT];
  snprintf(why, why_bytes, "%s: %s is out of range, it takes %s to %s", option->key,
           mux_printable(shown, sizeof shown, text), kinds[option->kind].print(low, option->min),
           kinds[option->kind].print(high, option->max));
  return -ERANGE;
}

int experiment_option_print(char *out, size_t out_bytes, const struct experiment_option *option,
                            const char *value) {
  if (option->kind == OPTION_FLAG)
    return strcmp(value, "yes") == 0 ? snprintf(out, out_bytes, "--%s", option->key) : 0;
  return snprintf(out, out_bytes, "--%s=%s", option->key, value);
}

int experiment_value_read(struct experiment_value *value, const struct experiment_option *option,
                          const char *text, char *why, size_t why_bytes) {
  char printed[MUX_UNIT_TEXT];
  char shown[64];
  const char *canonical = text;
  int rc = 0;
  *value = (struct experiment_value){0};
  if (strlen(text) > EXPERIMENT_TEXT || strpbrk(text, ";\"\n\r\t") != NULL) {
    snprintf(why, why_bytes, "%s: '%s' is too long or has a ';', quote or control character",
             option->key, mux_printable(shown, sizeof shown, text));
    return -EINVAL;
  }
  if (option->choices != NULL) {
    while (option->choices[value->number] != NULL &&
           strcmp(option->choices[value->number], text) != 0)
      value->number++;
    if (option->choices[value->number] == NULL) {
      snprintf(why, why_bytes, "%s: '%s' is not one of its words (%s, %s%s%s)", option->key,
               mux_printable(shown, sizeof shown, text), option->choices[0], option->choices[1],
               option->choices[2] != NULL ? ", " : "",
               option->choices[2] != NULL ? option->choices[2] : "");
      rc = -EINVAL;
    }
  } else if (option->kind == OPTION_RATE && strcmp(text, "closed") == 0) {
    value->number = 0;
  } else if (option->kind != OPTION_TEXT) {
    rc = read_quantity(option, text, &value->number, printed, why, why_bytes);
    canonical = printed;
  }
  if (rc == 0)
    value->text = mux_copy(canonical);
  return rc;
}
