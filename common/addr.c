/* addr.c: see addr.h. */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/cli.h"

static const struct scheme {
  const char *prefix;
  enum mux_addr_kind kind;
} schemes[] = {{"tcp://", MUX_ADDR_TCP}, {"udp://", MUX_ADDR_UDP}, {"unix://", MUX_ADDR_UNIX}};

static bool is_loopback(const struct sockaddr *any) {
  if (any->sa_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)any)->sin_addr.s_addr) >> 24 == 127;
  const struct in6_addr *six = &((const struct sockaddr_in6 *)any)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(six))
    return six->s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(six);
}

static bool is_group4(in_addr_t address) {
  return IN_MULTICAST(ntohl(address)) || address == htonl(INADDR_BROADCAST);
}

static bool is_group(const struct sockaddr *any) {
  if (any->sa_family == AF_INET6) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)any)->sin6_addr;
    return IN6_IS_ADDR_MULTICAST(six) ||
           (IN6_IS_ADDR_V4MAPPED(six) && is_group4(six->s6_addr32[3]));
  }
  return is_group4(((const struct sockaddr_in *)any)->sin_addr.s_addr);
}

static int parse_unix(struct mux_addr *addr, const char *path, char *why, size_t why_bytes) {
  struct sockaddr_un *un = (struct sockaddr_un *)&addr->socket.storage;
  char shown[4 * sizeof un->sun_path]; /* every byte escaped */
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof un->sun_path) {
    snprintf(why, why_bytes, "a Unix path has 1 to %zu bytes", sizeof un->sun_path - 1);
    return -EINVAL;
  }
  if (strcmp(mux_printable(shown, sizeof shown, path), path) != 0) {
    snprintf(why, why_bytes, "a Unix path is UTF-8 without control characters");
    return -EINVAL;
  }
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path, length + 1);
  addr->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
  return 0;
}

/* Splits host:port or [host]:port into host; returns the port text or NULL. */
static const char *split_host(const char *text, char *host, size_t host_bytes) {
  const char *start = text;
  const char *end;
  const char *colon;
  if (*text == '[') {
    start = text + 1;
    end = strchr(start, ']');
    colon = end != NULL ? end + 1 : NULL;
  } else {
    end = strrchr(text, ':');
    colon = end;
    if (end != NULL && memchr(text, ':', (size_t)(end - text)) != NULL)
      return NULL; /* an IPv6 address without brackets */
  }
  if (end == NULL || colon == NULL || *colon != ':' || end == start ||
      (size_t)(end - start) >= host_bytes)
    return NULL;
  memcpy(host, start, (size_t)(end - start));
  host[end - start] = 0;
  return colon + 1;
}

static int parse_inet(struct mux_addr *addr, const char *rest, bool allow_remote, char *why,
                      size_t why_bytes) {
  char host[256];
  const char *port = split_host(rest, host, sizeof host);
  char *end = NULL;
  long number = port != NULL && *port >= '0' && *port <= '9' ? strtol(port, &end, 10) : -1;
  if (number < 0 || number > 65535 || *end != 0) {
    snprintf(why, why_bytes, "expected HOST:PORT or [IPV6]:PORT, the port 0 to 65535");
    return -EINVAL;
  }
  struct addrinfo hints = {.ai_socktype = addr->kind == MUX_ADDR_UDP ? SOCK_DGRAM : SOCK_STREAM};
  if (*rest == '[')
    hints.ai_family = AF_INET6;
  if (*rest == '[' || host[strspn(host, "0123456789.")] == 0)
    hints.ai_flags = AI_NUMERICHOST; /* do not look up a mistyped number as a name */
  struct addrinfo *found = NULL;
  int error = getaddrinfo(host, NULL, &hints, &found);
  if (error != 0) {
    snprintf(why, why_bytes, "the host does not resolve (%s)", gai_strerror(error));
    return -ENOENT;
  }
  const struct addrinfo *best = found;
  for (const struct addrinfo *info = found; info != NULL; info = info->ai_next)
    if (is_loopback(info->ai_addr)) {
      best = info;
      break;
    }
  memcpy(&addr->socket.storage, best->ai_addr, best->ai_addrlen);
  addr->length = best->ai_addrlen;
  freeaddrinfo(found);
  mux_addr_set_port(addr, (int)number);
  if (is_group(&addr->socket.any)) {
    snprintf(why, why_bytes, "multicast and broadcast are never used");
    return -EPERM;
  }
  if (!allow_remote && !is_loopback(&addr->socket.any)) {
    snprintf(why, why_bytes, "it is not a loopback address; --allow-remote permits it");
    return -EPERM;
  }
  return 0;
}

