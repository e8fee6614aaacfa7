/* fingerprint.h: what a run measures, so that nothing else is measured when it is resumed: its
 * experiment, this program, plug-ins, the programs and scripts of commands. */
#ifndef MUX_FINGERPRINT_H
#define MUX_FINGERPRINT_H

#include <jansson.h>

#include "bench/data/rundir.h"
#include "bench/plan/experiment.h"

/* {path, bytes, crc32} of a file; null if it cannot be read. */
json_t *fingerprint_file(const char *path);

/* {what: {path, bytes, crc32}}; the CRC is gzip's. Caller decrefs. */
json_t *fingerprints(const struct experiment *experiment, const struct rundir *dir);

/* Returns 0, or -EINVAL with one line that says what is another one now. */
int fingerprints_compare(const json_t *before, const struct experiment *experiment,
                         const struct rundir *dir, char *why, size_t why_bytes);

#endif
