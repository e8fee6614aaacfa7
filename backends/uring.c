/* uring.c: echo by completion instead of readiness, as two backends.
 *
 *   uring            one accept, one receive and one send request at a time
 *   uring-multishot  one accept request for all connections, and one receive request for all
 *                    messages of a connection: only sends are submitted; over UDP, one receive
 *                    request for all datagrams
 *
 * Both use one engine (uring_engine.h) and differ in those requests only.
 *
 * mux-library: liburing.h -luring liburing-dev */
#include "backends/mux_backend.h"

#include <errno.h>
#include <stdio.h>

/* Rows of the options table. */
enum {
  OPT_ENTRIES,
  OPT_COMPLETIONS,
  OPT_BUFFERS,
  OPT_BUFFER,
  OPT_DEFER_TASKRUN,
  OPT_SQPOLL,
  OPT_DIRECT,
};

#if __has_include(<liburing.h>)

#include "backends/uring_engine.h"

static int run(struct mux_worker *worker, bool multishot) {
  const int64_t *options = worker->options;
  struct mux_uring_config config = {
      .entries = (unsigned)options[OPT_ENTRIES],
      .completions = (unsigned)options[OPT_COMPLETIONS],
      .buffers = (uint32_t)options[OPT_BUFFERS],
      .buffer_bytes = (uint32_t)options[OPT_BUFFER],
      .defer_taskrun = options[OPT_DEFER_TASKRUN] != 0,
      .sqpoll = options[OPT_SQPOLL] != 0,
  };
  return uring_serve(worker, &config, multishot, options[OPT_DIRECT] != 0);
}

static int run_single(struct mux_worker *worker) {
  return run(worker, false);
}

static int run_multishot(struct mux_worker *worker) {
  return run(worker, true);
}

/* Opens a ring as the worker will: a kernel may have io_uring and a policy may forbid it. */
static int probe_single(char *why, size_t why_bytes) {
  struct mux_uring uring;
  struct mux_uring_config config = {
      .entries = 8, .completions = 16, .buffer_bytes = 256, .defer_taskrun = true};
  int error = mux_uring_open(&uring, &config, why, why_bytes);
  if (error == 0)
    mux_uring_close(&uring);
  return error;
}

static int probe_multishot(char *why, size_t why_bytes) {
  int error = probe_single(why, why_bytes);
  if (error < 0)
    return error;
  if (mux_uring_knows(IORING_OP_SEND_ZC)) /* multishot receive came with it */
    return 0;
  snprintf(why, why_bytes, "this kernel's io_uring has no multishot receive (Linux 6.0 has it)");
  return -ENOSYS;
}

#else /* built without liburing */

static int probe_single(char *why, size_t why_bytes) {
  snprintf(why, why_bytes, "built without liburing (install liburing-dev, then make)");
  return -ENOSYS;
}
#define probe_multishot probe_single

static int run_single(struct mux_worker *worker) {
  (void)worker;
  return -ENOSYS;
}
#define run_multishot   run_single

#endif

static const struct mux_option options_table[] = {
    [OPT_ENTRIES] = {"entries", "submission queue entries", "1024", MUX_OPT_COUNT, 8, 32768},
    [OPT_COMPLETIONS] = {"completions",
                         "completion queue entries; overflow costs time, but loses none", "16384",
                         MUX_OPT_COUNT, 16, 65536},
    [OPT_BUFFERS] = {"buffers", "most receive buffers provided at a time", "1024", MUX_OPT_COUNT,
                     64, 32768},
    [OPT_BUFFER] = {"buffer", "size of a receive buffer; for UDP 64 KiB", "4KiB", MUX_OPT_SIZE, 64,
                    1 << 20},
    [OPT_DEFER_TASKRUN] = {"defer-taskrun", "complete only when asked to (Linux 6.1)", "on",
                           MUX_OPT_FLAG},
    [OPT_SQPOLL] = {"sqpoll", "a kernel thread submits; it spins, and turns defer-taskrun off",
                    "off", MUX_OPT_FLAG},
    [OPT_DIRECT] = {"direct", "direct descriptors: TCP connections without an fd", "on",
                    MUX_OPT_FLAG},
    {NULL},
};

static const struct mux_backend uring = {
    .abi = MUX_ABI,
    .name = "uring",
    .summary = "io_uring: one receive and one send request per message, provided buffers",
    .flags = MUX_COMPLETION | MUX_WAKES_ONE, /* the kernel does so for every accept request */
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = options_table,
    .probe = probe_single,
    .run = run_single,
};
MUX_BACKEND(uring);

static const struct mux_backend uring_multishot = {
    .abi = MUX_ABI,
    .name = "uring-multishot",
    .summary = "io_uring: one accept and one receive request for all that arrives",
    .flags = MUX_COMPLETION | MUX_WAKES_ONE,
    .transports = MUX_TCP | MUX_UNIX | MUX_UDP,
    .options = options_table,
    .probe = probe_multishot,
    .run = run_multishot,
};
MUX_BACKEND(uring_multishot);
