/* test_input.c: an input that is no regular file is refused by every command that reads it, with
 * one line that names it, and at once: nobody ever writes to these FIFOs. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/run_experiment.h"

static struct test_result result;

static char *path_of(char out[256], const char *format, const char *name) {
  int n = snprintf(out, 256, "%s/", test_directory());
  snprintf(out + n, 256 - (size_t)n, format, name);
  return out;
}

static void make_fifo(const char *name) {
  char path[256];
  unlink(path_of(path, "%s", name));
  assert_int_equal(mkfifo(path, 0600), 0);
}

static void an_experiment_is_a_regular_file(void **state) {
  (void)state;
  make_fifo("fifo.cfg");
  test_command(&result, "run %s/fifo.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/fifo.cfg: not a regular file");
  test_command(&result, "run %s --dry-run", test_directory());
  test_expect_error(&result, 2, ": not a regular file");
  test_command(&result, "run /dev/zero --dry-run");
  test_expect_error(&result, 2, "/dev/zero: not a regular file");
}

static void an_included_file_is_a_regular_file(void **state) {
  (void)state;
  char includes[4000] = "";
  make_fifo("fifo.cfg");
  test_write_config("direct", "blocks = 1;\n\t@include \"%s/fifo.cfg\"\n", test_directory());
  test_command(&result, "run %s/direct.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/direct.cfg:2: @include ");
  test_expect_error(&result, 2, "/fifo.cfg: not a regular file");
  test_write_config("outer", "@include \"%s/direct.cfg\"\n", test_directory());
  test_command(&result, "run %s/outer.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/direct.cfg:2: @include ");
  test_write_config("directory", "@include \"%s\"\n", test_directory());
  test_command(&result, "run %s/directory.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/directory.cfg:1: @include ");
  test_write_config("missing", "@include \"%s/none.cfg\"\n", test_directory());
  test_command(&result, "run %s/missing.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/none.cfg: No such file");
  test_write_config("itself", "@include \"%s/itself.cfg\"\n", test_directory());
  test_command(&result, "run %s/itself.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/itself.cfg:1: ");
  /* A file of 20 includes of a file of 20 includes … would be read 20^8 times. */
  for (int depth = 1; depth <= 8; depth++) {
    char name[16];
    snprintf(name, sizeof name, "wide%d", depth);
    test_write_config(name, "%s", includes);
    includes[0] = 0;
    for (int i = 0; i < 20; i++) {
      size_t used = strlen(includes);
      snprintf(includes + used, sizeof includes - used, "@include \"%s/%s.cfg\"\n",
               test_directory(), name);
    }
  }
  test_command(&result, "run %s/wide8.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "more than 100 included files");
}

static void a_mistake_in_an_included_file_is_found_there(void **state) {
  (void)state;
  test_write_config("part", "\nload = { depth = 0; };\n");
  test_write_config("whole", "servers = [\"poll\"];\n@include \"%s/part.cfg\"\n", test_directory());
  test_command(&result, "run %s/whole.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/part.cfg:2: ");
  test_write_config("part", "\n\nload = ;\n");
  test_command(&result, "run %s/whole.cfg --dry-run", test_directory());
  test_expect_error(&result, 2, "/part.cfg:3: syntax error");
}

/* Experiments stay on this host; nothing is sent before that is found out. */
static void no_experiment_leaves_this_host(void **state) {
  (void)state;
  static const char *const servers[] = {
      "servers = ( { name = \"far\"; target = \"tcp://192.0.2.1:7\"; } );\n",
      ("servers = ( { name = \"far\"; command = \"server {port}\"; } );\n"
       "serve = { listen = \"tcp://192.0.2.1:7\"; };\n"),
      "servers = [ \"poll\" ]; serve = { listen = \"tcp://192.0.2.1:7\"; };\n"};
  static const char *const ways[] = {"", "--dry-run"};
  for (size_t i = 0; i < TEST_COUNT(ways); i++) {
    for (size_t k = 0; k < TEST_COUNT(servers); k++) {
      test_write_config("far", "%s", servers[k]);
      test_command(&result, "run %s/far.cfg --out %s/far %s", test_directory(), test_directory(),
                   ways[i]);
      test_expect_error(&result, 2, "'tcp://192.0.2.1:7' is not a loopback address");
    }
    test_command(&result, "versus poll tcp://192.0.2.1:7 --out %s/far %s", test_directory(),
                 ways[i]);
    test_expect_error(&result, 2, "'tcp://192.0.2.1:7' is not a loopback address");
    test_command(&result, "versus poll 'poll --listen tcp://192.0.2.1:7' --out %s/far %s",
                 test_directory(), ways[i]);
    test_expect_error(&result, 2, "'tcp://192.0.2.1:7' is not a loopback address");
  }
  assert_int_equal(test_count_files(test_directory()), 1); /* the experiment */
}

/* The first word of a command may have a slash, as that of a plug-in has. */
static void a_command_is_no_plugin(void **state) {
  (void)state;
  test_command(&result, "versus poll '/usr/bin/env {port}' --dry-run");
  test_expect(&result, 0);
  test_command(&result, "versus poll tcp://127.0.0.1:7 --dry-run");
  test_expect(&result, 0);
}

