/* cases.h: which cases there are, what is to be judged, and which cases apply to it. */
#ifndef MUX_CHECK_CASES_H
#define MUX_CHECK_CASES_H

#include "check/case.h"

/* What is to be judged, and how. */
struct check_setup {
  struct mux_server_spec spec;
  const struct mux_backend *backend; /* spec.backend's own description; NULL: foreign */
  uint32_t fd_limit;                 /* of the backend, with its options; 0: none is known */
  uint64_t seed;
  int64_t patience_ns; /* how long bytes may stand still; 0: 3 s */
};

/* All cases in the order in which they are shown; *count of them. The array lives for ever. */
const struct check_case *const *check_cases(int *count);
const struct check_case *check_find(const char *name); /* or NULL */

/* The description of setup.spec.backend, a name or a plug-in's path, into setup.backend; that it is
 * available here, too. Returns 0 or -errno with the reason in why. Without a backend it is 0. */
int check_describe(struct check_setup *setup, char *why, size_t why_bytes);

/* "tcp", "udp" or "unix": what a stream case of this setup runs over. */
const char *check_transport(const struct check_setup *setup);

/* Whether a case can be asked of this server. spec, a copy of the setup's, gets the address that
 * the case asks for: check_own_socket stands for a Unix path that is still to be made. Returns
 * false with the verdict (skip or exempt) and its reason in result. */
bool check_applies(const struct check_setup *setup, const struct check_case *one,
                   struct mux_server_spec *spec, struct check_result *result);
extern const char check_own_socket[];

#endif
