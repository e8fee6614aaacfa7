/* fuzz_experiment.c: experiment files. A good one, written as effective.json, reads back the same;
 * a bad one is refused with one line. */
#include "tests/fuzz/fuzz.h"

#include "bench/plan/experiment.h"

/* libconfig 1.5 loses texts that it has begun when a file turns out wrong; that is not ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libconfig\n";
}
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) {
  return "print_suppressions=0";
}

static void nowhere(const struct experiment_source *source, const char *path, char *out,
                    size_t out_bytes) {
  (void)source;
  snprintf(out, out_bytes, "%s", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  char path[64];
  char why[600] = "";
  /* libconfig would read other files. */
  if (memmem(data, bytes, "@include", 8) != NULL)
    return 0;
  int fd = fuzz_file(data, bytes, path);
  struct experiment *experiment = experiment_read(path, NULL, 0, why, sizeof why);
  if (experiment == NULL) {
    assert(why[0] != 0 && strchr(why, '\n') == NULL);
  } else {
    struct experiment_source source = {.locate = nowhere};
    if (experiment->seed < 0) /* none in the file: run draws one before it writes */
      experiment->seed = 1;
    json_t *once = experiment_to_json(experiment);
    struct experiment *again =
        experiment_from_json(once, experiment->name, &source, why, sizeof why);
    if (again == NULL)
      fprintf(stderr, "refused: %s\n", why);
    assert(again != NULL);
    json_t *twice = experiment_to_json(again);
    assert(json_equal(once, twice));
    json_decref(once);
    json_decref(twice);
    experiment_free(again);
    experiment_free(experiment);
  }
  close(fd);
  return 0;
}
