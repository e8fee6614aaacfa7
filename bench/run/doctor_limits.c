/* doctor_limits.c: what limits the number of connections, and what of it can be set. See doctor.h
 * and docs/scale.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/run/doctor.h"
#include "bench/run/environment.h"
#include "common/cli.h"
#include "common/input.h"
#include "common/output.h"
#include "common/proc.h"

enum { SPARE = 100, KEY_BYTES = 64, PATH_BYTES = 128 };

static char *path_of(char out[PATH_BYTES], const char *key) {
  snprintf(out, PATH_BYTES, "/proc/sys/%s", key);
  for (char *p = out + strlen("/proc/sys/"); *p != 0; p++)
    if (*p == '.')
      *p = '/';
  return out;
}

/* The first number of a setting; -1: this kernel does not have it. */
static long value_of(const char *key) {
  char path[PATH_BYTES];
  char line[128];
  char *end;
  environment_line(line, sizeof line, path_of(path, key));
  long value = strtol(line, &end, 10);
  return end == line ? -1 : value;
}

/* Advises to raise the settings that are too low, and only those. Returns whether all are high
 * enough. */
static bool need(struct doctor_report *report, struct doctor_finding *f,
                 struct doctor_setting *settings, int count) {
  char command[sizeof f->fix] = "sysctl";
  bool enough = true;
  for (int i = 0; i < count; i++) {
    struct doctor_setting *s = &settings[i];
    s->now = value_of(s->key);
    if (s->now < 0 || s->now >= s->least)
      continue;
    size_t used = strlen(command);
    snprintf(command + used, sizeof command - used, " %s=%ld", s->key, s->advised);
    if (report->setting_count < DOCTOR_SETTINGS)
      report->settings[report->setting_count++] = *s;
    enough = false;
  }
  if (!enough)
    doctor_fix(f, "%s", command);
  return enough;
}

static void look_at_descriptors(struct doctor_report *report, struct doctor_finding *f, long n) {
  struct rlimit limit = {0};
  (void)report;
  getrlimit(RLIMIT_NOFILE, &limit);
  long hard = (long)limit.rlim_max;
  long wanted = n < DOCTOR_CONNECTIONS ? n : DOCTOR_CONNECTIONS;
  enum doctor_level level = hard >= wanted + SPARE ? DOCTOR_FINE
                            : hard >= 1000 + SPARE ? DOCTOR_WARNING
                                                   : DOCTOR_FAILURE;
  if (level == DOCTOR_FINE && n + SPARE > hard)
    doctor_find(
        f, level,
        "%ld descriptors per table (hard limit): it takes %ld workers and load threads, with "
        "a table each",
        hard, n / (hard - hard / 20) + 1);
  else
    doctor_find(f, level, "%ld descriptors per table (hard limit; the soft one is raised to it)",
                hard);
  if (level != DOCTOR_FINE)
    doctor_fix(f, "ulimit -Hn 20000, or a nofile line in /etc/security/limits.conf");
}

static void look_at_files(struct doctor_report *report, struct doctor_finding *f, long n) {
  struct doctor_setting files = {"fs.file-max", 0, 2 * n + SPARE, 3 * n};
  bool enough = need(report, f, &files, 1);
  doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING,
              "%ld files at a time (fs.file-max); a connection is two", files.now);
}

static void look_at_ports(struct doctor_report *report, struct doctor_finding *f, long n) {
  char line[64];
  int low = 0;
  int high = -1;
  (void)report;
  environment_line(line, sizeof line, "/proc/sys/net/ipv4/ip_local_port_range");
  sscanf(line, "%d %d", &low, &high);
  long ports = high - low + 1;
  bool enough = ports >= 2 * (n < DOCTOR_CONNECTIONS ? n : DOCTOR_CONNECTIONS);
  doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING, "%ld ephemeral ports per source address%s",
              ports, n > ports / 2 ? "; a load on loopback uses many addresses" : "");
  if (!enough)
    doctor_fix(f, "sysctl net.ipv4.ip_local_port_range=\"32768 60999\", or load --sources "
                  "127.0.0.0/8");
}

