/* serve.c: see serve.h.
 *
 * The main thread sets everything up, starts one thread per worker, and from then on only waits:
 * for a signal, for a worker that ends, and, if the counters are to be written, for the time to do
 * so. It touches no socket while the server runs.
 *
 * Invariant: `shared->stopping` is set before stop_fd becomes readable, and neither is ever undone.
 */
#include "backends/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/core.h"
#include "common/cli.h"
#include "common/clock.h"

#define STATS_EVERY_NS (250 * MUX_MS)
#define GIVE_UP_NS     (1 * MUX_S) /* beyond the drain time, for a worker that does not end */

struct server_worker {
  struct mux_core core;
  struct server *server;
  pthread_t thread;
  int result; /* of run(); valid once the thread has ended */
};

struct server {
  const struct mux_serve_config *config;
  struct mux_addr addr; /* with the real port */
  char congestion[MUX_CONGESTION_TEXT];
  struct mux_shared *shared;
  struct mux_counters *counters; /* [workers] */
  struct server_worker *workers;
  int stop_fd;
  int done_fd; /* eventfd: number of workers that have ended */
  int signal_fd;
  int64_t started_ns;
};

/* ---- Setting up ----------------------------------------------------------------------------- */

static void *map_shared(size_t bytes, int fd) {
  void *memory =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  if (memory == MAP_FAILED)
    mux_die(MUX_EXIT_FAILED, "cannot map %zu bytes of shared memory: %s", bytes, strerror(errno));
  return memory;
}

static void open_memory(struct server *server) {
  const struct mux_serve_config *config = server->config;
  size_t bytes = config->workers * sizeof *server->counters;
  if (config->counters_fd >= 0 && ftruncate(config->counters_fd, (off_t)bytes) != 0)
    mux_die(MUX_EXIT_USAGE, "--counters-fd: %d: %s", config->counters_fd, strerror(errno));
  server->counters = map_shared(bytes, config->counters_fd);
  if (config->counters_fd >= 0)
    close(config->counters_fd);
  server->shared = map_shared(sizeof *server->shared, -1);
  server->workers = calloc(config->workers, sizeof *server->workers);
  if (server->workers == NULL)
    mux_die(MUX_EXIT_FAILED, "no memory for %u workers", config->workers);
}

static void do_nothing(int signal) {
  (void)signal;
}

/* The descriptors of the main thread come first, and low: a poller may have a limit. */
static void open_descriptors(struct server *server) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the workers inherit it */
  signal(SIGPIPE, SIG_IGN);
  /* Interrupts whatever call a thread is in, and does nothing else: check's eintr-storm. */
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = do_nothing}, NULL);
  server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  server->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (server->signal_fd < 0 || server->stop_fd < 0 || server->done_fd < 0)
    mux_die(MUX_EXIT_FAILED, "cannot open an eventfd: %s", strerror(errno));
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
  mux_sock_congestion(fd, server->congestion);
  if (config->congestion_asked && server->addr.kind == MUX_ADDR_TCP &&
      strcmp(server->congestion, config->sock_options.congestion) != 0)
    mux_die(MUX_EXIT_USAGE, "--congestion: only root may choose '%s' here",
            config->sock_options.congestion);
  uint32_t limit = config->backend->fd_limit;
  if (limit != 0 && fd >= (int)limit)
    mux_die(MUX_EXIT_USAGE,
            "%s holds descriptors below %u only and the listener got %d: close those inherited",
            config->backend->name, limit, fd);
  return fd;
}

/* Each worker has a listener of its own and the kernel spreads the connections (SO_REUSEPORT),
 * except on a Unix path, which they share. */
static void open_listeners(struct server *server) {
  bool several = server->config->workers > 1 && server->addr.kind != MUX_ADDR_UNIX;
  int first = listen_once(server, false);
  if (several) { /* the port is free, or this would not be reached: with REUSEPORT nobody can tell
                  */
    close(first);
    first = listen_once(server, true);
  }
  for (uint32_t i = 0; i < server->config->workers; i++)
    server->workers[i].core.worker.listen_fd = several && i > 0 ? listen_once(server, true) : first;
}

