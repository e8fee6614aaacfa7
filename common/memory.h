/* memory.h: memory that a command cannot do without. If there is none, the program ends with one
 * line and exit 1, as after any other failure: what is finished is on disk. Where more depends on
 * the process, as in the data path of a server or of the load, functions return -ENOMEM instead. */
#ifndef MUX_MEMORY_H
#define MUX_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory for n objects; n may be 0. The caller frees what these functions return. */
void *mux_new(size_t n, size_t bytes);
/* Memory for n objects: the old ones as they were, further ones undefined. */
void *mux_resize(void *old, size_t n, size_t bytes);
char *mux_copy(const char *text);
char *mux_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mux_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
/* Returns what a library has made; NULL means that there was no memory. */
void *mux_made(void *object);

#endif
