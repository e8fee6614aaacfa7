/* test_words.c: words are split as /bin/sh splits them (common/words.h); the shell is the oracle.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/words.h"

enum { TEXT = 256 };

/* Characters that stand for themselves once they are quoted. */
#define ANY "ab -=\t\n$`*?;&|<>()#~!{}"

/* What sh makes of `printf '%s\0' x TEXT`: the words one after another, each with its NUL.
 * Returns their number without the x, or -1 if the shell reports a syntax error. */
static int ask_shell(const char *text, char *out, size_t bytes) {
  char command[TEXT + 64];
  snprintf(command, sizeof command, "exec 2>/dev/null\nprintf '%%s\\0' x %s", text);
  FILE *shell = popen(command, "re");
  assert_non_null(shell);
  size_t n = fread(out, 1, bytes, shell);
  assert_true(n < bytes);
  if (pclose(shell) != 0)
    return -1;
  int words = -1;
  for (size_t i = 0; i < n; i++)
    words += out[i] == 0;
  return words;
}

static void compare_with_shell(const char *text) {
  char expected[1024];
  int count = ask_shell(text, expected, sizeof expected);
  char **words = mux_words_split(text);
  if (count <= 0) {
    if (words != NULL || errno != EINVAL)
      fail_msg("[%s] was accepted", text);
    return;
  }
  if (words == NULL)
    fail_msg("[%s] was refused, the shell makes %d words of it", text, count);
  const char *word = expected + 2;
  for (int i = 0; i < count; i++, word += strlen(word) + 1)
    if (words[i] == NULL || strcmp(words[i], word) != 0)
      fail_msg("[%s] word %d is [%s], for the shell [%s]", text, i, words[i], word);
  assert_null(words[count]);
  free(words);
}

static void known_lines_as_the_shell(void **state) {
  (void)state;
  static const char *const lines[] = {
      "",        "   ",      "a",           "a b",      " a\tb ",     "'a b' c",   "\"a b\"c",
      "''",      "'' \"\"",  "a''b",        "a\\ b",    "\\a\\'\\\"", "'\\'",      "\"\\\\\\\"\"",
      "\"\\a\"", "\"\\$x\"", "\"\\`\"",     "'$x `y`'", "'a",         "\"a",       "\"a\\\"",
      "a\\\nb",  "\\\n a",   "\"a\\\nb\"",  "'a\\\nb'", "\"a\nb\"",   "a=b {p} %", "--x='1 2' y",
      "\\\n",    "''\\\n''", "a \\\n\\\n b"};
  for (size_t i = 0; i < TEST_COUNT(lines); i++)
    compare_with_shell(lines[i]);
}

/* One piece of a random line: plain text, blanks, an escape, or a quoted part. What a shell would
 * expand or act on appears quoted only. */
static void append_piece(char *text) {
  static const char plain[] = "ab-=/.{}%:,";
  char piece[32] = "";
  size_t n = test_random_in(0, 5);
  char *p = piece;
  switch (test_random_in(0, 4)) {
  case 0:
    while (n-- > 0)
      *p++ = plain[test_random_in(0, sizeof plain - 2)];
    break;
  case 1:
    *p++ = " \t"[test_random_in(0, 1)];
    break;
  case 2:
    *p++ = '\\';
    *p++ = (ANY "'\"\\")[test_random_in(0, sizeof ANY + 1)];
    break;
  case 3:
    *p++ = '\'';
    while (n-- > 0)
      *p++ = (ANY "\"\\")[test_random_in(0, sizeof ANY)];
    *p++ = '\'';
    break;
  default:
    *p++ = '"';
    while (n-- > 0) {
      char c = (ANY "'\"\\")[test_random_in(0, sizeof ANY + 1)];
      if (strchr("$`\"\\", c) != NULL || test_random_in(0, 3) == 0)
        *p++ = '\\';
      *p++ = c;
    }
    *p++ = '"';
  }
  *p = 0;
  if (strlen(text) + strlen(piece) < TEXT)
    strcat(text, piece);
}

static void random_lines_as_the_shell(void **state) {
  (void)state;
  for (int i = 0; i < 600; i++) {
    char text[TEXT] = "";
    for (uint64_t pieces = test_random_in(0, 12); pieces > 0; pieces--)
      append_piece(text);
    compare_with_shell(text);
  }
}

/* Lines of quotes and backslashes alone: most of them have an open end. */
static void random_quotes_as_the_shell(void **state) {
  (void)state;
  for (int i = 0; i < 400; i++) {
    char text[12];
    size_t n = test_random_in(1, sizeof text - 2);
    for (size_t c = 0; c < n; c++)
      text[c] = "a '\"\\"[test_random_in(0, 4)];
    text[n] = 0;
    if (text[n - 1] == '\\') /* what ends in a backslash is unspecified */
      text[n - 1] = 'a';
    compare_with_shell(text);
  }
}

static void nothing_is_expanded(void **state) {
  (void)state;
  char **words = mux_words_split("$HOME * ~ `id` $(id) a;b | c > d # e");
  static const char *const expected[] = {"$HOME", "*", "~", "`id`", "$(id)", "a;b",
                                         "|",     "c", ">", "d",    "#",     "e"};
  assert_non_null(words);
  for (size_t i = 0; i < TEST_COUNT(expected); i++)
    assert_string_equal(words[i], expected[i]);
  assert_null(words[TEST_COUNT(expected)]);
  free(words);
}

static void every_name_is_replaced(void **state) {
  (void)state;
  static const char *const rows[][3] = {
      {"{port}", "7007", "7007"},
      {"--listen=:{port}", "1", "--listen=:1"},
      {"{port}{port}", "{port}", "{port}{port}"},
      {"{por}t}", "1", "{por}t}"},
      {"a{port}b{port}c", "", "abc"},
      {"", "1", ""},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    char *word = mux_words_replace(rows[i][0], "{port}", rows[i][1]);
    assert_string_equal(word, rows[i][2]);
    free(word);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_lines_as_the_shell),   cmocka_unit_test(random_lines_as_the_shell),
      cmocka_unit_test(random_quotes_as_the_shell), cmocka_unit_test(nothing_is_expanded),
      cmocka_unit_test(every_name_is_replaced),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
