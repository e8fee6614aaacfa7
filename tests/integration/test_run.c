/* test_run.c: the command run from the outside: its directory, interruption, bad input. */
#include "tests/support.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/spawn.h"

static struct test_result result;
static char config[128];  /* a small experiment: 2 servers, 2 cells, 2 blocks */
static char results[128]; /* --out */

static void write_text(const char *path, const char *text) {
  FILE *out = fopen(path, "we");
  assert_non_null(out);
  fputs(text, out);
  assert_int_equal(fclose(out), 0);
}

static int set_up(void **state) {
  if (test_make_directory(state) != 0)
    return -1;
  snprintf(config, sizeof config, "%s/small.cfg", test_directory());
  snprintf(results, sizeof results, "%s/results", test_directory());
  write_text(config, "question = \"Does a small experiment run?\";\n"
                     "baseline = \"epoll-lt\";\n"
                     "servers = [\"epoll-lt\", \"poll\"];\n"
                     "blocks = 2;\n"
                     "count = 0;\n"
                     "load = { connections = [1, 20]; payload = 64; duration = \"300ms\";\n"
                     "         warmup = \"50ms\"; timeout = \"2s\"; };\n");
  return 0;
}

/* Contract: these columns in this order; others may follow. */
static const char contract_columns[] =
    "schema_version,run_id,experiment,cell_id,block,trial,backend,label,params,transport,workers,"
    "threads,mode,loop,arrival,connections,idle_connections,payload_bytes,depth,offered_per_s,"
    "duration_s,established,sent,completed,completed_per_s,bytes_per_s,in_flight_end,"
    "errors_connect,errors_reset,errors_timeout,errors_mismatch,errors_closed,response_p50_us,"
    "response_p90_us,response_p95_us,response_p99_us,response_p999_us,response_max_us,"
    "service_p50_us,service_p99_us,service_p999_us,slip_p99_us,connect_p50_us,connect_p99_us,"
    "connect_max_us,server_user_us_per_req,server_system_us_per_req,server_cpu_us_per_req,"
    "server_cores_used,client_cpu_us_per_req,client_cores_used,syscalls_per_req,"
    "context_switches_per_req,events_per_wait,rss_bytes_per_conn,kernel_bytes_per_conn,"
    "fairness_jain,never_served,floor_us,floor_ratio,tcp_retransmits,listen_overflows,steal_pct,"
    "status,flags";

static json_t *load_json(const char *name) {
  char path[256];
  json_error_t error;
  snprintf(path, sizeof path, "%s/latest/%s", results, name);
  json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  if (json == NULL)
    fail_msg("%s: %s", path, error.text);
  return json;
}

static int column_of(char **header, int columns, const char *name) {
  for (int i = 0; i < columns; i++)
    if (strcmp(header[i], name) == 0)
      return i;
  fail_msg("there is no column %s", name);
  return -1;
}

/* Splits a line at its commas; the tests' own values hold no quotes. */
static int split(char *line, char **fields, int most) {
  int count = 0;
  line[strcspn(line, "\r\n")] = 0;
  for (char *at = line; at != NULL && count < most; count++) {
    fields[count] = at;
    at = strchr(at, ',');
    if (at != NULL)
      *at++ = 0;
  }
  return count;
}

/* Reads measurements.csv and returns its number of rows, all of them as wide as the header, with
 * the trials 1…n each once and something completed. */
static int assert_measurements(void) {
  char path[256];
  static char header[8192];
  static char line[8192];
  char *names[128];
  char *fields[128];
  bool seen[64] = {false};
  snprintf(path, sizeof path, "%s/latest/measurements.csv", results);
  FILE *in = fopen(path, "re");
  assert_non_null(in);
  assert_non_null(fgets(header, sizeof header, in));
  assert_memory_equal(header, contract_columns, sizeof contract_columns - 1);
  int columns = split(header, names, 128);
  int rows = 0;
  for (; fgets(line, sizeof line, in) != NULL; rows++) {
    assert_int_equal(split(line, fields, 128), columns);
    int trial = atoi(fields[column_of(names, columns, "trial")]);
    assert_true(trial >= 1 && trial < 64 && !seen[trial]);
    seen[trial] = true;
    assert_string_equal(fields[column_of(names, columns, "errors_mismatch")], "0");
    assert_true(atoi(fields[column_of(names, columns, "completed")]) > 0);
    /* A busy host may let the runner come too late to read the clocks, which it says then. */
    bool late = strstr(fields[column_of(names, columns, "flags")], "edges_late") != NULL;
    bool has_cpu = atof(fields[column_of(names, columns, "server_cpu_us_per_req")]) > 0;
    assert_true(has_cpu != late);
  }
  fclose(in);
  return rows;
}

