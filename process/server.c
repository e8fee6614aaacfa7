/* server.c: see server.h. process.h holds the process; here is what is particular to servers: their
 * command lines, when they serve, and how they are asked to stop. */
#include "process/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/units.h"
#include "common/words.h"
#include "process/process.h"
#include "process/ready.h"

enum {
  ARGV_MAX = 128,
  PORT_TRIES = 5,
  COUNTERS_FD = 3, /* in the server */
  COUNTERS_BYTES_MAX = 64 << 20,
};
#define READY_TIMEOUT_NS (10 * MUX_S)
#define DRAIN_NS         (1 * MUX_S)
#define PATIENCE_NS      (2 * MUX_S)
#define PROBE_TIMEOUT_NS (500 * MUX_MS)
#define PROBE_PAUSE_NS   (5 * MUX_MS)

struct mux_server {
  struct mux_process process; /* lifeline < 0: a target, nothing of ours */
  struct mux_addr addr;
  int64_t drain_ns, patience_ns;
  int out_fd; /* its stdout; kept open so that writing there never kills it */
  int counters_fd;
  void *counters; /* NULL until it serves, or if not shared */
  size_t counters_bytes;
};

/* Where the reason for a failed start goes. */
struct complaint {
  char *why;
  size_t bytes;
};

static int complain(const struct complaint *c, int error, const char *text) {
  snprintf(c->why, c->bytes, "%s", text);
  return error;
}

/* The last line of the server's stderr, printable, "" if there is none. */
static void last_line(char *out, size_t out_bytes, const char *path) {
  char tail[1024];
  out[0] = 0;
  int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  off_t size = lseek(fd, 0, SEEK_END);
  off_t from = size > (off_t)sizeof tail - 1 ? size - (off_t)sizeof tail + 1 : 0;
  ssize_t n = pread(fd, tail, sizeof tail - 1, from);
  close(fd);
  while (n > 0 && tail[n - 1] == '\n')
    n--;
  if (n <= 0)
    return;
  tail[n] = 0;
  const char *line = strrchr(tail, '\n');
  mux_printable(out, out_bytes, line != NULL ? line + 1 : tail);
}

static int complain_ended(const struct complaint *c, const struct mux_process *process,
                          const struct mux_server_spec *spec) {
  char said[256];
  if (process->exec_error != 0) {
    snprintf(c->why, c->bytes, "cannot execute it: %s", strerror(process->exec_error));
    return -process->exec_error;
  }
  last_line(said, sizeof said, spec->stderr_path);
  int status = process->wait_status;
  bool exited = (status & 0x7f) == 0;
  if (status == 0 && said[0] == 0)
    snprintf(said, sizeof said, "it has to stay in the foreground");
  snprintf(c->why, c->bytes, "it ended (%s %d) before it served%s%s",
           exited ? "exit status" : "signal", exited ? status >> 8 & 0xff : status & 0x7f,
           said[0] != 0 ? ": " : "", said);
  return -ECHILD;
}

/* ---- Command lines -------------------------------------------------------------------------- */

struct command_line {
  char *words[ARGV_MAX + 1];
  int count;
};

static int add_word(struct command_line *line, char *word) {
  if (word == NULL || line->count == ARGV_MAX) {
    free(word);
    return word == NULL ? -ENOMEM : -E2BIG;
  }
  line->words[line->count++] = word;
  line->words[line->count] = NULL;
  return 0;
}

static int add_copy(struct command_line *line, const char *word) {
  return add_word(line, strdup(word));
}

static void free_words(struct command_line *line) {
  for (int i = 0; i < line->count; i++)
    free(line->words[i]);
  line->count = 0;
}

static int serve_command(struct command_line *line, const struct mux_server_spec *spec,
                         const struct mux_addr *addr) {
  char address[MUX_ADDR_TEXT];
  char number[MUX_UNIT_TEXT];
  int rc = add_copy(line, "muxbench");
  const char *fixed[] = {"serve", "--backend", spec->backend, "--listen",
                         mux_addr_print(address, addr)};
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed && rc == 0; i++)
    rc = add_copy(line, fixed[i]);
  if (rc == 0 && spec->workers > 0) {
    snprintf(number, sizeof number, "%d", spec->workers);
    if ((rc = add_copy(line, "--workers")) == 0)
      rc = add_copy(line, number);
  }
  if (rc == 0 && spec->drain_ns > 0 && (rc = add_copy(line, "--drain")) == 0)
    rc = add_copy(line, mux_print_time(number, spec->drain_ns));
  if (rc == 0 && spec->share_counters) {
    snprintf(number, sizeof number, "%d", COUNTERS_FD);
    if ((rc = add_copy(line, "--counters-fd")) == 0)
      rc = add_copy(line, number);
  }
  for (const char *const *extra = spec->extra; rc == 0 && extra != NULL && *extra != NULL; extra++)
    rc = add_copy(line, *extra);
  return rc;
}

