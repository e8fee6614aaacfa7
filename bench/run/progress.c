/* progress.c: see progress.h. */
#include "bench/run/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"

void progress_begin(struct progress *progress, const struct plan *plan, int64_t deadline_ns) {
  *progress = (struct progress){.plan = plan,
                                .terminal = isatty(STDERR_FILENO) == 1,
                                .began_ns = mux_now_ns(),
                                .deadline_ns = deadline_ns};
}

static void clear_line(const struct progress *progress) {
  if (progress->terminal)
    fputs("\r\033[K", stderr);
}

/* "35 s", or "35 s, 85 s left". */
static void print_time(const struct progress *progress) {
  int64_t now = mux_now_ns();
  fprintf(stderr, "%3.0f s", (double)(now - progress->began_ns) / 1e9);
  if (progress->deadline_ns > now)
    fprintf(stderr, ", %.0f s left", (double)(progress->deadline_ns - now) / 1e9);
}

void progress_gates(struct progress *progress, int servers) {
  if (!progress->terminal)
    return;
  clear_line(progress);
  print_time(progress);
  fprintf(stderr, "  %d server%s: %s?", servers, servers == 1 ? "" : "s",
          servers == 1 ? "does it echo" : "do they echo");
  fflush(stderr);
}

void progress_launch(struct progress *progress, const struct pace *pace, int cell, int block) {
  progress->launches = pace->cells[cell].launches;
  progress->cell = cell;
  progress->block = block;
  if (progress->terminal)
    return;
  print_time(progress);
  fprintf(stderr, "  launch %d of %d, %s%s\n", block, progress->launches,
          progress->plan->cells[cell].id, progress->note);
}

void progress_slice(struct progress *progress, int label, int round, int rounds) {
  if (!progress->terminal)
    return;
  clear_line(progress);
  print_time(progress);
  fprintf(stderr, "  launch %d of %d, %s: round %d of %d, %s%s", progress->block,
          progress->launches, progress->plan->cells[progress->cell].id, round, rounds,
          progress->plan->labels[label].name, progress->note);
  fflush(stderr);
}

void progress_precision(struct progress *progress, double half_width) {
  *progress->note = 0;
  if (isfinite(half_width))
    snprintf(progress->note, sizeof progress->note, "; intervals are ±%.1f %% by now",
             100 * expm1(half_width));
}

void progress_trouble(struct progress *progress, const struct plan_trial *trial, const char *status,
                      const char *reason) {
  const struct plan *plan = progress->plan;
  clear_line(progress);
  mux_note("launch %d, %s, %s: %s: %s", trial->block, plan->cells[trial->cell].id,
           plan->labels[trial->label].name, status, reason);
}

void progress_end(struct progress *progress) {
  clear_line(progress);
}
