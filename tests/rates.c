/* rates.c: see rates.h. */
#include "tests/rates.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "bench/data/best.h"
#include "bench/data/stats.h"
#include "bench/data/verdict.h"
#include "common/memory.h"
#include "common/random.h"
#include "tests/earlier.h"

enum { LAUNCHES_MAX = EARLIER_LAUNCHES_MAX, LABELS = SLICE_MODEL_RIVALS_MAX };

/* One run: the model's launches, without and with the twin. */
struct run {
  struct slice_model model;
  int effect[LABELS]; /* which of the case's */
  int rivals;         /* without the twin */
  int launches;
  double d[LAUNCHES_MAX * LABELS];
  double variance[LAUNCHES_MAX * LABELS];
  double twin_d[LAUNCHES_MAX];
  double twin_variance[LAUNCHES_MAX];
  double plain[LAUNCHES_MAX * LABELS]; /* [launch][rivals + 1] */
  struct family family;
  struct family_rival judged[LABELS];
};

static void draw_effects(const struct rates_case *simulated, uint64_t *random, struct run *run) {
  run->model = simulated->model;
  run->rivals = run->model.rivals - 1;
  for (int l = 0; l < run->rivals; l++) {
    run->effect[l] = (int)mux_random_below(random, (uint64_t)simulated->effect_count);
    bool minus = simulated->signs && mux_random_below(random, 2) == 1;
    run->model.effect[l] = (minus ? -1 : 1) * simulated->effects[run->effect[l]];
  }
}

static void add_launch(struct run *run, uint64_t *random) {
  double d[LABELS];
  double variance[LABELS];
  int i = run->launches++;
  assert(run->launches <= LAUNCHES_MAX);
  slice_model_launch(&run->model, random, d, variance, &run->plain[i * (run->rivals + 1)]);
  for (int l = 0; l < run->rivals; l++) {
    run->d[i * run->rivals + l] = d[l];
    run->variance[i * run->rivals + l] = variance[l];
  }
  run->twin_d[i] = d[run->rivals];
  run->twin_variance[i] = variance[run->rivals];
}

/* Launches until the number, or the precision, is reached. Returns whether it is precise. */
static bool run_launches(const struct rates_case *simulated, uint64_t *random, struct run *run) {
  bool precise = false;
  run->launches = 0;
  while (run->launches < simulated->launches && !precise) {
    add_launch(run, random);
    run->family = (struct family){.launches = run->launches,
                                  .rivals = run->rivals,
                                  .d = run->d,
                                  .variance = run->variance,
                                  .precision_stopping = simulated->precision > 0};
    if (simulated->precision > 0 && run->launches >= FAMILY_LAUNCHES_MIN) {
      family_intervals(&run->family, 2, run->judged);
      precise = family_half_width(run->judged, run->rivals) <= log1p(simulated->precision);
    }
  }
  family_judge(&run->family, mux_random(random), run->judged);
  return precise;
}

static bool judge_twin(const struct run *run) {
  struct family family = run->family;
  struct family_rival twin;
  family.rivals = 1;
  family.d = run->twin_d;
  family.variance = run->twin_variance;
  family_intervals(&family, 2, &twin);
  return verdict_twin_voids(&twin);
}

static void judge_best(const struct run *run, struct rates *rates) {
  bool in_set[LABELS + 1];
  int best = 0; /* the baseline, at ln ratio 0 */
  best_set(&run->family, true, in_set);
  for (int l = 0; l < run->rivals; l++)
    if (run->model.effect[l] < (best == 0 ? 0 : run->model.effect[best - 1]))
      best = l + 1;
  rates->best_lost += !in_set[best];
  for (int l = 0; l <= run->rivals; l++)
    rates->best_labels += in_set[l];
}

static void judge_earlier(const struct run *run, struct rates *rates) {
  struct earlier judged[LABELS];
  bool wrong = false;
  bool missed = false;
  earlier_judge(run->plain, run->launches, run->rivals, judged);
  for (int l = 0; l < run->rivals; l++) {
    double truth = run->model.effect[l];
    bool side = judged[l].low + judged[l].high > 0;
    bool right = judged[l].claimed && truth != 0 && side == (truth > 0);
    wrong = wrong || (judged[l].claimed && !right);
    missed = missed || judged[l].low > truth || judged[l].high < truth;
    rates->effects[run->effect[l]].claimed_earlier += right;
  }
  rates->wrong_earlier += wrong;
  rates->missed_earlier += missed;
}

static void count_run(const struct rates_case *simulated, const struct run *run,
                      struct rates *rates) {
  bool wrong = false;
  bool wrong_by_p = false;
  bool missed = false;
  double half[LABELS];
  for (int l = 0; l < run->rivals; l++) {
    const struct family_rival *rival = &run->judged[l];
    struct rates_effect *effect = &rates->effects[run->effect[l]];
    double truth = run->model.effect[l];
    enum verdict verdict = verdict_of(rival, true, VERDICT_MARGIN);
    bool claimed = verdict == VERDICT_BETTER || verdict == VERDICT_WORSE;
    bool right = claimed && truth != 0 && (verdict == VERDICT_WORSE) == (truth > 0);
    effect->rivals++;
    effect->claimed += right;
    effect->equivalent += verdict == VERDICT_EQUIVALENT;
    wrong = wrong || (claimed && !right);
    wrong_by_p = wrong_by_p || (truth == 0 && rival->p_adjusted < VERDICT_P);
    missed = missed || rival->low > truth || rival->high < truth;
    half[l] = (rival->high - rival->low) / 2;
  }
  bool voided = judge_twin(run);
  rates->runs++;
  rates->wrong += wrong;
  rates->wrong_by_p += wrong_by_p;
  rates->missed += missed;
  rates->voided += voided;
  rates->wrong_sound += wrong && !voided;
  rates->launches += run->launches;
  double width = stats_median(half, run->rivals);
  rates->half_width += isfinite(width) ? width : 0;
  rates->judged += isfinite(width);
  rates->gates[verdict_gate(run->judged, run->rivals, true, simulated->allowed)]++;
  judge_best(run, rates);
  judge_earlier(run, rates);
}

struct rates rates_of(const struct rates_case *simulated) {
  struct rates rates = {0};
  struct run *run = mux_new(1, sizeof *run);
  uint64_t random = simulated->seed;
  for (int i = 0; i < simulated->runs; i++) {
    draw_effects(simulated, &random, run);
    rates.precise += run_launches(simulated, &random, run);
    count_run(simulated, run, &rates);
  }
  free(run);
  return rates;
}