static int foreign_command(struct command_line *line, const struct mux_server_spec *spec,
                           const struct mux_addr *addr) {
  char port[16];
  char workers[16];
  snprintf(port, sizeof port, "%d", mux_addr_port(addr));
  snprintf(workers, sizeof workers, "%d", spec->workers > 0 ? spec->workers : 1);
  char **words = mux_words_split(spec->command);
  int rc = words == NULL ? -errno : 0;
  for (int i = 0; rc == 0 && words[i] != NULL; i++) {
    char *with_port = mux_words_replace(words[i], "{port}", port);
    rc = with_port == NULL ? -ENOMEM
                           : add_word(line, mux_words_replace(with_port, "{workers}", workers));
    free(with_port);
  }
  free(words);
  return rc;
}

/* ---- Readiness ------------------------------------------------------------------------------ */

/* Reads "listening ADDR\n" from our own server. */
static int wait_listening(struct mux_server *server, const struct mux_server_spec *spec,
                          int64_t deadline, const struct complaint *c) {
  static const char prefix[] = "listening ";
  char line[sizeof prefix + MUX_ADDR_TEXT];
  size_t used = 0;
  for (;;) {
    struct pollfd wait[] = {{.fd = server->out_fd, .events = POLLIN},
                            {.fd = server->process.lifeline, .events = POLLIN}};
    int64_t left = deadline - mux_now_ns();
    if (left <= 0)
      return complain(c, -ETIMEDOUT, "it did not say in time that it listens");
    struct timespec ts = mux_ns_timespec(left);
    if (ppoll(wait, 2, &ts, NULL) <= 0)
      continue;
    ssize_t n =
        wait[0].revents == 0 ? -1 : read(server->out_fd, line + used, sizeof line - 1 - used);
    used += n > 0 ? (size_t)n : 0;
    line[used] = 0;
    char *end = strchr(line, '\n');
    if (end != NULL) {
      *end = 0;
      break;
    }
    if (used == sizeof line - 1)
      return complain(c, -EPROTO, "what it printed is not 'listening ADDR'");
    if (n <= 0 && !mux_process_running(&server->process))
      return complain_ended(c, &server->process, spec);
  }
  char reason[160];
  if (strncmp(line, prefix, sizeof prefix - 1) != 0 ||
      mux_addr_parse(&server->addr, line + sizeof prefix - 1, true, reason, sizeof reason) != 0)
    return complain(c, -EPROTO, "what it printed is not 'listening ADDR'");
  return 0;
}

static int wait_echo(struct mux_server *server, const struct mux_server_spec *spec,
                     int64_t deadline, const struct complaint *c) {
  for (;;) {
    if (!mux_process_running(&server->process))
      return complain_ended(c, &server->process, spec);
    int rc = mux_ready_echo(&server->addr, PROBE_TIMEOUT_NS);
    if (rc == 0 && mux_process_running(&server->process))
      return 0;
    if (rc == -EPROTO)
      return complain(c, rc, "it answers, but not with the bytes it was sent");
    if (mux_now_ns() > deadline)
      return complain(c, -ETIMEDOUT,
                      rc == -ETIMEDOUT ? "it accepts, but echoes nothing"
                                       : "nothing listens on the port it was given");
    mux_process_wait(&server->process, PROBE_PAUSE_NS);
  }
}

/* ---- Start and stop ------------------------------------------------------------------------- */

/* A server that listens has grown the file to what its workers need. */
static int map_counters(struct mux_server *server) {
  struct stat status;
  if (fstat(server->counters_fd, &status) != 0)
    return -errno;
  if (status.st_size <= 0 || status.st_size > COUNTERS_BYTES_MAX)
    return -EPROTO;
  size_t bytes = (size_t)status.st_size;
  void *shared = mmap(NULL, bytes, PROT_READ, MAP_SHARED, server->counters_fd, 0);
  if (shared == MAP_FAILED)
    return -errno;
  server->counters = shared;
  server->counters_bytes = bytes;
  return 0;
}

