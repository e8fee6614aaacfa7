/* broken.c: plug-ins that each break the interface in one way. -DBROKEN=WAY -DBROKEN_WAY say which.
 */
#include "mux_backend.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  abi,
  abi1,
  bytes,
  stride,
  nameless,
  comma,
  escape,
  neither,
  both,
  option,
  nowhere,
  choices,
  endless,
  exempt,
  data,
  unavailable,
  speechless,
  undefined,
  crashes,
  exits,
  hangs,
  function,
  small,
  null,
  probe_crashes,
  probe_exits,
  probe_hangs,
  limit_crashes,
};

static int run(struct mux_worker *worker) {
  (void)worker;
  return 0;
}

static int no_function; /* but where one is asked for */
static const struct mux_poller poller = {0};
static const struct mux_option options[] = {
    {.key = "depth", .help = "-", .fallback = "many", .kind = MUX_OPT_COUNT, .max = 9}, {0}};
static const struct mux_option unchosen[] = {
    {"depth", "-", "a", MUX_OPT_CHOICE, .choices = (const char *const *)0xdead0000}, {0}};
static struct mux_option no_end[4096];
static struct mux_exemption exempt_from_all[4096];

static int probe(char *why, size_t why_bytes) {
  if (BROKEN == unavailable)
    snprintf(why, why_bytes, "the moon is full");
  if (BROKEN == probe_crashes)
    raise(SIGSEGV);
  if (BROKEN == probe_exits)
    exit(0);
  while (BROKEN == probe_hangs)
    pause();
  return BROKEN == unavailable || BROKEN == speechless ? -EPERM : 0;
}

static uint32_t limit(const int64_t *values) {
  (void)values;
  raise(SIGFPE);
  return 0;
}

__attribute__((constructor)) static void construct(void) {
  static char keys[4096][8];
  for (int i = 0; i < 4096; i++) {
    snprintf(keys[i], sizeof keys[i], "k%d", i);
    no_end[i] = (struct mux_option){.key = keys[i], .help = "-", .fallback = "off"};
    exempt_from_all[i] = (struct mux_exemption){.test = keys[i], .reason = "-"};
  }
  puts("a plug-in that talks");
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
#ifdef BROKEN_abi1 /* whose struct began with these two */
    .abi = {.version = 1, .backend_bytes = 112},
#elif defined BROKEN_abi
    .abi = {.version = MUX_ABI_VERSION + 1},
#elif defined BROKEN_bytes
    .abi = {.version = MUX_ABI_VERSION, .backend_bytes = 24},
#elif defined BROKEN_stride
    .abi = {MUX_ABI_VERSION, sizeof(struct mux_backend), sizeof(struct mux_poller), 3},
#else
    .abi = MUX_ABI,
#endif
    .name = BROKEN == nameless ? NULL
            : BROKEN == comma  ? "a,b"
                               : "broken",
    .summary = BROKEN == escape ? "\033[2J" : "-",
    .transports = MUX_TCP,
    .options = BROKEN == option    ? options
               : BROKEN == nowhere ? (const struct mux_option *)0xdead0000
               : BROKEN == choices ? unchosen
               : BROKEN == endless ? no_end
                                   : NULL,
    .exemptions = BROKEN == exempt ? exempt_from_all : NULL,
    .probe = probe,
    .poller = BROKEN == both ? &poller : NULL,
    .run = BROKEN == neither ? NULL
           : BROKEN == data  ? (int (*)(struct mux_worker *)) & no_function
                             : run,
    .fd_limit_with = BROKEN == limit_crashes ? limit : NULL,
};

#define SYMBOL __attribute__((visibility("default")))
#if defined BROKEN_function
SYMBOL int mux_plugin(void);
int mux_plugin(void) {
  return (int)broken.transports;
}
#elif defined BROKEN_small
SYMBOL char mux_plugin;
const void *const broken_used = &broken;
#elif defined BROKEN_null
SYMBOL const struct mux_backend *const mux_plugin = NULL;
const void *const broken_used = &broken;
#else
MUX_BACKEND(broken);
#endif