/* The results directory holds run directories and `latest`, nothing else, nothing temporary. */
static int count_runs(void) {
  DIR *dir = opendir(results);
  if (dir == NULL)
    return 0;
  int runs = 0;
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    char experiment[32];
    if (entry->d_name[0] == '.' || strcmp(entry->d_name, "latest") == 0)
      continue;
    if (sscanf(entry->d_name, "%*8[0-9]T%*6[0-9]Z_%31[^_]_", experiment) != 1 ||
        strcmp(experiment, "small") != 0)
      fail_msg("'%s' is no name of a run directory", entry->d_name);
    runs++;
  }
  closedir(dir);
  return runs;
}

static void a_run_writes_its_directory(void **state) {
  (void)state;
  test_command(&result, "run %s --out %s", config, results);
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "epoll-lt"));
  assert_int_equal(count_runs(), 1);
  int rows = assert_measurements();
  assert_true(rows >= 8);

  static const char *const texts[] = {"experiment.cfg", "summary.csv", "timeline.csv",
                                      "percentiles.csv"};
  char path[256];
  for (size_t i = 0; i < TEST_COUNT(texts); i++) {
    struct stat status;
    snprintf(path, sizeof path, "%s/latest/%s", results, texts[i]);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size > 0);
  }
  snprintf(path, sizeof path, "%s/latest/hlog", results);
  assert_int_equal(test_count_files(path), rows);

  json_t *run = load_json("run.json");
  static const char *const keys[] = {"schema_version", "status", "argv",   "seed", "git",
                                     "compiler",       "flags",  "kernel", "cpu",  "clock",
                                     "limits",         "sysctls"};
  for (size_t i = 0; i < TEST_COUNT(keys); i++)
    if (json_object_get(run, keys[i]) == NULL)
      fail_msg("run.json has no %s", keys[i]);
  assert_string_equal(json_string_value(json_object_get(run, "status")), "finished");
  json_decref(run);
  json_decref(load_json("effective.json"));
}

static void a_dry_run_writes_nothing(void **state) {
  (void)state;
  int before = count_runs();
  test_command(&result, "run %s --out %s --dry-run", config, results);
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "2 cells, 2 labels\n"));
  assert_non_null(strstr(result.out, "connections=20"));
  assert_int_equal(count_runs(), before);
}

/* Nothing is compared then: that is said, and no lowest is announced. */
static void a_baseline_that_is_left_out_is_named(void **state) {
  (void)state;
  test_command(&result, "run %s --out %s --backends poll --dry-run", config, results);
  test_expect(&result, 0);
  assert_non_null(strstr(result.err, "--backends leaves out the baseline, epoll-lt"));
  assert_non_null(strstr(result.out, "no claim"));
  test_command(&result, "run %s --out %s --backends poll,epoll-lt --dry-run", config, results);
  assert_null(strstr(result.err, "baseline"));
}

/* True once a first trial is in measurements.csv of the run in $results/latest. */
static bool has_a_row(void *arg) {
  (void)arg;
  char path[256];
  char line[8192];
  int lines = 0;
  snprintf(path, sizeof path, "%s/latest/measurements.csv", results);
  FILE *in = fopen(path, "re");
  if (in == NULL)
    return false;
  while (fgets(line, sizeof line, in) != NULL)
    lines++;
  fclose(in);
  return lines >= 2;
}

