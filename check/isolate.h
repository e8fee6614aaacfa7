/* isolate.h: runs a case in a child of its own. See case.h for why. */
#ifndef MUX_CHECK_ISOLATE_H
#define MUX_CHECK_ISOLATE_H

#include <signal.h>

#include "check/cases.h"

/* Runs one case to its verdict, within its bound and deadline_ns. Its bound counts the time in
 * which the case and its server could run (patience.h); the deadline is on the clock. Returns 0, or
 * -EINTR after a signal of check_ending_signals, which stays pending if the caller has it blocked
 * (nothing is left running then), or -errno if the case could not be run at all. */
int check_run(const struct check_setup *setup, const struct check_case *one, int64_t deadline_ns,
              struct check_result *result);

/* SIGINT, SIGTERM and SIGHUP, but for those that are ignored, as by nohup. Who blocks them before
 * the first case misses none between two. */
void check_ending_signals(sigset_t *set);

#endif
