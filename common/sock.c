/* sock.c: see sock.h. */
#include "common/sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

enum { UDP_QUEUE_BYTES = 16 << 20 }; /* 20,000 small datagrams */

static int set_int(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static int open_socket(const struct mux_addr *addr) {
  int type = addr->kind == MUX_ADDR_UDP ? SOCK_DGRAM : SOCK_STREAM;
  int fd = socket(addr->socket.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

/* For UDP what does not fit is lost, and the default holds some 280 small datagrams (each takes
 * 768 bytes). It is a limit, nothing is allocated. Unprivileged, net.core.rmem_max caps it. */
static void widen_receive_queue(int fd) {
  if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_QUEUE_BYTES) != 0)
    set_int(fd, SOL_SOCKET, SO_RCVBUF, UDP_QUEUE_BYTES);
}

int mux_sock_apply(int fd, const struct mux_addr *addr, const struct mux_sock_options *options) {
  int rc = 0;
  if (options->sndbuf_bytes > 0)
    rc = set_int(fd, SOL_SOCKET, SO_SNDBUF, options->sndbuf_bytes);
  if (rc == 0 && options->rcvbuf_bytes > 0)
    rc = set_int(fd, SOL_SOCKET, SO_RCVBUF, options->rcvbuf_bytes);
  else if (rc == 0 && addr->kind == MUX_ADDR_UDP)
    widen_receive_queue(fd);
  if (rc == 0 && options->rcvlowat_bytes > 0)
    rc = set_int(fd, SOL_SOCKET, SO_RCVLOWAT, options->rcvlowat_bytes);
  if (rc == 0 && options->busy_poll_us > 0)
    rc = set_int(fd, SOL_SOCKET, SO_BUSY_POLL, options->busy_poll_us);
  if (rc != 0 || addr->kind != MUX_ADDR_TCP)
    return rc;
  if (!options->nagle)
    rc = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (rc == 0 && options->quickack)
    rc = set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
  if (rc == 0 && options->mss_bytes > 0)
    rc = set_int(fd, IPPROTO_TCP, TCP_MAXSEG, options->mss_bytes);
  if (rc == 0 && options->congestion != NULL &&
      setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
                 (socklen_t)strlen(options->congestion)) != 0 &&
      errno != EPERM)
    rc = -errno;
  return rc;
}

static const char *unix_path_of(const struct mux_addr *addr) {
  return ((const struct sockaddr_un *)&addr->socket.storage)->sun_path;
}

/* True if something answers on this Unix path. */
static bool unix_path_in_use(const struct mux_addr *addr) {
  int fd = open_socket(addr);
  if (fd < 0)
    return true;
  bool used = connect(fd, &addr->socket.any, addr->length) == 0 || errno != ECONNREFUSED;
  close(fd);
  return used;
}

static int bind_to(int fd, const struct mux_addr *addr) {
  if (bind(fd, &addr->socket.any, addr->length) == 0)
    return 0;
  if (errno != EADDRINUSE || addr->kind != MUX_ADDR_UNIX)
    return -errno;
  const char *path = unix_path_of(addr);
  struct stat status;
  if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode) || unix_path_in_use(addr))
    return -EADDRINUSE;
  if (unlink(path) != 0 || bind(fd, &addr->socket.any, addr->length) != 0)
    return -errno;
  return 0;
}

int mux_sock_listen(struct mux_addr *addr, bool reuseport, int backlog,
                    const struct mux_sock_options *options) {
  int fd = open_socket(addr);
  if (fd < 0)
    return fd;
  /* For UDP SO_REUSEADDR would let a second socket take the port over. */
  int rc = addr->kind == MUX_ADDR_TCP ? set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
  if (rc == 0 && reuseport)
    rc = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (rc == 0)
    rc = mux_sock_apply(fd, addr, options); /* accepted sockets inherit most of it */
  if (rc == 0)
    rc = bind_to(fd, addr);
  bool bound = rc == 0;
  if (rc == 0 && addr->kind == MUX_ADDR_TCP && options->defer_accept_s > 0)
    rc = set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options->defer_accept_s);
  /* The kernel cuts the backlog to net.core.somaxconn. */
  if (rc == 0 && addr->kind != MUX_ADDR_UDP && listen(fd, backlog > 0 ? backlog : INT_MAX) != 0)
    rc = -errno;
  if (rc == 0)
    rc = mux_sock_name(fd, addr);
  if (rc == 0)
    return fd;
  if (bound && addr->kind == MUX_ADDR_UNIX)
    unlink(unix_path_of(addr));
  close(fd);
  return rc;
}

int mux_sock_connect(const struct mux_addr *addr, const struct mux_addr *source,
                     const struct mux_sock_options *options) {
  int fd = open_socket(addr);
  if (fd < 0)
    return fd;
  int rc = mux_sock_apply(fd, addr, options);
  if (rc == 0 && source != NULL) {
    if (mux_addr_port(source) == 0 && addr->kind == MUX_ADDR_TCP)
      rc = set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (rc == 0 && bind(fd, &source->socket.any, source->length) != 0)
      rc = -errno;
  }
  if (rc == 0 && connect(fd, &addr->socket.any, addr->length) != 0 && errno != EINPROGRESS)
    rc = -errno;
  if (rc != 0) {
    close(fd);
    return rc;
  }
  return fd;
}

int mux_sock_connect_within(const struct mux_addr *addr, const struct mux_sock_options *options,
                            long long timeout_ns) {
  int64_t deadline = mux_now_ns() + timeout_ns;
  int fd = mux_sock_connect(addr, NULL, options);
  if (fd < 0)
    return fd;
  for (;;) {
    int64_t left = deadline - mux_now_ns();
    struct timespec ts = mux_ns_timespec(left > 0 ? left : 0);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int ready = ppoll(&wait, 1, &ts, NULL);
    int rc = ready > 0 ? mux_sock_error(fd) : ready == 0 ? -ETIMEDOUT : -errno;
    if (ready > 0 && rc == 0)
      return fd;
    if (rc != -EINTR) {
      close(fd);
      return rc;
    }
  }
}

char *mux_sock_congestion(int fd, char out[MUX_CONGESTION_TEXT]) {
  socklen_t length = MUX_CONGESTION_TEXT - 1;
  memset(out, 0, MUX_CONGESTION_TEXT);
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, out, &length) != 0)
    out[0] = 0;
  return out;
}

int mux_sock_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    return -errno;
  return -error;
}

int mux_sock_name(int fd, struct mux_addr *addr) {
  socklen_t length = sizeof addr->socket.storage;
  if (getsockname(fd, &addr->socket.any, &length) != 0)
    return -errno;
  addr->length = length;
  return 0;
}

bool mux_sock_is_self_connected(int fd) {
  struct sockaddr_storage here = {0};
  struct sockaddr_storage there = {0};
  socklen_t here_length = sizeof here;
  socklen_t there_length = sizeof there;
  if (getsockname(fd, (struct sockaddr *)&here, &here_length) != 0 ||
      getpeername(fd, (struct sockaddr *)&there, &there_length) != 0)
    return false;
  if (here.ss_family != AF_INET && here.ss_family != AF_INET6)
    return false;
  return here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

long mux_raise_nofile(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return -errno;
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
      limit = raised;
  }
  return (long)limit.rlim_cur;
}
