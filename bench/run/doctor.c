/* doctor.c: see doctor.h. One function per finding; the table at the end lists them. What limits
 * the number of connections is in doctor_limits.c. */
#include "bench/run/doctor.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench/run/accounting.h"
#include "bench/run/environment.h"
#include "common/addr.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/cpus.h"
#include "common/sock.h"

const char *const doctor_level_names[] = {"fine", "warning", "failure"};

void doctor_find(struct doctor_finding *f, enum doctor_level level, const char *format, ...) {
  char text[sizeof f->text];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  mux_printable(f->text, sizeof f->text, text);
  f->level = level;
}

void doctor_fix(struct doctor_finding *f, const char *format, ...) {
  char text[sizeof f->fix];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  mux_printable(f->fix, sizeof f->fix, text);
}

static void look_at_cores(struct doctor_finding *f) {
  cpu_set_t server;
  cpu_set_t load;
  bool two = mux_cpus_split(&server, &load, 1) == 0;
  doctor_find(f, two ? DOCTOR_FINE : DOCTOR_WARNING,
              two ? "server and load have a CPU each (%ld online)"
                  : "server and load share a CPU (%ld online)",
              sysconf(_SC_NPROCESSORS_ONLN));
  if (!two)
    doctor_fix(f, "use a machine with 2 cores, or widen the affinity: taskset -c 0,1 muxbench ...");
}

