/* echo_datagram.c: echo over UDP (RFC 862: a received datagram is sent back to where it came from).
 *
 * There are no connections: a worker waits for one socket, and whoever waits for it does so as for
 * a listener. So accept() on a UDP socket echoes what has come and returns -EAGAIN, and every
 * backend that accepts through the host serves UDP with its own way of waiting.
 *
 * UDP may lose datagrams, and here it does so in two cases: the network refuses the echo (it is for
 * the client to count what is missing), or the datagram claims to come from this very socket, which
 * would be an echo without end. */
#include "backends/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
  LARGEST_DATAGRAM = 65536, /* UDP's length field has 16 bits */
  LAST_DATAGRAMS = 65536,   /* echoed after the stop, if more keep coming */
};

static bool is_own(const struct mux_core *core, const struct mux_addr *from) {
  return from->length == core->addr->length &&
         memcmp(&from->socket, &core->addr->socket, from->length) == 0;
}

/* Until the queue is empty: that is what an edge-triggered backend needs, and there is nobody else
 * to be starved. Only the stop interrupts it. */
int mux_echo_datagrams(struct mux_worker *worker) {
  struct mux_core *core = worker->core;
  int fd = worker->listen_fd;
  if (core->datagram == NULL)
    core->datagram = malloc(LARGEST_DATAGRAM);
  if (core->datagram == NULL)
    return -ENOMEM;
  bool draining = mux_draining(worker);
  for (uint64_t n = 0; draining ? n < LAST_DATAGRAMS : !mux_draining(worker); n++) {
    struct mux_addr from = {.length = sizeof from.socket};
    ssize_t bytes =
        recvfrom(fd, core->datagram, LARGEST_DATAGRAM, 0, &from.socket.any, &from.length);
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      break;
    if (bytes < 0) { /* about an earlier datagram, if it is not the socket itself */
      if (errno == EBADF || errno == ENOTSOCK || errno == EINVAL)
        return -errno;
      continue;
    }
    MUX_COUNT(worker, datagrams, 1);
    if (worker->work_ns > 0)
      mux_work(worker->work_ns);
    if (!is_own(core, &from))
      (void)sendto(fd, core->datagram, (size_t)bytes, 0, &from.socket.any, from.length);
  }
  return -EAGAIN;
}
