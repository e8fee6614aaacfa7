/* replay.c: A/A comparisons replayed from recorded slices: replay RUN [REPLAYS] [LAUNCHES].
 *
 * RUN is a finished run of one server under several names (tests/same.cfg). Each replay draws two
 * of the names and some of the launches at random, and compares the two by the functions that
 * compare servers. Nothing differs but what the host did, so that every difference that is found is
 * a false one. The names are equals: none has the baseline's additional slices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/family.h"
#include "bench/data/launch_estimate.h"
#include "bench/data/rundir.h"
#include "bench/data/slices.h"
#include "bench/data/verdict.h"
#include "bench/plan/plan.h"
#include "common/memory.h"
#include "common/random.h"

enum { REPLAYS = 200, LAUNCHES = 10, LABELS_MAX = 16 };

struct recorded {
  struct plan *plan;
  struct slices slices;
  int labels[LABELS_MAX]; /* that are alike */
  int count;
  int blocks;
};

static void fail(const char *why) {
  fprintf(stderr, "replay: %s\n", why);
  exit(2);
}

static void locate(const struct experiment_source *source, const char *path, char *out,
                   size_t out_bytes) {
  (void)source;
  snprintf(out, out_bytes, "effective.json: %s", path);
}

static struct recorded load(const char *path) {
  static const struct experiment_source source = {.locate = locate};
  struct recorded r = {0};
  struct rundir dir;
  char why[1024];
  char file[RUNDIR_PATH];
  if (rundir_open(&dir, path, why, sizeof why) != 0)
    fail(why);
  json_t *tree = rundir_read_json(&dir, "effective.json", why, sizeof why);
  struct experiment *e =
      tree != NULL ? experiment_from_json(tree, "replay", &source, why, sizeof why) : NULL;
  if (e == NULL)
    fail(why);
  r.plan = plan_new(e, NULL);
  if (slices_read(&r.slices, &r.plan->names, rundir_file(&dir, file, "slices.csv"), why,
                  sizeof why) != 0)
    fail(why);
  for (int label = 0; label < r.plan->label_count && r.count < LABELS_MAX; label++)
    if (plan_is_rival(r.plan, label))
      r.labels[r.count++] = label;
  for (size_t i = 0; i < r.slices.count; i++)
    r.blocks = r.slices.at[i].block > r.blocks ? r.slices.at[i].block : r.blocks;
  if (r.plan->cell_count != 1 || r.count < 2)
    fail("it takes a run of one cell, with two servers or more beside the baseline");
  json_decref(tree);
  return r;
}

/* One launch: the first label is the baseline here. */
static struct launch_estimate compare(const struct recorded *r, int block, const int pair[2]) {
  struct launch_slice *list = mux_new(r->slices.count, sizeof *list);
  struct launch_estimate estimates[2];
  int count = 0;
  for (size_t i = 0; i < r->slices.count; i++) {
    const struct slice *s = &r->slices.at[i];
    bool wanted = s->label == pair[0] || s->label == pair[1];
    if (s->block == block && wanted && s->kind == SLICE_COST && !s->failed)
      list[count++] = (struct launch_slice){.label = s->label == pair[1],
                                            .round = s->round,
                                            .value = (s->server_cpu_s + s->client_cpu_s) /
                                                     (double)s->completed};
  }
  launch_estimate(list, count, 2, 0, estimates);
  free(list);
  return estimates[1];
}

/* The first n of a random order of 0 … all-1. */
static void draw(uint64_t *random, int *out, int n, int all) {
  int *order = mux_new((size_t)all, sizeof *order);
  for (int i = 0; i < all; i++)
    order[i] = i;
  for (int i = 0; i < n; i++) {
    int j = i + (int)mux_random_below(random, (uint64_t)(all - i));
    int taken = order[j];
    order[j] = order[i];
    out[i] = taken;
  }
  free(order);
}

static struct family_rival replay(const struct recorded *r, int launches, uint64_t *random) {
  double d[FAMILY_LAUNCHES_MAX];
  double variance[FAMILY_LAUNCHES_MAX];
  int blocks[FAMILY_LAUNCHES_MAX];
  int pair[2];
  struct family_rival judged;
  draw(random, pair, 2, r->count);
  draw(random, blocks, launches, r->blocks);
  for (int i = 0; i < 2; i++)
    pair[i] = r->labels[pair[i]];
  for (int i = 0; i < launches; i++) {
    struct launch_estimate estimate = compare(r, blocks[i] + 1, pair);
    d[i] = estimate.d;
    variance[i] = estimate.variance;
  }
  struct family family = {.launches = launches, .rivals = 1, .d = d, .variance = variance};
  family_judge(&family, mux_random(random), &judged);
  return judged;
}

int main(int argc, char **argv) {
  int replays = argc > 2 ? atoi(argv[2]) : REPLAYS;
  int launches = argc > 3 ? atoi(argv[3]) : LAUNCHES;
  uint64_t random = 1;
  int different = 0;
  int equivalent = 0;
  double widths = 0;
  if (argc < 2 || replays < 1 || launches < FAMILY_LAUNCHES_MIN || launches > FAMILY_LAUNCHES_MAX)
    fail("usage: replay RUN [REPLAYS] [LAUNCHES of each, from 6]");
  struct recorded r = load(argv[1]);
  if (r.blocks < launches)
    fail("the run has fewer launches than a replay takes");
  for (int i = 0; i < replays; i++) {
    struct family_rival judged = replay(&r, launches, &random);
    enum verdict verdict = verdict_of(&judged, true, r.plan->experiment->margin);
    different += verdict == VERDICT_BETTER || verdict == VERDICT_WORSE;
    equivalent += verdict_is_equivalent(&judged, r.plan->experiment->margin);
    widths += (judged.high - judged.low) / 2;
  }
  printf(
      "%d replays of %d launches each, out of %d with %d equal servers: "
      "%d different (%.1f %%), %d equivalent within %.0f %% (%.1f %%), mean half-width %.1f %%\n",
      replays, launches, r.blocks, r.count, different, 100.0 * different / replays, equivalent,
      100 * r.plan->experiment->margin, 100.0 * equivalent / replays,
      100 * expm1(widths / replays));
  return 0;
}