static int start_process(struct mux_server *server, const struct mux_server_spec *spec,
                         const struct complaint *c) {
  struct command_line line = {.count = 0};
  int out[2] = {-1, -1};
  int err_fd = -1;
  bool own = spec->backend != NULL;
  int rc =
      own ? serve_command(&line, spec, &server->addr) : foreign_command(&line, spec, &server->addr);
  if (rc != 0) {
    rc = complain(c, rc,
                  rc == -EINVAL ? "its command has an open quote or no word"
                                : "its command is too long");
    goto out;
  }
  if (spec->stderr_path != NULL) {
    err_fd = open(spec->stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (err_fd < 0) {
      rc = -errno;
      snprintf(c->why, c->bytes, "cannot write %s: %s", spec->stderr_path, strerror(-rc));
      goto out;
    }
  }
  if (own && pipe2(out, O_CLOEXEC) != 0)
    rc = -errno;
  if (rc == 0 && own && spec->share_counters) {
    server->counters_fd = memfd_create("mux-counters", MFD_CLOEXEC);
    rc = server->counters_fd < 0 ? -errno : 0;
  }
  if (rc == 0) {
    struct mux_process_spec process = {.path = own ? "/proc/self/exe" : NULL,
                                       .argv = line.words,
                                       .stdout_fd = own ? out[1] : err_fd,
                                       .stderr_fd = err_fd,
                                       .passed = {server->counters_fd},
                                       .passed_count = server->counters_fd >= 0,
                                       .cpus = spec->cpus,
                                       .nofile = spec->nofile,
                                       .preload = spec->preload};
    if (own && spec->program != NULL)
      process.path = spec->program;
    rc = mux_process_start(&server->process, &process);
  }
  if (rc != 0)
    snprintf(c->why, c->bytes, "cannot start a process: %s", strerror(-rc));
  else
    server->out_fd = out[0];
out:
  if (rc != 0 && out[0] >= 0)
    close(out[0]);
  if (out[1] >= 0)
    close(out[1]);
  if (err_fd >= 0)
    close(err_fd);
  free_words(&line);
  return rc;
}

static void server_free(struct mux_server *server) {
  if (server->out_fd >= 0)
    close(server->out_fd);
  if (server->counters != NULL)
    munmap(server->counters, server->counters_bytes);
  if (server->counters_fd >= 0)
    close(server->counters_fd);
  free(server);
}

/* One attempt: start, wait until it serves. */
static int start_once(struct mux_server **result, const struct mux_server_spec *spec,
                      const struct mux_addr *addr, const struct complaint *c) {
  struct mux_server *server = calloc(1, sizeof *server);
  if (server == NULL)
    return complain(c, -ENOMEM, "no memory");
  *server = (struct mux_server){
      .process = {.supervisor = -1, .lifeline = -1},
      .addr = *addr,
      .out_fd = -1,
      .counters_fd = -1,
      .drain_ns = spec->drain_ns > 0 ? spec->drain_ns : DRAIN_NS,
      .patience_ns = spec->patience_ns > 0 ? spec->patience_ns : PATIENCE_NS,
  };
  int64_t timeout_ns = spec->ready_timeout_ns > 0 ? spec->ready_timeout_ns : READY_TIMEOUT_NS;
  int64_t deadline = mux_now_ns() + timeout_ns;
  int rc = spec->target == NULL ? start_process(server, spec, c) : 0;
  if (rc == 0 && spec->target == NULL)
    rc = spec->backend != NULL ? wait_listening(server, spec, deadline, c)
                               : wait_echo(server, spec, deadline, c);
  if (rc == 0 && server->counters_fd >= 0 && (rc = map_counters(server)) != 0)
    complain(c, rc, "it shares no counters");
  if (rc == 0) {
    *result = server;
    return 0;
  }
  mux_process_end(&server->process);
  server_free(server);
  return rc;
}

int mux_server_start(struct mux_server **server, const struct mux_server_spec *spec, char *why,
                     size_t why_bytes) {
  struct complaint c = {.why = why, .bytes = why_bytes};
  struct mux_addr addr;
  const char *listen = spec->listen != NULL ? spec->listen : "tcp://127.0.0.1:0";
  /* Whether an address may be remote was decided where the user typed it. */
  int rc =
      mux_addr_parse(&addr, spec->target != NULL ? spec->target : listen, true, why, why_bytes);
  if (rc != 0)
    return rc;
  bool pick = spec->command != NULL && mux_addr_port(&addr) == 0;
  for (int tries = 0; tries < PORT_TRIES; tries++) {
    if (pick && mux_ready_pick_port(&addr) != 0)
      return complain(&c, -EADDRINUSE, "found no free port below ip_local_port_range");
    rc = start_once(server, spec, &addr, &c);
    if (rc == 0 || !pick || !mux_ready_port_taken(&addr))
      return rc;
  }
  return rc;
}

const struct mux_addr *mux_server_addr(const struct mux_server *server) {
  return &server->addr;
}

pid_t mux_server_pid(const struct mux_server *server) {
  return server->process.pid;
}

pid_t mux_server_root(const struct mux_server *server) {
  return server->process.supervisor;
}

const void *mux_server_counters(const struct mux_server *server, size_t *bytes) {
  *bytes = server->counters_bytes;
  return server->counters;
}

bool mux_server_alive(struct mux_server *server) {
  return server->process.lifeline < 0 || mux_process_running(&server->process);
}

int mux_server_watch_fd(const struct mux_server *server) {
  return server->process.lifeline;
}

int mux_server_stop(struct mux_server *server) {
  int status = 0;
  if (server->process.lifeline >= 0) {
    mux_process_signal(&server->process, SIGTERM);
    mux_process_wait(&server->process, server->drain_ns + server->patience_ns);
    status = mux_process_end(&server->process);
  }
  server_free(server);
  return status;
}