static void look_at_loopback(struct doctor_finding *f) {
  static const char *const texts[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
  int rc[2];
  for (int i = 0; i < 2; i++) {
    struct mux_addr addr;
    char why[160];
    rc[i] = mux_addr_parse(&addr, texts[i], false, why, sizeof why);
    int fd = rc[i] == 0 ? mux_sock_listen(&addr, false, 1, &(struct mux_sock_options){0}) : rc[i];
    rc[i] = fd < 0 ? fd : 0;
    if (fd >= 0)
      close(fd);
  }
  if (rc[0] == 0 && rc[1] == 0) {
    doctor_find(f, DOCTOR_FINE, "127.0.0.1 and ::1 can be listened on");
    return;
  }
  doctor_find(f, rc[0] != 0 ? DOCTOR_FAILURE : DOCTOR_WARNING, "%s cannot be listened on: %s",
              rc[0] != 0 ? "127.0.0.1" : "::1", strerror(rc[0] != 0 ? -rc[0] : -rc[1]));
  doctor_fix(f, rc[0] != 0 ? "ip link set lo up" : "sysctl net.ipv6.conf.lo.disable_ipv6=0");
}

static void look_at_congestion(struct doctor_finding *f) {
  char now[64];
  char available[256];
  environment_line(now, sizeof now, "/proc/sys/net/ipv4/tcp_congestion_control");
  environment_line(available, sizeof available,
                   "/proc/sys/net/ipv4/tcp_available_congestion_control");
  struct mux_addr addr;
  char why[160];
  struct mux_sock_options options = MUX_SOCK_DEFAULTS;
  int fd = mux_addr_parse(&addr, "tcp://127.0.0.1:0", false, why, sizeof why) == 0
               ? mux_sock_listen(&addr, false, 1, &options)
               : -EINVAL;
  if (fd >= 0) {
    close(fd);
    doctor_find(f, DOCTOR_FINE, "sockets are set to %s (the system's default is %s)",
                options.congestion, now);
    return;
  }
  char allowed[128];
  environment_line(allowed, sizeof allowed, "/proc/sys/net/ipv4/tcp_allowed_congestion_control");
  doctor_find(f, DOCTOR_WARNING, "%s cannot be chosen (%s; available: %s), sockets stay with %s",
              options.congestion, strerror(-fd), available, now);
  doctor_fix(f, "modprobe tcp_%s; sysctl net.ipv4.tcp_allowed_congestion_control=\"%s %s\"",
             options.congestion, allowed, options.congestion);
}

static void look_at_clock(struct doctor_finding *f) {
  char source[64];
  enum { READS = 1000 };
  environment_line(source, sizeof source,
                   "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  int64_t began_ns = mux_now_ns();
  for (int i = 0; i < READS; i++)
    mux_now_ns();
  double cost_ns = (double)(mux_now_ns() - began_ns) / READS;
  doctor_find(f, cost_ns < 200 ? DOCTOR_FINE : DOCTOR_WARNING, "clock source %s, %.0f ns to read",
              source, cost_ns);
  if (cost_ns >= 200)
    doctor_fix(f, "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource");
}

static void look_at_governor(struct doctor_finding *f) {
  char governor[64];
  environment_line(governor, sizeof governor,
                   "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  bool fine = *governor == 0 || strcmp(governor, "performance") == 0;
  doctor_find(f, fine ? DOCTOR_FINE : DOCTOR_WARNING, "frequency governor: %s",
              *governor != 0 ? governor : "none visible");
  if (!fine)
    doctor_fix(f, "cpupower frequency-set -g performance");
}

static void look_at_mitigations(struct doctor_finding *f) {
  static const char *const names[] = {"spectre_v2", "meltdown", "mds", "retbleed",
                                      "spec_store_bypass"};
  int active = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    char line[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/vulnerabilities/%s", names[i]);
    active += strncmp(environment_line(line, sizeof line, path), "Mitigation", 10) == 0;
  }
  doctor_find(f, DOCTOR_FINE,
              "%d of %zu mitigations are active; they are part of what a system call costs", active,
              sizeof names / sizeof *names);
}

static void look_at_uring(struct doctor_finding *f) {
  char params[512] = {0}; /* struct io_uring_params is 120 bytes */
  long fd = syscall(SYS_io_uring_setup, 8, params);
  int error = errno;
  if (fd >= 0) {
    close((int)fd);
    doctor_find(f, DOCTOR_FINE, "io_uring is permitted");
    return;
  }
  doctor_find(f, DOCTOR_WARNING, "io_uring is not permitted (%s): its backends are skipped",
              strerror(error));
  doctor_fix(f, "sysctl kernel.io_uring_disabled=0");
}

static void look_at_perf(struct doctor_finding *f) {
  static const char remedy_mark[] = "; as root: ";
  char why[256];
  if (accounting_probe_permitted(why, sizeof why) == 0) {
    doctor_find(f, DOCTOR_FINE, "system calls and context switches can be counted");
    return;
  }
  char *mark = strstr(why, remedy_mark);
  doctor_fix(f, "%s",
             mark != NULL ? mark + strlen(remedy_mark) : "a kernel with CONFIG_FTRACE_SYSCALLS");
  if (mark != NULL)
    *mark = 0;
  doctor_find(f, DOCTOR_WARNING, "system calls and context switches cannot be counted: %s", why);
}

/* Watches the host for a while. */
static void watch(struct doctor_finding *load, struct doctor_finding *steal) {
  struct accounting_host a;
  struct accounting_host b;
  struct timespec pause = {.tv_nsec = 200 * MUX_MS};
  accounting_host(&a);
  nanosleep(&pause, NULL);
  accounting_host(&b);
  double ticks = fmax(1, (double)(b.total_ticks - a.total_ticks));
  double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
  double busy = (double)(b.busy_ticks - a.busy_ticks) / ticks * cores;
  double stolen = (double)(b.steal_ticks - a.steal_ticks) / ticks * 100;
  doctor_find(load, busy < 0.15 ? DOCTOR_FINE : DOCTOR_WARNING,
              "other programs use %.2f of %.0f CPUs", busy, cores);
  if (busy >= 0.15)
    doctor_fix(load, "stop other programs (top -o %%CPU); trials will be flagged noisy_host");
  doctor_find(steal, stolen < 2 ? DOCTOR_FINE : DOCTOR_WARNING,
              "the hypervisor takes %.1f %% of the CPU", stolen);
  if (stolen >= 2)
    doctor_fix(steal, "use a machine or instance type with dedicated CPUs");
}

void doctor_examine(struct doctor_report *report, long connections) {
  static const struct {
    const char *name;
    void (*look)(struct doctor_finding *finding);
  } table[] = {
      {"cores", look_at_cores},           {"loopback", look_at_loopback},
      {"congestion", look_at_congestion}, {"clock", look_at_clock},
      {"governor", look_at_governor},     {"mitigations", look_at_mitigations},
      {"io_uring", look_at_uring},        {"perf", look_at_perf},
  };
  *report = (struct doctor_report){0};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct doctor_finding *finding = &report->findings[report->count++];
    finding->name = table[i].name;
    table[i].look(finding);
  }
  doctor_limits(report, connections);
  struct doctor_finding *load = &report->findings[report->count++];
  struct doctor_finding *steal = &report->findings[report->count++];
  load->name = "load";
  steal->name = "steal";
  watch(load, steal);
  for (int i = 0; i < report->count; i++)
    if (report->findings[i].level > report->worst)
      report->worst = report->findings[i].level;
}

json_t *doctor_json(const struct doctor_report *report) {
  json_t *list = json_array();
  for (int i = 0; i < report->count; i++) {
    const struct doctor_finding *f = &report->findings[i];
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s}", "name", f->name, "level",
                                    doctor_level_names[f->level], "text", f->text, "fix", f->fix));
  }
  return list;
}

void doctor_print(const struct doctor_report *report, enum doctor_level from, FILE *to) {
  for (int i = 0; i < report->count; i++) {
    const struct doctor_finding *f = &report->findings[i];
    if (f->level < from)
      continue;
    fprintf(to, "%-8s %-12s %s\n", doctor_level_names[f->level], f->name, f->text);
    if (f->fix[0] != 0)
      fprintf(to, "%-21s fix: %s\n", "", f->fix);
  }
}
