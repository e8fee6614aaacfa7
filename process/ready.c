/* ready.c: see ready.h. */
#include "process/ready.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"

enum { PORT_LOWEST = 10000, PROBE_BYTES = 16 };

static int ephemeral_low(void) {
  int low = 32768;
  FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
  if (file != NULL) {
    if (fscanf(file, "%d", &low) != 1)
      low = 32768;
    fclose(file);
  }
  /* If the host gives the whole range to outgoing connections, no port is safe. */
  return low > PORT_LOWEST + 100 ? low : 32768;
}

bool mux_ready_port_taken(const struct mux_addr *addr) {
  struct mux_addr copy = *addr;
  int fd = mux_sock_listen(&copy, false, 1, &(struct mux_sock_options){0});
  if (fd < 0)
    return fd == -EADDRINUSE;
  close(fd);
  return false;
}

int mux_ready_pick_port(struct mux_addr *addr) {
  if (addr->kind == MUX_ADDR_UNIX)
    return 0;
  unsigned range = (unsigned)(ephemeral_low() - PORT_LOWEST);
  for (int i = 0; i < 100; i++) {
    unsigned random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
      random = (unsigned)mux_now_ns();
    mux_addr_set_port(addr, PORT_LOWEST + (int)(random % range));
    if (!mux_ready_port_taken(addr))
      return 0;
  }
  return -EADDRINUSE;
}

/* Waits for events. Returns 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int64_t deadline) {
  for (;;) {
    int64_t left = deadline - mux_now_ns();
    if (left <= 0)
      return -ETIMEDOUT;
    struct timespec ts = mux_ns_timespec(left);
    struct pollfd wait = {.fd = fd, .events = events};
    int ready = ppoll(&wait, 1, &ts, NULL);
    if (ready > 0)
      return 0;
    if (ready < 0 && errno != EINTR)
      return -errno;
  }
}

static int receive_all(int fd, unsigned char *data, size_t bytes, int64_t deadline) {
  size_t got = 0;
  while (got < bytes) {
    int rc = wait_for(fd, POLLIN, deadline);
    if (rc != 0)
      return rc;
    ssize_t n = recv(fd, data + got, bytes - got, MSG_DONTWAIT);
    if (n == 0)
      return -EPROTO;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return -errno;
    got += n > 0 ? (size_t)n : 0;
  }
  return 0;
}

/* Waits for the server's FIN, so that one with a single connection at a time is free again. */
static void say_goodbye(int fd, const struct mux_addr *addr, int64_t deadline) {
  unsigned char rest[64];
  if (addr->kind == MUX_ADDR_UDP || shutdown(fd, SHUT_WR) != 0)
    return;
  while (wait_for(fd, POLLIN, deadline) == 0 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
    ;
}

int mux_ready_echo(const struct mux_addr *addr, int64_t timeout_ns) {
  unsigned char sent[PROBE_BYTES];
  unsigned char echoed[PROBE_BYTES];
  int64_t deadline = mux_now_ns() + timeout_ns;
  if (getrandom(sent, sizeof sent, 0) != (ssize_t)sizeof sent)
    return -EIO;
  int fd = mux_sock_connect_within(addr, &MUX_SOCK_DEFAULTS, timeout_ns);
  if (fd < 0)
    return fd;
  int rc = mux_sock_is_self_connected(fd) ? -ECONNREFUSED : 0;
  if (rc == 0 && send(fd, sent, sizeof sent, MSG_NOSIGNAL) != (ssize_t)sizeof sent)
    rc = -errno;
  if (rc == 0)
    rc = receive_all(fd, echoed, sizeof echoed, deadline);
  if (rc == 0 && memcmp(sent, echoed, sizeof sent) != 0)
    rc = -EPROTO;
  if (rc == 0)
    say_goodbye(fd, addr, deadline);
  close(fd);
  return rc;
}
