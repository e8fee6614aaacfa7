/* floor.c: see floor.h.
 *
 * Two processes in lockstep: the peer sends one message on every connection, then we (the "server")
 * receive and send each of them back, timed by our thread's CPU clock, then the peer takes them all
 * in. Nobody waits for a socket in the timed part: every message is there before it begins. As with
 * a server, our send() carries the bytes through the receiver's half of TCP.
 *
 * UDP: the peer has as many sockets, the server one, whose receive queue holds a message of each.
 */
#include "bench/run/floor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/data/stats.h"
#include "common/clock.h"
#include "common/sock.h"

enum {
  ROUNDS_MAX = 20000,
  WARM_ROUNDS = 2,
  PAYLOAD_MAX = 64 * 1024,
  IN_FLIGHT_MAX = 64 << 20, /* bytes of all connections together */
  STEP_TIMEOUT_MS = 20000,
  DATAGRAM_EXTRA = 1024, /* bytes of the queue that one takes beyond twice its size, at most */
};

/* One of the two processes. */
struct side {
  int *fds;
  int count;
  unsigned char *data;
  size_t bytes;
  int control;             /* to the other side; a byte means: your turn */
  struct mux_addr *sender; /* UDP, server: of the datagram received last; NULL: connected */
};

static int tell(const struct side *side) {
  return send(side->control, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

/* The peer waits for its turn for as long as we live. */
static int hear(const struct side *side, int timeout_ms) {
  char byte;
  struct pollfd wait = {.fd = side->control, .events = POLLIN};
  if (poll(&wait, 1, timeout_ms) != 1)
    return -ETIMEDOUT;
  return recv(side->control, &byte, 1, 0) == 1 ? 0 : -EPIPE;
}

static int send_one(const struct side *side, int fd) {
  const struct mux_addr *to = side->sender;
  ssize_t n = sendto(fd, side->data, side->bytes, MSG_NOSIGNAL, to != NULL ? &to->socket.any : NULL,
                     to != NULL ? to->length : 0);
  return n == (ssize_t)side->bytes ? 0 : n < 0 ? -errno : -ENOBUFS;
}

/* *late: the message was not there yet, or not whole. */
static int receive_one(const struct side *side, int fd, bool *late) {
  struct mux_addr *from = side->sender;
  size_t got = 0;
  while (got < side->bytes) {
    if (from != NULL)
      from->length = sizeof from->socket;
    ssize_t n =
        recvfrom(fd, side->data + got, side->bytes - got, 0,
                 from != NULL ? &from->socket.any : NULL, from != NULL ? &from->length : NULL);
    if (n == 0 || (n < 0 && errno != EAGAIN))
      return n == 0 ? -EPIPE : -errno;
    got += n > 0 ? (size_t)n : 0;
    if (got == side->bytes)
      return 0;
    *late = true;
    if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, STEP_TIMEOUT_MS) != 1)
      return -ETIMEDOUT;
  }
  return 0;
}

/* Kernel buffers that hold a whole message each way. UDP's defaults do. */
static struct mux_sock_options socket_options(int64_t payload_bytes, const struct mux_addr *addr) {
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  if (payload_bytes > 4096 && addr->kind != MUX_ADDR_UDP)
    options.sndbuf_bytes = options.rcvbuf_bytes = (int)payload_bytes * 4;
  return options;
}

/* ---- The peer ---------------------------------------------------------------------------------
 */

static int peer_rounds(const struct side *side) {
  bool late;
  int rc = 0;
  for (bool first = true; rc == 0 && (rc = hear(side, -1)) == 0; first = false) {
    for (int i = 0; i < side->count && rc == 0 && !first; i++)
      rc = receive_one(side, side->fds[i], &late);
    for (int i = 0; i < side->count && rc == 0; i++)
      rc = send_one(side, side->fds[i]);
    if (rc == 0)
      rc = tell(side);
  }
  return rc;
}

_Noreturn static void run_peer(const struct side *side, const struct mux_addr *addr,
                               const cpu_set_t *cpus, pid_t parent) {
  struct mux_sock_options options = socket_options((int64_t)side->bytes, addr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  mux_cpus_pin_nth(cpus, 0);
  for (int i = 0; i < side->count; i++) {
    side->fds[i] = mux_sock_connect_within(addr, &options, 5 * MUX_S);
    if (side->fds[i] < 0)
      _exit(1);
  }
  _exit(peer_rounds(side) == 0 ? 0 : 1);
}

/* ---- The server's side ------------------------------------------------------------------------
 */

/* UDP: one socket for all. Returns -EOPNOTSUPP if its queue cannot hold a message of each. */
static int share_socket(const struct side *side, int socket) {
  int room = 0;
  socklen_t length = sizeof room;
  if (getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &room, &length) != 0)
    return -errno;
  if ((int64_t)side->count * (2 * (int64_t)side->bytes + DATAGRAM_EXTRA) > room)
    return -EOPNOTSUPP;
  for (int i = 0; i < side->count; i++)
    side->fds[i] = socket;
  return 0;
}

