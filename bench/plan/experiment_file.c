/* experiment_file.c: libconfig files as trees of JSON, with the line of every key for messages, and
 * the overrides of --set. */
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/experiment.h"
#include "common/cli.h"
#include "common/input.h"

enum { FILE_BYTES_MAX = 1 << 20, DEPTH_MAX = 8, INCLUDES_MAX = 100 };

struct file_source {
  const char *path;
  config_t config;
  char *const *sets;
  int set_count;
};

enum { KEY_BYTES = 64 };

/* The path that --set KEY=VALUE sets: "load.depth" for "depth", as a plain name is an option of
 * load, else of serve, else a key of the experiment. False: it has no such form. */
static bool set_path(const char *set, char out[KEY_BYTES + 8]) {
  char key[KEY_BYTES];
  const char *equals = strchr(set, '=');
  if (equals == NULL || equals == set || (size_t)(equals - set) >= sizeof key)
    return false;
  snprintf(key, sizeof key, "%.*s", (int)(equals - set), set);
  const char *group = strchr(key, '.') != NULL                            ? ""
                      : experiment_option_find(OPTION_LOAD, key) != NULL  ? "load."
                      : experiment_option_find(OPTION_SERVE, key) != NULL ? "serve."
                                                                          : "";
  snprintf(out, KEY_BYTES + 8, "%s%s", group, key);
  return true;
}

/* NULL: the file itself, not one that it includes. */
static const char *source_name(const struct file_source *file, const char *included) {
  return included != NULL ? included : file->path;
}

static void locate(const struct experiment_source *source, const char *path, char *out,
                   size_t out_bytes) {
  struct file_source *file = source->data;
  for (int i = file->set_count - 1; i >= 0; i--) { /* the last one holds */
    char set[KEY_BYTES + 8];
    char shown[64];
    if (set_path(file->sets[i], set) && strcmp(set, path) == 0) {
      snprintf(out, out_bytes, "--set %s", mux_printable(shown, sizeof shown, file->sets[i]));
      return;
    }
  }
  /* The nearest key that is in the file itself: a default has its group's line. */
  char upwards[128];
  snprintf(upwards, sizeof upwards, "%s", path);
  config_setting_t *setting;
  while ((setting = config_lookup(&file->config, upwards)) == NULL) {
    char *dot = strrchr(upwards, '.');
    if (dot == NULL)
      break;
    *dot = 0;
  }
  if (setting != NULL)
    snprintf(out, out_bytes, "%s:%u", source_name(file, config_setting_source_file(setting)),
             config_setting_source_line(setting));
  else
    snprintf(out, out_bytes, "%s", file->path);
}

/* NULL when nested too deeply. */
static json_t *tree_of(const config_setting_t *setting, int depth) {
  if (depth > DEPTH_MAX)
    return NULL;
  switch (config_setting_type(setting)) {
  case CONFIG_TYPE_INT:
  case CONFIG_TYPE_INT64:
    return json_integer(config_setting_get_int64(setting));
  case CONFIG_TYPE_FLOAT:
    return json_real(config_setting_get_float(setting));
  case CONFIG_TYPE_BOOL:
    return json_boolean(config_setting_get_bool(setting));
  case CONFIG_TYPE_STRING:
    return json_string(config_setting_get_string(setting));
  default:
    break;
  }
  bool group = config_setting_is_group(setting);
  json_t *tree = group ? json_object() : json_array();
  int n = config_setting_length(setting);
  for (int i = 0; i < n; i++) {
    const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
    json_t *value = tree_of(element, depth + 1);
    int rc = value == NULL ? -1
             : group       ? json_object_set_new(tree, config_setting_name(element), value)
                           : json_array_append_new(tree, value);
    if (rc != 0) { /* not UTF-8, or too deep */
      json_decref(tree);
      return NULL;
    }
  }
  return tree;
}

/* "a,b" as a list, "a" as a text. */
static json_t *override_value(const char *text) {
  if (strchr(text, ',') == NULL)
    return json_string(text);
  json_t *list = json_array();
  for (const char *p = text;; p++) {
    const char *end = strchrnul(p, ',');
    json_array_append_new(list, json_stringn(p, (size_t)(end - p)));
    p = end;
    if (*end == 0)
      return list;
  }
}

