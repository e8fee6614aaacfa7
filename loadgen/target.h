/* target.h: how busy is the target? On this host only: finds the processes that hold its listening
 * socket in /proc (proc(5)), and reads their CPU clocks at the edges of the window. */
#ifndef MUX_TARGET_H
#define MUX_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/addr.h"
#include "process/tree.h"

enum { LOAD_TARGET_PROCESSES = 64 };

struct load_target {
  pid_t pids[LOAD_TARGET_PROCESSES];
  int count;            /* 0: not found, or this user may not see them */
  struct mux_tree tree; /* below root, if that is known: then pids are not used */
  int cpus; /* it can use at a time: its threads, but no more than the CPUs it may run on */
};

/* Takes some milliseconds, as it looks at the descriptors of every process: call it before anything
 * is measured. root: the server descends from this process; 0: whoever listens. */
void load_target_find(struct load_target *server, const struct mux_addr *target, pid_t root);
/* It may have processes or threads for the connections by now. */
void load_target_look_again(struct load_target *server);
bool load_target_known(const struct load_target *server);
void load_target_free(struct load_target *server);
/* CPU time of all its processes so far; 0 if there is none. */
int64_t load_target_cpu_ns(struct load_target *server);

#endif