static void an_interrupted_run_is_kept_and_resumed(void **state) {
  (void)state;
  char command[400];
  struct test_process run;
  snprintf(results, sizeof results, "%s/resumed", test_directory());
  snprintf(command, sizeof command, "run %s --out %s --set duration=1s", config, results);
  test_start(&run, command);
  assert_true(test_wait_until(has_a_row, NULL));
  kill(run.pid, SIGINT);
  test_wait(&run, &result);
  test_expect(&result, 130);
  if (strstr(result.err, "--resume") == NULL)
    fail_msg("it did not say how to go on: %s", result.err);
  json_t *before = load_json("run.json");
  assert_string_equal(json_string_value(json_object_get(before, "status")), "interrupted");
  json_decref(before);
  int rows = assert_measurements();
  assert_in_range(rows, 1, 7);

  test_command(&result, "run --resume %s/latest", results);
  test_expect(&result, 0);
  assert_int_equal(assert_measurements(), 8);
  assert_int_equal(count_runs(), 1);
  json_t *after = load_json("run.json");
  assert_string_equal(json_string_value(json_object_get(after, "status")), "finished");
  json_decref(after);
  snprintf(results, sizeof results, "%s/results", test_directory());
}

static void bad_input_is_named_and_leaves_nothing(void **state) {
  (void)state;
  static const struct {
    const char *args; /* CFG is the small experiment, OUT a directory that is not there */
    const char *says;
  } rows[] = {
      {"", "name one EXPERIMENT.cfg"},
      {"/nonesuch.cfg", "/nonesuch.cfg: No such file or directory"},
      {"/dev/null", "/dev/null"},
      {"/tmp", "/tmp"},
      {"CFG --backends nonesuch", "--backends: 'nonesuch'"},
      {"CFG --blocks 0", "--blocks: 0 is out of range"},
      {"CFG --set nonesuch=1", "--set nonesuch=1"},
      {"CFG --set connections=-1", "--set connections=-1"},
      {"CFG --set duration", "--set"},
      {"CFG --resume OUT", "name one EXPERIMENT.cfg, or --resume DIR"},
      {"--resume OUT", "--resume"},
      {"CFG --json=/nonesuch/x", "--json: cannot write /nonesuch/x"},
  };
  char out[128];
  snprintf(out, sizeof out, "%s/none", test_directory());
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    char args[300] = "";
    for (const char *p = rows[i].args; *p != 0; p++) {
      size_t at = strlen(args);
      const char *word = strncmp(p, "CFG", 3) == 0 ? config : strncmp(p, "OUT", 3) == 0 ? out : "";
      snprintf(args + at, sizeof args - at, *word != 0 ? "%s" : "%s%c", word, *p);
      p += *word != 0 ? 2 : 0;
    }
    test_command(&result, "run %s --out %s", args, out);
    test_expect_error(&result, 2, rows[i].says);
    assert_int_equal(access(out, F_OK), -1);
  }
}

static void a_mistake_in_the_file_is_shown_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *says; /* behind the path */
  } rows[] = {
      {"question = \"x\";\nload = {", ":"},
      {"question = \"x\";\n\nnonesuch = 3;\n", ":3: "},
      {"question = \"x\";\nservers = [\"epoll-lt\"];\nload = {\n  connections = [0]; };\n", ":4: "},
      {"question = \"x\";\nservers = [\"epoll-lt\"];\nload = { duration = \"soon\"; };\n", ":3: "},
  };
  char path[160];
  char says[200];
  snprintf(path, sizeof path, "%s/bad.cfg", test_directory());
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    write_text(path, rows[i].text);
    snprintf(says, sizeof says, "%s%s", path, rows[i].says);
    test_command(&result, "run %s --out %s/none", path, test_directory());
    test_expect_error(&result, 2, says);
  }
}

/* A file in the place of the directory stops root as well. */
static void an_unwritable_directory_is_said_at_once(void **state) {
  (void)state;
  static const char *const places[] = {"/proc/nonesuch", "/dev/null", "/dev/null/x"};
  for (size_t i = 0; i < TEST_COUNT(places); i++) {
    test_command(&result, "run %s --out %s", config, places[i]);
    test_expect_error(&result, 2, "--out: ");
    assert_non_null(strstr(result.err, places[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_writes_its_directory),
      cmocka_unit_test(a_dry_run_writes_nothing),
      cmocka_unit_test(a_baseline_that_is_left_out_is_named),
      cmocka_unit_test(an_interrupted_run_is_kept_and_resumed),
      cmocka_unit_test(bad_input_is_named_and_leaves_nothing),
      cmocka_unit_test(a_mistake_in_the_file_is_shown_with_its_line),
      cmocka_unit_test(an_unwritable_directory_is_said_at_once),
  };
  return cmocka_run_group_tests(tests, set_up, test_remove_directory);
}
