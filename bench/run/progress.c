/* progress.c: see progress.h. */
#include "bench/run/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"

void progress_begin(struct progress *progress, const struct plan *plan) {
  *progress = (struct progress){
      .plan = plan, .terminal = isatty(STDERR_FILENO) == 1, .began_ns = mux_now_ns()};
}

static void clear_line(const struct progress *progress) {
  if (progress->terminal)
    fputs("\r\033[K", stderr);
}

static double elapsed_s(const struct progress *progress) {
  return (double)(mux_now_ns() - progress->began_ns) / 1e9;
}

void progress_trial(struct progress *progress, const struct plan_trial *trial) {
  const struct plan *plan = progress->plan;
  if (!progress->terminal)
    return;
  clear_line(progress);
  fprintf(stderr, "[%d/%d] %3.0f s  block %d, %s: %s", trial->number, plan->trial_count,
          elapsed_s(progress), trial->block, plan->cells[trial->cell].id,
          plan->labels[trial->label].name);
  fflush(stderr);
}

/* Failures are told at once; what a plan skips is told in its first block only. */
void progress_row(struct progress *progress, const struct plan_trial *trial, const struct row *row,
                  const char *reason) {
  const char *status = row_text(row, COL_status);
  bool failed = strcmp(status, "failed") == 0;
  progress->failed += failed;
  progress->skipped += strcmp(status, "skipped") == 0;
  if (!failed && (strcmp(status, "skipped") != 0 || trial->block > 1))
    return;
  char shown[400];
  clear_line(progress);
  mux_note("trial %d, %s, %s: %s: %s", trial->number, progress->plan->cells[trial->cell].id,
           progress->plan->labels[trial->label].name, status,
           mux_printable(shown, sizeof shown, reason));
}

void progress_group(struct progress *progress, const struct plan_trial *last, int done) {
  if (progress->terminal)
    return;
  fprintf(stderr, "[%d/%d] %3.0f s  block %d of %d, %s: done\n", done, progress->plan->trial_count,
          elapsed_s(progress), last->block, progress->plan->blocks,
          progress->plan->cells[last->cell].id);
}

void progress_end(struct progress *progress) {
  clear_line(progress);
}
