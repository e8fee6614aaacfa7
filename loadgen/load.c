/* load.c: the names of load.h's enums, as options, JSON and CSV have them. */
#include "loadgen/load.h"

#include <stddef.h>

uint32_t load_numbers(const struct load_config *config) {
  return (uint32_t)(config->connections + config->idle) * (uint32_t)(config->part.others + 1);
}

const char *const load_mode_names[] = {"echo", "crr", "stream", NULL};
const char *const load_arrival_names[] = {"constant", "poisson", "bursty", NULL};
const char *const load_error_names[LOAD_ERRORS] = {"connect", "reset", "timeout", "mismatch",
                                                   "closed"};
const char *const load_kind_names[LOAD_KINDS] = {"response",      "service",     "slip",
                                                 "backpressure",  "connect",     "wakeup",
                                                 "response_peak", "service_peak"};
const char *const load_flag_names[] = {
    "client_bound", "rate_missed",    "slip_high", "short_of_connections",
    "unanswered",   "datagrams_lost", NULL};
