/* find_rate.c: see find_rate.h. */
#include "loadgen/find_rate.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/units.h"

enum { FIRST_RATE = 1000, HIGHEST_RATE = 100000000, VERIFICATIONS_MOST = 6, LONGER_MOST = 10 };
static const double close_enough = 1.03; /* bracket: highest over lowest */
static const double step_down = 0.95;    /* after a verification that failed */

int load_objective_parse(struct load_objective *objective, const char *text) {
  char *end;
  if (text[0] != 'p')
    return -EINVAL;
  objective->percentile = strtod(text + 1, &end);
  if (end == text + 1 || *end != '<' || !(objective->percentile > 0) ||
      objective->percentile >= 100)
    return -EINVAL;
  return mux_parse_time(end + 1, &objective->limit_ns) == 0 && objective->limit_ns > 0 ? 0
                                                                                       : -EINVAL;
}

enum verdict { HELD, MISSED, LOAD_WAS_LIMIT, STOPPED };

struct search {
  struct load_config config;
  const struct load_objective *objective;
  FILE *text;
  json_t *path;
  bool limited; /* the load could not, at the top of the bracket */
};

/* Too few samples for the percentile: the largest stands in for it. */
static int64_t value_of(const struct load_objective *objective, const struct load_result *r) {
  const struct mux_hdr *h = r->hdr[LOAD_RESPONSE];
  return mux_hdr_beyond(h, objective->percentile) >= 10
             ? mux_hdr_percentile(h, objective->percentile)
             : h->max;
}

/* Long enough for ten samples beyond the percentile, within reason. */
static int64_t try_length(const struct search *s, int64_t rate) {
  double samples = 10 / (1 - s->objective->percentile / 100);
  double wanted = samples / (double)rate * 1e9;
  double least = (double)s->config.duration_ns;
  double most = LONGER_MOST * least;
  return (int64_t)(wanted < least ? least : wanted > most ? most : wanted);
}

static enum verdict try_rate(struct search *s, int64_t rate, int lengths, const char *step) {
  static const char *const names[] = {"held", "missed", "the load was the limit", "interrupted"};
  struct load_config config = s->config;
  struct load_result r;
  config.rate_per_s = rate;
  config.duration_ns = lengths * try_length(s, rate);
  if (load_run(&config, &r) != 0)
    return STOPPED;
  load_judge(&config, &r);
  int64_t value = value_of(s->objective, &r);
  bool below = r.hdr[LOAD_RESPONSE]->total > 0 && value < s->objective->limit_ns;
  bool clean = load_errors_total(&r) == 0 &&
               !(r.flags & (LOAD_RATE_MISSED | LOAD_UNANSWERED | LOAD_SHORT_OF_CONNECTIONS));
  bool own = r.flags & (LOAD_SLIP_HIGH | LOAD_CLIENT_BOUND);
  enum verdict verdict =
      r.interrupted            ? STOPPED
      : below && clean && !own ? HELD
      : own || (below && !clean && r.hdr[LOAD_BACKPRESSURE]->max == 0 && load_errors_total(&r) == 0)
          ? LOAD_WAS_LIMIT
          : MISSED;
  if (r.flags & LOAD_SHORT_OF_CONNECTIONS || load_errors_total(&r) > 0)
    load_explain(&config, &r);
  char shown[2][MUX_UNIT_TEXT];
  fprintf(s->text, "  %-8s %8s/s: p%g %s, %s\n", step, mux_show_count(shown[0], (double)rate),
          s->objective->percentile, mux_show_time(shown[1], (double)value), names[verdict]);
  fflush(s->text);
  json_array_append_new(s->path, json_pack("{s:s, s:I, s:f, s:s}", "step", step, "rate_per_s",
                                           (json_int_t)rate, "value_us", (double)value / 1e3,
                                           "verdict", names[verdict]));
  load_result_free(&r);
  return verdict;
}

static enum verdict failed(struct search *s, enum verdict verdict) {
  s->limited = verdict == LOAD_WAS_LIMIT;
  return verdict;
}

/* [*low holds, *high does not]; *low 0: nothing holds. */
static enum verdict bracket(struct search *s, int64_t *low, int64_t *high) {
  enum verdict verdict = HELD;
  *low = 0;
  *high = 0;
  for (int64_t rate = FIRST_RATE; rate >= 1 && rate <= HIGHEST_RATE && (*low == 0 || *high == 0);) {
    verdict = try_rate(s, rate, 1, "bracket");
    if (verdict == STOPPED)
      break;
    if (verdict == HELD)
      *low = rate;
    else
      failed(s, verdict);
    if (verdict != HELD)
      *high = rate;
    rate = verdict == HELD ? rate * 2 : rate / 2;
  }
  return verdict;
}

static enum verdict bisect(struct search *s, int64_t *low, int64_t *high) {
  while ((double)*high > (double)*low * close_enough && *high - *low > 1) {
    int64_t rate = (int64_t)sqrt((double)*low * (double)*high);
    rate = rate <= *low ? *low + 1 : rate;
    enum verdict verdict = try_rate(s, rate, 1, "bisect");
    if (verdict == STOPPED)
      return STOPPED;
    if (verdict != HELD)
      failed(s, verdict);
    *(verdict == HELD ? low : high) = rate;
  }
  return HELD;
}

/* Returns the rate that stood a run of twice the length; 0: none did. */
static int64_t verify(struct search *s, int64_t rate, enum verdict *verdict) {
  for (int i = 0; i < VERIFICATIONS_MOST && rate >= 1; i++) {
    *verdict = try_rate(s, rate, 2, "verify");
    if (*verdict == HELD)
      return rate;
    if (*verdict == STOPPED)
      return 0;
    failed(s, *verdict);
    rate = (int64_t)((double)rate * step_down);
  }
  return 0;
}

int load_find_rate(const struct load_config *base, const struct load_objective *objective,
                   FILE *text, FILE *json) {
  struct search s = {.config = *base, .objective = objective, .text = text, .path = json_array()};
  int64_t low;
  int64_t high;
  int64_t found = 0;
  enum verdict verdict = bracket(&s, &low, &high);
  if (verdict != STOPPED && low > 0 && high > 0)
    verdict = bisect(&s, &low, &high);
  if (verdict != STOPPED && low > 0)
    found = verify(&s, low, &verdict);
  char limit[MUX_UNIT_TEXT];
  char rate[MUX_UNIT_TEXT];
  mux_print_time(limit, objective->limit_ns);
  if (found > 0)
    fprintf(text, "%s messages per second keep p%g below %s%s.\n",
            mux_show_count(rate, (double)found), objective->percentile, limit,
            s.limited ? " (at least: above that the load was the limit)" : "");
  else
    fprintf(text, "No rate was found that keeps p%g below %s.\n", objective->percentile, limit);
  if (s.limited)
    mux_warn("the load was the limit, not the server; raise --threads or --cpus, or --spin 100us");
  json_t *root = json_pack("{s:f, s:f, s:o, s:b, s:o}", "percentile", objective->percentile,
                           "limit_us", (double)objective->limit_ns / 1e3, "rate_per_s",
                           found > 0 ? json_integer(found) : json_null(), "valid",
                           found > 0 && !s.limited, "path", s.path);
  if (json != NULL)
    json_dumpf(root, json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
  if (json != NULL)
    fputc('\n', json);
  json_decref(root);
  return verdict == STOPPED ? MUX_EXIT_INTERRUPTED
         : s.limited        ? MUX_EXIT_FAILED
         : found == 0       ? MUX_EXIT_THRESHOLD
                            : MUX_EXIT_OK;
}