int mux_addr_parse(struct mux_addr *addr, const char *text, bool allow_remote, char *why,
                   size_t why_bytes) {
  *addr = (struct mux_addr){0};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    size_t length = strlen(schemes[i].prefix);
    if (strncmp(text, schemes[i].prefix, length) != 0)
      continue;
    addr->kind = schemes[i].kind;
    if (addr->kind == MUX_ADDR_UNIX)
      return parse_unix(addr, text + length, why, why_bytes);
    return parse_inet(addr, text + length, allow_remote, why, why_bytes);
  }
  snprintf(why, why_bytes, "expected tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH");
  return -EINVAL;
}

void mux_option_addr(struct mux_addr *addr, const char *option, const char *text,
                     bool allow_remote) {
  char why[160];
  char shown[160];
  if (mux_addr_parse(addr, text, allow_remote, why, sizeof why) != 0)
    mux_die(MUX_EXIT_USAGE, "%s: '%s': %s", option, mux_printable(shown, sizeof shown, text), why);
}

char *mux_addr_print(char out[MUX_ADDR_TEXT], const struct mux_addr *addr) {
  const char *prefix = schemes[addr->kind].prefix;
  char host[INET6_ADDRSTRLEN] = "?";
  const struct sockaddr *any = &addr->socket.any;
  if (addr->kind == MUX_ADDR_UNIX) {
    snprintf(out, MUX_ADDR_TEXT, "%s%s", prefix,
             ((const struct sockaddr_un *)&addr->socket.storage)->sun_path);
  } else if (any->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)any)->sin_addr, host, sizeof host);
    snprintf(out, MUX_ADDR_TEXT, "%s%s:%d", prefix, host, mux_addr_port(addr));
  } else {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)any)->sin6_addr, host, sizeof host);
    snprintf(out, MUX_ADDR_TEXT, "%s[%s]:%d", prefix, host, mux_addr_port(addr));
  }
  return out;
}

bool mux_addr_is_local(const struct mux_addr *addr) {
  return addr->kind == MUX_ADDR_UNIX || is_loopback(&addr->socket.any);
}

int mux_addr_port(const struct mux_addr *addr) {
  const struct sockaddr *any = &addr->socket.any;
  if (any->sa_family == AF_INET)
    return ntohs(((const struct sockaddr_in *)any)->sin_port);
  if (any->sa_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)any)->sin6_port);
  return 0;
}

void mux_addr_set_port(struct mux_addr *addr, int port) {
  struct sockaddr *any = &addr->socket.any;
  if (any->sa_family == AF_INET)
    ((struct sockaddr_in *)any)->sin_port = htons((uint16_t)port);
  else if (any->sa_family == AF_INET6)
    ((struct sockaddr_in6 *)any)->sin6_port = htons((uint16_t)port);
}

const char *mux_addr_transport(const struct mux_addr *addr) {
  bool six = addr->socket.any.sa_family == AF_INET6;
  switch (addr->kind) {
  case MUX_ADDR_UNIX:
    return "unix";
  case MUX_ADDR_UDP:
    return six ? "udp6" : "udp4";
  default:
    return six ? "tcp6" : "tcp4";
  }
}
