/* environment.h: what a result depends on beside the program: machine, kernel, limits, settings. */
#ifndef MUX_ENVIRONMENT_H
#define MUX_ENVIRONMENT_H

#include <jansson.h>

/* git, compiler and flags, library versions, kernel, cpu, clock, limits, sysctls. Caller decrefs.
 */
json_t *environment_json(void);

/* First line of a small file, without its end; "" if it cannot be read. Returns out. */
char *environment_line(char *out, size_t out_bytes, const char *path);

#endif