static int accept_all(const struct side *side, int listener, const struct mux_addr *addr) {
  struct mux_sock_options options = socket_options((int64_t)side->bytes, addr);
  struct pollfd wait[] = {{.fd = listener, .events = POLLIN}, {.fd = side->control}};
  for (int i = 0; i < side->count; i++) {
    do
      side->fds[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (side->fds[i] < 0 && errno == EAGAIN && poll(wait, 2, STEP_TIMEOUT_MS) > 0 &&
           wait[1].revents == 0);
    if (side->fds[i] < 0)
      return errno == EAGAIN ? -ECONNABORTED : -errno;
    int rc = mux_sock_apply(side->fds[i], addr, &options);
    if (rc != 0)
      return rc;
  }
  return 0;
}

static int timed_round(const struct side *side, int64_t *cpu_ns, bool *late) {
  int64_t began_ns = mux_thread_cpu_ns();
  int rc = 0;
  *late = false;
  for (int i = 0; i < side->count && rc == 0; i++) {
    rc = receive_one(side, side->fds[i], late);
    if (rc == 0)
      rc = send_one(side, side->fds[i]);
  }
  *cpu_ns = mux_thread_cpu_ns() - began_ns;
  return rc;
}

/* What reading the clock twice costs. */
static int64_t clock_cost_ns(void) {
  double costs[101];
  for (int i = 0; i < 101; i++) {
    int64_t began_ns = mux_thread_cpu_ns();
    costs[i] = (double)(mux_thread_cpu_ns() - began_ns);
  }
  return (int64_t)stats_median(costs, 101);
}

static int measure_rounds(const struct side *side, int64_t cpu_ns, struct floor_result *result) {
  double *means = calloc(ROUNDS_MAX, sizeof *means);
  int64_t overhead_ns = clock_cost_ns();
  int64_t until_ns = mux_now_ns() + 2 * cpu_ns;
  int rounds = 0;
  int rc = means == NULL ? -ENOMEM : 0;
  for (int i = 0; rc == 0 && rounds < ROUNDS_MAX && cpu_ns > 0; i++) {
    int64_t round_ns = 0;
    bool late = false;
    rc = tell(side);
    if (rc == 0)
      rc = hear(side, STEP_TIMEOUT_MS);
    if (rc == 0)
      rc = timed_round(side, &round_ns, &late);
    if (rc != 0 || i < WARM_ROUNDS || late)
      continue;
    means[rounds++] = (double)(round_ns - overhead_ns) / (double)side->count;
    cpu_ns -= round_ns;
    if (mux_now_ns() > until_ns && rounds >= 3)
      break;
  }
  if (rc == 0 && rounds > 0)
    *result = (struct floor_result){.us = stats_median(means, rounds) / 1e3,
                                    .messages = (int64_t)rounds * side->count};
  free(means);
  return rc == 0 && rounds == 0 ? -ETIMEDOUT : rc;
}

/* ---- Both -------------------------------------------------------------------------------------
 */

struct floor {
  struct side side;
  struct mux_addr addr, sender;
  int listener;
  pid_t peer;
};

static int start_peer(struct floor *floor, const struct floor_spec *spec) {
  int control[2];
  pid_t self = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    return -errno;
  floor->peer = fork();
  if (floor->peer == 0) {
    close(floor->listener);
    close(control[0]);
    floor->side.control = control[1];
    run_peer(&floor->side, &floor->addr, &spec->load_cpus, self);
  }
  int rc = floor->peer < 0 ? -errno : 0;
  close(control[1]);
  floor->side.control = control[0];
  return rc;
}

int floor_open(struct floor **result, const struct floor_spec *spec) {
  if (spec->payload_bytes > PAYLOAD_MAX || spec->payload_bytes * spec->connections > IN_FLIGHT_MAX)
    return -EOPNOTSUPP;
  struct floor *floor = calloc(1, sizeof *floor);
  if (floor == NULL)
    return -ENOMEM;
  struct mux_sock_options options = socket_options(spec->payload_bytes, &spec->addr);
  struct side *side = &floor->side;
  floor->addr = spec->addr;
  floor->peer = -1;
  *side = (struct side){.fds = calloc((size_t)spec->connections, sizeof *side->fds),
                        .data = calloc(1, (size_t)spec->payload_bytes),
                        .count = spec->connections,
                        .bytes = (size_t)spec->payload_bytes,
                        .control = -1};
  for (int i = 0; i < side->count && side->fds != NULL; i++)
    side->fds[i] = -1;
  floor->listener = mux_sock_listen(&floor->addr, false, 0, &options);
  int rc = side->fds == NULL || side->data == NULL ? -ENOMEM : 0;
  if (rc == 0 && floor->listener < 0)
    rc = floor->listener;
  if (rc == 0)
    rc = start_peer(floor, spec);
  if (spec->addr.kind == MUX_ADDR_UDP) /* the peer's sockets are connected */
    side->sender = &floor->sender;
  mux_cpus_pin_nth(&spec->server_cpus, 0);
  if (rc == 0)
    rc = side->sender != NULL ? share_socket(side, floor->listener)
                              : accept_all(side, floor->listener, &floor->addr);
  if (rc == 0)
    *result = floor;
  else
    floor_close(floor);
  return rc;
}

int floor_measure(struct floor *floor, int64_t cpu_ns, struct floor_result *result) {
  return measure_rounds(&floor->side, cpu_ns, result);
}

void floor_close(struct floor *floor) {
  struct side *side = &floor->side;
  if (side->control >= 0)
    close(side->control);
  for (int i = 0; i < side->count && side->fds != NULL; i++)
    if (side->fds[i] >= 0 && side->fds[i] != floor->listener)
      close(side->fds[i]);
  if (floor->listener >= 0)
    close(floor->listener);
  if (floor->listener >= 0 && floor->addr.kind == MUX_ADDR_UNIX)
    unlink(((const struct sockaddr_un *)&floor->addr.socket.storage)->sun_path);
  if (floor->peer > 0) {
    kill(floor->peer, SIGKILL);
    waitpid(floor->peer, NULL, 0);
  }
  free(side->fds);
  free(side->data);
  free(floor);
}
