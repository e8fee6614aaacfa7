/* mutant.h: what the parts of the mutant share: its flaw and its sockets. */
#ifndef MUTANT_H
#define MUTANT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "tests/mutants/flaws.h"

/* Whether it has this flaw. Marks every place that a flaw changes. */
bool is(enum flaw which);

_Noreturn void die(const char *what); /* with errno's text, exit 1 */

/* A non-blocking socket of this type, bound, and listening if it is a stream. Dies on errors. */
int bound(int type, const void *addr, socklen_t bytes);

/* Exits with 0 and removes the files that it has made. */
_Noreturn void leave(void);

/* The two servers; neither returns. */
_Noreturn void serve_streams(const int *listeners, int count);
_Noreturn void serve_datagrams(int port);

#endif
