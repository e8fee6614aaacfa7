/* tree.h: the processes below another one, and what they use together.
 *
 * A server is a tree of processes: everything that descends from its supervisor (process.h). All
 * that walks such trees does so here: accounting, conformance cases and the supervisor itself.
 * Sources: proc(5), clock_getcpuclockid(3).
 *
 * To find 10,000 processes (0.3 s), or the processes below one with 10,000 threads (10 ms), takes
 * longer than to read their clocks (10 ms, 2 ms). So a tree with many tasks is found beforehand, in
 * a quiet moment, and used as it was then; one with few tasks is found anew at every reading. */
#ifndef MUX_TREE_H
#define MUX_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The processes below root, without root itself; parents come before their children. With all but
 * root zeroed it is valid and empty. */
struct mux_tree {
  pid_t root;
  pid_t *pids;
  clockid_t *clocks; /* of their CPU time; to find them is half the work of a reading */
  int count, room;
  bool many; /* processes, or threads in one of them */
  bool no_memory;
};

/* Finds them. A tree that changes meanwhile is seen roughly as it was. Returns 0 or -ENOMEM. */
int mux_tree_find(struct mux_tree *tree);
void mux_tree_free(struct mux_tree *tree);

/* Calls visit for every process below root. Returns 0 or -ENOMEM. */
int mux_tree_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data);

/* Calls visit for every thread of a process. */
void mux_tree_tasks(pid_t pid, void (*visit)(pid_t pid, pid_t tid, void *data), void *data);

/* Calls visit for every child listed in a file such as /proc/thread-self/children. Neither
 * allocates nor locks, so that the forked child of a process with threads may use it. */
void mux_tree_children(const char *path, void (*visit)(pid_t pid, void *data), void *data);

/* Their CPU time. Ended children are counted through the times of those who waited for them;
 * threads, kernel helpers of io_uring among them, belong to their process. */
struct mux_tree_cpu {
  int64_t at_ns;                    /* CLOCK_MONOTONIC when reading the clocks began */
  int64_t done_ns;                  /* ... and ended */
  int64_t total_ns;                 /* user and system; children that have ended to 10 ms */
  int64_t user_ticks, system_ticks; /* their proportion, by the kernel's sampling clock; 0 if there
                                       are too many processes to ask each */
  int processes;
};
/* Of the tree as it is, or as it was found last if it has many tasks. Returns 0, or -ESRCH if there
 * are none, or some of the many have ended (processes is 0 then). */
int mux_tree_cpu(struct mux_tree *tree, struct mux_tree_cpu *out);

/* Sends a signal to every process below root. Returns 0 or -ENOMEM. */
int mux_tree_signal(pid_t root, int signal);

/* The memory of a server: resident bytes of the tree without pages of files, to which connections
 * add nothing and which are shared with everyone who runs the same program or library. A page that
 * several processes share counts once (PSS, or RSS where that cannot be read). Returns -errno on
 * errors. Slow, 1 s for 10,000 processes: for quiet moments. */
int64_t mux_tree_memory_bytes(pid_t root);

#endif
