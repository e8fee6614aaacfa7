/* gates.h: which servers may be measured. Wrong bytes have no performance: before its first launch
 * on a kind of socket each server has to pass the conformance gate (check/check.h). */
#ifndef MUX_GATES_H
#define MUX_GATES_H

#include "bench/run/trial.h"
#include "common/addr.h"

struct gate_state {
  bool asked, closed;
  char why[512];
};

struct gates {
  struct gate_state of[EXPERIMENT_SERVERS][MUX_ADDR_KINDS];
};

/* How many servers of this launch have not been asked yet. */
int gates_missing(struct gates *gates, const struct plan *plan, int cell, int block);

/* Asks those, several at a time, as they mostly wait. closed[label] is why it is not to be
 * measured, or NULL. Returns 0, -EINTR, or -errno if it could not be asked. */
int gates_ask(struct gates *gates, const struct trial_setting *setting, int cell, int block,
              const char **closed);

#endif
