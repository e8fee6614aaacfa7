/* plugin.c: backends from outside the tree. A plug-in exports one symbol, `mux_plugin`.
 *
 * Loading an object runs its constructors, reading its tables follows its pointers, and its probe
 * may do anything. So a child process does all of that first: a plug-in that crashes, ends the
 * process or hangs there is refused with one line. Only a plug-in that the child has found sound is
 * loaded into this process, and its probe is not called again. */
#include "backends/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/adopt.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/input.h"
#include "common/memory.h"
#include "common/pidfd.h"

static const int64_t TRIAL_NS = 5 * MUX_S;

/* Those in use; never unloaded. */
struct loaded {
  char *path;
  struct mux_adopted adopted;
  struct loaded *next;
};
static struct loaded *loaded;

bool mux_plugin_is_path(const char *text) {
  size_t length = strlen(text);
  return strchr(text, '/') != NULL || (length > 3 && strcmp(text + length - 3, ".so") == 0);
}

/* ---- The object ----------------------------------------------------------------------------- */

static int open_object(void **object, const char *path, char *why, size_t why_bytes) {
  *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (*object != NULL)
    return 0;
  snprintf(why, why_bytes, "it cannot be loaded (%s)", dlerror());
  return -ENOEXEC;
}

/* By the object's symbol table (elf(5)): a function of that name must not be read as a pointer, nor
 * a variable that is too small for one. */
static bool holds_pointer(const void *symbol) {
  Dl_info info;
  const ElfW(Sym) *entry = NULL;
  return dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) != 0 && entry != NULL &&
         info.dli_saddr == symbol && ELF64_ST_TYPE(entry->st_info) == STT_OBJECT &&
         entry->st_size == sizeof(void *);
}

static int read_object(struct mux_adopted *own, void *object, char *why, size_t why_bytes) {
  const void *symbol = dlsym(object, "mux_plugin");
  if (symbol == NULL)
    snprintf(why, why_bytes, "it has no symbol mux_plugin (MUX_BACKEND(backend) exports it)");
  else if (!holds_pointer(symbol))
    snprintf(why, why_bytes, "its mux_plugin is not a variable that holds a pointer");
  else
    return mux_plugin_adopt(own, *(const struct mux_backend *const *)symbol, why, why_bytes);
  return -EINVAL;
}

/* ---- The trial in a child ------------------------------------------------------------------- */

/* In memory shared with the child. */
struct verdict {
  enum stage { LOADING, READING, LIMITING, PROBING, DONE } stage; /* what the child is doing */
  int rc;                                                         /* once it is done */
  char why[512];
};

static const char *const stage_names[DONE] = {[LOADING] = "when it is loaded",
                                              [READING] = "when its tables are read",
                                              [LIMITING] = "in fd_limit_with()",
                                              [PROBING] = "in probe()"};

static int try_stages(struct verdict *verdict, const char *path) {
  static struct mux_adopted own;
  void *object;
  int rc = open_object(&object, path, verdict->why, sizeof verdict->why);
  if (rc != 0)
    return rc;
  verdict->stage = READING;
  rc = read_object(&own, object, verdict->why, sizeof verdict->why);
  if (rc != 0)
    return rc;
  verdict->stage = LIMITING;
  mux_backend_fd_limit_of(&own.backend, NULL);
  verdict->stage = PROBING;
  char reason[256];
  rc = mux_backend_probe(&own.backend, reason, sizeof reason);
  if (rc != 0)
    snprintf(verdict->why, sizeof verdict->why, "it is not available: %s", reason);
  return rc;
}

/* The child. It dies with its parent, and whatever the plug-in prints is dropped. */
static _Noreturn void try_plugin(struct verdict *verdict, const char *path, pid_t parent) {
  static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0});
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
    signal(crashes[i], SIG_DFL);
  dup2(null_fd, STDOUT_FILENO);
  dup2(null_fd, STDERR_FILENO);
  if (getppid() == parent)
    verdict->rc = try_stages(verdict, path);
  verdict->stage = DONE;
  _exit(0);
}

