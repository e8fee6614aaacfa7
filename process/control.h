/* control.h: how a runner and a load that it has started talk: lines over two pipes.
 *
 *   runner → load   slice {"start_ns": …, "warmup_ns": …, "duration_ns": …, "spin_ns": …,
 *                          "rate_per_s": …, "record": …}
 *                   stop                  the slice ends now, and the load with it
 *   load → runner   connected NS          every connection is made; the load holds still
 *                   slice {…}             the slice is over, every echo is back (struct mux_answer)
 *
 * A load tells the edges of its phases as well (warm, measure, drain, close, done, each with a
 * time); a reader passes over words that it does not know. End of file on the orders ends the load.
 * The floor takes the same orders. Agents (loadgen/agent.h) are loads that talk over the standard
 * streams of a command. Times are ns of the load's own CLOCK_MONOTONIC. */
#ifndef MUX_CONTROL_H
#define MUX_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A stretch of traffic between two silences. */
struct mux_order {
  int64_t start_ns; /* when to begin; 0, or past: at once */
  int64_t warmup_ns, duration_ns;
  int64_t spin_ns;    /* poll instead of sleeping when something is due so soon */
  int64_t rate_per_s; /* of an open loop, at most the configured one; 0: that */
  bool record;        /* count its messages and their response times */
};

/* What happened between the opening of its window, after the warm-up, and the closing; clocks and
 * echoes were read together. */
struct mux_answer {
  int64_t start_ns; /* of the warm-up */
  int64_t duration_ns;
  int64_t completed;            /* echoes in the window */
  int64_t all;                  /* ... in the whole slice */
  int64_t server_ns, client_ns; /* CPU time; server -1: not to be known */
  int64_t spin_ns;              /* of client_ns, deliberate spinning */
  int64_t errors, unanswered;   /* so far, all slices */
  /* Of a load that has an objective for response times (--find-rate): the recorded messages, and
   * how many of them took longer than it allows: in response, and in service alone. */
  int64_t messages, late, late_in_service;
};

/* Lines as they come out of a descriptor. */
struct mux_lines {
  char text[1024];
  size_t used;
};
/* Reads what there is and takes the next line off, without its end. Returns 1 with a line, 0 when
 * there is none yet, -EPIPE at the end of file, -EPROTO for a line that is too long. Call it when
 * the descriptor is readable; then as long as it returns 1. */
int mux_lines_next(struct mux_lines *lines, int fd, char *line, size_t line_bytes);

/* Takes bytes off as they are, not by lines: those that were read already, or what there is.
 * Returns how many, 0 when there are none yet, -EPIPE at the end of file. */
ssize_t mux_lines_raw(struct mux_lines *lines, int fd, char *to, size_t bytes);

/* "word …": writes one line. That nobody reads it any more is -EPIPE (SIGPIPE is the caller's). */
int mux_control_say(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int mux_order_send(int fd, const struct mux_order *order);
int mux_answer_send(int fd, const struct mux_answer *answer);

/* Of a line. Return 0, or -EPROTO with nothing in *order or *answer to rely on. */
int mux_order_parse(const char *line, struct mux_order *order);
int mux_answer_parse(const char *line, struct mux_answer *answer);

#endif
