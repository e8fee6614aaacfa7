/* mutant_stream.c: the mutant over TCP and Unix sockets: one level-triggered epoll loop. Every
 * connection has one buffer and reads while there is room in it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/mutants/mutant.h"

enum { FDS = 65536, BUFFER = 16384, EVENTS = 256, DRAIN_MS = 800, PAUSE_MS = 50 };

struct conn {
  int fd;
  unsigned armed; /* what epoll watches it for */
  unsigned char *buffer;
  size_t head, tail, size; /* bytes [head, tail) wait to be sent */
  uint64_t received;
  bool eof;
  int64_t active_ms;
};

static struct conn *conns[FDS]; /* by descriptor; listeners have none */
static int epoll_fd, signal_fd;
static int listeners[2], listener_count;
static int open_count;
static unsigned char shared[BUFFER];
static int64_t paused_ms;  /* when it ran out of descriptors; 0: accepting */
static int64_t stopped_ms; /* when SIGTERM came; 0: not yet */

static int64_t now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void watch(int op, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll_fd, op, fd, &event) != 0)
    die("epoll_ctl");
}

static struct conn **slot(int fd) {
  return &conns[is(FLAW_TABLE_OF_1024) ? fd % 1024 : fd];
}

/* ---- One connection ------------------------------------------------------------------------- */

static void end(struct conn *conn, bool leak_fd) {
  if (!leak_fd)
    close(conn->fd);
  else
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
  *slot(conn->fd) = NULL;
  if (is(FLAW_LEAKS_MEMORY)) {
    static void *leaks; /* a list, so that no compiler optimises it away */
    void **leak = malloc(4096);
    if (leak != NULL) {
      memset(leak, 1, 4096);
      *leak = leaks;
      leaks = leak;
    }
  }
  if (is(FLAW_ABORTS_ON_ENOMEM))
    munmap(conn->buffer, 1 << 20);
  else if (conn->buffer != shared)
    free(conn->buffer);
  free(conn);
  open_count--;
}

static void rearm(struct conn *conn) {
  unsigned want = conn->head < conn->tail ? EPOLLOUT : 0;
  if (!conn->eof && (conn->tail < conn->size || is(FLAW_UNBOUNDED)) && !stopped_ms)
    want |= EPOLLIN;
  if (is(FLAW_RDHUP_CLOSES))
    want |= EPOLLRDHUP;
  if (is(FLAW_FORGETS_INPUT) && conn->armed == EPOLLOUT && want != EPOLLOUT)
    want &= ~(unsigned)EPOLLIN;
  if (is(FLAW_ONE_READ_PER_EDGE) || is(FLAW_SHORT_READ_IS_ALL))
    want |= EPOLLET;
  if (want != conn->armed)
    watch(EPOLL_CTL_MOD, conn->fd, want);
  conn->armed = want;
}

/* Returns false when the connection has ended. */
static bool flush(struct conn *conn) {
  while (conn->head < conn->tail) {
    int flags = is(FLAW_SIGPIPE_KILLS) ? 0 : MSG_NOSIGNAL;
    ssize_t n = send(conn->fd, conn->buffer + conn->head, conn->tail - conn->head, flags);
    if (n < 0 && errno == EAGAIN && is(FLAW_BLOCKING)) {
      poll(&(struct pollfd){.fd = conn->fd, .events = POLLOUT}, 1, -1);
      continue;
    }
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      end(conn, is(FLAW_KEEPS_BROKEN));
      return false;
    }
    conn->head += (size_t)n;
    if (is(FLAW_DROPS_SHORT_SEND))
      conn->head = conn->tail;
  }
  if (conn->head == conn->tail)
    conn->head = conn->tail = 0;
  return true;
}

static bool room(struct conn *conn) {
  if (conn->tail < conn->size)
    return true;
  if (!is(FLAW_UNBOUNDED) || conn->size > (256u << 20))
    return false;
  unsigned char *more = realloc(conn->buffer, conn->size * 2);
  if (more == NULL)
    return false;
  conn->buffer = more;
  conn->size *= 2;
  return true;
}

