/* subject.c: see subject.h. */
#include "check/subject.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/patience.h"
#include "check/peer.h"
#include "common/descriptors.h"
#include "common/proc.h"
#include "process/ready.h"
#include "process/tree.h"

/* ---- Life ----------------------------------------------------------------------------------- */

int check_try_start(struct check *check, char *why, size_t why_bytes) {
  int rc = mux_server_start(&check->server, &check->spec, why, why_bytes);
  if (rc != 0)
    check->server = NULL;
  else
    check->addr = *mux_server_addr(check->server);
  return rc;
}

/* A backend of ours that is to start again needs a port that no outgoing connection takes while
 * nobody listens on it: one below the range that the kernel picks from, as foreign servers get. */
static void fix_port(struct check *check) {
  static char text[MUX_ADDR_TEXT];
  char why[200];
  struct mux_addr addr;
  const char *listen = check->spec.listen != NULL ? check->spec.listen : "tcp://127.0.0.1:0";
  if (check->spec.backend != NULL && mux_addr_parse(&addr, listen, true, why, sizeof why) == 0 &&
      addr.kind == MUX_ADDR_TCP && mux_addr_port(&addr) == 0 && mux_ready_pick_port(&addr) == 0)
    check->spec.listen = mux_addr_print(text, &addr);
}

void check_start(struct check *check) {
  char why[400];
  check_doing(check, "starting the server");
  if ((check->self->needs & CHECK_STARTS) != 0)
    fix_port(check);
  if (check_try_start(check, why, sizeof why) != 0)
    check_fail(check, "the server does not start: %s", why);
  check_doing(check, "%s", "");
}

bool check_ends_within(struct check *check, int64_t ns) {
  struct patience patience = patience_by_clock(check, ns);
  while (mux_server_alive(check->server) && !patience_is_over(&patience))
    check_sleep(patience_step_ns(&patience) / 8);
  patience_end(&patience);
  return !mux_server_alive(check->server);
}

int check_stop(struct check *check) {
  check_doing(check, "stopping the server");
  if (check_owns(check)) {
    kill(mux_server_pid(check->server), SIGTERM);
    check_ends_within(check, check_drain_ns(check) + 2 * MUX_S);
  }
  int status = mux_server_stop(check->server);
  check->server = NULL;
  return status;
}

void check_start_again(struct check *check, const char *after, bool killed) {
  static char text[MUX_ADDR_TEXT];
  char why[400];
  int64_t start = mux_now_ns();
  struct patience patience = patience_begin(check, killed ? check_patience_ns(check) : 0);
  check->spec.listen = mux_addr_print(text, &check->addr);
  check->spec.ready_timeout_ns = 5 * MUX_S * check_slowness();
  check_doing(check, "starting again %s", after);
  while (check_try_start(check, why, sizeof why) != 0) {
    if (patience_is_over(&patience))
      check_fail(check, "does not start again on the same address %s: %s", after, why);
    check_sleep(patience_step_ns(&patience));
  }
  patience_end(&patience);
  check_serves(check);
  check_note(check, "serves again after %.0f ms", (double)(mux_now_ns() - start) / 1e6);
}

static bool is_ending(pid_t pid) {
  struct mux_proc_stat stat;
  return mux_proc_stat(pid, &stat) != 0 || stat.state == 'Z' ||
         (stat.flags & MUX_PROC_EXITING) != 0;
}

bool check_lives(struct check *check) {
  struct patience patience = patience_begin(check, check_patience_ns(check));
  while (mux_server_alive(check->server) && is_ending(mux_server_pid(check->server)) &&
         !patience_is_over(&patience))
    check_sleep(MUX_MS);
  patience_end(&patience);
  return mux_server_alive(check->server);
}

void check_alive(struct check *check) {
  if (check_owns(check) && !mux_server_alive(check->server))
    check_fail(check, "it does not survive this case");
}

void check_serves(struct check *check) {
  check_doing(check, "asking for the echo of a new connection");
  check_alive(check);
  struct peer peer = peer_open(check, 0);
  peer_echo(&peer, 64);
  peer_close(&peer);
}

bool check_owns(const struct check *check) {
  return check->server != NULL && mux_server_pid(check->server) > 0;
}

/* ---- The tree of processes ------------------------------------------------------------------ */

