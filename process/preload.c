/* preload.c: see preload.h. */
#include "process/preload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "process/process.h"

#define TRIAL_NS (5 * MUX_S)

/* "ERROR: ld.so: object 'X' from LD_PRELOAD cannot be preloaded (reason): ignored." */
static int judge(const char *said, int status, char *why, size_t why_bytes) {
  static const char refusal[] = "cannot be preloaded";
  char shown[200];
  const char *text = strstr(said, refusal);
  if (text == NULL && status == 0)
    return 0;
  if (text == NULL) {
    snprintf(why, why_bytes, "a program %s when it is preloaded",
             status == -ETIMEDOUT ? "hangs" : "does not start");
    return -EINVAL;
  }
  text += sizeof refusal - 1;
  const char *reason = *text == ' ' && text[1] == '(' ? text + 2 : "";
  snprintf(shown, sizeof shown, "%.*s", (int)strcspn(reason, ")\n"), reason);
  snprintf(why, why_bytes, "it %s%s%s", refusal, *shown != 0 ? ": " : "", shown);
  return -EINVAL;
}

int mux_preload_try(const char *libraries, char *why, size_t why_bytes) {
  char said[4096];
  struct mux_process process;
  if (libraries[strspn(libraries, " :")] == 0) {
    snprintf(why, why_bytes, "it names no library");
    return -EINVAL;
  }
  int errors = memfd_create("preload", MFD_CLOEXEC);
  char *const argv[] = {"muxbench", "--version", NULL};
  int rc = errors < 0 ? -errno : 0;
  if (rc == 0)
    rc = mux_process_start(&process, &(struct mux_process_spec){.path = "/proc/self/exe",
                                                                .argv = argv,
                                                                .stdout_fd = -1,
                                                                .stderr_fd = errors,
                                                                .preload = libraries});
  if (rc == 0) {
    mux_process_wait(&process, TRIAL_NS);
    int status = mux_process_end(&process);
    ssize_t n = pread(errors, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = 0;
    rc = judge(said, status, why, why_bytes);
  } else {
    snprintf(why, why_bytes, "cannot start a process: %s", strerror(-rc));
  }
  close(errors);
  return rc;
}
