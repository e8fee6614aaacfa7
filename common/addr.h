/* addr.h: addresses as they are typed: tcp://127.0.0.1:7007, tcp://[::1]:0, udp://127.0.0.1:0,
 * unix:///tmp/x.sock. */
#ifndef MUX_ADDR_H
#define MUX_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

enum mux_addr_kind { MUX_ADDR_TCP, MUX_ADDR_UDP, MUX_ADDR_UNIX, MUX_ADDR_KINDS };

enum { MUX_ADDR_TEXT = 160 };

struct mux_addr {
  enum mux_addr_kind kind;
  socklen_t length; /* of `socket` */
  union {
    struct sockaddr any;
    struct sockaddr_storage storage; /* sockaddr_in, sockaddr_in6 or sockaddr_un */
  } socket;
};

/* Reads text, resolving a host name (loopback answers preferred). Returns 0 or -errno with a reason
 * for people in why: -EINVAL malformed, -ENOENT the name does not resolve, -EPERM multicast or
 * broadcast (always refused) or not loopback while allow_remote is false. */
int mux_addr_parse(struct mux_addr *addr, const char *text, bool allow_remote, char *why,
                   size_t why_bytes);
/* The same text back, with numbers. Returns out. */
char *mux_addr_print(char out[MUX_ADDR_TEXT], const struct mux_addr *addr);
/* For a command's option: exit 2 with one line on error. */
void mux_option_addr(struct mux_addr *addr, const char *option, const char *text,
                     bool allow_remote);

bool mux_addr_is_local(const struct mux_addr *addr); /* loopback, or a Unix path */
int mux_addr_port(const struct mux_addr *addr);      /* 0 for Unix */
void mux_addr_set_port(struct mux_addr *addr, int port);
const char *mux_addr_transport(const struct mux_addr *addr); /* "tcp4", "tcp6", "udp4", … "unix" */

#endif
