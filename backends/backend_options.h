/* backend_options.h: --options key=value,… of a backend, read by the backend's own table. */
#ifndef MUX_BACKEND_OPTIONS_H
#define MUX_BACKEND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/mux_backend.h"

enum { MUX_MAX_OPTIONS = 32 };

/* Number of rows; 0 for NULL. */
size_t mux_options_count(const struct mux_option *table);

/* Whether a text from outside is one line that can be shown on a terminal: printable ASCII, at most
 * 200 characters. */
bool mux_is_line(const char *text);

/* Whether a table from outside can be used. Returns 0, or -EINVAL and what is wrong in why. */
int mux_options_validate(const struct mux_option *table, char *why, size_t why_bytes);

/* Fills values[row] from text (NULL or "": all defaults). Returns 0, or -EINVAL with the reason in
 * why: an unknown or repeated key, or a value that is malformed or out of range. */
int mux_options_parse(const struct mux_option *table, const char *text,
                      int64_t values[MUX_MAX_OPTIONS], char *why, size_t why_bytes);

/* "stack=64KiB,backend=epoll": every option with its value, as parse() reads it. Returns out. */
char *mux_options_print(char *out, size_t out_bytes, const struct mux_option *table,
                        const int64_t *values);

/* What a value of this row may be, for help: "SIZE, 32KiB to 8MiB", "on|off". Returns out. */
char *mux_options_domain(char *out, size_t out_bytes, const struct mux_option *row);

#endif