static void look_at_backlog(struct doctor_report *report, struct doctor_finding *f, long n) {
  struct doctor_setting queue = {"net.core.somaxconn", 0, 1024, 4096};
  (void)n;
  bool enough = need(report, f, &queue, 1);
  doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING,
              "accept queues hold %ld connections (net.core.somaxconn)%s", queue.now,
              enough ? "" : ": a SYN that a fast ramp loses is sent again after 1 s");
}

static void look_at_conntrack(struct doctor_report *report, struct doctor_finding *f, long n) {
  struct doctor_setting track = {"net.netfilter.nf_conntrack_max", 0, 3 * n,
                                 4 * n > 262144 ? 4 * n : 262144};
  bool enough = need(report, f, &track, 1);
  if (track.now < 0)
    doctor_find(f, DOCTOR_FINE, "no connection tracking");
  else
    doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING, "connection tracking holds %ld entries",
                track.now);
}

/* Of kernel memory for both ends, and a GiB for the rest. */
static void look_at_memory(struct doctor_report *report, struct doctor_finding *f, long n) {
  char text[4096];
  (void)report;
  long kb = mux_proc_read("/proc/meminfo", text, sizeof text) > 0
                ? (long)mux_proc_number(text, "MemAvailable")
                : -1;
  long wanted = n > DOCTOR_CONNECTIONS ? n * 9 + (1 << 20) : 1 << 20;
  enum doctor_level level = kb >= wanted      ? DOCTOR_FINE
                            : kb >= 256 << 10 ? DOCTOR_WARNING
                                              : DOCTOR_FAILURE;
  doctor_find(f, level, "%ld MiB of memory are available%s", kb / 1024,
              n > DOCTOR_CONNECTIONS ? "; a connection takes about 9 KiB, both ends" : "");
  if (level != DOCTOR_FINE)
    doctor_fix(f,
               n > DOCTOR_CONNECTIONS
                   ? "stop other programs, or open fewer connections"
                   : "stop other programs; 10,000 connections with a thread each need about 1 GiB");
}

/* One page for a socket with data in it; closing reached a fifth of the connections. */
static void look_at_tcp_memory(struct doctor_report *report, struct doctor_finding *f, long n) {
  char line[128];
  long pages[3] = {-1, -1, -1};
  (void)report;
  environment_line(line, sizeof line, "/proc/sys/net/ipv4/tcp_mem");
  sscanf(line, "%ld %ld %ld", &pages[0], &pages[1], &pages[2]);
  bool enough = pages[2] < 0 || pages[2] >= n / 4;
  doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING,
              "TCP may hold %ld pages of data (net.ipv4.tcp_mem)", pages[2]);
  if (!enough)
    doctor_fix(f, "sysctl net.ipv4.tcp_mem=\"%ld %ld %ld\"", n / 4, n / 3, n / 2);
}

static void look_at_threads(struct doctor_report *report, struct doctor_finding *f, long n) {
  long most = n < 4000000 ? n : 4000000; /* PID_MAX_LIMIT is 4,194,304 */
  struct doctor_setting settings[] = {
      {"kernel.pid_max", 0, most + 2000, most + 20000 > 32768 ? most + 20000 : 32768},
      {"kernel.threads-max", 0, most + 2000, most + 20000 > 65536 ? most + 20000 : 65536},
      {"vm.max_map_count", 0, 2 * most + 1000, 3 * most > 65530 ? 3 * most : 65530},
  };
  bool enough = need(report, f, settings, sizeof settings / sizeof *settings);
  long pids = settings[0].now;
  long threads = settings[1].now;
  doctor_find(f, enough ? DOCTOR_FINE : DOCTOR_WARNING,
              "room for %ld threads (pid_max, threads-max) and %ld mappings%s",
              pids < threads ? pids : threads, settings[2].now,
              enough || n <= DOCTOR_CONNECTIONS ? "" : ": a thread per connection ends there");
}

