/* mutant_datagram.c: the mutant over UDP on 127.0.0.1: receives a datagram, sends it back to where
 * it came from, and waits for the next with epoll. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "tests/mutants/mutant.h"

enum { LARGEST = 65536, TABLE = 100, PEERS = 1000 };

struct datagram {
  unsigned char data[LARGEST];
  ssize_t bytes;
  struct sockaddr_in from;
};

static int udp_fd, other_fd; /* the second one is bound to another port */
static unsigned echoed;

/* Returns false if there is none, or only an error about an earlier one. */
static bool receive(struct datagram *in) {
  socklen_t length = sizeof in->from;
  in->bytes = recvfrom(udp_fd, in->data, is(FLAW_SMALL_DATAGRAMS) ? 4096 : sizeof in->data, 0,
                       (struct sockaddr *)&in->from, &length);
  if (in->bytes < 0 && errno == ECONNREFUSED && is(FLAW_EXITS_ON_ICMP))
    die("recvfrom");
  if (in->bytes < 0) /* take the error off the queue */
    recv(udp_fd, in->data, sizeof in->data, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (in->bytes == 0 && is(FLAW_ZERO_IS_END))
    exit(0);
  return in->bytes >= 0;
}

/* The flaw: a table of peers, by port, that fills up. */
static bool knows(const struct sockaddr_in *peer) {
  static bool known[65536];
  static int count;
  count += !known[peer->sin_port] && count < PEERS;
  return known[peer->sin_port] || (known[peer->sin_port] = count < PEERS);
}

static void send_back(const struct datagram *out) {
  echoed++;
  if (is(FLAW_TABLE_OF_1000) && !knows(&out->from))
    return;
  if (is(FLAW_DROPS_SEVENTH) && echoed % 7 == 0)
    return;
  int fd = is(FLAW_OTHER_PORT) && echoed % 2 == 0 ? other_fd : udp_fd;
  if (sendto(fd, out->data, (size_t)out->bytes, 0, (const struct sockaddr *)&out->from,
             sizeof out->from) < 0 &&
      is(FLAW_EXITS_ON_ICMP) && errno == ECONNREFUSED)
    die("sendto");
}

/* The datagrams that wait after the first, with their flaws: joined to it, sent to its sender, or
 * too many for a table. */
static void receive_more(struct datagram *first) {
  static struct datagram next;
  int taken = 1;
  if (is(FLAW_MERGES) && receive(&next) && first->bytes + next.bytes <= LARGEST) {
    memcpy(first->data + first->bytes, next.data, (size_t)next.bytes);
    first->bytes += next.bytes;
  }
  while ((is(FLAW_FIRST_PEER) || is(FLAW_TABLE_OF_100)) && receive(&next)) {
    send_back(first);
    if (is(FLAW_TABLE_OF_100) && ++taken > TABLE)
      abort();
    struct sockaddr_in sender = first->from;
    *first = next;
    if (is(FLAW_FIRST_PEER))
      first->from = sender;
  }
}

static int bound_to(int port) {
  int one = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  at.sin_port = htons((uint16_t)port);
  int fd = bound(SOCK_DGRAM, &at, sizeof at);
  setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one); /* report ICMP errors */
  return fd;
}

void serve_datagrams(int port) {
  static struct datagram datagram;
  udp_fd = bound_to(port);
  other_fd = is(FLAW_OTHER_PORT) ? bound_to(0) : -1;
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | (is(FLAW_ONE_DATAGRAM_PER_EDGE) ? EPOLLET : 0)};
  if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, udp_fd, &event) != 0)
    die("epoll");
  for (;;) {
    epoll_wait(epoll_fd, &event, 1, -1);
    if (receive(&datagram)) {
      receive_more(&datagram);
      send_back(&datagram);
    }
  }
}
