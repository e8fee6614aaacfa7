/* cases.h: which cases there are, what is to be judged, and which cases apply to it. */
#ifndef MUX_CHECK_CASES_H
#define MUX_CHECK_CASES_H

#include "check/case.h"

/* What to judge, and how. */
struct check_setup {
  struct mux_server_spec spec;
  const struct mux_backend *backend; /* what spec.backend names; NULL: a foreign server */
  uint32_t fd_limit;                 /* of the backend with its options; 0: no known limit */
  uint64_t seed;
  int64_t patience_ns; /* how long no byte may move; 0: 3 s */
};

/* All cases in the order they are shown, *count of them. Static storage. */
const struct check_case *const *check_cases(int *count);
const struct check_case *check_find(const char *name); /* or NULL */

/* Finds setup->spec.backend, a name or the path of a plug-in, and makes sure that it can run here.
 * Returns 0 (also if there is none to find) or -errno with the reason in why. */
int check_describe(struct check_setup *setup, char *why, size_t why_bytes);

/* The transport of the setup's address: "tcp", "udp" or "unix". */
const char *check_transport(const struct check_setup *setup);

/* Whether a case applies to this server. spec, a copy of the setup's, gets the address that the
 * case needs; check_own_socket stands for a Unix path that the caller has yet to choose. Returns
 * false with the verdict (skip or exempt) and the reason in result. */
bool check_applies(const struct check_setup *setup, const struct check_case *one,
                   struct mux_server_spec *spec, struct check_result *result);
extern const char check_own_socket[];

#endif
