/* find_rate.c: see find_rate.h. */
#include "loadgen/find_rate.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/units.h"

enum { LONGER_MOST = 10 };

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

struct tries {
  struct load_config config;
  const struct load_objective *objective;
  FILE *text;
  json_t *path;
};

/* With too few samples for the percentile, the largest. */
static int64_t value_of(const struct load_objective *objective, const struct mux_hdr *h) {
  return mux_hdr_is_known(h, objective->percentile) ? mux_hdr_percentile(h, objective->percentile)
                                                    : h->max;
}

/* Response includes the load's own lateness: below the limit is below the limit. */
enum load_verdict load_objective_judge(const struct load_objective *objective,
                                       const struct load_result *r, int64_t *value) {
  *value = value_of(objective, r->hdr[LOAD_RESPONSE]);
  bool below = r->hdr[LOAD_RESPONSE]->total > 0 && *value < objective->limit_ns;
  bool served = !load_failed(r);
  bool sent = !(r->flags & LOAD_RATE_MISSED);
  if (r->interrupted)
    return LOAD_STOPPED;
  if (below && served && sent)
    return LOAD_HELD;
  bool late =
      r->flags & LOAD_SLIP_HIGH && value_of(objective, r->hdr[LOAD_SERVICE]) < objective->limit_ns;
  bool refused = r->hdr[LOAD_BACKPRESSURE]->max > 0; /* the socket took no more */
  bool own = r->flags & LOAD_CLIENT_BOUND || late || (below && !sent && !refused);
  return served && own ? LOAD_WAS_LIMIT : LOAD_MISSED;
}

/* Long enough for ten samples beyond the percentile, up to a bound. */
static int64_t try_length(const struct tries *t, int64_t rate) {
  double samples = 10 / (1 - t->objective->percentile / 100);
  double wanted = samples / (double)rate * 1e9;
  double least = (double)t->config.duration_ns;
  double most = LONGER_MOST * least;
  return (int64_t)(wanted < least ? least : wanted > most ? most : wanted);
}

static enum load_verdict try_rate(void *arg, int64_t rate, const char *step) {
  static const char *const names[] = {"held", "missed", "the load was the limit", "interrupted"};
  struct tries *t = arg;
  struct load_config config = t->config;
  struct load_result r;
  config.rate_per_s = rate;
  config.duration_ns = try_length(t, rate);
  if (load_run(&config, &r) != 0)
    return LOAD_BROKEN;
  load_judge(&config, &r);
  int64_t value;
  enum load_verdict verdict = load_objective_judge(t->objective, &r, &value);
  if (load_failed(&r))
    load_explain(&config, &r);
  char shown[2][MUX_UNIT_TEXT];
  fprintf(t->text, "  %-8s %8s/s: p%g %s, %s\n", step, mux_show_count(shown[0], (double)rate),
          t->objective->percentile, mux_show_time(shown[1], (double)value), names[verdict]);
  fflush(t->text);
  json_array_append_new(t->path, json_pack("{s:s, s:I, s:f, s:s}", "step", step, "rate_per_s",
                                           (json_int_t)rate, "value_us", (double)value / 1e3,
                                           "verdict", names[verdict]));
  load_result_free(&r);
  return verdict;
}

static json_t *rate_or_null(int64_t rate) {
  return rate > 0 ? json_integer(rate) : json_null();
}

static const char *show_rate(char out[MUX_UNIT_TEXT + 32], int64_t rate) {
  char count[MUX_UNIT_TEXT];
  snprintf(out, MUX_UNIT_TEXT + 32, "%s message%s per second", mux_show_count(count, (double)rate),
           rate == 1 ? "" : "s");
  return out;
}

/* One sentence to quote. */
static void print_answer(const struct tries *t, const struct load_search *s) {
  char limit[MUX_UNIT_TEXT];
  char rate[MUX_UNIT_TEXT + 32];
  mux_print_time(limit, t->objective->limit_ns);
  if (s->held == 0) {
    fprintf(t->text, "No rate was found that keeps p%g below %s: %s missed it%s.\n",
            t->objective->percentile, limit, show_rate(rate, s->missed),
            s->limited ? ", and the load was the limit" : "");
    return;
  }
  fprintf(t->text, "p%g stays below %s at %s", t->objective->percentile, limit,
          show_rate(rate, s->held));
  if (s->missed > 0)
    fprintf(t->text, ", not at %s%s", show_rate(rate, s->missed),
            s->limited ? ", where the load was the limit" : "");
  fputs(".\n", t->text);
}

int load_find_rate(const struct load_config *base, FILE *text, FILE *json) {
  const struct load_objective *objective = &base->objective;
  struct tries t = {.config = *base, .objective = objective, .text = text, .path = json_array()};
  struct load_search s = {.try_rate = try_rate, .arg = &t};
  enum load_verdict verdict = load_search(&s);
  if (verdict == LOAD_HELD)
    print_answer(&t, &s);
  if (s.limited)
    mux_warn("the load was the limit, not the server; raise --threads or --cpus, or --spin 100us");
  json_t *root = json_pack("{s:f, s:f, s:o, s:o, s:b, s:o}", "percentile", objective->percentile,
                           "limit_us", (double)objective->limit_ns / 1e3, "rate_per_s",
                           rate_or_null(s.held), "missed_per_s", rate_or_null(s.missed), "valid",
                           s.held > 0 && !s.limited, "path", t.path);
  if (json != NULL)
    json_dumpf(root, json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
  if (json != NULL)
    fputc('\n', json);
  json_decref(root);
  return verdict == LOAD_STOPPED  ? MUX_EXIT_INTERRUPTED
         : verdict == LOAD_BROKEN ? MUX_EXIT_FAILED
         : s.held > 0             ? MUX_EXIT_OK
         : s.limited              ? MUX_EXIT_FAILED
                                  : MUX_EXIT_THRESHOLD;
}
