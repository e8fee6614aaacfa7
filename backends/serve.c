/* serve.c: see serve.h.
 *
 * The first worker runs in the main thread, each further one in a thread of its own. Workers that
 * are processes, if there are several or a dispatcher, have one each while the main one waits:
 * other children and a dispatcher's descriptors would be in the way of a worker that forks.
 *
 * So a server of one worker is a process of one thread, like the servers it is compared with. With
 * a second thread, even one that only sleeps, the kernel counts references to the descriptor in
 * every call and the C library prepares for cancellation around it: some 3 % of the CPU time of a
 * request. That is why signals have handlers (stop.c), and only --stats starts a thread. */
#include "backends/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/core.h"
#include "backends/dispatcher.h"
#include "backends/registry.h"
#include "backends/serve_stats.h"
#include "backends/stop.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/pidfd.h"

struct server_worker {
  struct mux_core core;
  struct server *server;
  pthread_t thread; /* of all but the first */
  pid_t pid;        /* instead, if workers are processes */
  int result;       /* of run(); valid once it has returned */
};

struct server {
  const struct mux_serve_config *config;
  struct mux_addr addr; /* with the real port */
  char congestion[MUX_CONGESTION_TEXT];
  struct mux_counters *counters; /* [workers] */
  struct server_worker *workers;
  int *listeners; /* [listener_count] */
  uint32_t listener_count;
  uint32_t first_apart;              /* workers from this one on have their own thread or process */
  bool own_tables;                   /* threads with a table of descriptors each */
  pthread_barrier_t tables;          /* all have theirs, and nobody has accepted yet */
  struct mux_dispatcher *dispatcher; /* NULL: workers accept by themselves */
};

/* ---- Setting up ----------------------------------------------------------------------------- */

static void open_memory(struct server *server) {
  const struct mux_serve_config *config = server->config;
  size_t bytes = config->workers * sizeof *server->counters;
  int fd = config->counters_fd;
  if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0)
    mux_die(MUX_EXIT_USAGE, "--counters-fd: %d: %s", fd, strerror(errno));
  server->counters =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  if (server->counters == MAP_FAILED)
    mux_die(MUX_EXIT_FAILED, "cannot map %zu bytes of shared memory: %s", bytes, strerror(errno));
  if (fd >= 0)
    close(fd);
  server->workers = calloc(config->workers, sizeof *server->workers);
  server->listeners = calloc(config->workers, sizeof *server->listeners);
  if (server->workers == NULL || server->listeners == NULL)
    mux_die(MUX_EXIT_FAILED, "no memory for %u worker%s", config->workers,
            config->workers == 1 ? "" : "s");
}

static int listen_once(struct server *server, bool reuseport) {
  const struct mux_serve_config *config = server->config;
  char shown[MUX_ADDR_TEXT];
  int fd = mux_sock_listen(&server->addr, reuseport, config->backlog, &config->sock_options);
  if (fd == -ENOENT && server->addr.kind == MUX_ADDR_TCP)
    mux_die(MUX_EXIT_USAGE,
            "--congestion: this kernel does not offer '%s' (see "
            "/proc/sys/net/ipv4/tcp_available_congestion_control)",
            config->sock_options.congestion);
  if (fd < 0)
    mux_die(MUX_EXIT_USAGE, "--listen: cannot listen on %s: %s",
            mux_addr_print(shown, &server->addr), strerror(-fd));
  mux_stop_remove_path(&server->addr);
  int error = server->addr.kind == MUX_ADDR_UDP
                  ? mux_guard_datagrams(fd, server->addr.socket.any.sa_family)
                  : 0;
  if (error != 0)
    mux_die(MUX_EXIT_FAILED, "--listen: cannot filter the datagrams of other echo servers: %s",
            strerror(-error));
  mux_sock_congestion(fd, server->congestion);
  if (config->congestion_asked && server->addr.kind == MUX_ADDR_TCP &&
      strcmp(server->congestion, config->sock_options.congestion) != 0)
    mux_die(MUX_EXIT_USAGE, "--congestion: only root may choose '%s' here",
            config->sock_options.congestion);
  uint32_t limit = mux_backend_fd_limit(config->backend, config->options);
  if (limit != 0 && fd >= (int)limit)
    mux_die(MUX_EXIT_USAGE,
            "%s can only hold descriptors below %u, and the listener got %d: close those that "
            "muxbench inherits",
            config->backend->name, limit, fd);
  return fd;
}

static bool is_apart(const struct server *server) {
  return server->own_tables || (server->config->backend->flags & MUX_PROCESSES) != 0;
}

