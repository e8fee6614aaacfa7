/* echo_datagram.c: echo over UDP (RFC 862: a received datagram is sent back to where it came from).
 *
 * There are no connections: a worker waits for one socket, as it would for a listener. So accept()
 * on a UDP socket echoes what has arrived, and every backend that accepts through the host serves
 * UDP with its own way of waiting.
 *
 * UDP may lose datagrams: when the network refuses an echo, it is lost, and the client counts it as
 * missing.
 *
 * A datagram with a false source address could start an endless loop of echoes, between two servers
 * or from one to itself (CERT CA-1996-01; CVE-2024-2169). The kernel drops two kinds of datagrams,
 * so that no backend ever receives them:
 *   - those from a privileged port, where there are no clients but services that answer anybody:
 *     echo, chargen, daytime, time (RFC 862 to 868). BSD's inetd(8) refuses the same ports;
 *   - those that are themselves an echo from muxbench. Every echo is marked as such by a DSCP that
 *     is reserved for local use (RFC 2474, section 6).
 * With a foreign program on another port that answers whatever it receives, a loop remains
 * possible: nothing in its datagrams tells it from a client. Networks may erase the mark; loopback
 * does not. */
#include "backends/core.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
  LARGEST_DATAGRAM = 65536, /* UDP's length field has 16 bits */
  BATCH = 128,              /* echoed before the worker turns to anything else */
  LAST_BATCH = 65536,       /* ... after the stop */
  ECHO_MARK = 0xac,         /* DSCP 43, of pool 2, in its place in the octet; no ECN */
  MARK_MASK = 0xfc,
};

int mux_guard_datagrams(int fd, int family) {
  /* Offsets count from the UDP header (RFC 768), with SKF_NET_OFF from the IP header: IPv4 has the
   * octet after version and header length (RFC 791), IPv6 between version and flow label
   * (RFC 8200). An IPv6 socket may receive both. */
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), /* source port */
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, IPPORT_RESERVED, 0, 9),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)SKF_NET_OFF),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + 1),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, MARK_MASK),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ECHO_MARK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),          /* drop it */
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* take all of it */
  };
  const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  const int mark = ECHO_MARK;
  bool done =
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 &&
      setsockopt(fd, IPPROTO_IP, IP_TOS, &mark, sizeof mark) == 0 &&
      (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &mark, sizeof mark) == 0);
  return done ? 0 : -errno;
}

int mux_echo_datagrams(struct mux_worker *worker) {
  struct mux_core *core = worker->core;
  int fd = worker->listen_fd;
  if (core->datagram == NULL)
    core->datagram = malloc(LARGEST_DATAGRAM);
  if (core->datagram == NULL)
    return -ENOMEM;
  for (int left = mux_draining(worker) ? LAST_BATCH : BATCH; left > 0; left--) {
    struct mux_addr from = {.length = sizeof from.socket};
    ssize_t bytes =
        recvfrom(fd, core->datagram, LARGEST_DATAGRAM, 0, &from.socket.any, &from.length);
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return -EAGAIN;
    if (bytes < 0) { /* about an earlier datagram, if it is not the socket itself */
      if (errno == EBADF || errno == ENOTSOCK || errno == EINVAL)
        return -errno;
      continue;
    }
    MUX_COUNT(worker, datagrams, 1);
    if (worker->work_ns > 0)
      mux_work(worker->work_ns);
    (void)sendto(fd, core->datagram, (size_t)bytes, 0, &from.socket.any, from.length);
  }
  return -EBUSY;
}
