/* target.h: how busy is the target? Only on this host: the processes that hold its listening socket
 * are looked up in /proc (proc(5)), and their CPU clocks read at the edges of the window. */
#ifndef MUX_TARGET_H
#define MUX_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "common/addr.h"

enum { LOAD_TARGET_PROCESSES = 64 };

struct load_target {
  pid_t pids[LOAD_TARGET_PROCESSES];
  int count; /* 0: not found, or not to be seen by this user */
  int cpus;  /* that it can use at a time: threads, at most the CPUs it may run on */
};

/* Looks the target up. Reads a directory entry per descriptor of every process of this user: some
 * milliseconds, before anything is measured. */
void load_target_find(struct load_target *server, const struct mux_addr *target);
/* CPU time of all its processes so far; 0 if there is none. */
int64_t load_target_cpu_ns(const struct load_target *server);

#endif
