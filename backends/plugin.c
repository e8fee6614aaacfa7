/* plugin.c: backends from outside the tree. A plug-in exports one symbol, `mux_plugin`, and is
 * checked in full before anything of it is called. */
#include "backends/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the first version of the interface had, up to and including `run`. */
static const size_t LEAST_BYTES = offsetof(struct mux_backend, run) + sizeof(void *);

enum { LOADING_MS = 5000 };

/* Those in use; never unloaded. */
struct loaded {
  char *path;
  struct mux_backend backend;
  struct loaded *next;
};
static struct loaded *loaded;

bool mux_plugin_is_path(const char *text) {
  size_t length = strlen(text);
  return strchr(text, '/') != NULL || (length > 3 && strcmp(text + length - 3, ".so") == 0);
}

int mux_plugin_adopt(struct mux_backend *own, const struct mux_backend *given, char *why,
                     size_t why_bytes) {
  if (given == NULL) {
    snprintf(why, why_bytes, "its mux_plugin points nowhere");
    return -EINVAL;
  }
  if (given->abi_version != MUX_ABI_VERSION) {
    snprintf(why, why_bytes, "it was built for interface version %u, this program has %d: rebuild",
             given->abi_version, MUX_ABI_VERSION);
    return -EINVAL;
  }
  if (given->struct_bytes < LEAST_BYTES) {
    snprintf(why, why_bytes, "its struct mux_backend has %u bytes, at least %zu are needed",
             given->struct_bytes, LEAST_BYTES);
    return -EINVAL;
  }
  *own = (struct mux_backend){0};
  memcpy(own, given, given->struct_bytes < sizeof *own ? given->struct_bytes : sizeof *own);
  return mux_backend_validate(own, why, why_bytes);
}

/* Loading runs what the object wants to have run at once, its constructors. A child does it first,
 * so that one that crashes, exits or hangs there is refused in words. Returns 0 or -ENOEXEC. */
static int try_in_child(const char *path, char *why, size_t why_bytes) {
  int ends[2];
  char done = 0;
  int status = 0;
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -errno;
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    dlopen(path, RTLD_NOW | RTLD_LOCAL);
    _exit(write(ends[1], "+", 1) == 1 ? 0 : 1);
  }
  int rc = child > 0 ? 0 : -errno;
  close(ends[1]);
  struct pollfd wait = {.fd = ends[0], .events = POLLIN};
  bool hangs = rc == 0 && poll(&wait, 1, LOADING_MS) == 0;
  if (rc == 0 && !hangs && read(ends[0], &done, 1) < 0)
    done = 0;
  close(ends[0]);
  if (rc == 0 && done == 0) {
    if (hangs)
      kill(child, SIGKILL);
    rc = -ENOEXEC;
  }
  if (child > 0)
    waitpid(child, &status, 0);
  if (rc == -ENOEXEC && hangs)
    snprintf(why, why_bytes, "loading it does not end within %d s", LOADING_MS / 1000);
  else if (rc == -ENOEXEC && WIFSIGNALED(status))
    snprintf(why, why_bytes, "it crashes when it is loaded (%s)", strsignal(WTERMSIG(status)));
  else if (rc == -ENOEXEC)
    snprintf(why, why_bytes, "it ends the process when it is loaded (exit status %d)",
             WEXITSTATUS(status));
  else if (rc != 0)
    snprintf(why, why_bytes, "cannot try to load it: %s", strerror(-rc));
  return rc;
}

/* Makes *own of the object's symbol. Returns 0 or -errno with the reason in why. */
static int load_object(struct loaded *own, const char *path, char *why, size_t why_bytes) {
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (object == NULL) {
    snprintf(why, why_bytes, "it cannot be loaded (%s)", dlerror());
    return -ENOEXEC;
  }
  const struct mux_backend *const *symbol = dlsym(object, "mux_plugin");
  int rc = -EINVAL;
  if (symbol == NULL)
    snprintf(why, why_bytes, "it has no symbol mux_plugin (MUX_BACKEND(backend) exports it)");
  else
    rc = mux_plugin_adopt(&own->backend, *symbol, why, why_bytes);
  if (rc != 0)
    dlclose(object);
  return rc;
}

int mux_plugin_load(const struct mux_backend **backend, const char *path, char *why,
                    size_t why_bytes) {
  for (const struct loaded *each = loaded; each != NULL; each = each->next)
    if (strcmp(each->path, path) == 0) {
      *backend = &each->backend;
      return 0;
    }
  if (access(path, R_OK) != 0) {
    int error = errno;
    snprintf(why, why_bytes, "%s", strerror(error));
    return -error;
  }
  /* Without a slash dlopen() would search the library path instead. */
  char here[4096];
  int n = snprintf(here, sizeof here, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
  if (n < 0 || (size_t)n >= sizeof here) {
    snprintf(why, why_bytes, "its path is too long");
    return -ENAMETOOLONG;
  }
  struct loaded *own = calloc(1, sizeof *own);
  char *copy = strdup(path);
  int rc = try_in_child(here, why, why_bytes);
  if (rc == 0 && (own == NULL || copy == NULL)) {
    snprintf(why, why_bytes, "no memory");
    rc = -ENOMEM;
  }
  if (rc == 0)
    rc = load_object(own, here, why, why_bytes);
  if (rc != 0) {
    free(copy);
    free(own);
    return rc;
  }
  own->path = copy;
  own->next = loaded;
  loaded = own;
  *backend = &own->backend;
  return 0;
}
