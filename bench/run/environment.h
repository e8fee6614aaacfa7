/* environment.h: what a result depends on besides the program: machine, kernel, limits, setup. */
#ifndef MUX_ENVIRONMENT_H
#define MUX_ENVIRONMENT_H

#include <jansson.h>

/* git, compiler, flags, libraries, kernel, cpu, clock, limits, sysctls. The caller decrefs it. */
json_t *environment_json(void);

/* First line of a small file, without its end; "" if it cannot be read. Returns out. */
char *environment_line(char *out, size_t out_bytes, const char *path);

#endif
