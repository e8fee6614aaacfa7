/* fuzz_addr.c: addresses as they are typed. What is read prints as a text that reads back the same,
 * and nothing but loopback passes unless remote addresses are allowed. Numbers only: host names
 * would ask the network. */
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <netinet/in.h>

#include "common/addr.h"

static int names_a_host(const char *text) {
  const char *host = strstr(text, "://");
  if (strncmp(text, "unix:", 5) == 0 || host == NULL)
    return 0;
  for (host += 3; *host != 0; host++)
    if (strchr("0123456789abcdefABCDEF.:[]", *host) == NULL)
      return 1;
  return strchr(text, '[') == NULL && strpbrk(strstr(text, "://") + 3, "abcdefABCDEF") != NULL;
}

static int is_loopback(const struct mux_addr *addr) {
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr->socket.storage;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr->socket.storage;
  if (addr->kind == MUX_ADDR_UNIX)
    return 1;
  if (v4->sin_family == AF_INET)
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  char why[200];
  char once[MUX_ADDR_TEXT];
  char twice[MUX_ADDR_TEXT];
  struct mux_addr addr;
  struct mux_addr again;
  char *text = fuzz_text(data, bytes);
  if (!names_a_host(text)) {
    if (mux_addr_parse(&addr, text, false, why, sizeof why) == 0)
      assert(is_loopback(&addr));
    if (mux_addr_parse(&addr, text, true, why, sizeof why) == 0) {
      mux_addr_print(once, &addr);
      assert(mux_addr_parse(&again, once, true, why, sizeof why) == 0);
      assert(strcmp(once, mux_addr_print(twice, &again)) == 0);
    }
  }
  free(text);
  return 0;
}
