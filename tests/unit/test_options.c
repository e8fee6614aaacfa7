/* test_options.c: the options of load, serve and experiments: what each prints is read back, the
 * help has all of them, and commands and experiments refuse the same in the same words. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/serve_options.h"
#include "bench/plan/experiment_options.h"
#include "common/cli.h"
#include "common/command.h"
#include "common/units.h"
#include "loadgen/load_options.h"

static const struct table {
  const char *name;
  const struct mux_option_row *rows;
  size_t config_bytes;
  int (*command)(int argc, char **argv); /* NULL: none has it */
  char *argument;                        /* that the command wants besides */
} tables[] = {
    {"load", load_option_table, sizeof(struct load_options), cmd_load, "tcp://127.0.0.1:1"},
    {"serve", mux_serve_option_table, sizeof(struct mux_serve_options), cmd_serve,
     "--backend=epoll-lt"},
    {"experiment", experiment_keys, sizeof(struct experiment), NULL, NULL},
};

static bool is_quantity(const struct mux_option_row *row) {
  return row->kind == MUX_VALUE_COUNT || row->kind == MUX_VALUE_SIZE || row->kind == MUX_VALUE_TIME;
}

static char *print_quantity(char out[MUX_UNIT_TEXT], const struct mux_option_row *row,
                            int64_t value) {
  return row->kind == MUX_VALUE_COUNT  ? mux_print_count(out, value)
         : row->kind == MUX_VALUE_SIZE ? mux_print_size(out, value)
                                       : mux_print_time(out, value);
}

static void rows_are_whole(void **state) {
  (void)state;
  for (size_t t = 0; t < TEST_COUNT(tables); t++)
    for (const struct mux_option_row *row = tables[t].rows; row->key != NULL; row++) {
      bool flag = row->kind == MUX_VALUE_FLAG;
      bool required = (row->flags & MUX_OPTION_REQUIRED) != 0;
      if ((row->fallback != NULL) + (row->absent != NULL) + flag + required != 1)
        fail_msg("%s: one of a default and what its absence means", row->key);
      if (row->offset + row->bytes > tables[t].config_bytes)
        fail_msg("%s: its field is not of the configuration", row->key);
      if (tables[t].command != NULL && row->help == NULL)
        fail_msg("%s: no help", row->key);
      if (row->kind == MUX_VALUE_CUSTOM && row->read == NULL)
        fail_msg("%s: no read()", row->key);
      int64_t scale = row->scale > 0 ? row->scale : 1;
      if (is_quantity(row) && (row->min >= row->max || row->max % scale != 0 ||
                               (row->bytes == 4 && row->max / scale > INT32_MAX)))
        fail_msg("%s: its range does not fit its field", row->key);
      for (const struct mux_option_row *other = tables[t].rows; other < row; other++)
        if (strcmp(other->key, row->key) == 0 || (row->letter != 0 && other->letter == row->letter))
          fail_msg("%s and %s share a name", row->key, other->key);
    }
}

/* A value between the ends, small ones as often as large ones. */
static int64_t draw(const struct mux_option_row *row) {
  int64_t scale = row->scale > 0 ? row->scale : 1;
  int64_t span = row->max - row->min;
  int64_t value = row->min + (int64_t)(test_random_in(0, (uint64_t)span) >> test_random_in(0, 62));
  return value / scale * scale < row->min ? row->min : value / scale * scale;
}

static void assert_reads_back(const struct mux_option_row *row, const char *text, int64_t number,
                              size_t config_bytes) {
  void *config = calloc(1, config_bytes);
  struct mux_option_error error;
  char first[MUX_OPTION_TEXT];
  char second[MUX_OPTION_TEXT];
  if (mux_option_row_read(row, text, config, &error) != 0)
    fail_msg("%s: %s", error.key, error.text);
  assert_int_equal(mux_option_row_number(row, config), number);
  const char *printed = mux_option_row_print(row, first, config);
  assert_non_null(printed);
  char copy[512];
  snprintf(copy, sizeof copy, "%s", printed);
  if (mux_option_row_read(row, copy, config, &error) != 0)
    fail_msg("printed, but not read: %s: %s", error.key, error.text);
  assert_int_equal(mux_option_row_number(row, config), number);
  assert_string_equal(mux_option_row_print(row, second, config), copy);
  free(config);
}

