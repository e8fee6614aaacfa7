/* pidfd.h: a descriptor that is readable once a process has ended (pidfd_open(2)), so that it can
 * be polled with others. */
#ifndef MUX_PIDFD_H
#define MUX_PIDFD_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Returns the descriptor, the caller's to close, or -1 with errno. */
static inline int mux_pidfd_open(pid_t pid) { /* glibc has it from 2.36 on */
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

#endif
