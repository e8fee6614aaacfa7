/* connect.c: making connections. Only so many are under way at a time that no accept queue
 * overflows and drops SYNs (tcp(7): a dropped one is sent again after 1 s); --ramp sets a slower
 * pace. */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/clock.h"
#include "common/sock.h"
#include "loadgen/sources.h"
#include "loadgen/worker.h"

enum {
  UNDER_WAY_MOST = 512, /* connects waiting for their answer, all threads together */
  AT_A_TIME = 16, /* begun before events are handled again, so that answers are timed promptly */
  SLOW_CONNECT_NS = 100 * 1000000, /* no SYN is repeated sooner */
  /* connect(2) on AF_UNIX fails with EAGAIN while the accept queue is full, and no event tells when
   * it no longer is: retry, until --timeout has passed. */
  TRY_AGAIN_NS = 100 * 1000,
};

void load_connect_init(struct load_worker *w, int64_t now) {
  w->connecting.most = (uint32_t)(UNDER_WAY_MOST / w->places);
  if (w->connecting.most == 0)
    w->connecting.most = 1;
  w->connecting.next = w->crr ? w->active : 0;
  if (w->crr)
    for (uint32_t i = 0; i < w->active; i++)
      load_live_add(w, &w->connections[i]);
  if (w->config->ramp_per_s > 0)
    load_schedule_init(&w->connecting.ramp, LOAD_CONSTANT, w->config->ramp_per_s, now, w->place,
                       w->places, 0);
}

/* Returns 0, or -errno: -EAGAIN the accept queue is full. */
static int try_connect(struct load_worker *w, struct load_connection *c) {
  struct mux_addr addr;
  struct mux_sock_options options = {.congestion = w->config->congestion};
  /* In crr the requests of a connection take successive addresses. */
  const struct mux_addr *source = load_sources_at(
      &w->config->sources, c->id + c->generation * (uint32_t)w->config->connections, &addr);
  int fd = mux_sock_connect(&w->config->target, source, &options);
  if (fd < 0)
    return fd;
  c->fd = fd;
  if (w->config->stamp_one_in > 0 && c->id % (uint32_t)w->config->stamp_one_in == 0) {
    int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    c->stamped = setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) == 0;
  }
  return w->engine->watch(w, c);
}

static void failed(struct load_worker *w, struct load_connection *c, int error, int64_t now) {
  if (w->connecting.error == 0)
    w->connecting.error = error;
  load_connection_end(w, c, LOAD_ERR_CONNECT, now);
}

static void begin(struct load_worker *w, struct load_connection *c, int64_t now) {
  c->connect_ns = now;
  c->state = LOAD_CONNECTING;
  w->connecting.under_way++;
  /* No connect overtakes those refused before it. */
  int rc = w->connecting.refused_count > 0 ? -EAGAIN : try_connect(w, c);
  if (rc == -EAGAIN && w->connecting.refused != NULL) {
    if (!c->waits) {
      c->waits = true;
      w->connecting
          .refused[(w->connecting.refused_head + w->connecting.refused_count++) % w->total] =
          (uint32_t)(c - w->connections);
    }
    load_worker_due(w, now + TRY_AGAIN_NS);
  } else if (rc != 0) {
    failed(w, c, -rc, now);
  }
}

int64_t load_connect_refused(struct load_worker *w, int64_t now) {
  while (w->connecting.refused_count > 0) {
    struct load_connection *c = &w->connections[w->connecting.refused[w->connecting.refused_head]];
    bool wanted = c->state == LOAD_CONNECTING && c->fd < 0; /* it may have timed out */
    int rc = wanted ? try_connect(w, c) : 0;
    if (rc == -EAGAIN)
      return now + TRY_AGAIN_NS;
    c->waits = false;
    w->connecting.refused_head = (w->connecting.refused_head + 1) % w->total;
    w->connecting.refused_count--;
    if (rc != 0)
      failed(w, c, -rc, now);
  }
  return INT64_MAX;
}

int64_t load_connect_more(struct load_worker *w, int64_t now) {
  bool paced = w->config->ramp_per_s > 0;
  uint32_t most = w->connecting.under_way + AT_A_TIME;
  most = most < w->connecting.most ? most : w->connecting.most;
  while (w->connecting.next < w->total && w->connecting.under_way < most) {
    if (paced && w->connecting.ramp.next_ns > now)
      return w->connecting.ramp.next_ns;
    struct load_connection *c = &w->connections[w->connecting.next];
    now = mux_now_ns();
    w->connecting.next++;
    if (paced)
      load_schedule_advance(&w->connecting.ramp);
    begin(w, c, now);
  }
  return INT64_MAX;
}

void load_connect_request(struct load_worker *w, struct load_connection *c, int64_t intended,
                          int64_t now) {
  c->intended_ns = intended;
  load_live_remove(w, c);
  begin(w, c, now);
}

static uint64_t syn_retransmits(int fd) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
    return 0;
  return info.tcpi_total_retrans;
}

void load_connection_connected(struct load_worker *w, struct load_connection *c, int error,
                               int64_t now) {
  if (error == 0 && !w->crr && w->config->target.kind != MUX_ADDR_UNIX &&
      mux_sock_is_self_connected(c->fd))
    error = ECONNREFUSED; /* nothing listens: the socket is connected to itself */
  /* A RST before the handshake is over is a refusal (tcp_reset in Linux' net/ipv4/tcp_input.c):
   * this one came after it, and before we looked. */
  bool is_reset = error == ECONNRESET;
  if (error != 0 && !is_reset) {
    failed(w, c, error, now);
    return;
  }
  int64_t took = now - c->connect_ns;
  w->connecting.under_way--;
  c->state = LOAD_OPEN;
  if (took > SLOW_CONNECT_NS && w->config->target.kind == MUX_ADDR_TCP)
    w->count.syn_retransmits += syn_retransmits(c->fd);
  if (!w->crr || load_in_window(w, c->intended_ns))
    mux_hdr_record(w->interval->hdr[LOAD_CONNECT], took);
  if (!c->ever)
    *(c->silent ? &w->connecting.silent_established : &w->connecting.established) += 1;
  c->ever = true;
  if (w->crr && !c->silent)
    load_connection_queue(w, c, c->intended_ns, now);
  else
    load_live_add(w, c);
  if (is_reset)
    load_connection_lost(w, c, error);
}