static void printed_values_read_back_as_the_same(void **state) {
  (void)state;
  for (size_t t = 0; t < TEST_COUNT(tables); t++)
    for (const struct mux_option_row *row = tables[t].rows; row->key != NULL; row++) {
      size_t bytes = tables[t].config_bytes;
      char typed[32];
      for (int i = 0; is_quantity(row) && i < 200; i++) {
        int64_t value = i == 0 ? row->min : i == 1 ? row->max : draw(row);
        snprintf(typed, sizeof typed, "%lld%s", (long long)value,
                 row->kind == MUX_VALUE_TIME ? "ns" : "");
        assert_reads_back(row, typed, value, bytes);
      }
      if (is_quantity(row) && row->none != NULL)
        assert_reads_back(row, row->none, 0, bytes);
      for (int i = 0; row->kind == MUX_VALUE_CHOICE && row->choices[i] != NULL; i++)
        assert_reads_back(row, row->choices[i], row->min + i, bytes);
    }
  const struct mux_option_row *stamps = mux_option_table_find(load_option_table, "timestamps");
  assert_reads_back(stamps, "1/1k", 0, sizeof(struct load_options));
  assert_reads_back(mux_option_table_find(load_option_table, "engine"), "epoll", 0,
                    sizeof(struct load_options));
  assert_reads_back(mux_option_table_find(load_option_table, "congestion"), "system", 0,
                    sizeof(struct load_options));
}

/* Agents get them as they are printed. */
static void customs_print_as_they_were_typed(void **state) {
  (void)state;
  static const char *const typed[][2] = {
      {"sources", "127.0.0.0/8"}, {"sources", "10.1.2.4/30"},   {"sources", "10.0.0.6/31"},
      {"sources", "10.0.0.7/32"}, {"sources", "fd00::100/120"}, {"sources", "::1/128"},
      {"find-rate", "p99<1ms"},   {"find-rate", "p99.9<500us"}, {"timestamps", "1/100"},
  };
  for (size_t i = 0; i < TEST_COUNT(typed); i++) {
    const struct mux_option_row *row = mux_option_table_find(load_option_table, typed[i][0]);
    struct load_options options = {.agents = NULL};
    struct mux_option_error error;
    char printed[MUX_OPTION_TEXT];
    assert_null(mux_option_row_print(row, printed, &options));
    assert_int_equal(mux_option_row_read(row, typed[i][1], &options, &error), 0);
    assert_string_equal(mux_option_row_print(row, printed, &options), typed[i][1]);
  }
}

/* ---- Command lines -----------------------------------------------------------------------------
 */

struct command_line {
  const struct table *table;
  char *words[4]; /* the first of them, to a NULL */
};

static void run_command(void *arg) {
  const struct command_line *line = arg;
  char *argv[TEST_COUNT(line->words) + 2] = {(char *)line->table->name};
  int argc = 1;
  while (argc <= (int)TEST_COUNT(line->words) && line->words[argc - 1] != NULL) {
    argv[argc] = line->words[argc - 1];
    argc++;
  }
  dup2(STDERR_FILENO, STDOUT_FILENO);
  exit(line->table->command(argc, argv));
}

/* The lines of one option of a help text, joined: "--depth=N Closed loop: … (1 to 1024; default:
 * 1)"; false if there are none. */
static bool find_help(const char *help, const struct mux_option_row *row, char *out) {
  size_t length = strlen(row->key);
  char *to = out;
  *to = 0;
  for (const char *line = help; *line != 0; line = strchrnul(line, '\n'), line += *line != 0) {
    const char *text = line + strspn(line, " ");
    bool starts = *text == '-' && text - line <= 6;
    const char *key = starts && text[1] != '-' ? text + strlen("-x, ") : text;
    if (starts && to > out)
      break;
    if (to == out && (!starts || strncmp(key + 2, row->key, length) != 0 ||
                      strchr("= [\n", key[2 + length]) == NULL))
      continue;
    to += sprintf(to, "%s%.*s", to > out ? " " : "", (int)strcspn(text, "\n"), text);
  }
  return to > out;
}

