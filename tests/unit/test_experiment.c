/* test_experiment.c: experiment files: what is read, what is refused and where, and that
 * effective.json means the same. */
#include "tests/support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/plan/experiment.h"
#include "common/clock.h"

static char path[] = "/tmp/test_experiment.XXXXXX.cfg";

static int make_file(void **state) {
  (void)state;
  int fd = mkstemps(path, 4);
  return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state) {
  (void)state;
  return unlink(path);
}

static struct experiment *read_text(const char *text, char *const *sets, int n, char why[512]) {
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  why[0] = 0;
  return experiment_read(path, sets, n, why, 512);
}

static struct experiment *read_good(const char *text, char *const *sets, int n) {
  char why[512];
  struct experiment *e = read_text(text, sets, n, why);
  if (e == NULL)
    fail_msg("refused: %s", why);
  return e;
}

static const char full[] =
    "question = \"What?\";\n"
    "objective = \"completed_per_s\";\n"
    "columns = [ \"never_served\", \"flags\" ];\n"
    "baseline = \"b\";\n"
    "blocks = 7;\n"
    "budget = \"90s\";\n"
    "servers = ( \"epoll-lt\", { name = \"b\"; backend = \"poll\"; work = \"1us\"; },\n"
    "            { name = \"other\"; command = \"python3 x.py {port}\"; } );\n"
    "load = { connections = ( 1, \"10k\" ); rate = [ \"closed\", \"20k\" ]; payload = \"4KiB\"; "
    "};\n"
    "serve = { workers = 2; };\n";

static void reads_what_is_there_and_fills_in_the_rest(void **state) {
  (void)state;
  struct experiment *e = read_good(full, NULL, 0);
  assert_string_equal(e->objective, "completed_per_s");
  assert_int_equal(e->column_count, 2);
  assert_int_equal(e->columns[0], COL_never_served);
  assert_int_equal(e->columns[1], COL_flags);
  assert_int_equal(e->blocks, 7);
  assert_true(e->twin); /* from 6 blocks on */
  assert_int_equal(e->budget_ns, 90 * MUX_S);
  assert_int_equal(e->server_count, 3);
  assert_string_equal(e->servers[0].backend, "epoll-lt");
  assert_string_equal(e->servers[1].label, "b");
  assert_int_equal(e->servers[1].own_count, 1);
  assert_int_equal(e->servers[1].own[0].values[0].number, MUX_US);
  assert_string_equal(e->servers[2].command, "python3 x.py {port}");
  assert_string_equal(e->servers[2].backend, "other");
  const struct experiment_axis *axis = experiment_axis(e, OPTION_LOAD, "connections");
  assert_int_equal(axis->count, 2);
  assert_int_equal(axis->values[1].number, 10000);
  assert_string_equal(axis->values[1].text, "10000");
  axis = experiment_axis(e, OPTION_LOAD, "rate");
  assert_int_equal(axis->values[0].number, 0);
  assert_int_equal(axis->values[1].number, 20000);
  assert_int_equal(experiment_axis(e, OPTION_LOAD, "payload")->values[0].number, 4096);
  assert_int_equal(experiment_axis(e, OPTION_SERVE, "workers")->values[0].number, 2);
  assert_int_equal(experiment_axis(e, OPTION_LOAD, "depth")->values[0].number, 1);
  assert_null(experiment_axis(e, OPTION_LOAD, "sources"));
  experiment_free(e);
}

static void locate_nowhere(const struct experiment_source *source, const char *key, char *out,
                           size_t out_bytes) {
  (void)source;
  snprintf(out, out_bytes, "at %s", key);
}

static void effective_reads_back_as_the_same(void **state) {
  (void)state;
  struct experiment_source source = {.locate = locate_nowhere};
  char why[512] = "";
  struct experiment *e = read_good(full, NULL, 0);
  json_t *tree = experiment_to_json(e);
  struct experiment *again = experiment_from_json(tree, "name", &source, why, sizeof why);
  if (again == NULL)
    fail_msg("%s", why);
  json_t *tree_again = experiment_to_json(again);
  assert_int_equal(json_equal(tree, tree_again), 1);
  json_decref(tree);
  json_decref(tree_again);
  experiment_free(e);
  experiment_free(again);
}

