/* backend_options.c: see backend_options.h. */
#include "backends/backend_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cli.h"
#include "common/units.h"

enum { MAX_KEY = 31, MAX_CHOICES = 32, MAX_LINE = 200 };

static const char *const flag_words[] = {"off", "on", NULL};

/* Like snprintf(), but appends to what out holds. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t out_bytes,
                                                         const char *format, ...) {
  size_t used = strlen(out);
  va_list args;
  va_start(args, format);
  vsnprintf(out + used, out_bytes - used, format, args);
  va_end(args);
}

static const char *const *words_of(const struct mux_option *row) {
  return row->kind == MUX_OPT_FLAG ? flag_words : row->choices;
}

static const struct unit_kind {
  const char *name;
  int (*parse)(const char *text, int64_t *value);
  char *(*print)(char out[MUX_UNIT_TEXT], int64_t value);
} unit_kinds[] = {
    [MUX_OPT_COUNT] = {"COUNT", mux_parse_count, mux_print_count},
    [MUX_OPT_SIZE] = {"SIZE", mux_parse_size, mux_print_size},
    [MUX_OPT_TIME] = {"TIME", mux_parse_time, mux_print_time},
};

static bool is_quantity(const struct mux_option *row) {
  return row->kind == MUX_OPT_COUNT || row->kind == MUX_OPT_SIZE || row->kind == MUX_OPT_TIME;
}

size_t mux_options_count(const struct mux_option *table) {
  size_t count = 0;
  while (table != NULL && count < MUX_MAX_OPTIONS && table[count].key != NULL)
    count++;
  return count;
}

char *mux_options_domain(char *out, size_t out_bytes, const struct mux_option *row) {
  out[0] = 0;
  if (is_quantity(row)) {
    char low[MUX_UNIT_TEXT];
    char high[MUX_UNIT_TEXT];
    const struct unit_kind *kind = &unit_kinds[row->kind];
    append(out, out_bytes, "%s, %s to %s", kind->name, kind->print(low, row->min),
           kind->print(high, row->max));
    return out;
  }
  const char *const *words = words_of(row);
  for (size_t i = 0; words[i] != NULL; i++)
    append(out, out_bytes, "%s%s", i > 0 ? "|" : "", words[i]);
  return out;
}

static int parse_value(const struct mux_option *row, const char *text, int64_t *value) {
  if (is_quantity(row)) {
    int rc = unit_kinds[row->kind].parse(text, value);
    return rc != 0 ? rc : *value < row->min || *value > row->max ? -ERANGE : 0;
  }
  const char *const *words = words_of(row);
  for (int i = 0; words[i] != NULL; i++)
    if (strcmp(text, words[i]) == 0) {
      *value = i;
      return 0;
    }
  return -EINVAL;
}

static bool is_key(const char *key) {
  size_t length = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return length > 0 && length <= MAX_KEY && key[length] == 0;
}

bool mux_is_line(const char *text) {
  size_t length = strnlen(text, MAX_LINE + 1);
  for (size_t i = 0; i < length; i++)
    if (text[i] < ' ' || text[i] > '~')
      return false;
  return length <= MAX_LINE;
}

static bool are_choices(const char *const *choices) {
  size_t count = 0;
  while (choices != NULL && count <= MAX_CHOICES && choices[count] != NULL)
    if (!is_key(choices[count++]))
      return false;
  return count > 0 && count <= MAX_CHOICES;
}

/* What is wrong with a row; NULL if nothing is. */
static const char *fault_of(const struct mux_option *table, const struct mux_option *row) {
  int64_t value;
  if (!is_key(row->key))
    return "its key is not made of a-z, 0-9 and '-'";
  for (const struct mux_option *before = table; before < row; before++)
    if (strcmp(before->key, row->key) == 0)
      return "it is defined twice";
  if (row->kind < MUX_OPT_FLAG || row->kind > MUX_OPT_CHOICE)
    return "its kind is unknown";
  if (row->help == NULL || !mux_is_line(row->help))
    return "its help is not a line of printable text";
  if (row->kind == MUX_OPT_CHOICE && !are_choices(row->choices))
    return "its choices are not made of a-z, 0-9 and '-'";
  if (row->fallback == NULL || !mux_is_line(row->fallback) ||
      parse_value(row, row->fallback, &value) != 0)
    return "its fallback is not one of its values";
  return NULL;
}