/* The server's processes now, itself first; none for a bare target. Valid until the next call. */
static const struct mux_tree *find_tree(struct check *check) {
  static struct mux_tree tree;
  mux_tree_free(&tree);
  tree.root = check_owns(check) ? mux_server_root(check->server) : -1;
  if (tree.root > 0 && mux_tree_find(&tree) != 0)
    check_skip(check, "no memory for the processes of the server");
  return &tree;
}

void check_signal(struct check *check, int signal) {
  if (check_owns(check))
    mux_tree_signal(mux_server_root(check->server), signal);
}

static void signal_thread(pid_t pid, pid_t tid, void *signal) {
  tgkill(pid, tid, *(int *)signal);
}

void check_signal_threads(struct check *check, int signal) {
  const struct mux_tree *tree = find_tree(check);
  for (int i = 0; i < tree->count; i++)
    mux_tree_tasks(tree->pids[i], signal_thread, &signal);
}

struct count_states {
  const char *states;
  int others;
};

/* Threads that work for an io_uring take no part in a stop. */
static void count_others(pid_t pid, pid_t tid, void *data) {
  struct count_states *count = data;
  struct mux_proc_stat stat;
  (void)pid;
  count->others += mux_proc_stat(tid, &stat) == 0 && (stat.flags & MUX_PROC_IO_WORKER) == 0 &&
                   strchr(count->states, stat.state) == NULL;
}

/* Waits until every thread is in one of these states, or has ended. */
static bool await_states(struct check *check, const char *states) {
  struct count_states count = {.states = states, .others = 1};
  struct patience patience = patience_begin(check, check_patience_ns(check));
  while (count.others > 0 && !patience_is_over(&patience)) {
    const struct mux_tree *tree = find_tree(check);
    count.others = 0;
    for (int i = 0; i < tree->count; i++)
      mux_tree_tasks(tree->pids[i], count_others, &count);
    if (count.others > 0)
      check_sleep(MUX_MS / 10);
  }
  patience_end(&patience);
  return count.others == 0;
}

void check_freeze(struct check *check) {
  check_signal(check, SIGSTOP);
  await_states(check, "TZ");
}

bool check_rests(struct check *check) {
  bool spins = check->backend != NULL && (check->backend->flags & MUX_SPINS) != 0;
  return !spins && await_states(check, "SZ");
}

void check_thaw(struct check *check) {
  check_signal(check, SIGCONT);
}

static void set_limit(pid_t pid, enum __rlimit_resource resource, rlim_t value) {
  struct rlimit limit;
  if (prlimit(pid, resource, NULL, &limit) != 0)
    return; /* it has ended */
  limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
  prlimit(pid, resource, &limit, NULL);
}

static rlim_t get_limit(pid_t pid, enum __rlimit_resource resource) {
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  prlimit(pid, resource, NULL, &limit);
  return limit.rlim_cur;
}

rlim_t check_limit(struct check *check, enum __rlimit_resource resource, rlim_t value) {
  const struct mux_tree *tree = find_tree(check);
  rlim_t before = get_limit(tree->pids[0], resource);
  for (int i = 0; i < tree->count; i++)
    set_limit(tree->pids[i], resource, value);
  return before;
}

enum { TABLES_MOST = 64 };

/* The highest descriptor of all tables. */
static int highest_fd(pid_t pid) {
  pid_t tasks[TABLES_MOST];
  char path[64];
  int highest = 0;
  int count = mux_descriptors_tables(pid, tasks, TABLES_MOST);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/proc/%d/fd", (int)tasks[i]);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
      highest = atoi(entry->d_name) > highest ? atoi(entry->d_name) : highest;
    if (dir != NULL)
      closedir(dir);
  }
  return highest;
}

rlim_t check_limit_fds(struct check *check) {
  const struct mux_tree *tree = find_tree(check);
  rlim_t before = get_limit(tree->pids[0], RLIMIT_NOFILE);
  for (int i = 0; i < tree->count; i++)
    set_limit(tree->pids[i], RLIMIT_NOFILE, (rlim_t)highest_fd(tree->pids[i]) + 1);
  return before;
}

/* ---- Figures -------------------------------------------------------------------------------- */

static int entries(const char *path) {
  int count = 0;
  DIR *dir = opendir(path);
  while (dir != NULL && readdir(dir) != NULL)
    count++;
  if (dir != NULL)
    closedir(dir);
  return count > 2 ? count - 2 : 0; /* . and .. */
}