/* Spoils the n bytes just received at `data`, as the flaw has it. Returns how many are kept. */
static size_t spoil(struct conn *conn, unsigned char *data, size_t n) {
  if (is(FLAW_DROPS_FF) && n == 1 && data[0] == 0xff)
    return 0;
  if (is(FLAW_FULL_BUFFER) && conn->tail + n == conn->size)
    data[n - 1] = 0;
  if (is(FLAW_WRAPS) && conn->received >> 25 != (conn->received + n) >> 25)
    return n - 1;
  return n;
}

enum step { MORE, NOTHING, ENDED };

static enum step receive(struct conn *conn) {
  size_t most = is(FLAW_ONE_READ_PER_EDGE) ? 512 : conn->size - conn->tail;
  unsigned char *at = conn->buffer + conn->tail;
  ssize_t n = recv(conn->fd, at, most < conn->size - conn->tail ? most : conn->size - conn->tail,
                   MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return NOTHING;
  if (n < 0) {
    if (is(FLAW_EXITS_ON_RESET))
      die("recv");
    end(conn, is(FLAW_KEEPS_RESET));
    return ENDED;
  }
  if (n == 0 || (n == 1 && is(FLAW_ONE_BYTE_IS_EOF))) {
    conn->eof = true;
    if (conn->received == 0 && is(FLAW_LEAKS_SILENT)) {
      end(conn, true);
      return ENDED;
    }
    return NOTHING;
  }
  conn->active_ms = now_ms();
  size_t kept = spoil(conn, at, (size_t)n);
  conn->received += (uint64_t)n;
  conn->tail += kept;
  return is(FLAW_SHORT_READ_IS_ALL) && (size_t)n < most ? NOTHING : MORE;
}

/* The firehose flaw: a connection that has sent a MiB is served until it pauses for a second, and
 * nobody else meanwhile. */
static bool goes_on(const struct conn *conn) {
  if (!is(FLAW_NO_BUDGET) || conn->received < 1 << 20)
    return false;
  return poll(&(struct pollfd){.fd = conn->fd, .events = POLLIN}, 1, 1000) > 0;
}

static void serve(struct conn *conn, unsigned events) {
  if (is(FLAW_RDHUP_CLOSES) && (events & EPOLLRDHUP) != 0) {
    end(conn, false);
    return;
  }
  do {
    enum step step = MORE;
    for (int reads = 0; reads < 4 && step == MORE && !conn->eof && room(conn); reads++) {
      step = receive(conn);
      if (step == ENDED)
        return;
      if (conn->eof && is(FLAW_EOF_DROPS_REST)) {
        end(conn, false);
        return;
      }
      if (is(FLAW_ONE_READ_PER_EDGE))
        break;
    }
    if (!flush(conn))
      return;
    bool done = conn->eof && conn->head == conn->tail;
    if (done && !(is(FLAW_IGNORES_EMPTY_FIN) && conn->received == 0)) {
      end(conn, false);
      return;
    }
  } while (goes_on(conn));
  rearm(conn);
}

/* ---- Accepting ------------------------------------------------------------------------------ */

static void watch_listeners(bool on) {
  unsigned events = is(FLAW_ONE_ACCEPT_PER_EDGE) || is(FLAW_EMFILE_FORGETS) ? EPOLLET : 0;
  for (int i = 0; i < listener_count; i++)
    watch(EPOLL_CTL_MOD, listeners[i], on ? EPOLLIN | events : 0);
  paused_ms = on ? 0 : now_ms();
}

static void adopt(int fd) {
  int one = 1;
  struct sockaddr_storage peer;
  socklen_t bytes = sizeof peer;
  if (getpeername(fd, (struct sockaddr *)&peer, &bytes) != 0 && is(FLAW_EXITS_ON_ABORTED))
    die("getpeername");
  if (!is(FLAW_NAGLE))
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL || fd >= FDS || (is(FLAW_V4_PEERS_ONLY) && peer.ss_family != AF_INET)) {
    free(conn);
    close(fd);
    return;
  }
  *conn = (struct conn){.fd = fd, .size = BUFFER, .armed = EPOLLIN, .active_ms = now_ms()};
  if (is(FLAW_ABORTS_ON_ENOMEM)) /* as a thread's stack would be */
    conn->buffer = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  else
    conn->buffer = is(FLAW_SHARED_BUFFER) ? shared : malloc(BUFFER);
  if (conn->buffer == MAP_FAILED)
    abort();
  if (conn->buffer == NULL) {
    free(conn);
    close(fd);
    return;
  }
  *slot(fd) = conn;
  open_count++;
  if (is(FLAW_ONE_READ_PER_EDGE) || is(FLAW_SHORT_READ_IS_ALL))
    conn->armed |= EPOLLET;
  watch(EPOLL_CTL_ADD, fd, conn->armed);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
      adopt(fd);
    else if (errno == EMFILE && !is(FLAW_EMFILE_SPINS) && !is(FLAW_EMFILE_FORGETS))
      watch_listeners(false);
    if ((fd < 0 && errno != EINTR && errno != ECONNABORTED) || is(FLAW_ONE_ACCEPT_PER_EDGE))
      return;
  }
}

