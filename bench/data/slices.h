/* slices.h: the slices of a run, a row of slices.csv each.
 *
 * A slice is a short stretch in which one label of a cell was under load while the others of its
 * launch were silent. Its figures are of the measured part: CPU times and requests belong to the
 * same stretch. */
#ifndef MUX_SLICES_H
#define MUX_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a slice was for. The load sleeps while it waits in a cost slice, as a client does whose CPU
 * time is counted; in a latency slice it may spin, so that its own wake-ups are not in the
 * response times. In a capacity slice it spins, too; its rate is one of a staircase. The floor is a
 * slice without a server. */
enum slice_kind { SLICE_COST, SLICE_LATENCY, SLICE_CAPACITY, SLICE_FLOOR, SLICE_KINDS };
extern const char *const slice_kind_names[SLICE_KINDS];

struct slice {
  int trial; /* of measurements.csv: label × launch; 0: the floor */
  int cell, label, block;
  int group; /* of the launch, from 1: labels that do not fit together run in groups */
  int round; /* from 1; 0: settling, not counted */
  int turn;  /* place in the round, from 1 */
  enum slice_kind kind;
  double t_s;                        /* its start, warm-up included, from the start of the launch */
  double duration_s;                 /* of the measured part */
  int64_t completed;                 /* echoes in it */
  double server_cpu_s, client_cpu_s; /* NAN: not to be known */
  double offered_per_s;              /* of a capacity slice; NAN */
  double late;                       /* share of its messages that missed the objective; NAN */
  bool failed;
};

/* Grows as needed. */
struct slices {
  struct slice *at;
  size_t count, room;
};
void slices_add(struct slices *slices, const struct slice *slice);
void slices_free(struct slices *slices);

/* What cells and labels are called; the floor is called "floor". */
struct slice_names {
  const char *const *cells, *const *labels;
  int cell_count, label_count;
};

/* The whole, under a temporary name, then in place; or those from `first` on, at the end of the
 * file. Return 0 or -errno. */
int slices_write(const struct slices *slices, const struct slice_names *names, const char *path);
int slices_append(const struct slices *slices, size_t first, const struct slice_names *names,
                  const char *path);
/* Reads one, not trusting it; a last line that is cut short was never finished. Returns 0 or -errno
 * with the reason, path and line in why. */
int slices_read(struct slices *slices, const struct slice_names *names, const char *path, char *why,
                size_t why_bytes);

#endif
