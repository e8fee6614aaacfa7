/* search.h: finds the highest rate that holds an objective. The caller supplies the try, whose
 * verdicts may be noisy. */
#ifndef MUX_SEARCH_H
#define MUX_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum load_verdict {
  LOAD_HELD,
  LOAD_MISSED,
  LOAD_WAS_LIMIT, /* missed because of the load, not the server */
  LOAD_STOPPED,   /* by the user */
  LOAD_BROKEN,    /* the try failed */
};

struct load_search {
  enum load_verdict (*try_rate)(void *arg, int64_t rate, const char *step);
  void *arg;
  int64_t held;   /* the highest rate that held and was verified; 0: none */
  int64_t missed; /* the lowest rate above it that missed; 0: none */
  bool limited;   /* ... because of the load */
};

/* Fills in held, missed and limited. Returns LOAD_HELD at its end, LOAD_STOPPED or LOAD_BROKEN if a
 * try returned that. */
enum load_verdict load_search(struct load_search *search);

#endif
