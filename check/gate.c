/* gate.c: the cases that `run` asks of a server before it measures. See check.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "check/isolate.h"

enum { GATE_S = 30 };

int mux_check_quick(const struct mux_server_spec *spec, char *why, size_t why_bytes) {
  int count;
  const struct check_case *const *cases = check_cases(&count);
  struct check_setup setup = {.spec = *spec, .seed = 1};
  if (check_describe(&setup, why, why_bytes) != 0)
    return 1;
  int64_t deadline = mux_now_ns() + GATE_S * MUX_S * check_slowness();
  bool is_udp = strcmp(check_transport(&setup), "udp") == 0;
  for (int i = 0; i < count; i++) {
    struct check_result result;
    bool about_udp = (cases[i]->needs & CHECK_UDP) != 0;
    if (!cases[i]->gate || about_udp != is_udp)
      continue;
    int rc = check_run(&setup, cases[i], deadline, &result);
    if (rc == -EINTR) {
      snprintf(why, why_bytes, "interrupted");
      return rc;
    }
    if (rc != 0 || result.verdict == CHECK_FAIL) {
      snprintf(why, why_bytes, "%s: %s", cases[i]->name, rc != 0 ? strerror(-rc) : result.reason);
      return 1;
    }
  }
  return 0;
}
