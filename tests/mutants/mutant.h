/* mutant.h: what the parts of the mutant share: which flaw it has, and its sockets. */
#ifndef MUTANT_H
#define MUTANT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "tests/mutants/flaws.h"

/* Marks each place where a flaw sits. */
bool is(enum flaw which);

_Noreturn void die(const char *what); /* with errno's text, exit 1 */

/* A non-blocking socket of this type, bound, and listening if it is a stream. Dies on errors. */
int bound(int type, const void *addr, socklen_t bytes);

/* Ends the process in good order: what it has made in the file system goes. */
_Noreturn void leave(void);

/* The two servers; neither returns. */
_Noreturn void serve_streams(const int *listeners, int count);
_Noreturn void serve_datagrams(int port);

#endif
