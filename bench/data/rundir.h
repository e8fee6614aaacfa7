/* rundir.h: the directory of one run. Every file in it is written under a temporary name first. */
#ifndef MUX_RUNDIR_H
#define MUX_RUNDIR_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

enum { RUNDIR_PATH = 4096 };

struct rundir {
  int lock_fd; /* held for as long as the run is ours; -1: it is only read */
  char path[RUNDIR_PATH / 2];
  char id[72]; /* its last component: the run_id of every row */
};

/* Makes OUT/<UTC time>_<experiment>_<id>/ with hlog/ and logs/ in it, OUT too if it is not there,
 * and lets OUT/latest point to it. It is locked. Returns 0 or -errno with a reason in why, nothing
 * left. */
int rundir_create(struct rundir *dir, const char *out, const char *experiment, char *why,
                  size_t why_bytes);
/* An existing one, to be read or resumed. Returns 0 or -errno with a reason. */
int rundir_open(struct rundir *dir, const char *path, char *why, size_t why_bytes);

/* Makes sure that nobody else writes there, for as long as this process lives. Returns 0, -EBUSY
 * when somebody does, still after 2 s, or -errno, with a reason. */
int rundir_lock(struct rundir *dir, char *why, size_t why_bytes);
void rundir_unlock(struct rundir *dir);

/* Removes temporary files that killed processes have left. */
void rundir_sweep(const struct rundir *dir);

/* Tells a reader where it is: a line "Results: PATH", or where a file of it is. name may be "". */
void rundir_print_path(const struct rundir *dir, const char *what, const char *name, FILE *to);

/* PATH/name. Returns out. */
char *rundir_file(const struct rundir *dir, char out[RUNDIR_PATH], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns 0 or -errno. */
int rundir_write_json(const struct rundir *dir, const char *name, const json_t *tree);
int rundir_copy(const struct rundir *dir, const char *name, const char *from);
/* A new tree, or NULL and one line in why. The file is not trusted. */
json_t *rundir_read_json(const struct rundir *dir, const char *name, char *why, size_t why_bytes);
/* A number of such a tree by dotted path ("errors.connect"), NAN if it is null or not there. */
double rundir_number(const json_t *tree, const char *path);

#endif