static void every_option_is_in_the_help_with_range_and_default(void **state) {
  (void)state;
  for (size_t t = 0; tables[t].command != NULL; t++) {
    struct command_line line = {.table = &tables[t], .words = {"--help"}};
    static char help[32768];
    char own[4096];
    assert_int_equal(test_in_child(run_command, &line, help, sizeof help), 0);
    for (const struct mux_option_row *row = tables[t].rows; row->key != NULL; row++) {
      char expected[160];
      char unit[MUX_UNIT_TEXT];
      bool found = find_help(help, row, own);
      assert_int_equal(found, (row->flags & MUX_OPTION_HIDDEN) == 0);
      if (!found || (row->flags & MUX_OPTION_REQUIRED) != 0)
        continue;
      snprintf(expected, sizeof expected, "default: %s",
               row->kind == MUX_VALUE_FLAG ? "no"
               : row->fallback != NULL     ? row->fallback
                                           : row->absent);
      if (strstr(own, expected) == NULL)
        fail_msg("not '%s': %s", expected, own);
      if (is_quantity(row) && row->min > 0 &&
          strstr(own, print_quantity(unit, row, row->min)) == NULL)
        fail_msg("not from %s: %s", unit, own);
      if (is_quantity(row) && row->max < INT64_MAX &&
          strstr(own, print_quantity(unit, row, row->max)) == NULL)
        fail_msg("not to %s: %s", unit, own);
    }
  }
}

/* Defaults that depend on the mode are words in the help; they are the true ones. */
static void defaults_of_a_mode_are_those_of_the_help(void **state) {
  (void)state;
  struct load_options options;
  char out[MUX_OPTION_TEXT];
  static const char *const keys[] = {"payload", "depth", "duration"};
  for (enum load_mode mode = LOAD_ECHO; mode <= LOAD_STREAM; mode++) {
    load_options_default(&options);
    options.config.mode = mode;
    load_options_complete(&options);
    for (size_t i = 0; i < TEST_COUNT(keys); i++) {
      const struct mux_option_row *row = mux_option_table_find(load_option_table, keys[i]);
      bool stream_depth = mode == LOAD_STREAM && strcmp(keys[i], "depth") == 0;
      const char *value = stream_depth ? "4MiB" : mux_option_row_print(row, out, &options);
      if (strstr(row->absent, value) == NULL)
        fail_msg("--%s: %s is not in '%s'", keys[i], value, row->absent);
    }
  }
  assert_int_equal(options.config.depth * options.config.payload_bytes, 4 << 20);
}

static const char nothing[] = "blocks = 1;\n";
static char path[] = "/tmp/test_option_table.XXXXXX.cfg";

static int make_file(void **state) {
  int fd = mkstemps(path, 4);
  bool written = fd >= 0 && write(fd, nothing, sizeof nothing - 1) == (ssize_t)sizeof nothing - 1;
  return fd >= 0 && close(fd) == 0 && written ? test_seed(state) : -1;
}

static int remove_file(void **state) {
  (void)state;
  return unlink(path);
}

/* The same words after "--depth: " and "--set load.depth=…: depth: ". */
static void assert_refused_alike(const struct table *table, const struct mux_option_row *row,
                                 const char *value) {
  char option[128];
  char set[128];
  char line[1024];
  char why[1024] = "";
  char expected[1200];
  snprintf(option, sizeof option, "--%s=%s", row->key, value);
  snprintf(set, sizeof set, "%s.%s=%s", table->name, row->key, value);
  struct command_line command = {.table = table, .words = {option, table->argument}};
  assert_int_equal(test_in_child(run_command, &command, line, sizeof line), MUX_EXIT_USAGE);
  char *sets[] = {set};
  struct experiment *e = experiment_read(path, sets, 1, why, sizeof why);
  if (e != NULL)
    fail_msg("%s is taken", set);
  snprintf(expected, sizeof expected, "muxbench: --%s\n", why + strlen("--set : ") + strlen(set));
  assert_string_equal(line, expected);
}