static void a_plugin_is_a_regular_file(void **state) {
  (void)state;
  static const char *const commands[] = {"serve --backend %s/fifo.so", "check --backend %s/fifo.so",
                                         "versus %s/fifo.so poll --dry-run"};
  make_fifo("fifo.so");
  for (size_t i = 0; i < TEST_COUNT(commands); i++) {
    char command[256];
    snprintf(command, sizeof command, commands[i], test_directory());
    test_command(&result, "%s", command);
    test_expect_error(&result, 2, "/fifo.so is not a usable plug-in: not a regular file");
  }
}

/* ld.so opens it in every server; a library may hang in its constructor as well. */
static void a_library_to_preload_has_to_load(void **state) {
  (void)state;
  make_fifo("fifo.so");
  test_command(&result, "check --backend poll --case half-close-empty --preload %s/fifo.so",
               test_directory());
  test_expect_error(&result, 2, "/fifo.so': a program hangs when it is preloaded");
}

/* Moves a file of the run away, puts a FIFO in its place, and expects each command to refuse it. */
static void assert_file_is_needed(const char *name, const char *const *commands) {
  char file[256];
  char kept[256];
  char says[128];
  path_of(file, "out/latest/%s", name);
  path_of(kept, "%s", "kept");
  assert_int_equal(rename(file, kept), 0);
  assert_int_equal(mkfifo(file, 0600), 0);
  snprintf(says, sizeof says, "/%s: not a regular file", name);
  for (; *commands != NULL; commands++) {
    char command[512];
    snprintf(command, sizeof command, *commands, test_directory(), test_directory());
    test_command(&result, "%s", command);
    test_expect_error(&result, 2, says);
  }
  assert_int_equal(rename(kept, file), 0);
}

static void files_of_a_run_are_regular_files(void **state) {
  (void)state;
  static const char *const all[] = {"report --text %s/out/latest",
                                    "compare %s/out/latest %s/out/latest",
                                    "run --resume %s/out/latest", NULL};
  static const char *const report[] = {"report --text %s/out/latest", NULL};
  static const char *const resume[] = {"run --resume %s/out/latest", NULL};
  test_write_config("small", "servers = [\"poll\"]; baseline = \"poll\"; blocks = 1;\n"
                             "load = { duration = \"200ms\"; warmup = \"50ms\"; };\n");
  test_run_experiment(&result, "small", "out");
  assert_file_is_needed("measurements.csv", all);
  assert_file_is_needed("effective.json", all);
  assert_file_is_needed("summary.csv", report);
  assert_file_is_needed("run.json", report);
  assert_file_is_needed("slices.csv", resume);
  /* The tables that follow from histograms lack what cannot be read. */
  char log[256];
  path_of(log, "out/latest/%s", "hlog/1.hlog");
  assert_int_equal(unlink(log), 0);
  assert_int_equal(mkfifo(log, 0600), 0);
  test_command(&result, "run --resume %s/out/latest", test_directory());
  test_expect(&result, 0);
  assert_non_null(strstr(result.err, "/hlog/1.hlog: not a regular file"));
}

/* Names and texts of the user's reach the terminal with control characters escaped. */
static void what_is_printed_moves_no_cursor(void **state) {
  (void)state;
  static const char *const commands[] = {
      "run %s/escape.cfg --dry-run", "run %s/escape.cfg --out '%s/o\x1b[2J\n'",
      "report --text '%s/o\x1b[2J\n/latest'", "versus poll poll --budget 5s --out '%s/o\x1b[2J\n'"};
  test_write_config("escape", "servers = [\"poll\"]; blocks = 1; question = \"\x1b[2J\";\n"
                              "load = { duration = \"200ms\"; warmup = \"50ms\"; };\n");
  for (size_t i = 0; i < TEST_COUNT(commands); i++) {
    char command[512];
    snprintf(command, sizeof command, commands[i], test_directory(), test_directory());
    test_command(&result, "%s", command);
    if (result.status != 1) /* a server that is starved of CPU, which is no matter here */
      test_expect(&result, 0);
    if (strchr(result.out, '\x1b') != NULL || strchr(result.err, '\x1b') != NULL)
      fail_msg("'%s' prints: %s%s", command, result.out, result.err);
  }
  assert_non_null(strstr(result.out, "/o\\x1b[2J\\x0a/"));
  /* `listening ADDR` stays one line, and ADDR a string of JSON. */
  static const char *const paths[] = {"a\nb", "a\x1b[2J", "a\xff"};
  for (size_t i = 0; i < TEST_COUNT(paths); i++) {
    test_command(&result, "serve --backend poll --listen 'unix://%s/%s'", test_directory(),
                 paths[i]);
    test_expect_error(&result, 2, "a Unix path is UTF-8 without control characters");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_experiment_leaves_this_host), /* first: it counts the files */
      cmocka_unit_test(a_command_is_no_plugin),
      cmocka_unit_test(an_experiment_is_a_regular_file),
      cmocka_unit_test(an_included_file_is_a_regular_file),
      cmocka_unit_test(a_mistake_in_an_included_file_is_found_there),
      cmocka_unit_test(a_plugin_is_a_regular_file),
      cmocka_unit_test(a_library_to_preload_has_to_load),
      cmocka_unit_test(files_of_a_run_are_regular_files),
      cmocka_unit_test(what_is_printed_moves_no_cursor),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
