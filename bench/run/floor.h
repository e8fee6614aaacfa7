/* floor.h: the speed of light of this host: the CPU time of a bare recv() and send() per message on
 * loopback sockets that are ready, the same number of connections and payload as a server would
 * have, and no waiting mechanism at all. What a server costs beyond that is its own doing. */
#ifndef MUX_FLOOR_H
#define MUX_FLOOR_H

#include <stdint.h>

#include "common/addr.h"
#include "common/cpus.h"

struct floor_spec {
  struct mux_addr addr; /* the kind of socket; its port is the kernel's choice */
  int connections;
  int64_t payload_bytes;
  cpu_set_t server_cpus, load_cpus; /* empty: inherited */
};

struct floor_result {
  double us;        /* CPU per message; the median of the rounds' means */
  int64_t messages; /* measured */
};

struct floor; /* opaque */

/* Connects, and holds still. Returns 0 or -errno: -EMFILE, a connection could not be made;
 * -EOPNOTSUPP, too much would be under way at a time; and so on. The peer is a child process that
 * ends with us. Pins the calling thread to a CPU of server_cpus. */
int floor_open(struct floor **floor, const struct floor_spec *spec);
/* Measures for cpu_ns of CPU time, or twice as much time at most; as often as one likes. Returns 0
 * or -errno. */
int floor_measure(struct floor *floor, int64_t cpu_ns, struct floor_result *result);
void floor_close(struct floor *floor);

#endif
