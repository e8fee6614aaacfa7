/* search.h: the highest rate that holds an objective, found by trying rates. What a try is, the
 * caller says; its answers may be noisy. */
#ifndef MUX_SEARCH_H
#define MUX_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum load_verdict {
  LOAD_HELD,
  LOAD_MISSED,
  LOAD_WAS_LIMIT, /* missed, but because of the load, not the server */
  LOAD_STOPPED,   /* by the user */
  LOAD_BROKEN,    /* could not be tried */
};

struct load_search {
  enum load_verdict (*try_rate)(void *arg, int64_t rate, const char *step);
  void *arg;
  int64_t held;   /* the highest rate that held, confirmed; 0: none */
  int64_t missed; /* the lowest one that did not; 0: none */
  bool limited;   /* ... because of the load */
};

/* Fills held, missed and limited. Returns LOAD_HELD, or LOAD_STOPPED or LOAD_BROKEN when a try says
 * so. */
enum load_verdict load_search(struct load_search *search);

#endif
