/* clock.h: time. Inside the program it is integer nanoseconds of CLOCK_MONOTONIC. */
#ifndef MUX_CLOCK_H
#define MUX_CLOCK_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define MUX_US INT64_C(1000)
#define MUX_MS INT64_C(1000000)
#define MUX_S  INT64_C(1000000000)

static inline int64_t mux_timespec_ns(const struct timespec *ts) {
  return (int64_t)ts->tv_sec * MUX_S + ts->tv_nsec;
}
static inline struct timespec mux_ns_timespec(int64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / MUX_S), .tv_nsec = (long)(ns % MUX_S)};
}
static inline int64_t mux_clock_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return mux_timespec_ns(&ts);
}
static inline int64_t mux_now_ns(void) {
  return mux_clock_ns(CLOCK_MONOTONIC);
}
/* CPU time of the calling thread. */
static inline int64_t mux_thread_cpu_ns(void) {
  return mux_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
/* CPU time of a whole process of the same host, all its threads, the ended ones included, without
 * its children. -errno if there is no such process. */
static inline int64_t mux_process_cpu_ns(pid_t pid) {
  clockid_t clock;
  int error = clock_getcpuclockid(pid, &clock);
  return error != 0 ? -error : mux_clock_ns(clock);
}

#endif
