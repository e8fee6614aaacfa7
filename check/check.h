/* check.h: the conformance cases, as the rest of the program uses them.
 *
 * A server that returns wrong bytes, forgets the last ones or dies under pressure must not win a
 * benchmark, so `run` asks this gate before it measures. `muxbench check` (cmd_check.c) is the
 * whole judge; case.h says how a case is written. */
#ifndef MUX_CHECK_H
#define MUX_CHECK_H

#include <stddef.h>

#include "process/server.h"

/* Starts the server `spec` describes (afresh for each case) and runs the cases of the gate: bytes
 * in one-byte writes, in bursts, over many connections, and the last bytes before a close. Takes
 * less than a second with a sound server. Exemptions of an own backend hold here, too.
 * Returns 0; or 1 with "case: what is wrong" in `why`, one line; or -EINTR after SIGINT, SIGTERM or
 * SIGHUP, which is still pending if the caller has it blocked, and says nothing of the server.
 * Forks: call it from a process without threads, or before they are made. */
int mux_check_quick(const struct mux_server_spec *spec, char *why, size_t why_bytes);

#endif
