/* option_table.c: see option_table.h. */
#include "common/option_table.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/memory.h"
#include "common/units.h"

enum { FIRST_KEY = 256 }; /* argp: below are letters */

static const char *const no_yes[] = {"no", "yes", NULL};

static const struct quantity {
  int (*parse)(const char *text, int64_t *value);
  char *(*print)(char out[MUX_UNIT_TEXT], int64_t value);
  const char *what;
  const char *argument;
} quantities[] = {
    [MUX_VALUE_COUNT] = {mux_parse_count, mux_print_count, "a count (examples: 64, 10k, 1.5M)",
                         "N"},
    [MUX_VALUE_SIZE] = {mux_parse_size, mux_print_size, "a size (examples: 64, 16KiB, 1MiB)",
                        "SIZE"},
    [MUX_VALUE_TIME] = {mux_parse_time, mux_print_time, "a time (examples: 50us, 10ms, 2s)",
                        "TIME"},
};

static bool is_quantity(const struct mux_option_row *row) {
  return row->kind == MUX_VALUE_COUNT || row->kind == MUX_VALUE_SIZE || row->kind == MUX_VALUE_TIME;
}

static int64_t scale_of(const struct mux_option_row *row) {
  return row->scale > 0 ? row->scale : 1;
}

static const char *const *words_of(const struct mux_option_row *row) {
  return row->kind == MUX_VALUE_FLAG ? no_yes : row->choices;
}

/* "echo, crr, stream" */
static char *join(char *out, size_t out_bytes, const char *const *words, const char *between) {
  size_t used = 0;
  out[0] = 0;
  for (int i = 0; words[i] != NULL && used < out_bytes; i++)
    used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? between : "", words[i]);
  return out;
}

int mux_option_error_set(struct mux_option_error *error, const char *key, const char *format, ...) {
  va_list args;
  error->key = key;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return -EINVAL;
}

_Noreturn void mux_option_error_die(const struct mux_option_error *error) {
  mux_die(MUX_EXIT_USAGE, "--%s: %s", error->key, error->text);
}

/* ---- Fields ---------------------------------------------------------------------------------- */

static void store(const struct mux_option_row *row, void *field, int64_t value) {
  int64_t scaled = value / scale_of(row);
  int32_t narrow = (int32_t)scaled;
  bool flag = scaled != 0;
  assert(row->bytes == sizeof flag || row->bytes == sizeof narrow || row->bytes == sizeof scaled);
  if (row->bytes == sizeof flag)
    memcpy(field, &flag, sizeof flag);
  else if (row->bytes == sizeof narrow)
    memcpy(field, &narrow, sizeof narrow);
  else
    memcpy(field, &scaled, sizeof scaled);
}

