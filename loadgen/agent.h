/* agent.h: an agent: a load on this or another host that a coordinator (agents.h) orders about over
 * the agent's standard input and output. Lines, most of them those of process/control.h:
 *
 *   agent → coordinator   agent {"protocol": 1, "version": …, "host": …}    first of all
 *   coordinator → agent   clock K                           as often as it likes, before the load
 *   agent → coordinator   clock K NS                        at once: the agent's CLOCK_MONOTONIC
 *   coordinator → agent   option WORD                       an option of `muxbench load`, each
 *                         load                              that was all of them: connect
 *   agent → coordinator   connected NS
 *   both                  slice {…}                         orders and answers, any number
 *   coordinator → agent   stop, or end of file
 *   agent → coordinator   result BYTES                      and the result of that part, as JSON
 *
 * An agent says "alive NS" at least every second until "close NS", when it closes its connections.
 * One that is silent for longer than it may be is given up. */
#ifndef MUX_AGENT_H
#define MUX_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "loadgen/load_options.h"
#include "process/control.h"
#include "process/process.h"

enum { AGENT_PROTOCOL = 1, AGENT_RESULT_BYTES_MOST = 64 << 20 };
#define AGENT_HEARTBEAT_NS (1 * MUX_S)
#define AGENT_SILENCE_NS   (5 * MUX_S) /* it is given up after that */

/* ---- As the coordinator sees it -------------------------------------------------------------- */

enum agent_stage {
  AGENT_STARTED,
  AGENT_KNOWN,     /* its name and its clock are */
  AGENT_CONNECTED, /* holds still, before a slice or after it */
  AGENT_BUSY,      /* in a slice */
  AGENT_ENDING,    /* has been told to */
  AGENT_OVER,      /* its result is there; about.lost: it was not told to end */
  AGENT_LOST,      /* about.lost says why */
};

struct agent {
  int number; /* from 1 */
  enum agent_stage stage;
  struct load_agent about;
  struct mux_process process;
  int to_fd, from_fd;
  struct mux_lines lines;
  int connections; /* of its part, the silent ones included */
  int64_t silent_since_ns, may_be_silent_ns;
  bool closes;       /* its connections */
  int64_t waits_for; /* the clock reading that was asked for, 0: none; asked_ns: when */
  int64_t asked_ns;
  struct mux_answer answer; /* of the last slice */
  char *text;               /* of the result, as far as it has come: [text_used of text_bytes] */
  size_t text_bytes, text_used;
  json_t *result;
};

/* Starts PREFIX muxbench agent. Returns 0 or -errno, with the reason in about.lost. */
int agent_start(struct agent *agent, int number, const char *prefix);
/* Waits for its name, and compares clocks. Returns 0, or -ECHILD: it is lost. */
int agent_meet(struct agent *agent);
/* Lets it connect as part `number` of `parts`. */
void agent_send_options(struct agent *agent, const struct load_options *options, int parts);
/* start_ns is of our clock. */
void agent_order(struct agent *agent, const struct mux_order *order);
void agent_stop(struct agent *agent); /* now */
void agent_end(struct agent *agent);  /* after the last slice */
/* Takes what it has said: call it when from_fd is readable, and from time to time. Moves stage on;
 * one that has ended, or has been silent for too long, is lost. */
void agent_listen(struct agent *agent);
void agent_lose(struct agent *agent, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Kills it if it is still there, and frees everything. */
void agent_free(struct agent *agent);

#endif
