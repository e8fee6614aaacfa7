/* test_accounting_probe.c: system calls and context switches are counted without a mounted tracefs
 * where the kernel lets us, and where it does not the reason is told. In a mount namespace of its
 * own, which a child enters, the places where a host mounts tracefs are empty. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/run/accounting.h"
#include "common/proc.h"

enum { CALLS = 1000, NOBODY = 65534, SKIPPED = 77 };

/* A child ends with SKIPPED where the machine does not have what it needs. */
static void run_in_child(void (*body)(void *)) {
  char said[1024];
  int status = test_in_child(body, NULL, said, sizeof said);
  if (status == SKIPPED) {
    print_message("%s\n", said);
    skip();
  }
  if (status != 0)
    fail_msg("status %d: %s", status, said);
}

/* Empties /sys/kernel in a mount namespace of our own. Leaves if that is not permitted, or if not
 * even a mount would bring the tracepoints. */
static void hide_tracefs(void) {
  if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
      mount("none", "/sys/kernel", "tmpfs", 0, NULL) == 0 &&
      mount("none", "/sys/kernel", "tracefs", 0, NULL) == 0 &&
      access("/sys/kernel/events/raw_syscalls", F_OK) == 0 && umount("/sys/kernel") == 0)
    return;
  fprintf(stderr, "no mount namespace or no tracefs here");
  _exit(SKIPPED);
}

/* A child that makes CALLS system calls when told to, and ends. */
static pid_t start_caller(int *start) {
  int told[2];
  char byte;
  if (pipe2(told, O_CLOEXEC) != 0)
    return -1;
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(told[0], &byte, 1) == 1)
      for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    _exit(0);
  }
  close(told[0]);
  *start = told[1];
  return pid;
}

static void count_without_a_mount(void *unused) {
  (void)unused;
  static char before[65536];
  static char after[65536];
  char why[256] = "";
  struct accounting_probe *probe;
  struct accounting_counts counts[2];
  int start = -1;
  hide_tracefs();
  mux_proc_read("/proc/self/mountinfo", before, sizeof before);
  pid_t pid = start_caller(&start);
  int rc = accounting_probe_permitted(why, sizeof why);
  if (rc == 0) /* of the children of this process */
    rc = accounting_probe_open(&probe, getpid(), why, sizeof why);
  if (rc != 0) {
    fputs(why, stderr);
    _exit(strstr(why, "perf_event_open") != NULL ? SKIPPED : 1);
  }
  rc = accounting_probe_read(probe, &counts[0]);
  if (write(start, "", 1) != 1 || waitpid(pid, NULL, 0) != pid)
    rc = -EIO;
  if (rc == 0)
    rc = accounting_probe_read(probe, &counts[1]);
  accounting_probe_close(probe);
  mux_proc_read("/proc/self/mountinfo", after, sizeof after);
  long long calls = counts[1].syscalls - counts[0].syscalls;
  bool same = strcmp(before, after) == 0;
  fprintf(stderr, "rc %d, %lld calls, mounts as before: %d", rc, calls, same);
  _exit(rc != 0 || calls < CALLS || calls > CALLS + 100 || !same);
}

static void ask_without_privilege(void *unused) {
  (void)unused;
  static const char expected[] = "tracepoints cannot be read (Operation not permitted); as root: "
                                 "mount -t tracefs -o mode=750,gid=65534 none /sys/kernel/tracing";
  char why[256] = "";
  hide_tracefs();
  if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
    _exit(SKIPPED);
  int rc = accounting_probe_permitted(why, sizeof why);
  fputs(why, stderr);
  _exit(rc != -EPERM || strcmp(why, expected) != 0);
}

static void counting_needs_no_mounted_tracefs(void **state) {
  (void)state;
  run_in_child(count_without_a_mount);
}

static void why_not_and_what_helps_is_told(void **state) {
  (void)state;
  run_in_child(ask_without_privilege);
}

int main(void) {
  alarm(60);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counting_needs_no_mounted_tracefs),
      cmocka_unit_test(why_not_and_what_helps_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
