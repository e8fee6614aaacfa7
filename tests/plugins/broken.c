/* broken.c: plug-ins that each break the interface in one way. -DBROKEN=WAY -DBROKEN_WAY say which.
 */
#include "mux_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  abi,
  bytes,
  nameless,
  comma,
  neither,
  both,
  option,
  unavailable,
  speechless,
  undefined,
  crashes,
  exits,
  hangs,
};

static int run(struct mux_worker *worker) {
  (void)worker;
  return 0;
}

static const struct mux_poller poller = {0};
static const struct mux_option options[] = {
    {.key = "depth", .help = "-", .fallback = "many", .kind = MUX_OPT_COUNT, .max = 9}, {0}};

static int probe(char *why, size_t why_bytes) {
  if (BROKEN == unavailable)
    snprintf(why, why_bytes, "the moon is full");
  return BROKEN == unavailable || BROKEN == speechless ? -EPERM : 0;
}

__attribute__((constructor)) static void construct(void) {
  if (BROKEN == crashes)
    abort();
  if (BROKEN == exits)
    exit(0);
  while (BROKEN == hangs)
    pause();
}

#ifdef BROKEN_undefined
extern void mux_no_such_function(void);
void (*const broken_needs)(void) = mux_no_such_function;
#endif

static const struct mux_backend broken = {
    .abi_version = MUX_ABI_VERSION + (BROKEN == abi),
    .struct_bytes = BROKEN == bytes ? 24 : sizeof(struct mux_backend),
    .name = BROKEN == nameless ? NULL
            : BROKEN == comma  ? "a,b"
                               : "broken",
    .summary = "-",
    .transports = MUX_TCP,
    .options = BROKEN == option ? options : NULL,
    .probe = probe,
    .poller = BROKEN == both ? &poller : NULL,
    .run = BROKEN == neither ? NULL : run,
};
MUX_BACKEND(broken);
