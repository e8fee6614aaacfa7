/* udp_peer.h: a UDP echo server that loses, doubles, holds back and damages datagrams on
 * purpose, and counts what it does: a process of its own with a real socket. */
#ifndef MUX_UDP_PEER_H
#define MUX_UDP_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/addr.h"

enum udp_misdeed {
  UDP_NOTHING,
  UDP_LOSE,
  UDP_DOUBLE,
  UDP_DELAY,   /* by UDP_DELAY_MS */
  UDP_REORDER, /* after the next sound one of the same sender */
  UDP_SHORTEN,
  UDP_LENGTHEN,
  UDP_FLIP, /* a bit of the last byte */
  UDP_EMPTY,
  UDP_MISDEEDS /* each in turn */
};

enum {
  UDP_DELAY_MS = 1500,
  /* Misdeeds are done to the first so many datagrams, so that their consequences come to light
   * before a run ends. */
  UDP_MISDEEDS_AMONG = 1000,
};

struct udp_plan {
  enum udp_misdeed misdeed;
  int every;   /* done to every n-th datagram */
  bool always; /* not only among the first */
};

struct udp_counts {
  long long received, done[UDP_MISDEEDS];
};

struct udp_peer {
  pid_t pid;
  struct udp_counts *counts; /* up to date; of the peer's process */
  char target[MUX_ADDR_TEXT];
};

/* Starts it on 127.0.0.1; it serves when this returns. */
struct udp_peer *udp_peer_start(struct udp_plan plan);
void udp_peer_end(struct udp_peer *peer);

#endif
