/* faults.c: an LD_PRELOAD shim that gives the kernel's rare answers often. A correct server still
 * echoes every byte.
 *
 * Short receives and sends, EINTR, EAGAIN, ENOBUFS, ENOMEM, EMFILE and ECONNABORTED come at random
 * in about one of eight calls, from the seed in MUX_FAULT_SEED. It only gives what the kernel may
 * answer to that call, because a server may rely on the rest:
 *   - no short counts and no EAGAIN on an edge-triggered descriptor: the edge would not come again;
 *   - no EAGAIN on a blocking descriptor;
 *   - ENOBUFS, ENOMEM and EMFILE from accept only: elsewhere they may end the connection.
 * At exit the number of faults is appended to the file that MUX_FAULT_REPORT names.
 *
 * Requests of io_uring are not calls and escape it; tests/conformance/shim.sh uses tiny rings and
 * buffers instead. Sources: recv(2), send(2), accept(2), epoll(7), signal(7). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 65536, ONE_IN = 8 };

static bool edge[FDS]; /* watched with EPOLLET or O_ASYNC */
static uint64_t injected;
static uint64_t threads;
static __thread uint64_t state;

static uint64_t seed(void) {
  const char *text = getenv("MUX_FAULT_SEED");
  return text != NULL ? strtoull(text, NULL, 10) : 1;
}

/* splitmix64, with a sequence of its own for every thread. */
static uint64_t draw(void) {
  if (state == 0)
    state = (seed() + __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED)) << 20 | 1;
  uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static bool strikes(void) {
  if (draw() % ONE_IN != 0)
    return false;
  __atomic_fetch_add(&injected, 1, __ATOMIC_RELAXED);
  return true;
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("MUX_FAULT_REPORT");
  FILE *file = path != NULL ? fopen(path, "ae") : NULL;
  if (file == NULL)
    return;
  fprintf(file, "%llu\n", (unsigned long long)injected);
  fclose(file);
}

/* The function that this one hides. */
#define REAL(name)                                                                                 \
  static __typeof__(&name) real;                                                                   \
  if (real == NULL)                                                                                \
  real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static bool is_edge(int fd) {
  return fd >= 0 && fd < FDS && __atomic_load_n(&edge[fd], __ATOMIC_RELAXED);
}

