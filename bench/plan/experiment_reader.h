/* experiment_reader.h: what the files that read an experiment share. */
#ifndef MUX_EXPERIMENT_READER_H
#define MUX_EXPERIMENT_READER_H

#include "bench/plan/experiment.h"

/* The state of a reading: the first mistake is kept. */
struct reader {
  const struct experiment_source *source;
  char *why;
  size_t why_bytes;
  bool failed;
};

/* A mistake at this key; only the first one counts. */
void reader_blame(struct reader *r, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Where that key is, for later messages; the caller frees it. */
char *reader_place(const struct reader *r, const char *path);

/* One value or a list of them, for this option. */
void reader_axis_read(struct reader *r, struct experiment_axis *axis, enum option_group group,
                      const struct mux_option_row *option, const json_t *value, const char *path);
void reader_axis_free(struct experiment_axis *axis);

void reader_servers(struct reader *r, struct experiment *e, const json_t *tree);
/* A label is part of file names, CSV fields and conclusions. */
bool reader_label_is_fine(const char *label);

#endif