static void fill_worker(struct server *server, uint32_t index) {
  const struct mux_serve_config *config = server->config;
  struct server_worker *own = &server->workers[index];
  own->server = server;
  mux_pool_init(&own->core.pool, config->buffer_bytes);
  own->core.shared = server->shared;
  own->core.addr = &server->addr;
  own->core.sock_options = &config->sock_options;
  own->core.worker = (struct mux_worker){
      .struct_bytes = sizeof(struct mux_worker),
      .index = index,
      .workers = config->workers,
      .listen_fd = own->core.worker.listen_fd,
      .stop_fd = server->stop_fd,
      /* The rest of the time is for closing what is left and for ending the process. */
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

static void *worker_main(void *argument) {
  struct server_worker *own = argument;
  struct mux_worker *worker = &own->core.worker;
  const struct mux_serve_config *config = own->server->config;
  const struct mux_backend *backend = config->backend;
  if (config->workers > 1)
    mux_cpus_pin_nth(&config->cpus, (int)worker->index);
  else if (CPU_COUNT(&config->cpus) > 0)
    mux_cpus_pin(&config->cpus);
  own->result =
      backend->poller != NULL ? mux_reactor_run(worker, backend->poller) : backend->run(worker);
  mux_pool_free(&own->core.pool);
  eventfd_write(own->server->done_fd, 1);
  return NULL;
}

static void start_workers(struct server *server) {
  for (uint32_t i = 0; i < server->config->workers; i++) {
    fill_worker(server, i);
    int error = pthread_create(&server->workers[i].thread, NULL, worker_main, &server->workers[i]);
    if (error != 0)
      mux_die(MUX_EXIT_FAILED, "cannot start worker %u of %u: %s", i + 1, server->config->workers,
              strerror(error));
  }
}

static void request_stop(struct server *server) {
  __atomic_store_n(&server->shared->stopping, 1, __ATOMIC_RELAXED);
  eventfd_write(server->stop_fd, 1);
}

static void remove_unix_path(const struct server *server) {
  if (server->addr.kind == MUX_ADDR_UNIX)
    unlink(((const struct sockaddr_un *)&server->addr.socket.storage)->sun_path);
}

/* ---- Supervising ---------------------------------------------------------------------------- */

static int write_stats(const struct server *server) {
  const struct mux_serve_config *config = server->config;
  if (config->stats_path == NULL)
    return 0;
  double uptime_s = (double)(mux_now_ns() - server->started_ns) / (double)MUX_S;
  return mux_serve_write_stats(config->stats_path, config, &server->addr, server->congestion,
                               server->counters, uptime_s);
}

static void announce(const struct server *server) {
  char text[MUX_ADDR_TEXT];
  printf("listening %s\n", mux_addr_print(text, &server->addr));
  if (fflush(stdout) != 0)
    mux_die(MUX_EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
}

/* Ends the process from within whatever the workers are doing. */
static _Noreturn void end_at_once(const struct server *server, int status) {
  write_stats(server);
  remove_unix_path(server);
  _exit(status);
}

static int wait_ms(const struct server *server, int64_t give_up_at_ns) {
  int64_t wait_ns = server->config->stats_path != NULL ? STATS_EVERY_NS : -1;
  if (give_up_at_ns != 0) {
    int64_t left = give_up_at_ns - mux_now_ns();
    if (wait_ns < 0 || left < wait_ns)
      wait_ns = left > 0 ? left : 0;
  }
  return wait_ns < 0 ? -1 : (int)((wait_ns + MUX_MS - 1) / MUX_MS);
}

/* Until every worker has ended. */
static void supervise(struct server *server) {
  struct pollfd fds[] = {{.fd = server->signal_fd, .events = POLLIN},
                         {.fd = server->done_fd, .events = POLLIN}};
  int64_t give_up_at_ns = 0;
  uint64_t ended = 0;
  while (ended < server->config->workers) {
    int n = poll(fds, 2, wait_ms(server, give_up_at_ns));
    if (n < 0 && errno != EINTR)
      mux_die(MUX_EXIT_FAILED, "poll: %s", strerror(errno));
    struct signalfd_siginfo signal_info;
    bool stop = false;
    while (read(server->signal_fd, &signal_info, sizeof signal_info) > 0) {
      if (stop || give_up_at_ns != 0)
        end_at_once(server, MUX_EXIT_INTERRUPTED);
      stop = true;
    }
    eventfd_t more;
    if (eventfd_read(server->done_fd, &more) == 0)
      ended += more;
    if (give_up_at_ns == 0 && (stop || ended > 0)) { /* a worker that fails ends the server */
      request_stop(server);
      give_up_at_ns = mux_now_ns() + server->config->drain_ns + GIVE_UP_NS;
    }
    if (give_up_at_ns != 0 && mux_now_ns() >= give_up_at_ns) {
      mux_note("%s: %u of %u workers did not end within the drain time",
               server->config->backend->name, server->config->workers - (uint32_t)ended,
               server->config->workers);
      end_at_once(server, MUX_EXIT_FAILED);
    }
    write_stats(server);
  }
}

/* Returns the exit status. */
static int join_workers(struct server *server) {
  int status = MUX_EXIT_OK;
  for (uint32_t i = 0; i < server->config->workers; i++) {
    struct server_worker *own = &server->workers[i];
    pthread_join(own->thread, NULL);
    if (own->result != 0) {
      mux_note("%s: worker %u failed: %s", server->config->backend->name, i,
               strerror(-own->result));
      status = MUX_EXIT_FAILED;
    }
  }
  return status;
}

int mux_serve(const struct mux_serve_config *config) {
  struct server server = {.config = config, .addr = config->listen, .started_ns = mux_now_ns()};
  open_memory(&server);
  open_descriptors(&server);
  open_listeners(&server);
  int rc = write_stats(&server);
  if (rc != 0) {
    remove_unix_path(&server);
    mux_die(MUX_EXIT_USAGE, "--stats: cannot write %s: %s", config->stats_path, strerror(-rc));
  }
  start_workers(&server);
  announce(&server);
  supervise(&server);
  int status = join_workers(&server);
  rc = write_stats(&server);
  if (rc != 0) {
    mux_note("--stats: cannot write %s: %s", config->stats_path, strerror(-rc));
    status = MUX_EXIT_FAILED;
  }
  remove_unix_path(&server);
  free(server.workers);
  return status;
}