/* ---- The loops ------------------------------------------------------------------------------ */

/* SIGTERM: stops accepting. What the queues hold is echoed, then each connection is closed. */
static void drain(void) {
  stopped_ms = now_ms();
  if (is(FLAW_SIGTERM_EXITS))
    exit(0);
  for (int i = 0; i < listener_count; i++) {
    accept_all(listeners[i]);
    close(listeners[i]);
  }
  listener_count = 0;
}

/* Ends a connection once all that has come is echoed. */
static void drain_one(struct conn *conn) {
  enum step step = conn->eof ? NOTHING : MORE;
  while (step == MORE) {
    if (!flush(conn) || !room(conn))
      return;
    step = receive(conn);
  }
  if (step == NOTHING && flush(conn) && conn->head == conn->tail)
    end(conn, false);
}

static void drain_more(void) {
  for (int fd = 0; fd < FDS; fd++)
    if (conns[fd] != NULL)
      drain_one(conns[fd]);
  if (open_count == 0 || (now_ms() - stopped_ms > DRAIN_MS && !is(FLAW_NO_DEADLINE)))
    leave();
}

static void close_idle(void) {
  for (int fd = 0; fd < FDS; fd++)
    if (conns[fd] != NULL && now_ms() - conns[fd]->active_ms > 1000)
      end(conns[fd], false);
}

static int wait_ms(void) {
  if (is(FLAW_SPINS_WHEN_FULL) && open_count > 5000)
    return 0;
  return stopped_ms || paused_ms ? PAUSE_MS : is(FLAW_IDLE_TIMEOUT) ? 200 : -1;
}

void serve_streams(const int *given, int count) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, NULL);
  signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (signal_fd < 0 || epoll_fd < 0)
    die("set-up");
  watch(EPOLL_CTL_ADD, signal_fd, EPOLLIN);
  listener_count = count;
  for (int i = 0; i < count; i++) {
    listeners[i] = given[i];
    watch(EPOLL_CTL_ADD, listeners[i], EPOLLIN);
  }
  watch_listeners(true);
  struct epoll_event events[EVENTS];
  for (;;) {
    if (is(FLAW_POLLS))
      usleep(40000);
    int n = epoll_wait(epoll_fd, events, EVENTS, wait_ms());
    if (n < 0 && (errno != EINTR || is(FLAW_EXITS_ON_EINTR)))
      die("epoll_wait");
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      struct conn *conn = *slot(fd);
      if (fd == signal_fd && !stopped_ms)
        drain();
      else if (listener_count > 0 && (fd == listeners[0] || fd == listeners[listener_count - 1]))
        accept_all(fd);
      else if (conn != NULL)
        serve(conn, events[i].events);
    }
    if (paused_ms && !stopped_ms && now_ms() - paused_ms >= PAUSE_MS)
      watch_listeners(true);
    if (is(FLAW_IDLE_TIMEOUT))
      close_idle();
    if (stopped_ms)
      drain_more();
  }
}
