/* sources.c: see sources.h. */
#include "loadgen/sources.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/proc.h"
#include "common/units.h"

static const char loopback[] = "127.0.0.0/8";

/* ADDRESS/PREFIX. The network and the broadcast address of an IPv4 network are left out. */
int load_sources_read(void *field, const char *text, char *why, size_t why_bytes) {
  struct load_sources sources = {.first.kind = MUX_ADDR_TCP};
  struct sockaddr_in *four = (struct sockaddr_in *)&sources.first.socket.storage;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&sources.first.socket.storage;
  char address[INET6_ADDRSTRLEN] = "";
  char shown[80];
  const char *slash = strchr(text, '/');
  if (slash != NULL && (size_t)(slash - text) < sizeof address)
    memcpy(address, text, (size_t)(slash - text));
  uint32_t *low = NULL;
  int whole = 0;
  if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    sources.first.length = sizeof *four;
    low = &four->sin_addr.s_addr;
    whole = 32;
  } else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    sources.first.length = sizeof *six;
    low = &six->sin6_addr.s6_addr32[3];
    whole = 128;
  }
  int64_t prefix = 0;
  if (low == NULL || mux_parse_count(slash + 1, &prefix) != 0 || prefix > whole ||
      prefix < whole - 31) {
    snprintf(why, why_bytes, "'%s' is not a network such as 127.0.0.0/8 (prefix %d to %d)",
             mux_printable(shown, sizeof shown, text), low == NULL ? 1 : whole - 31,
             low == NULL ? 32 : whole);
    return -EINVAL;
  }
  uint32_t size = (uint32_t)1 << (whole - (int)prefix);
  bool net = whole == 32 && size > 2;
  *low = htonl((ntohl(*low) & ~(size - 1)) + net);
  sources.count = size - (net ? 2 : 0);
  *(struct load_sources *)field = sources;
  return 0;
}

char *load_sources_print(char out[MUX_OPTION_TEXT], const void *field) {
  const struct load_sources *sources = field;
  char address[INET6_ADDRSTRLEN] = "";
  if (sources->count == 0)
    return NULL;
  struct mux_addr first = sources->first;
  struct sockaddr_in *four = (struct sockaddr_in *)&first.socket.storage;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&first.socket.storage;
  bool is_four = first.socket.any.sa_family == AF_INET;
  bool outer_left_out = /* the first is odd then */
      is_four && sources->count > 1 && (ntohl(four->sin_addr.s_addr) & 1) != 0;
  int bits = 0;
  while (bits < 31 && (UINT32_C(1) << bits) < sources->count + 2 * outer_left_out)
    bits++;
  if (is_four)
    four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) - outer_left_out);
  inet_ntop(is_four ? AF_INET : AF_INET6, is_four ? (const void *)&four->sin_addr : &six->sin6_addr,
            address, sizeof address);
  snprintf(out, MUX_OPTION_TEXT, "%s/%d", address, (is_four ? 32 : 128) - bits);
  return out;
}

const struct mux_addr *load_sources_at(const struct load_sources *sources, uint32_t n,
                                       struct mux_addr *addr) {
  if (sources->count == 0)
    return NULL;
  *addr = sources->first;
  uint32_t *low = addr->socket.any.sa_family == AF_INET
                      ? &((struct sockaddr_in *)&addr->socket.storage)->sin_addr.s_addr
                      : &((struct sockaddr_in6 *)&addr->socket.storage)->sin6_addr.s6_addr32[3];
  *low = htonl(ntohl(*low) + n % sources->count);
  return addr;
}

/* How many ports the kernel chooses from; 0: not known. */
static int64_t ports_there_are(void) {
  char text[64];
  char *end;
  if (mux_proc_read("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof text) <= 0)
    return 0;
  long first = strtol(text, &end, 10);
  long last = strtol(end, NULL, 10);
  return last >= first && first > 0 ? last - first + 1 : 0;
}

void load_sources_choose(struct load_config *config) {
  char why[160];
  const struct mux_addr *target = &config->target;
  int64_t wanted = ((int64_t)config->connections + config->idle) * (config->part.others + 1);
  int64_t half = ports_there_are() / 2;
  if (target->kind == MUX_ADDR_UNIX || config->sources.count > 0 || half == 0 || wanted <= half)
    return;
  const struct sockaddr_in *four = (const struct sockaddr_in *)&target->socket.storage;
  bool is_loopback = target->socket.any.sa_family == AF_INET &&
                     ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  if (is_loopback && load_sources_read(&config->sources, loopback, why, sizeof why) == 0)
    mux_note("load: %lld connections need more than half of the ports of one address: they come "
             "from %s (--sources)",
             (long long)wanted, loopback);
  else
    mux_warn("%lld connections need more than half of the %lld ports of one address, where "
             "connecting gets slow; give --sources",
             (long long)wanted, (long long)half * 2);
}
