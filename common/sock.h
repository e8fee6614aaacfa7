/* sock.h: sockets as every part of muxbench makes them. All are close-on-exec; functions return
 * an fd or 0, or -errno. Sources: socket(7), tcp(7), ip(7). */
#ifndef MUX_SOCK_H
#define MUX_SOCK_H

#include <stdbool.h>

#include "common/addr.h"

/* Options of one connection. The defaults are a zeroed struct with congestion "cubic": some
 * systems default to bbr, which paces even on loopback. */
struct mux_sock_options {
  const char *congestion; /* TCP_CONGESTION, NULL leaves the system's default */
  bool nagle;             /* leave TCP_NODELAY off */
  int sndbuf_bytes;       /* 0: system default */
  int rcvbuf_bytes;       /* 0: system default; UDP: 16 MiB, as far as permitted */
  int rcvlowat_bytes;
  int busy_poll_us;
  bool quickack;
  int defer_accept_s; /* of a listener only */
  int mss_bytes;      /* TCP_MAXSEG: largest segment that either side sends */
};
#define MUX_SOCK_DEFAULTS ((struct mux_sock_options){.congestion = "cubic"})

/* A listening (TCP, Unix) or bound (UDP) non-blocking socket. addr gets the real port. SO_REUSEADDR
 * for TCP; SO_REUSEPORT only when several workers share the port. backlog 0: somaxconn. A stale
 * Unix path (nobody listens on it) is replaced; one in use is -EADDRINUSE. */
int mux_sock_listen(struct mux_addr *addr, bool reuseport, int backlog,
                    const struct mux_sock_options *options);

/* Starts a non-blocking connect from `source` (NULL: the kernel chooses; port 0 in source leaves
 * the port to connect(), IP_BIND_ADDRESS_NO_PORT). Returns the fd, connected or still connecting:
 * wait for writability, then ask mux_sock_error. */
int mux_sock_connect(const struct mux_addr *addr, const struct mux_addr *source,
                     const struct mux_sock_options *options);

/* The blocking form with a deadline, for set-up and tests: a connected non-blocking fd, or -errno
 * (-ETIMEDOUT). */
int mux_sock_connect_within(const struct mux_addr *addr, const struct mux_sock_options *options,
                            long long timeout_ns);

/* Applies options to an open socket of that kind. Options that the kind does not have are left out;
 * one that the kernel refuses is -errno. A congestion control that only root may choose
 * (net.ipv4.tcp_allowed_congestion_control) leaves the system's default in place: ask which it is.
 */
int mux_sock_apply(int fd, const struct mux_addr *addr, const struct mux_sock_options *options);
/* The congestion control in force; "" for a socket that has none. Returns out. */
enum { MUX_CONGESTION_TEXT = 17 };
char *mux_sock_congestion(int fd, char out[MUX_CONGESTION_TEXT]);

int mux_sock_error(int fd);                       /* SO_ERROR as -errno, or 0 */
int mux_sock_name(int fd, struct mux_addr *addr); /* getsockname, kind taken from addr->kind */
/* TCP self-connection (source and destination equal): polling a closed ephemeral port does it. */
bool mux_sock_is_self_connected(int fd);

/* Raises the soft RLIMIT_NOFILE to the hard one. Returns the limit now in force. */
long mux_raise_nofile(void);

#endif
