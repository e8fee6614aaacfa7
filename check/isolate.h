/* isolate.h: runs a case in a child process of its own (case.h says why). */
#ifndef MUX_CHECK_ISOLATE_H
#define MUX_CHECK_ISOLATE_H

#include <signal.h>

#include "check/cases.h"

/* Runs one case to its verdict, within its own bound and deadline_ns. The bound counts the time in
 * which the case and its server could run (patience.h); the deadline counts by the clock. Returns
 * 0; -EINTR after one of check_ending_signals, which stays pending if the caller has it blocked; or
 * -errno if the case could not be run at all. Nothing is left running in any case. */
int check_run(const struct check_setup *setup, const struct check_case *one, int64_t deadline_ns,
              struct check_result *result);

/* SIGINT, SIGTERM and SIGHUP, without those that are ignored (nohup(1) does that). A caller that
 * blocks them misses none that comes between two cases. */
void check_ending_signals(sigset_t *set);

#endif
