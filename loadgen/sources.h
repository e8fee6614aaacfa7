/* sources.h: --sources: the addresses that connections come from.
 *
 * A connection needs a port of its own among those that go from the same address to the same
 * destination. Linux gives out one parity of ip_local_port_range first: when half of the range is
 * used, connect(2) becomes more than ten times slower, and when all is used it fails. */
#ifndef MUX_SOURCES_H
#define MUX_SOURCES_H

#include "common/option_table.h"
#include "loadgen/load.h"

/* Reads ADDRESS/PREFIX into a struct load_sources. Returns 0, or -EINVAL with one line in why. */
int load_sources_read(void *field, const char *text, char *why, size_t why_bytes);

/* The same network as text; NULL: none. */
char *load_sources_print(char out[MUX_OPTION_TEXT], const void *field);

/* Where the configuration has none and connections would take more than half of the ports: those of
 * 127.0.0.0/8 on IPv4 loopback; elsewhere a warning. Says so in one line. */
void load_sources_choose(struct load_config *config);

/* The n-th source address, counted up in the last 32 bits, in *addr; NULL: the kernel chooses. */
const struct mux_addr *load_sources_at(const struct load_sources *sources, uint32_t n,
                                       struct mux_addr *addr);

#endif
