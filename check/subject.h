/* subject.h: the process under test, as a case sees and handles it: start, stop, signal, limit,
 * watch. A server may be a tree of processes; figures are sums over the tree. Source: proc(5). */
#ifndef MUX_CHECK_SUBJECT_H
#define MUX_CHECK_SUBJECT_H

#include <sys/resource.h>

#include "check/case.h"

/* Starts check->spec and fills in check->addr. A server that does not start fails the case. */
void check_start(struct check *check);
/* The same, but says why not. Returns 0 or -errno. */
int check_try_start(struct check *check, char *why, size_t why_bytes);
/* A server that has ended starts again on the same address and serves, or the case fails. A killed
 * one may be tried again: the kernel takes an io_uring apart some time after its process. */
void check_start_again(struct check *check, const char *after, bool killed);
/* SIGTERM and what follows; returns what mux_server_stop does. */
int check_stop(struct check *check);
/* Waits for the server to end by itself; false if it has not, for as long as it could run. */
bool check_ends_within(struct check *check, int64_t ns);
/* False once it has ended, and once its end has begun: its sockets close before it has ended. */
bool check_lives(struct check *check);
/* Fails the case if the server has died, naming its end. */
void check_alive(struct check *check);
/* A new connection gets its echo: the server has survived what was done to it. */
void check_serves(struct check *check);

/* The case needs a process that it knows (own, not a target). */
bool check_owns(const struct check *check);
void check_signal(struct check *check, int signal);         /* to every process of the tree */
void check_signal_threads(struct check *check, int signal); /* to every thread of every process */
/* Stops every thread and waits until each has stopped: what is sent now waits together. Until
 * check_thaw. Nothing happens to a bare target. */
void check_freeze(struct check *check);
void check_thaw(struct check *check);
/* Sets the soft limit of every process; returns what it was. */
rlim_t check_limit(struct check *check, enum __rlimit_resource resource, rlim_t value);
/* No process gets a descriptor above its highest one; what is free below stays free. (A limit below
 * what is open would be unfair: poll(2) fails with EINVAL then.) Returns the limit before. */
rlim_t check_limit_fds(struct check *check);

/* -1 where it cannot be known (a bare target). */
int check_fds(struct check *check);
int64_t check_memory_bytes(struct check *check); /* proportional resident set */
int64_t check_vm_bytes(struct check *check);     /* address space of the largest process */
int64_t check_wakeups(struct check *check);      /* voluntary context switches */
bool check_catches(struct check *check, int signal);

/* How many descriptors it has open at rest, once it has served. */
int check_fds_settled(struct check *check);
/* The server goes back to `fds` open descriptors, or the case fails: "what" leaks. Nothing is
 * checked for a bare target. */
void check_fds_return(struct check *check, int fds, const char *what);
/* Less than so many percent of a core are used in the time given, or the case fails. On a busy host
 * it counts what the server would use if it never had to wait for a CPU. */
void check_cpu_below(struct check *check, int percent, int64_t time_ns, const char *while_what);

#endif
