/* input.h: opening a file that a user, or another file, names.
 *
 * Whatever is read that way must be a regular file. A FIFO would block until somebody writes to
 * it, a device may never end, and a directory opens but cannot be read. A pipe is refused, too:
 * most inputs are read more than once (an experiment is also copied into its run directory).
 * /dev/stdin works where standard input is redirected from a file. */
#ifndef MUX_INPUT_H
#define MUX_INPUT_H

#include <stdint.h>
#include <stdio.h>

/* Opens `path` for reading; a file of more than bytes_max bytes is refused (0: any size). Never
 * blocks. Returns the stream, the caller's to close, or NULL with errno (EINVAL: not a regular
 * file, EFBIG, or of open(2)) and "PATH: reason" in why. */
FILE *mux_input_open(const char *path, int64_t bytes_max, char *why, size_t why_bytes);
/* The reason alone, of that errno. */
const char *mux_input_strerror(int error);

#endif
