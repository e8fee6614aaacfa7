/* experiment_servers.c: the `servers` of an experiment. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/experiment_reader.h"
#include "common/cli.h"
#include "common/memory.h"
#include "common/words.h"

void experiment_server_free(struct experiment_server *server) {
  free(server->label);
  free(server->backend);
  free(server->command);
  free(server->target);
  free(server->place);
  free(server->unavailable);
  for (int i = 0; i < server->own_count; i++)
    reader_axis_free(&server->own[i]);
  *server = (struct experiment_server){0};
}

bool reader_label_is_fine(const char *label) {
  size_t length = strlen(label);
  if (length == 0 || length > 64 || !isalnum((unsigned char)label[0]))
    return false;
  return strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
         length;
}

static bool is_command(const char *text) {
  char **words = mux_words_split(text);
  free(words);
  return words != NULL;
}

static void server_read_group(struct reader *r, struct experiment_server *server,
                              const json_t *group, const char *path) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)group, key, value) {
    char **text = strcmp(key, "name") == 0      ? &server->label
                  : strcmp(key, "backend") == 0 ? &server->backend
                  : strcmp(key, "command") == 0 ? &server->command
                  : strcmp(key, "target") == 0  ? &server->target
                                                : NULL;
    const struct mux_option_row *option = experiment_option_find(OPTION_SERVE, key);
    char shown[64];
    char inner[192];
    snprintf(inner, sizeof inner, "%s.%s", path, mux_printable(shown, sizeof shown, key));
    if (text != NULL) {
      if (!json_is_string(value))
        reader_blame(r, inner, "%s: expected a text in quotes", inner);
      else
        *text = mux_copy(json_string_value(value));
      if (*text != NULL && text == &server->command && !is_command(*text))
        reader_blame(r, inner, "%s: it has an open quote or no word", inner);
    } else if (option == NULL || json_is_array(value)) {
      reader_blame(r, inner,
                   "%s: '%s' is not a key of a server: name, backend, command, target or one "
                   "value for an option of serve",
                   path, shown);
    } else {
      reader_axis_read(r, &server->own[server->own_count++], OPTION_SERVE, option, value, inner);
    }
    if (r->failed)
      return;
  }
  int kinds = (server->backend != NULL) + (server->command != NULL) + (server->target != NULL);
  if (kinds != 1)
    reader_blame(r, path, "%s: a server has one of backend, command and target", path);
  else if (server->backend == NULL && server->own_count > 0)
    reader_blame(r, path, "%s: options of serve are for own backends", path);
  else if (server->label == NULL && server->backend == NULL)
    reader_blame(r, path, "%s: a server that is not a backend needs a name", path);
}

/* A backend's label is its name, that of a plug-in the name of its file. */
static char *default_label(const char *backend) {
  const char *slash = strrchr(backend, '/');
  char *label = mux_copy(slash != NULL ? slash + 1 : backend);
  size_t length = strlen(label);
  if (length > 3 && strcmp(label + length - 3, ".so") == 0)
    label[length - 3] = 0;
  return label;
}

static void server_read(struct reader *r, struct experiment *e, const json_t *value,
                        const char *path) {
  struct experiment_server *server = &e->servers[e->server_count++];
  server->place = reader_place(r, path);
  if (json_is_string(value)) {
    server->backend = mux_copy(json_string_value(value));
  } else if (json_is_object(value)) {
    server_read_group(r, server, value, path);
    if (r->failed)
      return;
  } else {
    reader_blame(r, path, "%s: expected a backend's name or a group", path);
    return;
  }
  if (server->label == NULL)
    server->label = default_label(server->backend);
  if (server->backend == NULL)
    server->backend = mux_copy(server->label);
  char shown[64];
  mux_printable(shown, sizeof shown, server->label);
  if (!reader_label_is_fine(server->label))
    reader_blame(r, path,
                 "'%s' cannot be a server's name: letters, digits, '.', '_' and '-', 64 at most",
                 shown);
  for (int i = 0; i < e->server_count - 1; i++)
    if (strcmp(e->servers[i].label, server->label) == 0)
      reader_blame(r, path, "two servers are called '%s'; give one a name of its own", shown);
}

void reader_servers(struct reader *r, struct experiment *e, const json_t *tree) {
  const json_t *value = json_object_get(tree, "servers");
  if (value == NULL ||
      (json_is_string(value) && strcmp(json_string_value(value), "available") == 0)) {
    e->all_available = true;
    return;
  }
  size_t n = json_is_array(value) ? json_array_size(value) : 1;
  if (n == 0 || n > EXPERIMENT_SERVERS) {
    reader_blame(r, "servers", "servers: expected \"available\" or a list of 1 to %d",
                 EXPERIMENT_SERVERS);
    return;
  }
  e->servers = mux_new(n, sizeof *e->servers);
  for (size_t i = 0; i < n && !r->failed; i++) {
    char path[64];
    if (json_is_array(value))
      snprintf(path, sizeof path, "servers.[%zu]", i);
    else
      snprintf(path, sizeof path, "servers");
    server_read(r, e, json_is_array(value) ? json_array_get(value, i) : value, path);
  }
}