static void ranges_hold_alike_for_commands_and_experiments(void **state) {
  (void)state;
  int seen = 0;
  for (size_t t = 0; tables[t].command != NULL; t++)
    for (const struct mux_option_row *row = tables[t].rows; row->key != NULL; row++) {
      char value[32];
      const char *unit = row->kind == MUX_VALUE_TIME ? "ns" : "";
      if ((row->flags & MUX_OPTION_EXPERIMENT) == 0 || row->kind == MUX_VALUE_TEXT ||
          row->kind == MUX_VALUE_FLAG)
        continue;
      seen++;
      assert_refused_alike(&tables[t], row, "some");
      if (!is_quantity(row))
        continue;
      snprintf(value, sizeof value, "%lld%s", (long long)row->max + 1, unit);
      assert_refused_alike(&tables[t], row, value);
      snprintf(value, sizeof value, "%lld%s", (long long)row->min - 1, unit);
      if (row->min > 0)
        assert_refused_alike(&tables[t], row, value);
    }
  assert_in_range(seen, 20, 100);
}

static void load_refuses_what_does_not_go_together(void **state) {
  (void)state;
  static const struct {
    char *typed[4];
    const char *says;
  } cases[] = {
      {{"tcp://127.0.0.1:1", "--rate=1k", "--think=1ms"}, "--think: it has no meaning with --rate"},
      {{"tcp://127.0.0.1:1", "--rate=1k", "--depth=2"}, "--depth: it has no meaning with --rate"},
      {{"tcp://127.0.0.1:1", "--mode=crr", "--depth=2"}, "--depth: it has no meaning with --mode"},
      {{"tcp://127.0.0.1:1", "-c2", "-t3"}, "--threads: 3 threads for 2 connections;"},
      {{"tcp://127.0.0.1:1", "-t2"}, "--threads: 2 threads for 1 connection;"},
      {{"udp://127.0.0.1:1", "--payload=7"}, "--payload: 7 bytes; over udp://"},
      {{"udp://127.0.0.1:1", "--payload=65508"}, "--payload: 65508 bytes; over udp://"},
      {{"udp://127.0.0.1:1", "--mode=crr"}, "--mode: crr needs connections"},
      {{"unix:///x", "--timestamps=1/2"}, "--timestamps: they need tcp:// or udp://"},
      {{"tcp://[::1]:1", "--sources=127.0.0.0/8"}, "--sources: its addresses"},
      {{"tcp://127.0.0.1:1", "--rate=100M", "--duration=1min"}, "--rate: 6.1e+09 messages"},
      {{"tcp://127.0.0.1:1", "--rate=1k", "--find-rate=p99<1ms"}, "--find-rate: not together"},
      {{"tcp://192.0.2.1:1"}, "--target: 'tcp://192.0.2.1:1': it is not a loopback address"},
      {{"--rate=1k"}, "--target: missing"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct command_line line = {.table = &tables[0]};
    char errors[1024];
    memcpy(line.words, cases[i].typed, sizeof cases[i].typed);
    int status = test_in_child(run_command, &line, errors, sizeof errors);
    if (status != MUX_EXIT_USAGE || strstr(errors, cases[i].says) == NULL ||
        strchr(errors, '\n') != errors + strlen(errors) - 1)
      fail_msg("not '%s': exit %d: %s", cases[i].says, status, errors);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_whole),
      cmocka_unit_test(printed_values_read_back_as_the_same),
      cmocka_unit_test(customs_print_as_they_were_typed),
      cmocka_unit_test(every_option_is_in_the_help_with_range_and_default),
      cmocka_unit_test(defaults_of_a_mode_are_those_of_the_help),
      cmocka_unit_test(load_refuses_what_does_not_go_together),
      cmocka_unit_test(ranges_hold_alike_for_commands_and_experiments),
  };
  return cmocka_run_group_tests(tests, make_file, remove_file);
}
