/* max_t.c: see max_t.h.
 *
 * Two integrals by the trapezoidal rule, which converges exponentially for smooth integrands that
 * vanish at both ends: over f, and over u = ln s, where the density of s is a bell whatever df is.
 * Given f and s the rivals are independent, so that a family of k costs as much as a pair. */
#include "bench/data/max_t.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdbool.h>

enum { NODES_MAX = 400, TABLE_SLOTS = 2048 };
static const double negligible = -25; /* exp of it, beside 1 */
static const double common_step = 0.3;

double normal_below(double x) {
  return 0.5 * erfc(-x * M_SQRT1_2);
}

struct nodes {
  int n;
  double at[NODES_MAX];
  double weight[NODES_MAX]; /* adds up to 1 */
};

static void add_node(struct nodes *nodes, double at, double log_density) {
  assert(nodes->n < NODES_MAX);
  nodes->at[nodes->n] = at;
  nodes->weight[nodes->n++] = exp(log_density);
}

static void normalise(struct nodes *nodes) {
  double sum = 0;
  for (int i = 0; i < nodes->n; i++)
    sum += nodes->weight[i];
  for (int i = 0; i < nodes->n; i++)
    nodes->weight[i] /= sum;
}

/* ln of the density of u = ln s, less its value at the mode u = 0. */
static double log_spread_density(double df, double u) {
  return df * (u - expm1(2 * u) / 2);
}

/* s = sqrt(chi^2(df)/df). */
static void spread_nodes(struct nodes *nodes, double df) {
  nodes->n = 0;
  if (df >= MAX_T_NORMAL_DF) {
    add_node(nodes, 1, 0);
    return;
  }
  double step = 0.4 / sqrt(df);
  double u = 0;
  while (log_spread_density(df, u) > negligible)
    u -= step;
  for (u += step; u <= 0 || log_spread_density(df, u) > negligible; u += step)
    add_node(nodes, exp(u), log_spread_density(df, u));
  normalise(nodes);
}

/* The common part f, standard normal; only half of it where the other half is its mirror image. */
static void common_nodes(struct nodes *nodes, double correlation, int sides) {
  nodes->n = 0;
  if (correlation <= 0) {
    add_node(nodes, 0, 0);
    return;
  }
  double end = sqrt(-2 * negligible);
  int first = sides == 2 ? 0 : -(int)(end / common_step);
  for (int i = first; i * common_step <= end; i++) {
    double f = i * common_step;
    add_node(nodes, f, -f * f / 2 + (sides == 2 && i > 0 ? M_LN2 : 0));
  }
  normalise(nodes);
}

/* The integral over f and s. */
static double below(const struct max_t *of, const struct nodes *common, const struct nodes *spread,
                    double c) {
  double r = fmin(fmax(of->correlation, 0), MAX_T_CORRELATION_MAX);
  double own = sqrt(1 - r);
  double sum = 0;
  for (int i = 0; i < common->n; i++) {
    double shift = sqrt(r) * common->at[i];
    double given_f = 0;
    for (int j = 0; j < spread->n; j++) {
      double limit = c * spread->at[j];
      double p = normal_below((limit - shift) / own);
      if (of->sides == 2)
        p -= normal_below((-limit - shift) / own);
      given_f += spread->weight[j] * (of->spread == MAX_T_SHARED ? pow(p, of->rivals) : p);
    }
    sum += common->weight[i] * (of->spread == MAX_T_SHARED ? given_f : pow(given_f, of->rivals));
  }
  return sum;
}

static void all_nodes(const struct max_t *of, struct nodes *common, struct nodes *spread) {
  assert(of->rivals >= 1 && of->rivals <= MAX_T_RIVALS_MAX && of->df >= 1);
  assert(of->sides == 1 || of->sides == 2);
  spread_nodes(spread, of->df);
  common_nodes(common, of->correlation, of->sides);
}

double max_t_below(const struct max_t *of, double c) {
  struct nodes common;
  struct nodes spread;
  all_nodes(of, &common, &spread);
  return below(of, &common, &spread, c);
}

