/* environment.c: see environment.h. */
#include "bench/run/environment.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <libconfig.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "common/build_info.h"
#include "common/cli.h"
#include "common/cpus.h"

char *environment_line(char *out, size_t out_bytes, const char *path) {
  FILE *file = fopen(path, "re");
  out[0] = 0;
  if (file != NULL && fgets(out, (int)out_bytes, file) != NULL)
    out[strcspn(out, "\n")] = 0;
  if (file != NULL)
    fclose(file);
  return out;
}

static void add_line(json_t *object, const char *key, const char *path) {
  char line[512];
  char shown[512];
  if (*environment_line(line, sizeof line, path) != 0)
    json_object_set_new(object, key, json_string(mux_printable(shown, sizeof shown, line)));
}

/* Those that backends bring along tell their version if they are linked. */
static json_t *libraries(void) {
  json_t *object = json_object();
  const char *version = NULL;
  char text[32];
  scols_get_library_version(&version);
  snprintf(text, sizeof text, "%d.%d.%d", LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR,
           LIBCONFIG_VER_REVISION);
  json_object_set_new(object, "glibc", json_string(gnu_get_libc_version()));
  json_object_set_new(object, "libconfig", json_string(text));
  json_object_set_new(object, "jansson", json_string(JANSSON_VERSION));
  json_object_set_new(object, "libsmartcols", json_string(version != NULL ? version : "?"));
  json_object_set_new(object, "zlib", json_string(zlibVersion()));
  static const struct {
    const char *name, *function;
  } strings[] = {{"libevent", "event_get_version"}, {"libuv", "uv_version_string"}};
  for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
    const char *(*function)(void);
    *(void **)&function = dlsym(RTLD_DEFAULT, strings[i].function);
    if (function != NULL)
      json_object_set_new(object, strings[i].name, json_string(function()));
  }
  int (*major)(void);
  int (*minor)(void);
  *(void **)&major = dlsym(RTLD_DEFAULT, "ev_version_major");
  *(void **)&minor = dlsym(RTLD_DEFAULT, "ev_version_minor");
  if (major != NULL && minor != NULL) {
    snprintf(text, sizeof text, "%d.%d", major(), minor());
    json_object_set_new(object, "libev", json_string(text));
  }
  return object;
}

static json_t *cpu(void) {
  json_t *object = json_object();
  char line[512];
  char shown[512];
  FILE *file = fopen("/proc/cpuinfo", "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    const char *colon = strchr(line, ':');
    if (colon == NULL || strncmp(line, "model name", 10) != 0)
      continue;
    line[strcspn(line, "\n")] = 0;
    json_object_set_new(
        object, "model",
        json_string(mux_printable(shown, sizeof shown, colon + 1 + strspn(colon + 1, " \t"))));
    break;
  }
  if (file != NULL)
    fclose(file);
  json_object_set_new(object, "online", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  char list[MUX_CPUS_TEXT];
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    json_object_set_new(object, "allowed", json_string(mux_cpus_print(list, &allowed)));
  add_line(object, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  add_line(object, "smt", "/sys/devices/system/cpu/smt/active");
  return object;
}

static json_t *limits(void) {
  static const struct {
    const char *name;
    __rlimit_resource_t resource;
  } rows[] = {{"nofile", RLIMIT_NOFILE},
              {"nproc", RLIMIT_NPROC},
              {"memlock", RLIMIT_MEMLOCK},
              {"stack", RLIMIT_STACK},
              {"as", RLIMIT_AS}};
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct rlimit limit;
    if (getrlimit(rows[i].resource, &limit) != 0)
      continue;
    json_t *soft =
        limit.rlim_cur == RLIM_INFINITY ? json_null() : json_integer((json_int_t)limit.rlim_cur);
    json_t *hard =
        limit.rlim_max == RLIM_INFINITY ? json_null() : json_integer((json_int_t)limit.rlim_max);
    json_object_set_new(object, rows[i].name, json_pack("{s:o, s:o}", "soft", soft, "hard", hard));
  }
  return object;
}

static json_t *sysctls(void) {
  static const char *const names[] = {"net/core/somaxconn",
                                      "net/core/rmem_max",
                                      "net/core/wmem_max",
                                      "net/core/default_qdisc",
                                      "net/core/busy_poll",
                                      "net/ipv4/ip_local_port_range",
                                      "net/ipv4/tcp_congestion_control",
                                      "net/ipv4/tcp_max_syn_backlog",
                                      "net/ipv4/tcp_rmem",
                                      "net/ipv4/tcp_wmem",
                                      "net/ipv4/tcp_mem",
                                      "net/ipv4/tcp_tw_reuse",
                                      "net/ipv4/tcp_syncookies",
                                      "kernel/pid_max",
                                      "kernel/threads-max",
                                      "kernel/perf_event_paranoid",
                                      "kernel/io_uring_disabled",
                                      "vm/max_map_count",
                                      "vm/overcommit_memory"};
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/%s", names[i]);
    add_line(object, names[i], path);
  }
  return object;
}

json_t *environment_json(void) {
  const struct mux_build_info *info = &mux_build_info;
  struct utsname name;
  json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "version", info->version, "git", info->git,
                             "compiler", info->compiler, "flags", info->flags);
  json_object_set_new(object, "libraries", libraries());
  if (uname(&name) == 0)
    json_object_set_new(object, "kernel",
                        json_pack("{s:s, s:s, s:s}", "release", name.release, "version",
                                  name.version, "machine", name.machine));
  json_object_set_new(object, "cpu", cpu());
  json_t *clock = json_object();
  add_line(clock, "source", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  add_line(clock, "available",
           "/sys/devices/system/clocksource/clocksource0/available_clocksource");
  json_object_set_new(object, "clock", clock);
  json_object_set_new(object, "limits", limits());
  json_object_set_new(object, "sysctls", sysctls());
  return object;
}