int64_t mux_option_row_number(const struct mux_option_row *row, const void *config) {
  const void *field = (const char *)config + row->offset;
  int64_t wide;
  int32_t narrow;
  bool flag;
  if (!is_quantity(row) && words_of(row) == NULL)
    return 0;
  if (row->bytes == sizeof flag) {
    memcpy(&flag, field, sizeof flag);
    return flag;
  }
  if (row->bytes == sizeof narrow) {
    memcpy(&narrow, field, sizeof narrow);
    return narrow * scale_of(row);
  }
  memcpy(&wide, field, sizeof wide);
  return wide * scale_of(row);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* "1KiB": an end of a range; nothing has no unit. */
static const char *print_bound(char out[MUX_UNIT_TEXT], const struct mux_option_row *row,
                               int64_t bound) {
  return bound == 0 ? "0" : quantities[row->kind].print(out, bound);
}

static int read_quantity(const struct mux_option_row *row, const char *text, int64_t *value,
                         struct mux_option_error *error) {
  const struct quantity *kind = &quantities[row->kind];
  char shown[64];
  char low[MUX_UNIT_TEXT];
  char high[MUX_UNIT_TEXT];
  int rc = kind->parse(text, value);
  mux_printable(shown, sizeof shown, text);
  if (rc == -EINVAL && row->none != NULL)
    return mux_option_error_set(error, row->key, "'%s' is not %s or '%s'", shown, kind->what,
                                row->none);
  if (rc == -EINVAL)
    return mux_option_error_set(error, row->key, "'%s' is not %s", shown, kind->what);
  if (rc == -ERANGE || *value < row->min || *value > row->max) {
    mux_option_error_set(error, row->key, "%s is out of range (%s to %s)", shown,
                         print_bound(low, row, row->min), print_bound(high, row, row->max));
    return -ERANGE;
  }
  if (*value % scale_of(row) != 0)
    return mux_option_error_set(error, row->key, "'%s' is not a multiple of %s", shown,
                                kind->print(low, scale_of(row)));
  return 0;
}

static int read_choice(const struct mux_option_row *row, const char *text, int64_t *value,
                       struct mux_option_error *error) {
  const char *const *words = words_of(row);
  char shown[64];
  char list[256];
  for (int i = 0; words[i] != NULL; i++)
    if (strcmp(words[i], text) == 0) {
      *value = row->min + i;
      return 0;
    }
  return mux_option_error_set(error, row->key, "'%s' is not one of %s",
                              mux_printable(shown, sizeof shown, text),
                              join(list, sizeof list, words, ", "));
}

static int read_cpus(const struct mux_option_row *row, const char *text, cpu_set_t *field,
                     struct mux_option_error *error) {
  cpu_set_t set;
  char shown[64];
  int rc = mux_cpus_parse(&set, text);
  if (rc == 0)
    *field = set;
  else
    mux_option_error_set(error, row->key, "'%s' %s", mux_printable(shown, sizeof shown, text),
                         rc == -ENODEV ? "names a CPU that this process may not use"
                                       : "is not a list such as 0,2-3");
  return rc;
}

int mux_option_row_read(const struct mux_option_row *row, const char *text, void *config,
                        struct mux_option_error *error) {
  void *field = (char *)config + row->offset;
  bool none = row->none != NULL && strcmp(text, row->none) == 0;
  int64_t value = 0;
  int rc = 0;
  switch (row->kind) {
  case MUX_VALUE_TEXT:
    *(const char **)field = none ? NULL : text;
    return 0;
  case MUX_VALUE_CPUS:
    return read_cpus(row, text, field, error);
  case MUX_VALUE_CUSTOM:
    error->key = row->key;
    return row->read(field, text, error->text, sizeof error->text);
  case MUX_VALUE_FLAG:
  case MUX_VALUE_CHOICE:
    rc = read_choice(row, text, &value, error);
    break;
  default:
    rc = none ? 0 : read_quantity(row, text, &value, error);
  }
  if (rc == 0)
    store(row, field, value);
  return rc;
}

/* ---- Printing -------------------------------------------------------------------------------- */

const char *mux_option_row_print(const struct mux_option_row *row, char out[MUX_OPTION_TEXT],
                                 const void *config) {
  const void *field = (const char *)config + row->offset;
  int64_t value = mux_option_row_number(row, config);
  switch (row->kind) {
  case MUX_VALUE_TEXT: {
    const char *text = *(const char *const *)field;
    return text != NULL ? text : row->none;
  }
  case MUX_VALUE_CPUS:
    return CPU_COUNT((const cpu_set_t *)field) > 0 ? mux_cpus_print(out, field) : NULL;
  case MUX_VALUE_CUSTOM:
    return row->print != NULL ? row->print(out, field) : NULL;
  case MUX_VALUE_FLAG:
    return no_yes[value];
  case MUX_VALUE_CHOICE:
    return value < row->min ? NULL : row->choices[value - row->min];
  default:
    break;
  }
  if (row->none != NULL && value == 0)
    return row->none;
  if (value < row->min)
    return NULL;                    /* not set: as the command left it */
  if (row->kind == MUX_VALUE_COUNT) /* plain digits: other tools read them, too */
    snprintf(out, MUX_OPTION_TEXT, "%" PRId64, value);
  else
    quantities[row->kind].print(out, value);
  return out;
}

int mux_option_row_word(const struct mux_option_row *row, char *out, size_t out_bytes,
                        const char *value) {
  if (row->kind != MUX_VALUE_FLAG)
    return snprintf(out, out_bytes, "--%s=%s", row->key, value);
  return snprintf(out, out_bytes, "%s%s", strcmp(value, "yes") == 0 ? "--" : "",
                  strcmp(value, "yes") == 0 ? row->key : "");
}

/* "1 to 1024; ", "0 or more; ", "" for what has no range. */
static char *range_of(char *out, size_t out_bytes, const struct mux_option_row *row) {
  char low[MUX_UNIT_TEXT];
  char high[MUX_UNIT_TEXT];
  out[0] = 0;
  if (!is_quantity(row))
    return out;
  const char *least = print_bound(low, row, row->min);
  const char *unit = row->unit != NULL ? row->unit : "";
  const char *space = row->unit != NULL ? " " : "";
  if (row->max == INT64_MAX)
    snprintf(out, out_bytes, "%s%s%s or more; ", least, space, unit);
  else
    snprintf(out, out_bytes, "%s to %s%s%s; ", least, print_bound(high, row, row->max), space,
             unit);
  return out;
}

char *mux_option_row_help(const struct mux_option_row *row) {
  char range[128];
  range_of(range, sizeof range, row);
  if ((row->flags & MUX_OPTION_REQUIRED) != 0)
    return mux_format("%s (%srequired)", row->help, range);
  const char *usual = row->kind == MUX_VALUE_FLAG ? no_yes[0]
                      : row->fallback != NULL     ? row->fallback
                                                  : row->absent;
  return mux_format("%s (%sdefault: %s)", row->help, range, usual);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

const struct mux_option_row *mux_option_table_find(const struct mux_option_row *rows,
                                                   const char *key) {
  while (rows->key != NULL && strcmp(rows->key, key) != 0)
    rows++;
  return rows->key != NULL ? rows : NULL;
}

void mux_option_table_defaults(const struct mux_option_row *rows, void *config) {
  struct mux_option_error error;
  for (; rows->key != NULL; rows++)
    if (rows->fallback != NULL && mux_option_row_read(rows, rows->fallback, config, &error) != 0)
      mux_option_error_die(&error);
}

struct parse {
  const struct mux_option_row *rows;
  void *config;
};

static void read_or_die(const struct mux_option_row *row, const char *text, void *config) {
  struct mux_option_error error;
  if (mux_option_row_read(row, text, config, &error) != 0)
    mux_option_error_die(&error);
}

/* An argument that is no option: the value of the positional one, unless that has one. */
static error_t parse_argument(const struct parse *parse, const char *text) {
  const struct mux_option_row *row = parse->rows;
  char out[MUX_OPTION_TEXT];
  char shown[2][64];
  while (row->key != NULL && (row->flags & MUX_OPTION_POSITIONAL) == 0)
    row++;
  if (row->key == NULL)
    return ARGP_ERR_UNKNOWN;
  const char *before = mux_option_row_print(row, out, parse->config);
  if (before != NULL)
    mux_die(MUX_EXIT_USAGE, "unexpected argument '%s': --%s is %s already",
            mux_printable(shown[0], sizeof shown[0], text), row->key,
            mux_printable(shown[1], sizeof shown[1], before));
  read_or_die(row, text, parse->config);
  return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  const struct parse *parse = state->input;
  if (key == ARGP_KEY_ARG)
    return parse_argument(parse, text);
  for (int i = 0; parse->rows[i].key != NULL; i++) {
    const struct mux_option_row *row = &parse->rows[i];
    if (key != FIRST_KEY + i && (row->letter == 0 || key != row->letter))
      continue;
    const char *alone = row->kind == MUX_VALUE_FLAG ? no_yes[1] : row->alone;
    read_or_die(row, text != NULL ? text : alone, parse->config);
    return 0;
  }
  return ARGP_ERR_UNKNOWN;
}

/* The name of its argument in the help: "N", "echo|crr|stream"; NULL for a flag. */
static char *argument_of(const struct mux_option_row *row) {
  char words[256];
  if (row->kind == MUX_VALUE_FLAG)
    return NULL;
  if (row->argument != NULL)
    return mux_copy(row->argument);
  if (row->kind == MUX_VALUE_CHOICE)
    return mux_copy(join(words, sizeof words, row->choices, "|"));
  return mux_copy(is_quantity(row)              ? quantities[row->kind].argument
                  : row->kind == MUX_VALUE_CPUS ? "LIST"
                                                : "TEXT");
}

void mux_option_table_parse(const struct mux_option_row *rows, const char *doc, int argc,
                            char **argv, void *config) {
  int count = 0;
  const struct mux_option_row *positional = NULL;
  for (; rows[count].key != NULL; count++)
    if ((rows[count].flags & MUX_OPTION_POSITIONAL) != 0)
      positional = &rows[count];
  struct argp_option *options = mux_new((size_t)count + 1, sizeof *options);
  for (int i = 0; i < count; i++) {
    const struct mux_option_row *row = &rows[i];
    options[i] = (struct argp_option){
        .name = row->key,
        .key = row->letter != 0 ? row->letter : FIRST_KEY + i,
        .arg = argument_of(row),
        .flags = (row->alone != NULL ? OPTION_ARG_OPTIONAL : 0) |
                 ((row->flags & MUX_OPTION_HIDDEN) != 0 ? OPTION_HIDDEN : 0),
        .doc = mux_option_row_help(row),
        .group = row->group,
    };
  }
  char *arguments = positional != NULL ? mux_format("[%s]", positional->argument) : NULL;
  const struct argp argp = {
      .options = options, .parser = parse_option, .args_doc = arguments, .doc = doc};
  struct parse parse = {.rows = rows, .config = config};
  mux_parse_args(&argp, argc, argv, &parse);
  free(arguments);
  for (int i = 0; i < count; i++) {
    free((char *)options[i].arg);
    free((char *)options[i].doc);
  }
  free(options);
}
