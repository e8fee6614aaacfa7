/* slice.h: a stretch of traffic between two silences, and what is used in its measured part.
 *
 *   start      warm-up          duration             drain
 *   |-----------|--------------------------|------------------|
 *   traffic     window opens: clocks       window closes:      every echo is back
 *   begins      are read                   clocks are read
 *
 * Connections of a closed loop begin one after the other over the first quarter of the warm-up, so
 * that they are no batch. The clocks are read by the load thread itself, between two messages: CPU
 * times, echoes and length belong to the same stretch. A plain run is one slice; with --control
 * whoever has started the load orders as many as it likes (process/control.h). */
#ifndef MUX_SLICE_H
#define MUX_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "process/control.h"

struct load_slice {
  int64_t start_ns;
  struct mux_order order;
};

/* Between the opening of the window and its closing. */
struct load_usage {
  int64_t wall_ns;
  int64_t thread_ns;  /* CPU time of the load thread */
  int64_t spin_ns;    /* ... of it spent spinning */
  int64_t process_ns; /* of all threads, and what the kernel does for the process (io-wq); first
                         thread alone */
  int64_t server_ns;  /* of the server's processes; first thread alone */
  uint64_t echoes;
};

#endif
