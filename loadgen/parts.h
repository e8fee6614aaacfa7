/* parts.h: a load in N parts (--part K/N), each a process of its own, wherever it runs. What a part
 * has counted goes into its result as it is, histograms and all, so that the whole is a sum: counts
 * are added, percentiles come from merged counts only, and whether the result is valid is judged
 * anew. */
#ifndef MUX_PARTS_H
#define MUX_PARTS_H

#include <jansson.h>

#include "loadgen/load.h"

/* The "part" object of a result. NULL: no memory. The caller's. */
json_t *load_part_to_json(const struct load_config *config, const struct load_result *result);

/* A histogram of a part's result (not trusted). NULL: there is none. The caller's. */
struct mux_hdr *load_part_histogram(const json_t *result, enum load_kind kind);

/* Parts as they are read. */
struct load_whole {
  struct load_config config;
  struct load_result result;
  int parts;      /* N; 0: none yet */
  int added;      /* of them */
  bool *have;     /* [N] */
  json_t *common; /* what all parts have to agree on */
};

/* Adds a part's result (not trusted). Returns 0, or -EINVAL with one line in why: it is no part's
 * result, was made with other options, or is there already. */
int load_whole_add(struct load_whole *whole, const json_t *result, char *why, size_t why_bytes);
/* When all have been added: rates, shares and flags of the whole. Returns 0, or -ENOENT with the
 * parts that are missing named in why: the result is that of the others. */
int load_whole_finish(struct load_whole *whole, char *why, size_t why_bytes);
void load_whole_free(struct load_whole *whole);

#endif