/* Who takes which connection (see enum mux_accept). */
static void open_listeners(struct server *server) {
  const struct mux_serve_config *config = server->config;
  bool reuseport = config->accept == MUX_ACCEPT_REUSEPORT && config->workers > 1;
  int first = listen_once(server, false);
  if (reuseport) { /* SO_REUSEPORT would hide that the port is in use, so it was tried without */
    close(first);
    first = listen_once(server, true);
  }
  server->listeners[server->listener_count++] = first;
  while (reuseport && server->listener_count < config->workers)
    server->listeners[server->listener_count++] = listen_once(server, true);
  if (config->accept == MUX_ACCEPT_HANDOFF)
    server->dispatcher =
        mux_dispatcher_open(first, mux_stop_fd(), config->workers, is_apart(server));
}

static int listen_fd_of(const struct server *server, uint32_t index) {
  return server->dispatcher != NULL ? mux_dispatcher_fd(server->dispatcher, index)
                                    : server->listeners[index % server->listener_count];
}

static void fill_worker(struct server *server, uint32_t index) {
  const struct mux_serve_config *config = server->config;
  struct server_worker *own = &server->workers[index];
  own->server = server;
  mux_pool_init(&own->core.pool, config->buffer_bytes);
  own->core.shared = mux_stop_shared();
  own->core.addr = &server->addr;
  own->core.sock_options = &config->sock_options;
  own->core.apart = is_apart(server);
  own->core.worker = (struct mux_worker){
      .struct_bytes = sizeof(struct mux_worker),
      .index = index,
      .workers = config->workers,
      .listen_fd = listen_fd_of(server, index),
      .stop_fd = mux_stop_fd(),
      .accept = config->accept,
      /* The rest of the time is for closing what is left and ending the process. */
      .drain_ns = config->drain_ns / 5 * 4,
      .work_ns = config->work_ns,
      .buffer_bytes = config->buffer_bytes,
      .options = config->options,
      .backend = config->backend,
      .host = &mux_host_table,
      .counters = &server->counters[index],
      .core = &own->core,
  };
}

/* ---- Workers -------------------------------------------------------------------------------- */

/* The first worker keeps the table that there was. In the copies nothing may stay that belongs to
 * another one: its listener would go on listening, its connections would end without a FIN. */
static void take_table(struct server_worker *own) {
  const struct mux_worker *worker = &own->core.worker;
  struct server *server = own->server;
  int rc = mux_descriptors_own();
  if (rc != 0)
    mux_die(MUX_EXIT_FAILED, "--descriptors: no table of its own for a worker: %s", strerror(-rc));
  if (server->dispatcher != NULL)
    mux_dispatcher_leave(server->dispatcher, worker->index);
  for (uint32_t i = 0; i < server->listener_count && server->dispatcher == NULL; i++)
    if (server->listeners[i] != worker->listen_fd)
      close(server->listeners[i]);
  pthread_barrier_wait(&server->tables);
}

/* A worker that ends before the stop has failed, and ends the server. */
static void *worker_main(void *argument) {
  struct server_worker *own = argument;
  struct mux_worker *worker = &own->core.worker;
  if (own->server->own_tables && worker->index > 0)
    take_table(own);
  const struct mux_serve_config *config = own->server->config;
  const struct mux_backend *backend = config->backend;
  if (config->workers > 1)
    mux_cpus_pin_nth(&config->cpus, (int)worker->index);
  else if (CPU_COUNT(&config->cpus) > 0)
    mux_cpus_pin(&config->cpus);
  own->result =
      backend->poller != NULL ? mux_reactor_run(worker, backend->poller) : backend->run(worker);
  mux_pool_free(&own->core.pool);
  free(own->core.datagram);
  if (!mux_draining(worker))
    mux_stop_request();
  return NULL;
}

static void start_thread(pthread_t *thread, void *(*main)(void *), void *argument) {
  int error = pthread_create(thread, NULL, main, argument);
  if (error != 0)
    mux_die(MUX_EXIT_FAILED, "cannot start a thread: %s", strerror(error));
}

/* A process shares the counters, the listener and the stop, and does not outlive the main one. */
static void start_process(struct server_worker *own) {
  pid_t parent = getpid();
  own->pid = fork();
  if (own->pid < 0)
    mux_die(MUX_EXIT_FAILED, "cannot start a process: %s", strerror(errno));
  if (own->pid > 0)
    return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (own->server->dispatcher != NULL)
    mux_dispatcher_leave(own->server->dispatcher, own->core.worker.index);
  if (getppid() == parent)
    worker_main(own);
  _exit(-own->result);
}

static void start_worker(struct server_worker *own) {
  if ((own->server->config->backend->flags & MUX_PROCESSES) != 0)
    start_process(own);
  else
    start_thread(&own->thread, worker_main, own);
}

