/* accounting.h: what a server costs, seen from outside, by any server alike.
 *
 * A server is a tree of processes: everything that descends from its supervisor (process.h). Ended
 * children are counted through the CPU times of those who waited for them; threads, kernel helpers
 * of io_uring among them, belong to their process. A snapshot is taken at each edge of the measured
 * phase, the difference is the phase. Sources: proc(5), clock_getcpuclockid(3). */
#ifndef MUX_ACCOUNTING_H
#define MUX_ACCOUNTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct accounting_cpu {
  int64_t at_ns;                    /* CLOCK_MONOTONIC when taking it began */
  int64_t done_ns;                  /* ... and ended */
  int64_t total_ns;                 /* user and system; children that have ended to 10 ms */
  int64_t user_ticks, system_ticks; /* their proportion, by the kernel's sampling clock */
  int processes;
};
/* The tree below root, root itself left out. Returns 0 or -errno. About 50 µs for a process of few
 * threads, 1 to 2 ms for one of 10,000. */
int accounting_cpu(pid_t root, struct accounting_cpu *out);

/* Resident memory of the tree in bytes, pages shared by several processes counted once (PSS); where
 * that cannot be read, the RSS. -errno on error. Slow: for quiet moments. */
int64_t accounting_memory_bytes(pid_t root);

struct accounting_host {
  int64_t busy_ticks, steal_ticks, total_ticks; /* of all CPUs */
  int64_t retransmits, listen_overflows;
  int64_t slab_bytes, socket_bytes; /* kernel memory: slab caches; pages that sockets hold */
  int64_t pressure_us;              /* time in which some task waited for a CPU (PSI) */
};
/* Values that cannot be read are -1. */
void accounting_host(struct accounting_host *out);

/* ---- System calls and context switches --------------------------------------------------------
 */

/* Tracepoint counters cost the server 25 to 35 ns per system call (and every process of the host a
 * little), hence a phase of their own. */
struct accounting_counts {
  int64_t syscalls, switches;
};
struct accounting_probe; /* opaque */

/* Attaches to every task below root; tasks made later are inherited. Returns 0, or -errno with the
 * reason and its remedy in why. */
int accounting_probe_open(struct accounting_probe **probe, pid_t root, char *why, size_t why_bytes);
/* Whether that would be permitted, tried on ourselves. Same result. */
int accounting_probe_permitted(char *why, size_t why_bytes);
int accounting_probe_read(struct accounting_probe *probe, struct accounting_counts *out);
void accounting_probe_close(struct accounting_probe *probe);

/* ---- Trees ------------------------------------------------------------------------------------
 */

/* Calls visit for every process below root; a tree that changes meanwhile is seen about as it was.
 * Returns 0 or -errno (no memory). */
int accounting_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data);

#endif
