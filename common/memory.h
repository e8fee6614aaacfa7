/* memory.h: memory that a command cannot do without. When there is none the program ends with one
 * line and exit 1, as after any other failure: what is finished is on disk. Where much else hangs
 * on a process (the data path of a server or of the load) -ENOMEM is returned instead. */
#ifndef MUX_MEMORY_H
#define MUX_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed room for n things; valid for n = 0, too. Each is the caller's to free(). */
void *mux_new(size_t n, size_t bytes);
/* Room for n, the first ones as they were, further ones undefined. */
void *mux_resize(void *old, size_t n, size_t bytes);
char *mux_copy(const char *text);
char *mux_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *mux_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
/* What a library has made, unless it is NULL for want of memory. */
void *mux_made(void *object);

#endif