static void join_worker(struct server_worker *own) {
  if (own->pid == 0) {
    pthread_join(own->thread, NULL);
    return;
  }
  /* ThreadSanitizer holds signals back until a call that it knows to block; waitpid is not one. */
  struct pollfd end = {.fd = mux_pidfd_open(own->pid), .events = POLLIN};
  while (end.fd >= 0 && poll(&end, 1, -1) < 0 && errno == EINTR)
    ;
  if (end.fd >= 0)
    close(end.fd);
  int status = 0;
  while (waitpid(own->pid, &status, 0) < 0 && errno == EINTR)
    ;
  own->result = WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Before any other thread starts: a forked process must not inherit a lock that another thread
 * holds. */
static void start_workers(struct server *server) {
  uint32_t workers = server->config->workers;
  bool processes = (server->config->backend->flags & MUX_PROCESSES) != 0;
  server->first_apart = processes && (workers > 1 || server->dispatcher != NULL) ? 0 : 1;
  for (uint32_t i = server->first_apart; i < workers; i++)
    start_worker(&server->workers[i]);
}

/* Returns the exit status once all have ended. */
static int run_workers(struct server *server) {
  int status = MUX_EXIT_OK;
  if (server->own_tables)
    pthread_barrier_wait(&server->tables);
  if (server->dispatcher != NULL)
    mux_dispatcher_start(server->dispatcher);
  if (server->first_apart > 0)
    worker_main(&server->workers[0]);
  if (server->dispatcher != NULL)
    mux_dispatcher_close(server->dispatcher);
  for (uint32_t i = 0; i < server->config->workers; i++) {
    struct server_worker *own = &server->workers[i];
    if (i >= server->first_apart)
      join_worker(own);
    if (own->result == 0)
      continue;
    mux_note("%s: worker %u failed: %s", server->config->backend->name, i, strerror(-own->result));
    status = MUX_EXIT_FAILED;
  }
  return status;
}

/* ---- Output --------------------------------------------------------------------------------- */

static void announce(const struct server *server) {
  char text[MUX_ADDR_TEXT];
  printf("listening %s\n", mux_addr_print(text, &server->addr));
  if (mux_stdout_flush() != 0)
    exit(MUX_EXIT_FAILED);
}

static int run_with_stats(struct server *server, struct mux_stats *stats) {
  int rc = mux_stats_start(stats);
  if (rc != 0)
    mux_die(MUX_EXIT_FAILED, "--stats: cannot start a thread: %s", strerror(-rc));
  int status = run_workers(server);
  rc = mux_stats_end(stats);
  if (rc == 0)
    return status;
  mux_note("--stats: cannot write %s: %s", server->config->stats_path, strerror(-rc));
  return MUX_EXIT_FAILED;
}

/* So that whatever valgrind finds open at the end is a leak. */
static void close_descriptors(struct server *server) {
  mux_stop_close();
  for (uint32_t i = 0; i < server->listener_count; i++)
    close(server->listeners[i]);
  bool handoff = server->config->accept == MUX_ACCEPT_HANDOFF;
  for (uint32_t i = 0; handoff && i < server->config->workers; i++)
    close(server->workers[i].core.worker.listen_fd); /* a channel from the dispatcher */
}

int mux_serve(const struct mux_serve_config *config) {
  struct server server = {.config = config, .addr = config->listen};
  server.own_tables = config->workers > 1 && config->descriptors == MUX_DESCRIPTORS_OWN &&
                      (config->backend->flags & MUX_PROCESSES) == 0;
  if (server.own_tables)
    pthread_barrier_init(&server.tables, NULL, config->workers);
  open_memory(&server);
  mux_stop_open(config->backend->name, config->drain_ns, server.counters, config->workers);
  open_listeners(&server);
  for (uint32_t i = 0; i < config->workers; i++)
    fill_worker(&server, i);
  struct mux_stats stats = {.config = config,
                            .addr = &server.addr,
                            .congestion = server.congestion,
                            .counters = server.counters,
                            .listeners = server.listeners,
                            .listener_count = server.listener_count,
                            .started_ns = mux_now_ns()};
  bool with_stats = config->stats_path != NULL;
  int rc = with_stats ? mux_stats_write(&stats) : 0;
  if (rc != 0)
    mux_die(MUX_EXIT_USAGE, "--stats: cannot write %s: %s", config->stats_path, strerror(-rc));
  announce(&server);
  start_workers(&server);
  int status = with_stats ? run_with_stats(&server, &stats) : run_workers(&server);
  close_descriptors(&server);
  free(server.listeners);
  free(server.workers);
  return status;
}