/* Applies one KEY=VALUE. */
static int apply_set(json_t *tree, const char *set, char *why, size_t why_bytes) {
  char path[KEY_BYTES + 8];
  char shown[64];
  if (!set_path(set, path)) {
    snprintf(why, why_bytes, "--set '%s': expected KEY=VALUE",
             mux_printable(shown, sizeof shown, set));
    return -EINVAL;
  }
  json_t *into = tree;
  char *name = path;
  char *dot = strchr(path, '.');
  if (dot != NULL) {
    *dot = 0;
    name = dot + 1;
    if (strcmp(path, "load") != 0 && strcmp(path, "serve") != 0) {
      snprintf(why, why_bytes, "--set '%s': the groups are load and serve",
               mux_printable(shown, sizeof shown, set));
      return -EINVAL;
    }
    into = json_object_get(tree, path);
    if (!json_is_object(into)) {
      into = json_object();
      json_object_set_new(tree, path, into);
    }
  }
  json_t *value = override_value(strchr(set, '=') + 1);
  if (value == NULL || json_object_set_new(into, name, value) != 0) {
    snprintf(why, why_bytes, "--set %s: it is not UTF-8", mux_printable(shown, sizeof shown, name));
    return -EINVAL;
  }
  return 0;
}

/* "quick" of "bench/experiments/quick.cfg". */
static void name_of(const char *path, char *out, size_t out_bytes) {
  const char *slash = strrchr(path, '/');
  snprintf(out, out_bytes, "%s", slash != NULL ? slash + 1 : path);
  char *dot = strrchr(out, '.');
  if (dot != NULL && dot != out)
    *dot = 0;
}

/* The file that a line `@include "FILE"` names, cut out of the line; NULL if it is another line. */
static char *included_by(char *line) {
  static const char word[] = "@include";
  char *p = line + strspn(line, " \t");
  if (strncmp(p, word, sizeof word - 1) != 0)
    return NULL;
  p += sizeof word - 1;
  p += strspn(p, " \t");
  char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
  if (end == NULL)
    return NULL;
  *end = 0;
  return p + 1;
}

/* libconfig opens what a file includes itself, and would block on a FIFO, and exit() on a
 * directory: so those files are opened here before, as it will do it. *left bounds how many there
 * are. */
static int try_includes(const char *path, FILE *from, int *left, char *why, size_t why_bytes) {
  char *line = NULL;
  size_t bytes = 0;
  int rc = 0;
  for (int number = 1; rc == 0 && getline(&line, &bytes, from) > 0; number++) {
    char reason[256];
    const char *name = included_by(line);
    if (name == NULL)
      continue;
    FILE *included = mux_input_open(name, FILE_BYTES_MAX, reason, sizeof reason);
    if (included == NULL || --*left < 0) {
      rc = -EINVAL;
      snprintf(why, why_bytes, "%s:%d: @include %s", path, number,
               included == NULL ? reason : "makes more than 100 included files");
    } else {
      rc = try_includes(name, included, left, why, why_bytes);
    }
    if (included != NULL)
      fclose(included);
  }
  free(line);
  return rc;
}

static int read_file(struct file_source *file, char *why, size_t why_bytes) {
  FILE *from = mux_input_open(file->path, FILE_BYTES_MAX, why, why_bytes);
  int left = INCLUDES_MAX;
  if (from == NULL)
    return -EINVAL;
  int rc = try_includes(file->path, from, &left, why, why_bytes);
  rewind(from);
  if (rc == 0 && !config_read(&file->config, from)) {
    rc = -EINVAL;
    snprintf(why, why_bytes, "%s:%d: %s", source_name(file, config_error_file(&file->config)),
             config_error_line(&file->config), config_error_text(&file->config));
  }
  fclose(from);
  return rc;
}

struct experiment *experiment_read(const char *path, char *const *sets, int n, char *why,
                                   size_t why_bytes) {
  struct file_source file = {.path = path, .sets = sets, .set_count = n};
  struct experiment_source source = {.locate = locate, .data = &file};
  struct experiment *experiment = NULL;
  json_t *tree = NULL;
  char name[128];
  config_init(&file.config);
  if (read_file(&file, why, why_bytes) != 0)
    goto out;
  tree = tree_of(config_root_setting(&file.config), 0);
  if (tree == NULL) {
    snprintf(why, why_bytes, "%s: not UTF-8, or nested too deeply", path);
    goto out;
  }
  for (int i = 0; i < n; i++)
    if (apply_set(tree, sets[i], why, why_bytes) != 0)
      goto out;
  name_of(path, name, sizeof name);
  experiment = experiment_from_json(tree, name, &source, why, why_bytes);
out:
  json_decref(tree);
  config_destroy(&file.config);
  return experiment;
}
