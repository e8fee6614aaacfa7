/* simulate.c: the tables of docs/statistics.md. Whole runs of slices on a simulated host, judged by
 * the functions the product calls.
 *
 *     simulate [RUNS]     runs per line of a table (4000) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/data/family.h"
#include "tests/rates.h"

static int runs = 4000;
static uint64_t next_seed = 1;

static double percent(double part, double all) {
  return all > 0 ? 100 * part / all : NAN;
}

/* No differences: a third of the rivals three times as noisy, a fifth three times as unsteady. */
static struct rates_case equal_rivals(int rivals, int launches) {
  struct rates_case simulated = {.model = slice_model_usual(rivals + 1, 20),
                                 .effect_count = 1,
                                 .launches = launches,
                                 .allowed = 0.05,
                                 .runs = runs};
  for (int l = 0; l < rivals; l++) {
    simulated.model.noise[l] = l % 3 == 2 ? 3 : 1;
    simulated.model.unsteady[l] = l % 5 == 4 ? 3 : 1;
  }
  return simulated;
}

/* Three of seven rivals equal, the others 2, 3, 5, 10 % better or worse. */
enum { ZERO, TWO = 3, THREE, FIVE, TEN, SOME };
static void differ(struct rates_case *simulated) {
  static const double effects[SOME] = {0, 0, 0, 0.02, 0.03, 0.05, 0.10};
  simulated->effect_count = SOME;
  simulated->signs = true;
  for (int i = 0; i < SOME; i++)
    simulated->effects[i] = log1p(effects[i]);
}

static struct rates run_case(struct rates_case *simulated) {
  simulated->seed = next_seed++ * 1000003;
  return rates_of(simulated);
}

static double found(const struct rates *rates, int effect) {
  return percent((double)rates->effects[effect].claimed, (double)rates->effects[effect].rivals);
}

static double found_earlier(const struct rates *rates, int effect) {
  return percent((double)rates->effects[effect].claimed_earlier,
                 (double)rates->effects[effect].rivals);
}

static double of_runs(long part, const struct rates *rates) {
  return percent((double)part, (double)rates->runs);
}

static const int families[] = {1, 3, 9, 20};
static const int lengths[] = {6, 8, 10, 20};
enum { FAMILIES = 4, LENGTHS = 4 };

