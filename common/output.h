/* output.h: a result file that appears whole or not at all: where --json[=FILE] and its kind go,
 * and the files of a run.
 *
 * It is written under a temporary name next to its place and put there by mux_output_commit, so
 * that a failed command leaves no half file. Symbolic links are followed; a file that is
 * replaced keeps its mode and, where we may set it, its owner. What is not a regular file (a
 * device, a pipe), what has no name any more, and what stdout or stderr writes to already is
 * written through. */
#ifndef MUX_OUTPUT_H
#define MUX_OUTPUT_H

#include <stdio.h>

struct mux_output {
  FILE *stream;
  char *target;    /* the file to replace, and */
  char *temporary; /* ... its name until then; NULL both: `stream` writes to the place itself */
};

/* Opens `path`; NULL and "-" are stdout. Returns 0 or -errno: -EISDIR, -EACCES for a file that we
 * may not write even where we could replace it, -ENXIO for a FIFO that nobody reads, -ELOOP and
 * others of open(2). */
int mux_output_open(struct mux_output *out, const char *path);
/* Puts the file in its place. Returns 0 or -errno of the first write that failed, the old file
 * untouched then; -EBADF if nothing is open. Closes in either case. */
int mux_output_commit(struct mux_output *out);
/* Leaves everything as it was, as far as nothing was written through. Harmless if none is open. */
void mux_output_abort(struct mux_output *out);

#endif
