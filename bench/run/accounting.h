/* accounting.h: what a server costs, seen from outside, by any server alike.
 *
 * CPU time and memory of its processes come from process/tree.h; here is what the host says:
 * counters, memory of the kernel, system calls counted at tracepoints. Sources: proc(5),
 * perf_event_open(2). */
#ifndef MUX_ACCOUNTING_H
#define MUX_ACCOUNTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "process/tree.h"

/* Counters of the host, from its start. */
struct accounting_host {
  int64_t busy_ticks, steal_ticks, total_ticks; /* of all CPUs */
  int64_t retransmits, listen_overflows;
  int64_t pressure_us; /* time in which some task waited for a CPU (PSI) */
};
/* Values that cannot be read are -1. */
void accounting_host(struct accounting_host *out);
/* Adds what passed from a to b to sum. */
void accounting_host_add(struct accounting_host *sum, const struct accounting_host *a,
                         const struct accounting_host *b);

/* Memory of the kernel, of the whole host; -1: not to be known (slabinfo is root's). */
struct accounting_kernel {
  int64_t socket_bytes; /* objects that make up sockets and what watches them, and their data */
  int64_t task_bytes;   /* stacks of threads in the kernel, and page tables */
};
void accounting_kernel(struct accounting_kernel *out);
/* Once what is being freed (after a grace period of RCU) has been freed, 300 ms at most. */
void accounting_kernel_steady(struct accounting_kernel *out);

/* ---- System calls and context switches --------------------------------------------------------
 */

/* Tracepoint counters cost the server 25 to 35 ns per system call (and every process of the host a
 * little), hence a phase of their own. */
struct accounting_counts {
  int64_t syscalls, switches;
};
struct accounting_probe; /* opaque */

/* Attaches to every task below root; tasks made later are inherited. The tracepoints are found in
 * the host's tracefs or, as root, in one that is mounted nowhere. Returns 0, or -errno with the
 * reason in why, and what helps if something does: "REASON; as root: COMMAND". */
int accounting_probe_open(struct accounting_probe **probe, pid_t root, char *why, size_t why_bytes);
/* Whether that would be permitted, tried on ourselves. Same result. */
int accounting_probe_permitted(char *why, size_t why_bytes);
int accounting_probe_read(struct accounting_probe *probe, struct accounting_counts *out);
void accounting_probe_close(struct accounting_probe *probe);

#endif