static void table_equal(void) {
  printf(
      "### All rivals equal\n\n"
      "Runs in 100 with a wrong claim, by p alone (sign flips), by p and interval together, and\n"
      "with the earlier procedure; with an interval that misses; voided by the twin; in which\n"
      "the truly best label is not in the best set. Half-width: mean, of the median rival.\n\n"
      "| rivals | launches | wrong: p alone | **wrong** | wrong, earlier | **interval misses** "
      "| misses, earlier | half-width | voided | best lost |\n"
      "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (int f = 0; f < FAMILIES; f++)
    for (int l = 0; l < LENGTHS; l++) {
      struct rates_case simulated = equal_rivals(families[f], lengths[l]);
      struct rates rates = run_case(&simulated);
      printf("| %d | %d | %.1f | **%.1f** | %.1f | **%.1f** | %.1f | %.1f %% | %.1f | %.1f |\n",
             families[f], lengths[l], of_runs(rates.wrong_by_p, &rates),
             of_runs(rates.wrong, &rates), of_runs(rates.wrong_earlier, &rates),
             of_runs(rates.missed, &rates), of_runs(rates.missed_earlier, &rates),
             100 * rates.half_width / (double)rates.judged, of_runs(rates.voided, &rates),
             of_runs(rates.best_lost, &rates));
      fflush(stdout);
    }
}

static void table_different(void) {
  printf("\n### Some rivals different\n\n"
         "Each rival draws its truth: equal (3 in 7), or 2, 3, 5, 10 %% better or worse. Runs in\n"
         "100 with a wrong claim or a missing interval; rivals in 100 that are found, and in\n"
         "brackets what the earlier procedure found.\n\n"
         "| rivals | launches | **wrong** | **interval misses** | best lost | best set has "
         "| finds 3 %% | finds 5 %% | finds 10 %% |\n"
         "|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (int f = 0; f < FAMILIES; f++)
    for (int l = 0; l < LENGTHS; l++) {
      struct rates_case simulated = equal_rivals(families[f], lengths[l]);
      differ(&simulated);
      struct rates rates = run_case(&simulated);
      printf("| %d | %d | **%.1f** | **%.1f** | %.1f | %.1f labels | %.0f (%.0f) | %.0f (%.0f) "
             "| %.0f (%.0f) |\n",
             families[f], lengths[l], of_runs(rates.wrong, &rates), of_runs(rates.missed, &rates),
             of_runs(rates.best_lost, &rates), (double)rates.best_labels / (double)rates.runs,
             found(&rates, THREE), found_earlier(&rates, THREE), found(&rates, FIVE),
             found_earlier(&rates, FIVE), found(&rates, TEN), found_earlier(&rates, TEN));
      fflush(stdout);
    }
}

/* ---- Hosts ------------------------------------------------------------------------------------
 */

struct host {
  const char *name;
  void (*change)(struct rates_case *simulated);
};

static void calm(struct rates_case *simulated) {
  simulated->model.drift = simulated->model.burst_rate = 0;
}
static void fast_drift(struct rates_case *simulated) {
  simulated->model.drift = 0.2;
  simulated->model.drift_memory = 0.6;
}
static void slow_drift(struct rates_case *simulated) {
  simulated->model.drift = 0.2;
  simulated->model.drift_memory = 0.99;
}
static void bursts(struct rates_case *simulated) {
  simulated->model.burst_rate = 0.03;
  simulated->model.burst_size = 0.7;
}
static void launch_effects(struct rates_case *simulated) {
  simulated->model.launch_own = 0.03;
}
static void one_unsteady(struct rates_case *simulated) {
  simulated->model.unsteady[0] = 10;
}
static void half_unsteady(struct rates_case *simulated) {
  for (int l = 0; l < simulated->model.rivals - 1; l += 2)
    simulated->model.unsteady[l] = 5;
}
static void gaps(struct rates_case *simulated) {
  simulated->model.missing = 0.15;
}
static void few_rounds(struct rates_case *simulated) {
  simulated->model.rounds = 10;
}
static void least_rounds(struct rates_case *simulated) {
  simulated->model.rounds = 2;
}
static void many_rounds(struct rates_case *simulated) {
  simulated->model.rounds = 40;
}
/* Half the rivals differ by 50 %; the small differences are among the other half. */
static void half_far_off(struct rates_case *simulated) {
  if (simulated->effect_count == SOME)
    simulated->effects[1] = simulated->effects[2] = simulated->effects[TWO] = log(1.5);
}

static void table_hosts(void) {
  static const struct host hosts[] = {
      {"as above, 20 rounds", NULL},
      {"10 rounds", few_rounds},
      {"2 rounds", least_rounds},
      {"40 rounds", many_rounds},
      {"no drift, no bursts", calm},
      {"drift 20 %, memory 1.6 slices", fast_drift},
      {"drift 20 %, memory 100 slices", slow_drift},
      {"bursts 7 times as often, twice as high", bursts},
      {"launch effects 3 times as large", launch_effects},
      {"one rival with 10 times the launch effect", one_unsteady},
      {"half the rivals with 5 times the launch effect", half_unsteady},
      {"15 % of the slices missing", gaps},
      {"half the rivals 50 % off", half_far_off},
  };
  printf("\n### Other hosts\n\n"
         "Nine rivals. Wrong and misses: the worse of all equal and some different; finds: as in\n"
         "the table above.\n\n"
         "| host | launches | **wrong** | **interval misses** | half-width | finds 3 %% "
         "| finds 5 %% | finds 10 %% |\n"
         "|---|--:|--:|--:|--:|--:|--:|--:|\n");
  for (size_t h = 0; h < sizeof hosts / sizeof *hosts; h++)
    for (int l = 0; l < LENGTHS; l += 2) {
      struct rates_case equal = equal_rivals(9, lengths[l]);
      struct rates_case some = equal_rivals(9, lengths[l]);
      differ(&some);
      if (hosts[h].change != NULL) {
        hosts[h].change(&equal);
        hosts[h].change(&some);
      }
      struct rates a = run_case(&equal);
      struct rates b = run_case(&some);
      printf("| %s | %d | **%.1f** | **%.1f** | %.1f %% | %.0f | %.0f | %.0f |\n", hosts[h].name,
             lengths[l], fmax(of_runs(a.wrong, &a), of_runs(b.wrong, &b)),
             fmax(of_runs(a.missed, &a), of_runs(b.missed, &b)),
             100 * b.half_width / (double)b.judged, found(&b, THREE), found(&b, FIVE),
             found(&b, TEN));
      fflush(stdout);
    }
}

/* ---- Rules ------------------------------------------------------------------------------------
 */

static void table_stopping(void) {
  printf("\n### Precision stopping\n\n"
         "Launches are added, from 6 to at most 40, until every interval is as narrow as asked.\n"
         "Rivals are equally noisy; wrong and misses as in the table above.\n\n"
         "| rivals | precision | launches, mean | reached | **wrong** | **interval misses** |\n"
         "|--:|--:|--:|--:|--:|--:|\n");
  static const double precisions[] = {0.02, 0.03, 0.05};
  for (int f = 0; f < FAMILIES; f++)
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
      struct rates_case equal = {.model = slice_model_usual(families[f] + 1, 20),
                                 .effect_count = 1,
                                 .launches = 40,
                                 .precision = precisions[p],
                                 .allowed = 0.05,
                                 .runs = runs};
      struct rates_case some = equal;
      differ(&some);
      struct rates a = run_case(&equal);
      struct rates b = run_case(&some);
      printf("| %d | %.0f %% | %.1f | %.0f | **%.1f** | **%.1f** |\n", families[f],
             100 * precisions[p], a.launches / (double)a.runs, of_runs(a.precise, &a),
             fmax(of_runs(a.wrong, &a), of_runs(b.wrong, &b)),
             fmax(of_runs(a.missed, &a), of_runs(b.missed, &b)));
      fflush(stdout);
    }
}

static void table_verdicts(void) {
  printf("\n### Verdicts and the gate, by the true difference\n\n"
         "One rival, 10 launches. Rivals in 100. The gate allows 5 %%: worse by less is to pass,\n"
         "worse by more to fail.\n\n"
         "| truth | better or worse | equivalent within 5 %% | undecided | gate: passes (exit 0) "
         "| fails (exit 3) | undecided (exit 4) |\n"
         "|--:|--:|--:|--:|--:|--:|--:|\n");
  static const double truths[] = {-0.10, 0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.10, 0.15};
  for (size_t t = 0; t < sizeof truths / sizeof *truths; t++) {
    struct rates_case simulated = equal_rivals(1, 10);
    simulated.effects[0] = log1p(truths[t]);
    struct rates rates = run_case(&simulated);
    const struct rates_effect *effect = &rates.effects[0];
    long claimed = truths[t] == 0 ? rates.wrong : effect->claimed;
    printf("| %+.0f %% | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", 100 * truths[t],
           of_runs(claimed, &rates), of_runs(effect->equivalent, &rates),
           of_runs(rates.runs - claimed - effect->equivalent, &rates),
           of_runs(rates.gates[0], &rates), of_runs(rates.gates[3], &rates),
           of_runs(rates.gates[4], &rates));
    fflush(stdout);
  }
}

/* ---- Intervals --------------------------------------------------------------------------------
 */

enum kind { UNADJUSTED, DUNNETT, OWN, MODERATED, KINDS };

static double half_width(enum kind kind, const struct family_rival *rival, double own_error,
                         int rivals, int launches) {
  struct max_t max_t = {rivals, launches - 1, 0, 2, MAX_T_OWN};
  switch (kind) {
  case MODERATED:
    return (rival->high - rival->low) / 2;
  case UNADJUSTED:
    max_t.rivals = 1;
    break;
  case DUNNETT:
    max_t.spread = MAX_T_SHARED;
    max_t.correlation = 0.5;
    break;
  default:
    break;
  }
  return max_t_quantile_table(&max_t, 0.95) * own_error;
}

static double own_error(const double *d, int launches, int rivals, int l) {
  double mean = 0;
  double squares = 0;
  for (int i = 0; i < launches; i++)
    mean += d[i * rivals + l] / launches;
  for (int i = 0; i < launches; i++)
    squares += (d[i * rivals + l] - mean) * (d[i * rivals + l] - mean);
  return sqrt(squares / (launches - 1) / launches);
}

static void print_intervals(int rivals, int launches) {
  struct rates_case simulated = equal_rivals(rivals, launches);
  uint64_t random = next_seed++ * 1000003;
  long missed[KINDS] = {0};
  double width[KINDS] = {0};
  simulated.model.rivals = rivals; /* no twin */
  for (int run = 0; run < runs; run++) {
    double d[20 * SLICE_MODEL_RIVALS_MAX];
    double variance[20 * SLICE_MODEL_RIVALS_MAX];
    struct family_rival judged[SLICE_MODEL_RIVALS_MAX];
    for (int i = 0; i < launches; i++)
      slice_model_launch(&simulated.model, &random, &d[i * rivals], &variance[i * rivals], NULL);
    struct family family = {.launches = launches, .rivals = rivals, .d = d, .variance = variance};
    family_intervals(&family, 2, judged);
    for (enum kind kind = 0; kind < KINDS; kind++) {
      bool miss = false;
      for (int l = 0; l < rivals; l++) {
        double error = own_error(d, launches, rivals, l);
        double half = half_width(kind, &judged[l], error, rivals, launches);
        miss = miss || fabs(judged[l].estimate) > half;
        width[kind] += half / rivals;
      }
      missed[kind] += miss;
    }
  }
  printf("| %d | %d |", rivals, launches);
  for (enum kind kind = 0; kind < KINDS; kind++)
    printf(" %.1f, %.1f %% |", percent((double)missed[kind], runs), 100 * width[kind] / runs);
  printf("\n");
  fflush(stdout);
}

static void table_intervals(void) {
  printf("\n### Kinds of intervals\n\n"
         "All rivals equal, on the host of the first table: runs in 100 with an\n"
         "interval that misses, and the mean half-width.\n\n"
         "| rivals | launches | t, one rival at a time | Dunnett's quantile | quantile of unlike "
         "rivals | the same, variances moderated: **the product's** |\n"
         "|--:|--:|--:|--:|--:|--:|\n");
  for (int f = 0; f < FAMILIES; f++)
    for (int l = 0; l < LENGTHS; l += 2)
      print_intervals(families[f], lengths[l]);
}

/* ---- Launches ---------------------------------------------------------------------------------
 */

static void print_launches(const char *name, const struct slice_model *model) {
  uint64_t random = next_seed++ * 1000003;
  double sums[2][2] = {{0}};
  double squares[2] = {0};
  int last = model->rivals - 1;
  for (int i = 0; i < runs; i++) {
    double d[SLICE_MODEL_RIVALS_MAX];
    double variance[SLICE_MODEL_RIVALS_MAX];
    double plain[SLICE_MODEL_RIVALS_MAX];
    slice_model_launch(model, &random, d, variance, plain);
    sums[0][0] += plain[0];
    sums[1][0] += d[0];
    squares[0] += plain[last] * plain[last];
    squares[1] += d[last] * d[last];
  }
  printf("| %d | %s | %.2f %% | %.2f %% | %+.2f %% | %+.2f %% |\n", model->rivals, name,
         100 * sqrt(squares[0] / runs), 100 * sqrt(squares[1] / runs), 100 * sums[0][0] / runs,
         100 * sums[1][0] / runs);
  fflush(stdout);
}

static void table_launches(void) {
  printf("\n### The estimate of one launch\n\n"
         "20 rounds, no launch effects: standard deviation of d by plain means of the slices'\n"
         "ln, and by the product's estimate; bias of a rival whose slices are\n"
         "three times as noisy.\n\n"
         "| rivals | host | scatter, plain | scatter | bias, plain | bias |\n"
         "|--:|---|--:|--:|--:|--:|\n");
  for (int f = 0; f < FAMILIES; f++) {
    struct slice_model usual = slice_model_usual(families[f], 20);
    usual.launch_own = 0;
    struct rates_case changed = {.model = usual};
    print_launches("as above", &usual);
    calm(&changed);
    print_launches("no drift, no bursts", &changed.model);
    if (families[f] == 1)
      continue;
    changed.model = usual;
    bursts(&changed);
    changed.model.noise[0] = 3;
    print_launches("bursts 7 times as often, twice as high", &changed.model);
  }
}

int main(int argc, char **argv) {
  if (argc > 1)
    runs = atoi(argv[1]);
  if (argc > 2 || runs < 1) {
    fprintf(stderr, "usage: simulate [RUNS]\n");
    return 2;
  }
  printf("\n%d simulated runs per line: a rate of 5 in 100 is known to +-%.1f (95 %%).\n\n", runs,
         196 * sqrt(0.05 * 0.95 / runs));
  table_equal();
  table_different();
  table_hosts();
  table_stopping();
  table_verdicts();
  table_intervals();
  table_launches();
  printf("\n");
  return 0;
}