static void mistakes_are_refused_where_they_are(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int line;
    const char *says;
  } cases[] = {
      {"blocks = 3;\nblock = 4;\n", 2, "unknown key 'block'"},
      {"load = {\n connections = 1;\n conections = 2; };\n", 3, "'conections' is not an option"},
      {"load = { connections = [ 1,\n 2, 0 ]; };\n", 1, "connections: 0 is out of range"},
      {"blocks = 1;\nload = { rate = 3000000000; };\n", 2, "in quotes"},
      {"load = { payload = 1.5; };\n", 1, "write fractions in quotes"},
      {"load = { duration = \"5 days\"; };\n", 1, "duration"},
      {"load = { connections = [ 1, 1 ]; };\n", 1, "in the list twice"},
      {"load = { mode = \"fast\"; };\n", 1, "mode: 'fast' is not one of echo, crr, stream"},
      {"\n\nblocks = \"many\";\n", 3, "blocks"},
      {"blocks = 0;\n", 1, "out of range"},
      {"objective = \"beauty\";\n", 1, "not a column"},
      {"columns = [ \"flags\", \"beauty\" ];\n", 1, "'beauty' is not a column"},
      {"servers = ( \"a\" );\nbaseline = \"b\";\n", 2, "not among the servers"},
      {"servers = ( \"a\", \"a\" );\n", 1, "two servers are called 'a'"},
      {"servers = ( \"a\",\n { command = \"x\"; } );\n", 2, "needs a name"},
      {"servers = ( { name = \"x\"; } );\n", 1, "one of backend, command and target"},
      {"servers = ( \"../a b\" );\n", 1, "cannot be a server's name"},
      {"servers = ( { backend = \"a\"; speed = 1; } );\n", 1, "'speed' is not a key"},
      {"answer = \"slope\";\nalong = \"depht\";\n", 2, "not an option of load"},
      {"answer = \"contrast\";\nalong = \"nagle\";\n", 2,
       "not an option that this experiment sets"},
      {"answer = \"all\";\n", 1, "answer: 'all' is not one of best, slope, capacity, contrast"},
      {"server_cpus = \"x\";\n", 1, "server_cpus: 'x' is not a list"},
      {"server_cpus = \"1023\";\n", 1, "names a CPU"},
      {"serve = { options = \"\x1b[2J\"; };\n", 1, "control character"},
      {"servers = ( { backend = \"a\";\n workers = 0; } );\n", 2, "workers: 0 is out of range"},
      {"servers = ( { backend = \"a\";\n cpus = 0; } );\n", 2, "'cpus' is not a key of a server"},
      {"servers = ( { name = \"x\";\n command = \"./x 'y\"; } );\n", 2, "open quote or no word"},
      {"load = { seed = 1; };\n", 1, "'seed' is not an option of load"},
      {"twin = \"maybe\";\n", 1, "true or false"},
      {"load = 5;\n", 1, "expected a group"},
      {"load = { options };\n", 1, "syntax error"},
      {"serve = { listen = \"tcp://1;2\"; };\n", 1, "';'"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    char why[512];
    char place[128];
    struct experiment *e = read_text(cases[i].text, NULL, 0, why);
    if (e != NULL)
      fail_msg("not refused: %s", cases[i].text);
    snprintf(place, sizeof place, "%s:%d: ", path, cases[i].line);
    if (strncmp(why, place, strlen(place)) != 0 || strstr(why, cases[i].says) == NULL ||
        strchr(why, '\n') != NULL)
      fail_msg("%s gave: %s", cases[i].text, why);
  }
}

static void overrides_replace_and_are_blamed(void **state) {
  (void)state;
  char *good[] = {"connections=5,50", "serve.workers=3", "blocks=2", "load.mode=crr"};
  struct experiment *e = read_good(full, good, 4);
  assert_int_equal(experiment_axis(e, OPTION_LOAD, "connections")->count, 2);
  assert_int_equal(experiment_axis(e, OPTION_LOAD, "connections")->values[1].number, 50);
  assert_int_equal(experiment_axis(e, OPTION_SERVE, "workers")->values[0].number, 3);
  assert_int_equal(experiment_axis(e, OPTION_LOAD, "mode")->values[0].number, 1);
  assert_int_equal(e->blocks, 2);
  assert_false(e->twin);
  experiment_free(e);
  static char *const bad[] = {"connections=x", "nonsense=1", "load.nonsense=1", "other.depth=1",
                              "connections",   "=1",         "blocks=1,2"};
  for (size_t i = 0; i < TEST_COUNT(bad); i++) {
    char why[512];
    e = read_text(full, &bad[i], 1, why);
    if (e != NULL || strncmp(why, "--set", 5) != 0)
      fail_msg("--set %s: %s", bad[i], e != NULL ? "taken" : why);
  }
}

/* Files from anywhere: random cuts and changes of a good one never crash the reader. */
static void damaged_files_are_survived(void **state) {
  (void)state;
  for (int round = 0; round < 500; round++) {
    char text[sizeof full];
    char why[512];
    memcpy(text, full, sizeof full);
    text[test_random_in(0, sizeof full - 1)] = 0;
    for (int i = 0; i < 3 && text[0] != 0; i++)
      text[test_random_in(0, strlen(text) - 1)] = (char)test_random_in(1, 255);
    struct experiment *e = read_text(text, NULL, 0, why);
    if (e == NULL)
      assert_true(why[0] != 0);
    experiment_free(e);
  }
}

static void shipped_experiments_are_good(void **state) {
  (void)state;
  DIR *dir = opendir("bench/experiments");
  struct dirent *entry;
  int seen = 0;
  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL) {
    char file[512];
    char why[512];
    if (strstr(entry->d_name, ".cfg") == NULL)
      continue;
    snprintf(file, sizeof file, "bench/experiments/%s", entry->d_name);
    struct experiment *e = experiment_read(file, NULL, 0, why, sizeof why);
    if (e == NULL)
      fail_msg("%s", why);
    assert_true(e->question[0] != 0);
    experiment_free(e);
    seen++;
  }
  closedir(dir);
  assert_in_range(seen, 7, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_is_there_and_fills_in_the_rest),
      cmocka_unit_test(effective_reads_back_as_the_same),
      cmocka_unit_test(mistakes_are_refused_where_they_are),
      cmocka_unit_test(overrides_replace_and_are_blamed),
      cmocka_unit_test_setup(damaged_files_are_survived, test_seed),
      cmocka_unit_test(shipped_experiments_are_good),
  };
  return cmocka_run_group_tests(tests, make_file, remove_file);
}
