/* run_experiment.c: see run_experiment.h. */
#include "tests/run_experiment.h"

#include <stdarg.h>
#include <string.h>

#include "tests/support.h"

void test_write_config(const char *name, const char *format, ...) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s.cfg", test_directory(), name);
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  va_list args;
  va_start(args, format);
  vfprintf(file, format, args);
  va_end(args);
  assert_int_equal(fclose(file), 0);
}

bool test_was_starved(const char *out) {
  json_t *run = test_read_run(out);
  json_t *trial;
  size_t i;
  bool starved = false;
  json_array_foreach(json_object_get(run, "trials"), i, trial) {
    const char *status = json_string_value(json_object_get(trial, "status"));
    const char *reason = json_string_value(json_object_get(trial, "reason"));
    if (status == NULL || strcmp(status, "failed") != 0)
      continue;
    if (reason == NULL || strcmp(reason, "no message was echoed") != 0)
      fail_msg("%s: trial %zu failed: %s", out, i + 1, reason != NULL ? reason : "no reason");
    starved = true;
  }
  json_decref(run);
  return starved;
}

void test_run_experiment(struct test_result *result, const char *name, const char *out) {
  enum { TRIES = 3 };
  for (int i = 0; i < TRIES; i++) {
    test_command(result, "run %s/%s.cfg --out %s/%s", test_directory(), name, test_directory(),
                 out);
    if (result->status != 1 || !test_was_starved(out))
      break;
    print_message("# %s: the host let a server or its load do nothing; once more\n", name);
  }
  test_expect(result, 0);
}

struct rows test_read_rows(const char *out) {
  struct rows rows;
  char path[512];
  char why[512];
  snprintf(path, sizeof path, "%s/%s/latest/measurements.csv", test_directory(), out);
  if (rows_read(&rows, path, why, sizeof why) != 0)
    fail_msg("%s", why);
  return rows;
}

json_t *test_read_run(const char *out) {
  char path[512];
  json_error_t error;
  snprintf(path, sizeof path, "%s/%s/latest/run.json", test_directory(), out);
  json_t *run = json_load_file(path, 0, &error);
  if (run == NULL)
    fail_msg("%s: %s", path, error.text);
  return run;
}

const char *test_reason(const json_t *run, int trial) {
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(run, "trials"), i, entry) {
    if (json_integer_value(json_object_get(entry, "trial")) == trial)
      return json_string_value(json_object_get(entry, "reason"));
  }
  return "";
}

const struct row *test_find_row(const struct rows *rows, const char *cell_id, const char *label) {
  for (size_t i = 0; i < rows->count; i++)
    if (strcmp(row_text(&rows->rows[i], COL_cell_id), cell_id) == 0 &&
        strcmp(row_text(&rows->rows[i], COL_label), label) == 0)
      return &rows->rows[i];
  fail_msg("there is no row of %s in %s", label, cell_id);
  return NULL;
}

static void locate(const struct experiment_source *source, const char *key, char *out,
                   size_t out_bytes) {
  (void)source;
  snprintf(out, out_bytes, "%s", key);
}

struct experiment *test_experiment(const char *json) {
  struct experiment_source source = {.locate = locate};
  char why[512] = "";
  json_error_t error;
  json_t *tree = json_loads(json, 0, &error);
  if (tree == NULL)
    fail_msg("%s", error.text);
  struct experiment *e = experiment_from_json(tree, "test", &source, why, sizeof why);
  if (e == NULL)
    fail_msg("%s", why);
  json_decref(tree);
  return e;
}
