/* fingerprint.c: see fingerprint.h. */
#include "bench/run/fingerprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "backends/registry.h"
#include "common/cli.h"
#include "common/input.h"
#include "common/words.h"

json_t *fingerprint_file(const char *path) {
  unsigned char data[16384];
  size_t n;
  json_int_t bytes = 0;
  unsigned long crc = crc32(0, NULL, 0);
  char text[16];
  char why[RUNDIR_PATH];
  FILE *file = mux_input_open(path, 0, why, sizeof why);
  if (file == NULL)
    return json_null();
  while ((n = fread(data, 1, sizeof data, file)) > 0) {
    crc = crc32(crc, data, (unsigned)n);
    bytes += (json_int_t)n;
  }
  fclose(file);
  snprintf(text, sizeof text, "%08lx", crc);
  return json_pack("{s:s, s:I, s:s}", "path", path, "bytes", bytes, "crc32", text);
}

static void add(json_t *to, const char *what, const char *path) {
  json_object_set_new(to, what, fingerprint_file(path));
}

/* A program that is looked for in PATH, or "". */
static void find_program(const char *name, char out[RUNDIR_PATH]) {
  const char *path = getenv("PATH");
  out[0] = 0;
  if (strchr(name, '/') != NULL)
    snprintf(out, RUNDIR_PATH, "%s", name);
  for (const char *p = path; out[0] == 0 && p != NULL && *p != 0;) {
    size_t length = strcspn(p, ":");
    snprintf(out, RUNDIR_PATH, "%.*s/%s", (int)length, p, name);
    if (access(out, X_OK) != 0)
      out[0] = 0;
    p += length + (p[length] == ':');
  }
}

/* The program, and every word that is a file: the script of an interpreter. */
static void add_command(json_t *to, const struct experiment_server *server) {
  char what[256];
  char path[RUNDIR_PATH];
  struct stat status;
  char **words = mux_words_split(server->command);
  for (int i = 0; words != NULL && words[i] != NULL; i++) {
    if (i == 0)
      find_program(words[i], path);
    else
      snprintf(path, sizeof path, "%s", words[i]);
    snprintf(what, sizeof what, "%s, word %d", server->label, i + 1);
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
      add(to, what, path);
  }
  free(words);
}

json_t *fingerprints(const struct experiment *e, const struct rundir *dir) {
  char path[RUNDIR_PATH];
  json_t *all = json_object();
  add(all, "effective.json", rundir_file(dir, path, "effective.json"));
  add(all, "muxbench", "/proc/self/exe");
  json_object_del(json_object_get(all, "effective.json"), "path"); /* a directory may be moved */
  for (int i = 0; i < e->server_count; i++) {
    const struct experiment_server *server = &e->servers[i];
    if (server->command != NULL)
      add_command(all, server);
    else if (server->target == NULL && mux_plugin_is_path(server->backend))
      add(all, server->label, server->backend);
  }
  return all;
}

int fingerprints_compare(const json_t *before, const struct experiment *e, const struct rundir *dir,
                         char *why, size_t why_bytes) {
  const char *what;
  json_t *now;
  json_t *all = fingerprints(e, dir);
  int rc = 0;
  json_object_foreach(all, what, now) {
    const json_t *then = json_object_get(before, what);
    if (rc == 0 && !json_equal(then, now)) {
      rc = -EINVAL;
      snprintf(why, why_bytes,
               "%s is not what it was when the run began; to measure it as it is now, begin a new "
               "run",
               what);
    }
  }
  json_decref(all);
  return rc;
}
