/* check.h: the conformance cases, as the rest of the program uses them.
 *
 * A server that returns wrong bytes, loses the last ones or dies under load must not win a
 * benchmark, so `run` passes every server through this gate before it measures. `muxbench check`
 * (cmd_check.c) runs all cases; case.h says how to write one. */
#ifndef MUX_CHECK_H
#define MUX_CHECK_H

#include <stddef.h>

#include "process/server.h"

/* Starts the server that `spec` describes, afresh for each case, and runs the cases of the gate:
 * one-byte writes, bursts, many connections, and the last bytes before a close. A sound server
 * takes about a second. Exemptions of our own backends apply. Returns 0; or 1 with "case: what is
 * wrong" in `why`, one line; or -EINTR after SIGINT, SIGTERM or SIGHUP, which stays pending if the
 * caller has it blocked, and says nothing about the server. Forks: call it before any thread is
 * created. */
int mux_check_quick(const struct mux_server_spec *spec, char *why, size_t why_bytes);

#endif
