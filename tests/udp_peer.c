/* udp_peer.c: see udp_peer.h. */
#include "tests/udp_peer.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "tests/support.h"

enum { DATAGRAM_BYTES = 65536, HELD_BYTES = 256, HELD_MOST = 1024, OVERTAKERS = 2 };

struct held {
  int64_t due_ns; /* INT64_MAX: not by time */
  int after;      /* before so many sound ones of its sender */
  size_t bytes;
  struct mux_addr to;
  char data[HELD_BYTES];
};

struct server { /* the state of its process */
  int fd;
  struct udp_plan plan;
  struct udp_counts *counts;
  struct held held[HELD_MOST];
  int held_count;
};

static bool is_same(const struct mux_addr *a, const struct mux_addr *b) {
  return a->length == b->length && memcmp(&a->socket, &b->socket, a->length) == 0;
}

static void send_to(const struct server *s, const char *data, size_t bytes,
                    const struct mux_addr *to) {
  sendto(s->fd, data, bytes, 0, &to->socket.any, to->length);
}

static void hold(struct server *s, int64_t due_ns, int after, const char *data, size_t bytes,
                 const struct mux_addr *to) {
  if (s->held_count == HELD_MOST || bytes > HELD_BYTES)
    abort(); /* none of our tests */
  struct held *held = &s->held[s->held_count++];
  *held = (struct held){.due_ns = due_ns, .after = after, .bytes = bytes, .to = *to};
  memcpy(held->data, data, bytes);
}

/* Sends what was held back and is due, or has been overtaken often enough by `sender`. */
static void release(struct server *s, const struct mux_addr *sender) {
  for (int i = 0; i < s->held_count; i++) {
    struct held *held = &s->held[i];
    if (sender != NULL && held->due_ns == INT64_MAX && is_same(sender, &held->to))
      held->after--;
    if (held->due_ns == INT64_MAX ? held->after > 0 : held->due_ns > mux_now_ns())
      continue;
    send_to(s, held->data, held->bytes, &held->to);
    s->held[i--] = s->held[--s->held_count];
  }
}

static void echo(struct server *s, enum udp_misdeed misdeed, char *data, size_t bytes,
                 const struct mux_addr *to) {
  switch (misdeed) {
  case UDP_LOSE:
    return;
  case UDP_DOUBLE:
    send_to(s, data, bytes, to);
    break;
  case UDP_DELAY:
    hold(s, mux_now_ns() + UDP_DELAY_MS * MUX_MS, 0, data, bytes, to);
    return;
  case UDP_REORDER:
    hold(s, INT64_MAX, OVERTAKERS, data, bytes, to);
    return;
  case UDP_SHORTEN:
    bytes--;
    break;
  case UDP_LENGTHEN:
    data[bytes++] = 0;
    break;
  case UDP_FLIP:
    data[bytes - 1] ^= 1;
    break;
  case UDP_EMPTY:
    bytes = 0;
    break;
  default:
    break;
  }
  send_to(s, data, bytes, to);
}

static enum udp_misdeed choose(const struct server *s) {
  const struct udp_plan *plan = &s->plan;
  long long n = s->counts->received;
  if (plan->every == 0 || n % plan->every != 0 || (n > UDP_MISDEEDS_AMONG && !plan->always))
    return UDP_NOTHING;
  if (plan->misdeed < UDP_MISDEEDS)
    return plan->misdeed;
  return (enum udp_misdeed)(1 + n / plan->every % (UDP_MISDEEDS - 1));
}

_Noreturn static void serve(struct server *s, pid_t parent) {
  static char data[DATAGRAM_BYTES + 1];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  for (;;) {
    struct pollfd wait = {.fd = s->fd, .events = POLLIN};
    poll(&wait, 1, s->held_count > 0 ? 10 : 1000);
    struct mux_addr from = {.length = sizeof from.socket};
    ssize_t n;
    while ((n = recvfrom(s->fd, data, DATAGRAM_BYTES, 0, &from.socket.any, &from.length)) >= 0) {
      s->counts->received++;
      enum udp_misdeed misdeed = choose(s);
      s->counts->done[misdeed]++;
      bool is_sound = misdeed == UDP_NOTHING || misdeed == UDP_DOUBLE; /* others overtake nothing */
      release(s, is_sound ? &from : NULL);
      echo(s, misdeed, data, (size_t)n, &from);
    }
    release(s, NULL);
  }
}

struct udp_peer *udp_peer_start(struct udp_plan plan) {
  struct udp_peer *peer = calloc(1, sizeof *peer);
  struct server *s = calloc(1, sizeof *s);
  struct mux_addr addr;
  char why[160];
  assert_true(peer != NULL && s != NULL);
  peer->counts =
      mmap(NULL, sizeof *peer->counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(peer->counts != MAP_FAILED);
  assert_int_equal(mux_addr_parse(&addr, "udp://127.0.0.1:0", false, why, sizeof why), 0);
  *s = (struct server){.plan = plan, .counts = peer->counts};
  s->fd = mux_sock_listen(&addr, false, 0, &MUX_SOCK_DEFAULTS);
  assert_true(s->fd >= 0);
  mux_addr_print(peer->target, &addr);
  fflush(NULL);
  pid_t parent = getpid();
  peer->pid = fork();
  assert_true(peer->pid >= 0);
  if (peer->pid == 0)
    serve(s, parent);
  close(s->fd);
  free(s);
  return peer;
}

void udp_peer_end(struct udp_peer *peer) {
  kill(peer->pid, SIGKILL);
  waitpid(peer->pid, NULL, 0);
  munmap(peer->counts, sizeof *peer->counts);
  free(peer);
}