/* Waits for the child's end, and kills it when its time is up. Returns its status as from
 * waitpid(2), or -ETIMEDOUT. */
static int wait_for_child(pid_t child, int pidfd) {
  struct pollfd end = {.fd = pidfd, .events = POLLIN};
  int64_t until = mux_now_ns() + TRIAL_NS;
  int ready;
  do { /* again if a signal has interrupted it */
    int64_t left = until - mux_now_ns();
    ready = poll(&end, 1, left > 0 ? (int)(left / MUX_MS) + 1 : 0);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0)
    kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return ready > 0 ? status : -ETIMEDOUT;
}

/* For a child that ended without a verdict. */
static void describe_end(const struct verdict *verdict, int status, char *why, size_t why_bytes) {
  const char *when = stage_names[verdict->stage];
  if (status == -ETIMEDOUT)
    snprintf(why, why_bytes, "it hangs %s (no end after %d s)", when, (int)(TRIAL_NS / MUX_S));
  else if (WIFSIGNALED(status))
    snprintf(why, why_bytes, "it crashes %s (%s)", when, strsignal(WTERMSIG(status)));
  else
    snprintf(why, why_bytes, "it ends the process %s (exit status %d)", when, WEXITSTATUS(status));
}

/* Returns 0 or -errno with the reason in why. */
static int try_in_child(const char *path, char *why, size_t why_bytes) {
  pid_t self = getpid();
  struct verdict *verdict =
      mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (verdict == MAP_FAILED)
    mux_die(MUX_EXIT_FAILED, "cannot map shared memory: %s", strerror(errno));
  pid_t child = fork();
  if (child == 0)
    try_plugin(verdict, path, self);
  int pidfd = child > 0 ? mux_pidfd_open(child) : -1;
  if (pidfd < 0)
    mux_die(MUX_EXIT_FAILED, "cannot try %s in a process of its own: %s", path, strerror(errno));
  int status = wait_for_child(child, pidfd);
  close(pidfd);
  int rc = -ENOEXEC;
  if (verdict->stage == DONE) {
    rc = verdict->rc;
    snprintf(why, why_bytes, "%s", verdict->why);
  } else {
    describe_end(verdict, status, why, why_bytes);
  }
  munmap(verdict, sizeof *verdict);
  return rc;
}

/* ---- Loading -------------------------------------------------------------------------------- */

static int load_object(struct mux_adopted *own, const char *path, char *why, size_t why_bytes) {
  void *object;
  int rc = open_object(&object, path, why, why_bytes);
  if (rc != 0)
    return rc;
  rc = read_object(own, object, why, why_bytes);
  if (rc != 0)
    dlclose(object);
  own->backend.probe = NULL; /* the child has called it */
  return rc;
}

int mux_plugin_load(const struct mux_backend **backend, const char *path, char *why,
                    size_t why_bytes) {
  for (const struct loaded *each = loaded; each != NULL; each = each->next)
    if (strcmp(each->path, path) == 0) {
      *backend = &each->adopted.backend;
      return 0;
    }
  FILE *file = mux_input_open(path, 0, why, why_bytes);
  if (file == NULL) {
    int error = errno;
    snprintf(why, why_bytes, "%s", mux_input_strerror(error));
    return -error;
  }
  fclose(file); /* dlopen() opens it itself */
  /* Without a slash dlopen() would search the library path instead. */
  char here[4096];
  int n = snprintf(here, sizeof here, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
  if (n < 0 || (size_t)n >= sizeof here) {
    snprintf(why, why_bytes, "its path is too long");
    return -ENAMETOOLONG;
  }
  int rc = try_in_child(here, why, why_bytes);
  if (rc != 0)
    return rc;
  struct loaded *own = mux_new(1, sizeof *own);
  rc = load_object(&own->adopted, here, why, why_bytes);
  if (rc != 0) {
    free(own);
    return rc;
  }
  own->path = mux_copy(path);
  own->next = loaded;
  loaded = own;
  *backend = &own->adopted.backend;
  return 0;
}
