/* server.h: how busy is the target? Only on this host: the processes that hold its listening socket
 * are looked up in /proc (proc(5)), and their CPU clocks read at the edges of the window. */
#ifndef MUX_LOAD_SERVER_H
#define MUX_LOAD_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/addr.h"

enum { LOAD_SERVER_PROCESSES = 64 };

struct load_server {
  pid_t pids[LOAD_SERVER_PROCESSES];
  int count; /* 0: not found, or not to be seen by this user */
  int cpus;  /* that it can use at a time: threads, at most the CPUs it may run on */
};

/* Looks the target up. Reads a directory entry per descriptor of every process of this user: some
 * milliseconds, before anything is measured. */
void load_server_find(struct load_server *server, const struct mux_addr *target);
/* CPU time of all its processes so far; 0 if there is none. */
int64_t load_server_cpu_ns(const struct load_server *server);

#endif