double max_t_quantile(const struct max_t *of, double level) {
  assert(level >= 0.5 && level < 1);
  struct nodes common;
  struct nodes spread;
  all_nodes(of, &common, &spread);
  /* The tail is nearly a power of c: regula falsi on ln tail against ln c, Illinois variant. */
  double want = log(1 - level);
  double low = log(0.1);
  double high = log(2);
  double at_low = log(1 - below(of, &common, &spread, exp(low))) - want;
  double at_high;
  for (;; low = high, at_low = at_high, high += M_LN2) {
    at_high = log(fmax(1 - below(of, &common, &spread, exp(high)), 1e-300)) - want;
    if (at_high <= 0)
      break;
  }
  for (int turn = 0; turn < 60 && high - low > 1e-7; turn++) {
    double x = high - at_high * (high - low) / (at_high - at_low);
    double at_x = log(fmax(1 - below(of, &common, &spread, exp(x)), 1e-300)) - want;
    if (fabs(at_x) < 1e-7)
      return exp(x);
    if (at_x > 0) {
      low = x;
      at_low = at_x;
      at_high /= 2;
    } else {
      high = x;
      at_high = at_x;
      at_low /= 2;
    }
  }
  return exp(high);
}

/* ---- Table ------------------------------------------------------------------------------------
 */

struct slot {
  struct max_t of;
  double level;
  double quantile; /* 0: empty */
};

/* max_t_quantile, computed once. Not for several threads at once; thread-local, the table would
 * take its 96 KiB from the small stacks of the backend threads. */
static double at_node(const struct max_t *of, double level) {
  static struct slot slots[TABLE_SLOTS];
  uint64_t hash = (uint64_t)of->rivals * 40009 + (uint64_t)of->df * 521 +
                  (uint64_t)lrint(of->correlation * 100) * 31 + (uint64_t)of->sides * 7 +
                  (uint64_t)of->spread * 3 + (uint64_t)lrint(level * 1e5);
  struct slot *slot = &slots[hash % TABLE_SLOTS];
  bool same = slot->quantile > 0 && slot->level == level && slot->of.rivals == of->rivals &&
              slot->of.df == of->df && slot->of.correlation == of->correlation &&
              slot->of.sides == of->sides && slot->of.spread == of->spread;
  if (!same)
    *slot = (struct slot){*of, level, max_t_quantile(of, level)};
  return slot->quantile;
}

/* The nodes of df: whole numbers up to 40, then in steps of 10 %. Returns the node above. */
static double df_nodes(double df, double *low) {
  *low = fmax(1, floor(fmin(df, MAX_T_NORMAL_DF)));
  if (df < 40)
    return *low + 1;
  double step = floor(log(df / 40) / log(1.1));
  *low = fmin(floor(40 * pow(1.1, step)), MAX_T_NORMAL_DF);
  return fmin(floor(40 * pow(1.1, step + 1)), MAX_T_NORMAL_DF);
}

/* Between two correlations. */
static double at_df(const struct max_t *of, double df, double level) {
  double r = fmin(fmax(of->correlation, 0), MAX_T_CORRELATION_MAX);
  double low = floor(r * 10 + 1e-9) / 10;
  struct max_t node = *of;
  node.df = df;
  node.correlation = low;
  double at_low = at_node(&node, level);
  if (r - low < 1e-9)
    return at_low;
  node.correlation = floor(low * 10 + 1.5) / 10;
  return at_low + (at_node(&node, level) - at_low) * (r - low) * 10;
}

double max_t_quantile_table(const struct max_t *of, double level) {
  double low;
  double high = df_nodes(of->df, &low);
  double at_low = at_df(of, low, level);
  if (of->df <= low || high <= low)
    return at_low;
  double share = (1 / low - 1 / fmin(of->df, high)) / (1 / low - 1 / high);
  return at_low + (at_df(of, high, level) - at_low) * share;
}
