/* subject.h: the process under test: how a case starts, stops, signals, limits and watches it. A
 * server may be a tree of processes; figures are sums over the tree. Source: proc(5). */
#ifndef MUX_CHECK_SUBJECT_H
#define MUX_CHECK_SUBJECT_H

#include <sys/resource.h>

#include "check/case.h"

/* Starts check->spec and sets check->addr. A server that does not start fails the case. */
void check_start(struct check *check);
/* The same, but returns 0, or -errno with the reason in why. */
int check_try_start(struct check *check, char *why, size_t why_bytes);
/* Starts a server that has ended on the same address once more; the case fails if it does not
 * serve. After a kill this is tried for a while: the kernel frees an io_uring's sockets some time
 * after its process has ended. */
void check_start_again(struct check *check, const char *after, bool killed);
/* Sends SIGTERM and waits for the end; returns as mux_server_stop does. */
int check_stop(struct check *check);
/* Waits until the server has ended by itself. False if it has not ns later, though it could run. */
bool check_ends_within(struct check *check, int64_t ns);
/* False once the server has ended. If it is about to (its sockets close first), waits until it has.
 */
bool check_lives(struct check *check);
/* Fails the case if the server has died, and says how. */
void check_alive(struct check *check);
/* Expects an echo on a new connection: the server has survived what was done to it. */
void check_serves(struct check *check);

/* Whether the server is a process of ours, and not a bare target. */
bool check_owns(const struct check *check);
void check_signal(struct check *check, int signal);         /* to every process of the tree */
void check_signal_threads(struct check *check, int signal); /* to every thread of every process */
/* Stops the server and waits until every thread has stopped: what is sent from now on waits in its
 * queues until check_thaw. Does nothing to a bare target. */
void check_freeze(struct check *check);
void check_thaw(struct check *check);
/* Waits until every thread is asleep: the server waits for something to do. False if it never
 * is, as one that spins. */
bool check_rests(struct check *check);
/* Sets the soft limit of every process; returns what it was. */
rlim_t check_limit(struct check *check, enum __rlimit_resource resource, rlim_t value);
/* Limits every process to descriptors up to its highest open one. (A limit below that would be
 * unfair: poll(2) fails with EINVAL then.) Returns the limit before. */
rlim_t check_limit_fds(struct check *check);

/* Each is -1 for a bare target. */
int check_fds(struct check *check);
int64_t check_memory_bytes(struct check *check); /* proportional resident set */
int64_t check_vm_bytes(struct check *check);     /* address space of the largest process */
int64_t check_wakeups(struct check *check);      /* voluntary context switches */
bool check_catches(struct check *check, int signal);

/* How many descriptors the server has open when idle, after its first echo. */
int check_fds_settled(struct check *check);
/* Waits until the server is back at `fds` open descriptors; the case fails if `what` leaks some.
 * Checks nothing on a bare target. */
void check_fds_return(struct check *check, int fds, const char *what);
/* Fails the case if the server uses `percent` of a core or more. What counts is the CPU time that
 * it would take if it never had to wait for a CPU. */
void check_cpu_below(struct check *check, int percent, int64_t time_ns, const char *while_what);

#endif
