/* dispatcher.c: see dispatcher.h. A pipe carries ints, which are smaller than PIPE_BUF and so are
 * never split (pipe(7)); a socket carries packets of one byte with a descriptor each. */
#include "backends/dispatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/mux_backend.h"
#include "common/cli.h"

enum {
  LAST_WAIT_MS = 100, /* longest that a stopping worker waits for its last connections */
  FULL_PAUSE_MS = 5,  /* while no worker has room */
  LAST_OFFERS = LAST_WAIT_MS / FULL_PAUSE_MS,
  BATCH = 256,          /* accepted before the thread looks at the stop */
  LAST_BATCH = 1 << 16, /* ... after the stop */
};

struct mux_dispatcher {
  int listen_fd;
  int stop_fd;
  uint32_t workers;
  bool apart;
  uint32_t next; /* the worker whose turn it is */
  pthread_t thread;
  struct {
    int read_fd, write_fd;
  } channels[];
};

struct mux_dispatcher *mux_dispatcher_open(int listen_fd, int stop_fd, uint32_t workers,
                                           bool apart) {
  struct mux_dispatcher *dispatcher =
      calloc(1, sizeof *dispatcher + workers * sizeof *dispatcher->channels);
  if (dispatcher == NULL)
    mux_die(MUX_EXIT_FAILED, "no memory for %u worker%s", workers, workers == 1 ? "" : "s");
  dispatcher->listen_fd = listen_fd;
  dispatcher->stop_fd = stop_fd;
  dispatcher->workers = workers;
  dispatcher->apart = apart;
  for (uint32_t i = 0; i < workers; i++) {
    int ends[2];
    int rc = apart ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)
                   : pipe2(ends, O_CLOEXEC | O_NONBLOCK);
    if (rc != 0)
      mux_die(MUX_EXIT_FAILED, "cannot open a channel to a worker: %s", strerror(errno));
    dispatcher->channels[i].read_fd = ends[0];
    dispatcher->channels[i].write_fd = ends[1];
  }
  return dispatcher;
}

int mux_dispatcher_fd(const struct mux_dispatcher *dispatcher, uint32_t worker) {
  return dispatcher->channels[worker].read_fd;
}

void mux_dispatcher_leave(struct mux_dispatcher *dispatcher, uint32_t worker) {
  for (uint32_t i = 0; i < dispatcher->workers; i++) {
    close(dispatcher->channels[i].write_fd);
    if (i != worker)
      close(dispatcher->channels[i].read_fd);
  }
  close(dispatcher->listen_fd);
}

/* ---- One descriptor ------------------------------------------------------------------------- */

/* Room for one descriptor, and for the byte of data that a packet must have. */
struct packet {
  char byte;
  struct iovec data;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct msghdr message;
};

static struct msghdr *packet_init(struct packet *packet) {
  *packet = (struct packet){.data = {.iov_base = &packet->byte, .iov_len = 1},
                            .message = {.msg_iov = &packet->data,
                                        .msg_iovlen = 1,
                                        .msg_control = packet->control,
                                        .msg_controllen = sizeof packet->control}};
  return &packet->message;
}

/* True if the channel took it; then a pipe's reader owns the descriptor, and a socket's has a copy.
 */
static bool send_fd(int to, bool apart, int fd) {
  if (!apart)
    return write(to, &fd, sizeof fd) == sizeof fd;
  struct packet packet;
  struct msghdr *message = packet_init(&packet);
  struct cmsghdr *rights = CMSG_FIRSTHDR(message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  if (sendmsg(to, message, MSG_NOSIGNAL) < 0)
    return false;
  close(fd);
  return true;
}

/* Returns 1 with *fd, 0 at the end, or -errno. */
static int receive_fd(int from, bool apart, int *fd) {
  if (!apart) {
    ssize_t n = read(from, fd, sizeof *fd);
    return n < 0 ? -errno : n == sizeof *fd;
  }
  struct packet packet;
  struct msghdr *message = packet_init(&packet);
  ssize_t n = recvmsg(from, message, MSG_CMSG_CLOEXEC);
  if (n <= 0)
    return n < 0 ? -errno : 0;
  const struct cmsghdr *rights = CMSG_FIRSTHDR(message);
  if (rights == NULL || rights->cmsg_type != SCM_RIGHTS)
    return -EMFILE;
  memcpy(fd, CMSG_DATA(rights), sizeof *fd);
  return 1;
}

int mux_dispatcher_take(int from, bool apart, bool draining) {
  int fd;
  for (bool waited = false;; waited = true) {
    int rc = receive_fd(from, apart, &fd);
    if (rc == 1)
      return fd;
    if (rc == -EMFILE)
      return rc;
    if (rc == -EINTR)
      continue;
    if (rc == 0 || !draining || waited) /* closed, or nothing for now */
      return -EAGAIN;
    poll(&(struct pollfd){.fd = from, .events = POLLIN}, 1, LAST_WAIT_MS);
  }
}

/* ---- Dispatching ---------------------------------------------------------------------------- */

/* To the next worker that has room. */
static bool offer(struct mux_dispatcher *dispatcher, int fd) {
  for (uint32_t i = 0; i < dispatcher->workers; i++) {
    int to = dispatcher->channels[dispatcher->next].write_fd;
    dispatcher->next = (dispatcher->next + 1) % dispatcher->workers;
    if (send_fd(to, dispatcher->apart, fd))
      return true;
  }
  return false;
}

/* When hundreds wait in every channel, the rest wait in the listener's queue. */
static void dispatch(struct mux_dispatcher *dispatcher, int fd) {
  struct pollfd stop = {.fd = dispatcher->stop_fd, .events = POLLIN};
  for (int last_offers = 0; !offer(dispatcher, fd);) {
    if (poll(&stop, 1, FULL_PAUSE_MS) <= 0)
      continue;
    if (last_offers++ == LAST_OFFERS) {
      close(fd);
      return;
    }
    poll(NULL, 0, FULL_PAUSE_MS);
  }
}

/* Returns false when out of descriptors or memory: time to pause. */
static bool accept_batch(struct mux_dispatcher *dispatcher, int most) {
  for (int i = 0; i < most; i++) {
    int fd = accept4(dispatcher->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
      dispatch(dispatcher, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      return false;
    else if (errno != EINTR && errno != ECONNABORTED)
      return true;
  }
  return true;
}

static void *dispatcher_main(void *argument) {
  struct mux_dispatcher *dispatcher = argument;
  struct pollfd fds[] = {{.fd = dispatcher->stop_fd, .events = POLLIN},
                         {.fd = dispatcher->listen_fd, .events = POLLIN}};
  bool paused = false;
  do {
    poll(fds, paused ? 1 : 2, paused ? (int)(MUX_ACCEPT_PAUSE_NS / 1000000) : -1);
    paused = !accept_batch(dispatcher, fds[0].revents == 0 ? BATCH : LAST_BATCH);
  } while (fds[0].revents == 0);
  shutdown(dispatcher->listen_fd, SHUT_RDWR); /* newcomers are refused from now on */
  for (uint32_t i = 0; i < dispatcher->workers; i++)
    close(dispatcher->channels[i].write_fd);
  return NULL;
}

void mux_dispatcher_start(struct mux_dispatcher *dispatcher) {
  int error = pthread_create(&dispatcher->thread, NULL, dispatcher_main, dispatcher);
  if (error != 0)
    mux_die(MUX_EXIT_FAILED, "cannot start a thread: %s", strerror(error));
}

void mux_dispatcher_close(struct mux_dispatcher *dispatcher) {
  pthread_join(dispatcher->thread, NULL);
  free(dispatcher);
}