int mux_options_validate(const struct mux_option *table, char *why, size_t why_bytes) {
  size_t count = 0;
  for (; table != NULL && table[count].key != NULL; count++) {
    if (count == MUX_MAX_OPTIONS) {
      snprintf(why, why_bytes, "its table of options does not end within %d rows", MUX_MAX_OPTIONS);
      return -EINVAL;
    }
    const char *fault = fault_of(table, &table[count]);
    char shown[64];
    if (fault != NULL) {
      snprintf(why, why_bytes, "its option '%s': %s",
               mux_printable(shown, sizeof shown, table[count].key), fault);
      return -EINVAL;
    }
  }
  return 0;
}

static int bad_value(const struct mux_option *row, const char *text, char *why, size_t why_bytes) {
  char shown[64];
  char domain[256];
  snprintf(why, why_bytes, "'%s' is not a value of %s, which takes %s",
           mux_printable(shown, sizeof shown, text), row->key,
           mux_options_domain(domain, sizeof domain, row));
  return -EINVAL;
}

static int unknown_key(const struct mux_option *table, const char *key, char *why,
                       size_t why_bytes) {
  char shown[64];
  size_t count = mux_options_count(table);
  snprintf(why, why_bytes, "there is no option '%s'; %s", mux_printable(shown, sizeof shown, key),
           count > 0 ? "known:" : "this backend has none");
  for (size_t i = 0; i < count; i++) {
    char domain[256];
    append(why, why_bytes, "%s %s=%s", i > 0 ? ";" : "", table[i].key,
           mux_options_domain(domain, sizeof domain, &table[i]));
  }
  return -EINVAL;
}

static size_t find_row(const struct mux_option *table, const char *key) {
  size_t count = mux_options_count(table);
  size_t row = 0;
  while (row < count && strcmp(table[row].key, key) != 0)
    row++;
  return row;
}

int mux_options_parse(const struct mux_option *table, const char *text,
                      int64_t values[MUX_MAX_OPTIONS], char *why, size_t why_bytes) {
  size_t count = mux_options_count(table);
  for (size_t row = 0; row < count; row++)
    if (parse_value(&table[row], table[row].fallback, &values[row]) != 0)
      return bad_value(&table[row], table[row].fallback, why, why_bytes);
  bool given[MUX_MAX_OPTIONS] = {false};
  while (text != NULL && *text != 0) {
    char word[128];
    size_t length = strcspn(text, ",");
    if (length >= sizeof word) {
      snprintf(why, why_bytes, "an option of %zu characters is too long", length);
      return -EINVAL;
    }
    memcpy(word, text, length);
    word[length] = 0;
    text += length + (text[length] == ',');
    char *equals = strchr(word, '=');
    if (equals != NULL)
      *equals = 0;
    size_t row = find_row(table, word);
    if (row == count)
      return unknown_key(table, word, why, why_bytes);
    if (given[row]) {
      snprintf(why, why_bytes, "%s is given twice", word);
      return -EINVAL;
    }
    given[row] = true;
    /* A flag alone means on. */
    const char *value = equals != NULL                    ? equals + 1
                        : table[row].kind == MUX_OPT_FLAG ? flag_words[1]
                                                          : "";
    if (parse_value(&table[row], value, &values[row]) != 0)
      return bad_value(&table[row], value, why, why_bytes);
  }
  return 0;
}

char *mux_options_print(char *out, size_t out_bytes, const struct mux_option *table,
                        const int64_t *values) {
  size_t count = mux_options_count(table);
  out[0] = 0;
  for (size_t row = 0; row < count; row++) {
    char number[MUX_UNIT_TEXT];
    const char *value = is_quantity(&table[row])
                            ? unit_kinds[table[row].kind].print(number, values[row])
                            : words_of(&table[row])[values[row]];
    append(out, out_bytes, "%s%s=%s", row > 0 ? "," : "", table[row].key, value);
  }
  return out;
}
