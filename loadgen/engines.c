/* engines.c: the list of engines. */
#include "loadgen/engine.h"

const struct load_engine *const load_engines[] = {&load_engine_epoll, &load_engine_uring, NULL};