void doctor_limits(struct doctor_report *report, long connections) {
  static const struct {
    const char *name;
    void (*look)(struct doctor_report *report, struct doctor_finding *finding, long connections);
  } table[] = {
      {"descriptors", look_at_descriptors},
      {"files", look_at_files},
      {"ports", look_at_ports},
      {"backlog", look_at_backlog},
      {"conntrack", look_at_conntrack},
      {"memory", look_at_memory},
      {"tcp memory", look_at_tcp_memory},
      {"threads", look_at_threads},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct doctor_finding *finding = &report->findings[report->count++];
    finding->name = table[i].name;
    table[i].look(report, finding, connections);
  }
}

/* ---- Settings ---------------------------------------------------------------------------------
 */

static int set(const char *key, long value, FILE *to) {
  char path[PATH_BYTES];
  char text[32];
  int n = snprintf(text, sizeof text, "%ld\n", value);
  int fd = open(path_of(path, key), O_WRONLY | O_CLOEXEC | O_TRUNC);
  ssize_t written = fd >= 0 ? write(fd, text, (size_t)n) : -1;
  int rc = written == n ? 0 : written < 0 ? -errno : -EIO;
  if (fd >= 0)
    close(fd);
  if (rc == 0)
    fprintf(to, "%s=%ld\n", key, value);
  else
    mux_note("doctor: cannot set %s: %s%s", key, strerror(-rc),
             rc == -EACCES || rc == -EPERM ? " (as root it can)" : "");
  return rc;
}

int doctor_apply(const struct doctor_report *report, const char *path, FILE *to) {
  struct mux_output out;
  if (report->setting_count == 0) {
    fputs("Nothing is too low that can be set.\n", to);
    return 0;
  }
  int rc = mux_result_open(&out, "--apply", path) == 0 ? 0 : -EIO;
  if (rc != 0)
    return rc;
  for (int i = 0; i < report->setting_count; i++)
    fprintf(out.stream, "%s=%ld\n", report->settings[i].key, report->settings[i].now);
  if (mux_result_commit(&out, "--apply", path) != 0)
    return -EIO;
  int done = 0;
  while (done < report->setting_count && rc == 0) {
    const struct doctor_setting *s = &report->settings[done];
    rc = set(s->key, s->advised, to);
    done += rc == 0;
  }
  while (rc != 0 && done-- > 0)
    set(report->settings[done].key, report->settings[done].now, to);
  return rc;
}

/* Only what doctor_apply may have written. */
static bool is_ours(const char *key) {
  static const char *const keys[] = {"fs.file-max",        "net.core.somaxconn",
                                     "kernel.pid_max",     "net.netfilter.nf_conntrack_max",
                                     "kernel.threads-max", "vm.max_map_count"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(keys[i], key) == 0)
      return true;
  return false;
}

int doctor_restore(const char *path, FILE *to) {
  char line[128];
  char why[512];
  char key[KEY_BYTES];
  char shown[256];
  long value;
  int number = 0;
  int rc = 0;
  FILE *in = mux_input_open(path, 1 << 16, why, sizeof why);
  if (in == NULL) {
    mux_note("doctor: --restore: %s", why);
    return -EINVAL;
  }
  while (rc == 0 && fgets(line, sizeof line, in) != NULL) {
    int end = 0;
    number++;
    if (sscanf(line, "%63[a-z._-]=%ld%n", key, &value, &end) == 2 && line[end] == '\n' &&
        value > 0 && is_ours(key)) {
      rc = set(key, value, to);
    } else {
      mux_note("doctor: --restore: %s:%d is not a setting that --apply has written",
               mux_printable(shown, sizeof shown, path), number);
      rc = -EINVAL;
    }
  }
  fclose(in);
  return rc;
}
