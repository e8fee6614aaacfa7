/* cpus.h: lists of CPUs ("0", "0-3", "0,2,4-7"), pinning, and which cores to take for a server and
 * its load. Source: sysfs cpu topology, sched_setaffinity(2). */
#ifndef MUX_CPUS_H
#define MUX_CPUS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stddef.h>

/* Room for any set; the longest has pairs: 0-1,3-4,… */
enum { MUX_CPUS_TEXT = 3072 };

/* Returns 0, -EINVAL (not a list) or -ENODEV (names a CPU this process may not use). */
int mux_cpus_parse(cpu_set_t *set, const char *text);
char *mux_cpus_print(char out[MUX_CPUS_TEXT], const cpu_set_t *set);
/* The CPU number n modulo the size of the set, counted from 0; -1 if the set is empty. */
int mux_cpus_nth(const cpu_set_t *set, int n);
/* Pins the calling thread. Returns 0 or -errno. */
int mux_cpus_pin(const cpu_set_t *set);
/* Pins the calling thread to the n-th CPU of the set; an empty set pins nothing. */
int mux_cpus_pin_nth(const cpu_set_t *set, int n);

/* Chooses `server_cores` CPUs for the server and the others of the same NUMA node for the load, one
 * hardware thread of each core, from those that this process may use. Returns 0, or -ENODEV if
 * there is only one core: then it is in both sets, and results are to be flagged. */
int mux_cpus_split(cpu_set_t *server, cpu_set_t *load, int server_cores);

#endif