int check_fds(struct check *check) {
  char path[64];
  pid_t tasks[TABLES_MOST];
  const struct mux_tree *tree = find_tree(check);
  int sum = tree->count == 0 ? -1 : 0;
  for (int i = 0; i < tree->count; i++) {
    int tables = mux_descriptors_tables(tree->pids[i], tasks, TABLES_MOST);
    for (int k = 0; k < tables; k++) {
      snprintf(path, sizeof path, "/proc/%d/fd", (int)tasks[k]);
      sum += entries(path);
    }
  }
  return sum;
}

int64_t check_memory_bytes(struct check *check) {
  return check_owns(check) ? mux_tree_memory_bytes(mux_server_root(check->server)) : -1;
}

int64_t check_vm_bytes(struct check *check) {
  const struct mux_tree *tree = find_tree(check);
  int64_t most = -1;
  for (int i = 0; i < tree->count; i++) {
    int64_t kib = mux_proc_of(tree->pids[i], "status", "VmSize");
    most = kib * 1024 > most ? kib * 1024 : most;
  }
  return most;
}

static void add_wakeups(pid_t pid, pid_t tid, void *sum) {
  int64_t one = mux_proc_of(tid, "status", "voluntary_ctxt_switches");
  (void)pid;
  *(int64_t *)sum += one > 0 ? one : 0;
}

int64_t check_wakeups(struct check *check) {
  const struct mux_tree *tree = find_tree(check);
  int64_t sum = tree->count == 0 ? -1 : 0;
  for (int i = 0; i < tree->count; i++)
    mux_tree_tasks(tree->pids[i], add_wakeups, &sum);
  return sum;
}

bool check_catches(struct check *check, int signal) {
  char path[64];
  char line[256];
  uint64_t mask = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)mux_server_pid(check->server));
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return false;
  /* Caught, or blocked to be read from a signalfd. */
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "SigCgt:", 7) == 0 || strncmp(line, "SigBlk:", 7) == 0)
      mask |= strtoull(line + 7, NULL, 16);
  fclose(file);
  return (mask >> (signal - 1) & 1) != 0;
}

/* ---- Expectations --------------------------------------------------------------------------- */

/* Workers may open descriptors one after another as they start. */
int check_fds_settled(struct check *check) {
  enum { STEADY_MS = 100 };
  check_serves(check);
  int fds = check_fds(check);
  struct patience patience = patience_begin(check, STEADY_MS * MUX_MS);
  while (!patience_is_over(&patience)) {
    int before = fds;
    check_sleep(patience_step_ns(&patience));
    if ((fds = check_fds(check)) != before)
      patience_renew(&patience);
  }
  patience_end(&patience);
  return fds;
}

void check_fds_return(struct check *check, int fds, const char *what) {
  if (!check_owns(check) || fds < 0)
    return;
  check_doing(check, "waiting for the server to close the descriptors of %s", what);
  struct patience patience = patience_begin(check, check_patience_ns(check));
  int now;
  while ((now = check_fds(check)) > fds && !patience_is_over(&patience)) {
    check_alive(check);
    check_sleep(5 * MUX_MS);
  }
  patience_end(&patience);
  if (now > fds)
    check_fail(check, "%d more descriptor%s than before stay open after %s", now - fds,
               now - fds == 1 ? "" : "s", what);
}

void check_cpu_below(struct check *check, int percent, int64_t time_ns, const char *while_what) {
  if (!check_owns(check))
    return;
  struct mux_delay delay;
  struct mux_delay_since since;
  mux_delay_begin(&delay, mux_server_root(check->server));
  check_let_run(check, time_ns);
  struct patience patience = patience_begin(check, check_patience_ns(check));
  while (mux_delay_read(&delay, &since) == 0 && since.unsettled && !patience_is_over(&patience))
    check_sleep(patience_step_ns(&patience));
  patience_end(&patience);
  mux_delay_free(&delay);
  check_alive(check);
  int share = (int)(since.demand * 100);
  bool spins = check->backend != NULL && (check->backend->flags & MUX_SPINS) != 0;
  if (share >= percent && !spins) /* whose nature it is */
    check_fail(check, "burns %d %% of a core while %s", share, while_what);
  check_note(check, "%d %% of a core while %s", share, while_what);
}
