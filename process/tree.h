/* tree.h: the processes below another one, and what they use together.
 *
 * A server is a tree of processes: everything that descends from its supervisor (process.h). This
 * is the one walker of such trees: accounting, conformance cases and the supervisor itself use it.
 * Sources: proc(5), clock_getcpuclockid(3).
 *
 * What takes long is to find 10,000 processes (0.3 s) or those below one of 10,000 threads (10 ms),
 * not to read their clocks (10 ms, 2 ms). So a tree with many tasks is looked for beforehand, in a
 * quiet moment, and taken as it stood then; one with few is looked for at every reading. */
#ifndef MUX_TREE_H
#define MUX_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The processes below root, root itself left out; parents stand before their children. Zeroed but
 * for root is a valid empty one. */
struct mux_tree {
  pid_t root;
  pid_t *pids;
  clockid_t *clocks; /* of their CPU time; found beforehand as that is half of the reading */
  int count, room;
  bool many; /* processes, or threads in one of them */
  bool no_memory;
};

/* Looks for them; a tree that changes meanwhile is seen about as it was. Returns 0 or -ENOMEM. */
int mux_tree_find(struct mux_tree *tree);
void mux_tree_free(struct mux_tree *tree);

/* Calls visit for every process below root. Returns 0 or -ENOMEM. */
int mux_tree_walk(pid_t root, void (*visit)(pid_t pid, void *data), void *data);

/* Calls visit for every task (thread) of a process: tid. */
void mux_tree_tasks(pid_t pid, void (*visit)(pid_t pid, pid_t tid, void *data), void *data);

/* Calls visit for every child named in a file such as /proc/thread-self/children. Neither allocates
 * nor locks, so that a forked child of a process with threads may use it. */
void mux_tree_children(const char *path, void (*visit)(pid_t pid, void *data), void *data);

/* The memory of a server: resident bytes of the tree without the pages of files, which no
 * connection adds to and which are shared with whoever runs the same program or library; a page
 * that several processes share counts once (PSS, or where that cannot be read RSS). -errno on
 * error. Slow, 1 s for 10,000 processes: for quiet moments. */
int64_t mux_tree_memory_bytes(pid_t root);

#endif
