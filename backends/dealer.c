/* dealer.c: see dealer.h. A pipe carries ints, each smaller than PIPE_BUF, so each whole (pipe(7)).
 */
#include "backends/dealer.h"

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

enum { LAST_DEAL_MS = 100 }; /* longest that a stopping worker waits for its last connections */

struct mux_dealer {
  int listen_fd;
  int stop_fd;
  uint32_t workers;
  uint32_t next; /* whose turn it is */
  pthread_t thread;
  struct {
    int read_fd, write_fd;
  } pipes[];
};

struct mux_dealer *mux_dealer_open(int listen_fd, int stop_fd, uint32_t workers) {
  struct mux_dealer *dealer = calloc(1, sizeof *dealer + workers * sizeof *dealer->pipes);
  if (dealer == NULL)
    mux_die(MUX_EXIT_FAILED, "no memory for %u workers", workers);
  dealer->listen_fd = listen_fd;
  dealer->stop_fd = stop_fd;
  dealer->workers = workers;
  for (uint32_t i = 0; i < workers; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
      mux_die(MUX_EXIT_FAILED, "cannot open a pipe: %s", strerror(errno));
    dealer->pipes[i].read_fd = ends[0];
    dealer->pipes[i].write_fd = ends[1];
  }
  return dealer;
}

int mux_dealer_fd(const struct mux_dealer *dealer, uint32_t worker) {
  return dealer->pipes[worker].read_fd;
}

int mux_dealer_take(int pipe_fd, int draining) {
  int fd;
  for (bool waited = false;; waited = true) {
    ssize_t n = read(pipe_fd, &fd, sizeof fd);
    if (n == sizeof fd)
      return fd;
    if (n < 0 && errno == EINTR)
      continue;
    if (n == 0 || !draining || waited) /* the end, or nothing for now */
      return -EAGAIN;
    poll(&(struct pollfd){.fd = pipe_fd, .events = POLLIN}, 1, LAST_DEAL_MS);
  }
}

/* To the next worker whose pipe has room; there is one, or thousands wait in all of them. */
static void deal(struct mux_dealer *dealer, int fd) {
  for (uint32_t i = 0; i < dealer->workers; i++) {
    int to = dealer->pipes[dealer->next].write_fd;
    dealer->next = (dealer->next + 1) % dealer->workers;
    if (write(to, &fd, sizeof fd) == sizeof fd)
      return;
  }
  close(fd);
}

/* Returns false for want of descriptors or memory: time to pause. */
static bool deal_all(struct mux_dealer *dealer) {
  for (;;) {
    int fd = accept4(dealer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
      deal(dealer, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      return false;
    else if (errno != EINTR && errno != ECONNABORTED)
      return true;
  }
}

static void *dealer_main(void *argument) {
  struct mux_dealer *dealer = argument;
  struct pollfd fds[] = {{.fd = dealer->stop_fd, .events = POLLIN},
                         {.fd = dealer->listen_fd, .events = POLLIN}};
  bool paused = false;
  do {
    poll(fds, paused ? 1 : 2, paused ? (int)(MUX_ACCEPT_PAUSE_NS / 1000000) : -1);
    paused = !deal_all(dealer);
  } while (fds[0].revents == 0);
  shutdown(dealer->listen_fd, SHUT_RDWR); /* newcomers are refused from now on */
  for (uint32_t i = 0; i < dealer->workers; i++)
    close(dealer->pipes[i].write_fd);
  return NULL;
}

void mux_dealer_start(struct mux_dealer *dealer) {
  int error = pthread_create(&dealer->thread, NULL, dealer_main, dealer);
  if (error != 0)
    mux_die(MUX_EXIT_FAILED, "cannot start a thread: %s", strerror(error));
}

void mux_dealer_close(struct mux_dealer *dealer) {
  pthread_join(dealer->thread, NULL);
  free(dealer);
}
