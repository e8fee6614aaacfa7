/* adopt.c: see adopt.h. */
#include "backends/adopt.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

enum {
  NAME_BYTES = 31,
  LARGEST_STRUCT = 4096,        /* larger sizes are refused */
  ALIGNMENT = _Alignof(void *), /* of every struct and table */
};

#define END_OF(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* ---- Sizes ---------------------------------------------------------------------------------- */

/* How long each struct was when this version of the interface began. */
static const struct {
  const char *name;
  size_t offset; /* in struct mux_abi */
  size_t least_bytes;
} structs[] = {
    {"mux_backend", offsetof(struct mux_abi, backend_bytes),
     END_OF(struct mux_backend, fd_limit_with)},
    {"mux_poller", offsetof(struct mux_abi, poller_bytes), END_OF(struct mux_poller, close)},
    {"mux_option", offsetof(struct mux_abi, option_bytes), END_OF(struct mux_option, choices)},
    {"mux_exemption", offsetof(struct mux_abi, exemption_bytes),
     END_OF(struct mux_exemption, reason)},
    {"mux_event", offsetof(struct mux_abi, event_bytes), END_OF(struct mux_event, ready)},
};

static int check_abi(const struct mux_abi *abi, char *why, size_t why_bytes) {
  if (abi->version != MUX_ABI_VERSION) {
    snprintf(why, why_bytes,
             "it was built for plug-in ABI %u, this muxbench has %d: rebuild it with its "
             "mux_backend.h",
             abi->version, MUX_ABI_VERSION);
    return -EINVAL;
  }
  for (size_t i = 0; i < sizeof structs / sizeof *structs; i++) {
    uint32_t bytes;
    memcpy(&bytes, (const char *)abi + structs[i].offset, sizeof bytes);
    if (bytes >= structs[i].least_bytes && bytes <= LARGEST_STRUCT && bytes % ALIGNMENT == 0)
      continue;
    snprintf(why, why_bytes, "its struct %s has %u bytes, which cannot be", structs[i].name, bytes);
    return -EINVAL;
  }
  return 0;
}

/* ---- Copies --------------------------------------------------------------------------------- */

/* Fields that the plug-in does not have are zero; fields that this program does not know are left
 * out. */
static void copy(void *own, size_t own_bytes, const void *given, size_t given_bytes) {
  memset(own, 0, own_bytes);
  memcpy(own, given, given_bytes < own_bytes ? given_bytes : own_bytes);
}

/* Both kinds of table end with a row whose first field, a pointer, is NULL. Copies at most `most`
 * rows and one more, which tells whether the table ends there. */
static void copy_table(void *own, size_t own_bytes, const void *given, size_t given_bytes,
                       size_t most) {
  const void *key = own;
  for (size_t row = 0; row <= most && key != NULL; row++) {
    char *to = (char *)own + row * own_bytes;
    copy(to, own_bytes, (const char *)given + row * given_bytes, given_bytes);
    memcpy(&key, to, sizeof key);
  }
}

static bool is_aligned(const void *pointer) {
  return (uintptr_t)pointer % ALIGNMENT == 0;
}

static int copy_all(struct mux_adopted *own, const struct mux_backend *given, char *why,
                    size_t why_bytes) {
  struct mux_backend *backend = &own->backend;
  const struct mux_abi *abi = &given->abi;
  copy(backend, sizeof *backend, given, abi->backend_bytes);
  if (!is_aligned(backend->poller) || !is_aligned(backend->options) ||
      !is_aligned(backend->exemptions)) {
    snprintf(why, why_bytes, "one of its pointers is not aligned");
    return -EINVAL;
  }
  if (backend->poller != NULL) {
    copy(&own->poller, sizeof own->poller, backend->poller, abi->poller_bytes);
    backend->poller = &own->poller;
  }
  if (backend->options != NULL) {
    copy_table(own->options, sizeof *own->options, backend->options, abi->option_bytes,
               MUX_MAX_OPTIONS);
    backend->options = own->options;
  }
  if (backend->exemptions != NULL) {
    copy_table(own->exemptions, sizeof *own->exemptions, backend->exemptions, abi->exemption_bytes,
               MUX_MAX_EXEMPTIONS);
    backend->exemptions = own->exemptions;
  }
  return 0;
}

