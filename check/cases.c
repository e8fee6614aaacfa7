/* cases.c: see cases.h. */
#include "check/cases.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/registry.h"
#include "backends/serve_options.h"
#include "common/sock.h"

enum { CASES_MAX = 128, SPARE_FDS = 100 };

/* ---- The list ------------------------------------------------------------------------------- */

extern const struct check_case *const __start_mux_check_cases[]
    __attribute__((visibility("hidden")));
extern const struct check_case *const __stop_mux_check_cases[]
    __attribute__((visibility("hidden")));

static int by_source(const void *a, const void *b) {
  const struct check_case *x = *(const struct check_case *const *)a;
  const struct check_case *y = *(const struct check_case *const *)b;
  return x->theme != y->theme ? (int)x->theme - (int)y->theme : x->line - y->line;
}

const struct check_case *const *check_cases(int *count) {
  static const struct check_case *sorted[CASES_MAX];
  *count = (int)(__stop_mux_check_cases - __start_mux_check_cases);
  assert(*count <= CASES_MAX);
  if (sorted[0] == NULL) {
    for (int i = 0; i < *count; i++)
      sorted[i] = __start_mux_check_cases[i];
    qsort(sorted, (size_t)*count, sizeof(const struct check_case *), by_source);
  }
  return sorted;
}

const struct check_case *check_find(const char *name) {
  int count;
  const struct check_case *const *cases = check_cases(&count);
  for (int i = 0; i < count; i++)
    if (strcmp(cases[i]->name, name) == 0)
      return cases[i];
  return NULL;
}

/* ---- Does it apply? ------------------------------------------------------------------------- */

const char check_own_socket[] = "unix://";

static const char *listen_or_target(const struct mux_server_spec *spec) {
  if (spec->target != NULL)
    return spec->target;
  return spec->listen != NULL ? spec->listen : "tcp://127.0.0.1:0";
}

const char *check_transport(const struct check_setup *setup) {
  const char *text = listen_or_target(&setup->spec);
  return strncmp(text, "unix:", 5) == 0 ? "unix" : strncmp(text, "udp:", 4) == 0 ? "udp" : "tcp";
}

static unsigned transport_bit(const char *transport) {
  return strcmp(transport, "udp") == 0    ? MUX_UDP
         : strcmp(transport, "unix") == 0 ? MUX_UNIX
                                          : MUX_TCP;
}

int check_describe(struct check_setup *setup, char *why, size_t why_bytes) {
  const char *name = setup->spec.backend;
  if (name == NULL)
    return 0;
  int rc = mux_serve_find_backend(&setup->backend, name, why, why_bytes);
  return rc != 0 ? rc : mux_backend_probe(setup->backend, why, why_bytes);
}

static bool skip(struct check_result *result, const char *format, const char *word) {
  result->verdict = CHECK_SKIP;
  snprintf(result->reason, sizeof result->reason, format, word);
  return false;
}

/* Our own backends are started on the transport that a datagram or Unix case needs; a foreign
 * server stays where it is. */
static bool settle_transport(const struct check_setup *setup, const struct check_case *one,
                             struct mux_server_spec *spec, struct check_result *result) {
  const char *transport = check_transport(setup);
  const char *needed = (one->needs & CHECK_UDP) != 0    ? "udp"
                       : (one->needs & CHECK_UNIX) != 0 ? "unix"
                       : (one->needs & CHECK_TCP) != 0  ? "tcp"
                                                        : NULL;
  if (needed == NULL)
    return strcmp(transport, "udp") != 0 || skip(result, "needs a stream, this is %s", transport);
  if (strcmp(transport, needed) == 0)
    return true;
  if (setup->backend == NULL || strcmp(needed, "tcp") == 0)
    return skip(result, "needs %s", needed);
  unsigned bit = transport_bit(needed);
  if ((setup->backend->transports & bit) == 0)
    return skip(result, "this backend does not offer %s", needed);
  spec->listen = bit == MUX_UDP ? "udp://127.0.0.1:0" : check_own_socket;
  return true;
}

bool check_applies(const struct check_setup *setup, const struct check_case *one,
                   struct mux_server_spec *spec, struct check_result *result) {
  if (!settle_transport(setup, one, spec, result))
    return false;
  const struct mux_exemption *exempt = setup->backend != NULL ? setup->backend->exemptions : NULL;
  for (; exempt != NULL && exempt->test != NULL; exempt++)
    if (strcmp(exempt->test, one->name) == 0) {
      skip(result, "%s", exempt->reason);
      result->verdict = CHECK_EXEMPT;
      return false;
    }
  if (spec->target != NULL && (one->needs & (CHECK_OWN | CHECK_STARTS)) != 0)
    return skip(result, "%s", "needs the server's process: use --backend or --exec");
  long fds = mux_raise_nofile();
  if (fds < one->fds + SPARE_FDS) {
    char text[64];
    snprintf(text, sizeof text, "%d descriptors, the limit is %ld", one->fds + SPARE_FDS, fds);
    return skip(result, "needs %s (ulimit -n)", text);
  }
  return true;
}
