/* hdr_log.h: HdrHistogram log files, format version 1.3: one line per interval and tag. */
#ifndef MUX_HDR_LOG_H
#define MUX_HDR_LOG_H

#include <stdio.h>

#include "hdr/hdr.h"

/* Writes header and legend; start of the run in seconds since the epoch. Returns 0 or -errno. */
int mux_hdr_log_begin(FILE *to, double start_epoch_s);
/* Writes an interval; times in seconds since the start, tag without comma, space or newline. */
int mux_hdr_log_write(FILE *to, const char *tag, double start_s, double length_s,
                      const struct mux_hdr *h);

struct mux_hdr_log_line {
  char tag[32]; /* "" when there is none */
  double start_s, length_s;
  struct mux_hdr *histogram; /* caller frees */
};
/* Reads the next interval, skipping comments and the legend. The file is not trusted. Returns 1
 * with *line filled in, 0 at the end, or -errno (-EINVAL: malformed). *number counts lines; start
 * at 0. */
int mux_hdr_log_next(FILE *from, struct mux_hdr_log_line *line, long *number);

#endif
