/* run_experiment.h: runs of experiments under test: their file, their rows, their run.json.
 * Everything lies in test_directory(). Failures are cmocka failures. */
#ifndef MUX_RUN_EXPERIMENT_H
#define MUX_RUN_EXPERIMENT_H

#include <jansson.h>

#include "bench/data/rows.h"
#include "bench/plan/experiment.h"
#include "tests/spawn.h"

/* Writes NAME.cfg. */
void test_write_config(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs NAME.cfg with results in OUT, and asserts that no trial fails. On a host that is far too
 * busy one may fail for want of a single echo: then it is run again, twice at the most. */
void test_run_experiment(struct test_result *result, const char *name, const char *out);
/* Whether trials of the latest run in OUT failed for that reason; any other one fails the test. */
bool test_was_starved(const char *out);
/* One that nobody wrote to a file; fails if it is not right. The caller frees it. */
struct experiment *test_experiment(const char *json);
/* Of the latest run in OUT. The caller frees them, decrefs it. */
struct rows test_read_rows(const char *out);
json_t *test_read_run(const char *out);
/* Why trial 1, 2, … was skipped or failed, "" if it was not. */
const char *test_reason(const json_t *run, int trial);
/* The row of a label in a cell; fails if there is none. */
const struct row *test_find_row(const struct rows *rows, const char *cell_id, const char *label);

#endif