static bool is_blocking(int fd) {
  return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

static bool is_stream(int fd) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

/* A fault for a transfer of *n bytes on fd: an error number; or 0, and *n may have become less. */
static int transfer_fault(int fd, size_t *n) {
  if (!is_stream(fd) || !strikes())
    return 0;
  unsigned kind = (unsigned)(draw() % 4);
  if (kind == 0 || is_edge(fd))
    return EINTR;
  if (kind == 1 && !is_blocking(fd))
    return EAGAIN;
  if (*n > 1)
    *n = 1 + (size_t)(draw() % (*n - 1));
  return 0;
}

#define FAULTY(fd, n)                                                                              \
  do {                                                                                             \
    int fault = transfer_fault(fd, &n);                                                            \
    if (fault != 0) {                                                                              \
      errno = fault;                                                                               \
      return -1;                                                                                   \
    }                                                                                              \
  } while (0)

ssize_t recv(int fd, void *data, size_t n, int flags) {
  REAL(recv);
  FAULTY(fd, n);
  return real(fd, data, n, flags);
}

ssize_t send(int fd, const void *data, size_t n, int flags) {
  REAL(send);
  FAULTY(fd, n);
  return real(fd, data, n, flags);
}

ssize_t read(int fd, void *data, size_t n) {
  REAL(read);
  FAULTY(fd, n);
  return real(fd, data, n);
}

ssize_t write(int fd, const void *data, size_t n) {
  REAL(write);
  FAULTY(fd, n);
  return real(fd, data, n);
}

/* Vectors are cut to a part of their first element. */
#define VECTORED(name)                                                                             \
  ssize_t name(int fd, const struct iovec *vector, int count) {                                    \
    REAL(name);                                                                                    \
    struct iovec first = vector[0];                                                                \
    FAULTY(fd, first.iov_len);                                                                     \
    return first.iov_len == vector[0].iov_len ? real(fd, vector, count) : real(fd, &first, 1);     \
  }
VECTORED(readv)
VECTORED(writev)

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  REAL(recvmsg);
  size_t n = 1; /* EINTR and EAGAIN only */
  FAULTY(fd, n);
  return real(fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(sendmsg);
  size_t n = 1;
  FAULTY(fd, n);
  return real(fd, message, flags);
}

/* ECONNABORTED says that a connection has left the queue; here it stays there. Shortages are rarer,
 * because a server pauses after each. */
static int accept_fault(int fd) {
  static const int shortages[] = {ENOBUFS, ENOMEM, EMFILE};
  if (!strikes())
    return 0;
  switch (draw() % 4) {
  case 0:
    return draw() % 4 == 0 ? shortages[draw() % 3] : EINTR;
  case 1:
    return is_edge(fd) || is_blocking(fd) ? EINTR : EAGAIN;
  default:
    return ECONNABORTED;
  }
}

int accept4(int fd, struct sockaddr *addr, socklen_t *bytes, int flags) {
  REAL(accept4);
  int fault = accept_fault(fd);
  if (fault != 0) {
    errno = fault;
    return -1;
  }
  return real(fd, addr, bytes, flags);
}

int accept(int fd, struct sockaddr *addr, socklen_t *bytes) {
  return accept4(fd, addr, bytes, 0);
}

/* ---- Waiting: interrupted, or with fewer events than there are ------------------------------ */

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event) {
  REAL(epoll_ctl);
  if (event != NULL && fd >= 0 && fd < FDS)
    __atomic_store_n(&edge[fd], op != EPOLL_CTL_DEL && (event->events & EPOLLET) != 0,
                     __ATOMIC_RELAXED);
  return real(epoll, op, fd, event);
}

int fcntl(int fd, int command, ...) {
  REAL(fcntl);
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *); /* an int is passed in the same register */
  va_end(arguments);
  if (command == F_SETFL && ((intptr_t)argument & O_ASYNC) != 0 && fd >= 0 && fd < FDS)
    __atomic_store_n(&edge[fd], true, __ATOMIC_RELAXED);
  return real(fd, command, argument);
}

#define INTERRUPTED()                                                                              \
  do {                                                                                             \
    if (strikes()) {                                                                               \
      errno = EINTR;                                                                               \
      return -1;                                                                                   \
    }                                                                                              \
  } while (0)

static int fewer(int max) {
  return max > 1 && strikes() ? 1 + (int)(draw() % (unsigned)(max - 1)) : max;
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms) {
  REAL(epoll_wait);
  INTERRUPTED();
  return real(epoll, events, fewer(max), timeout_ms);
}

int epoll_pwait(int epoll, struct epoll_event *events, int max, int timeout_ms,
                const sigset_t *mask) {
  REAL(epoll_pwait);
  INTERRUPTED();
  return real(epoll, events, fewer(max), timeout_ms, mask);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                 const sigset_t *mask) {
  REAL(epoll_pwait2);
  INTERRUPTED();
  return real(epoll, events, fewer(max), timeout, mask);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  REAL(poll);
  INTERRUPTED();
  return real(fds, count, timeout_ms);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  REAL(ppoll);
  INTERRUPTED();
  return real(fds, count, timeout, mask);
}

int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
  REAL(select);
  INTERRUPTED();
  return real(count, in, out, except, timeout);
}

int pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
            const sigset_t *mask) {
  REAL(pselect);
  INTERRUPTED();
  return real(count, in, out, except, timeout, mask);
}

int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
  REAL(sigtimedwait);
  INTERRUPTED();
  return real(set, info, timeout);
}