/* ---- Checks --------------------------------------------------------------------------------- */

static bool is_name(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return length > 0 && length <= NAME_BYTES && name[length] == 0;
}

/* Whether an address lies in a segment of an object that may be executed. */
static int is_in_code(struct dl_phdr_info *object, size_t bytes, void *address) {
  (void)bytes;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 &&
        (uintptr_t)address - begin < segment->p_memsz)
      return 1;
  }
  return 0;
}

/* The first callback that does not point to code; NULL if they all do. */
static const char *bad_callback(const struct mux_backend *backend) {
  static const struct mux_poller none = {0};
  const struct mux_poller *poller = backend->poller != NULL ? backend->poller : &none;
  const struct {
    const char *name;
    void *address;
  } callbacks[] = {{"probe()", (void *)backend->probe},
                   {"run()", (void *)backend->run},
                   {"fd_limit_with()", (void *)backend->fd_limit_with},
                   {"open()", (void *)poller->open},
                   {"set()", (void *)poller->set},
                   {"wait()", (void *)poller->wait},
                   {"close()", (void *)poller->close}};
  for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++)
    if (callbacks[i].address != NULL && dl_iterate_phdr(is_in_code, callbacks[i].address) == 0)
      return callbacks[i].name;
  return NULL;
}

static int check_exemptions(const struct mux_backend *backend, char *why, size_t why_bytes) {
  const struct mux_exemption *row = backend->exemptions;
  for (int count = 0; row != NULL && row->test != NULL; row++, count++) {
    if (count == MUX_MAX_EXEMPTIONS) {
      snprintf(why, why_bytes, "its table of exemptions does not end within %d rows",
               MUX_MAX_EXEMPTIONS);
      return -EINVAL;
    }
    if (!mux_is_line(row->test) || row->reason == NULL || !mux_is_line(row->reason)) {
      snprintf(why, why_bytes, "the texts of its exemption %d are not printable", count + 1);
      return -EINVAL;
    }
  }
  return 0;
}

static int check_backend(const struct mux_backend *backend, char *why, size_t why_bytes) {
  const struct mux_poller *poller = backend->poller;
  const char *callback = bad_callback(backend);
  if (backend->name == NULL)
    snprintf(why, why_bytes, "it has no name");
  else if (!is_name(backend->name))
    snprintf(why, why_bytes, "its name is not 1 to %d characters of a-z, 0-9 and '-'", NAME_BYTES);
  else if (backend->summary == NULL || !mux_is_line(backend->summary))
    snprintf(why, why_bytes, "its summary is not a line of printable text");
  else if (backend->transports == 0)
    snprintf(why, why_bytes, "it names no transport");
  else if (poller == NULL && backend->run == NULL)
    snprintf(why, why_bytes, "it has neither a poller nor run()");
  else if (poller != NULL && backend->run != NULL)
    snprintf(why, why_bytes, "it has both a poller and run(); it must have exactly one");
  else if (poller != NULL && (poller->open == NULL || poller->set == NULL || poller->wait == NULL ||
                              poller->close == NULL))
    snprintf(why, why_bytes, "its poller lacks one of open, set, wait and close");
  else if (callback != NULL)
    snprintf(why, why_bytes, "its %s is not a function", callback);
  else
    return 0;
  return -EINVAL;
}

int mux_plugin_adopt(struct mux_adopted *own, const struct mux_backend *given, char *why,
                     size_t why_bytes) {
  *own = (struct mux_adopted){0};
  if (given == NULL || !is_aligned(given)) {
    snprintf(why, why_bytes, "its mux_plugin points nowhere");
    return -EINVAL;
  }
  int rc = check_abi(&given->abi, why, why_bytes);
  if (rc == 0)
    rc = copy_all(own, given, why, why_bytes);
  if (rc == 0)
    rc = check_backend(&own->backend, why, why_bytes);
  if (rc == 0)
    rc = mux_options_validate(own->backend.options, why, why_bytes);
  return rc == 0 ? check_exemptions(&own->backend, why, why_bytes) : rc;
}
