/* words.c: see words.h. Quoting after POSIX.1-2017, XCU 2.2. */
#include "common/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

/* A backslash before a newline: both vanish. */
static bool is_continuation(const char *p) {
  return p[0] == '\\' && p[1] == '\n';
}

/* Copies one word to *out and moves both on. Returns false at an open quote. */
static bool copy_word(const char **text, char **out) {
  const char *p = *text;
  char *o = *out;
  char quote = 0;
  for (; *p != 0 && (quote != 0 || !is_blank(*p)); p++) {
    if (quote == 0 && (*p == '\'' || *p == '"')) {
      quote = *p;
    } else if (quote != 0 && *p == quote) {
      quote = 0;
    } else if (quote != '\'' && is_continuation(p)) {
      p++;
    } else if (*p == '\\' && quote != '\'' && p[1] != 0 &&
               (quote == 0 || strchr("\"\\$`", p[1]) != NULL)) {
      *o++ = *++p;
    } else {
      *o++ = *p;
    }
  }
  *o++ = 0;
  *text = p;
  *out = o;
  return quote == 0;
}

char **mux_words_split(const char *text) {
  /* At most one word for every two characters; the words follow the pointers in one block. */
  size_t length = strlen(text);
  size_t most = length / 2 + 2;
  char **argv = malloc(most * sizeof *argv + length + 1);
  if (argv == NULL)
    return NULL;
  char *out = (char *)(argv + most);
  size_t count = 0;
  for (;;) {
    while (is_blank(*text) || is_continuation(text))
      text += is_blank(*text) ? 1 : 2;
    if (*text == 0)
      break;
    argv[count++] = out;
    if (!copy_word(&text, &out)) {
      count = 0;
      break;
    }
  }
  argv[count] = NULL;
  if (count == 0) {
    free(argv);
    errno = EINVAL;
    return NULL;
  }
  return argv;
}

char *mux_words_replace(const char *word, const char *name, const char *value) {
  size_t name_length = strlen(name);
  size_t value_length = strlen(value);
  size_t count = 0;
  for (const char *p = word; (p = strstr(p, name)) != NULL; p += name_length)
    count++;
  char *result = malloc(strlen(word) + count * value_length + 1);
  if (result == NULL)
    return NULL;
  char *out = result;
  const char *p = word;
  for (const char *hit; (hit = strstr(p, name)) != NULL; p = hit + name_length) {
    memcpy(out, p, (size_t)(hit - p));
    out += hit - p;
    memcpy(out, value, value_length);
    out += value_length;
  }
  memcpy(out, p, strlen(p) + 1);
  return result;
}
