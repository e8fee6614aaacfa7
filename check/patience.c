/* patience.c: see patience.h. */
#include "check/patience.h"

#include "check/subject.h"

enum { CLOCK_PART = 8 };

/* What is shorter is taken as it is. */
#define UNWATCHED_NS  (50 * MUX_MS) /* of a wait: also at most a quarter of its limit */
#define STOPWATCH_NS  (5 * MUX_MS)
#define STEP_MOST_NS  (20 * MUX_MS)
#define STEP_LEAST_NS (MUX_MS / 2)

static pid_t root_of(const struct check *check) {
  return check_owns(check) ? mux_server_root(check->server) : -1;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

struct patience patience_begin(struct check *check, int64_t limit_ns) {
  return (struct patience){
      .check = check, .limit_ns = limit_ns, .able_ns = limit_ns, .since_ns = mux_now_ns()};
}

struct patience patience_by_clock(struct check *check, int64_t limit_ns) {
  struct patience patience = patience_begin(check, limit_ns);
  patience.able_ns = limit_ns / CLOCK_PART;
  return patience;
}

void patience_end(struct patience *patience) {
  mux_delay_free(&patience->delay);
  patience->watched = false;
}

void patience_renew(struct patience *patience) {
  patience_end(patience);
  patience->since_ns = mux_now_ns();
}

int64_t patience_step_ns(const struct patience *patience) {
  int64_t step = patience->limit_ns / 4;
  return step > STEP_MOST_NS ? STEP_MOST_NS : step > STEP_LEAST_NS ? step : STEP_LEAST_NS;
}

bool patience_is_over(struct patience *patience) {
  int64_t now = mux_now_ns();
  if (patience->limit_ns <= 0)
    return true;
  int64_t unwatched = patience->limit_ns / 4 < UNWATCHED_NS ? patience->limit_ns / 4 : UNWATCHED_NS;
  if (!patience->watched && now - patience->since_ns >= unwatched) {
    mux_delay_begin(&patience->delay, root_of(patience->check));
    patience->watched = true;
  }
  if (now - patience->since_ns < patience->limit_ns)
    return false;
  struct mux_delay_since since;
  mux_delay_read(&patience->delay, &since);
  int64_t waited = since.waited_ns > since.own_waited_ns ? since.waited_ns : since.own_waited_ns;
  return unwatched + since.span_ns - waited >= patience->able_ns;
}

void check_let_run(struct check *check, int64_t ns) {
  struct patience patience = patience_begin(check, ns);
  while (!patience_is_over(&patience))
    check_sleep(patience_step_ns(&patience));
  patience_end(&patience);
}

/* ---- Measuring ------------------------------------------------------------------------------ */

struct stopwatch stopwatch_start(struct check *check) {
  struct stopwatch watch;
  mux_delay_begin(&watch.delay, root_of(check));
  watch.start_ns = mux_now_ns();
  return watch;
}

int64_t stopwatch_stop_ns(struct stopwatch *watch) {
  struct mux_delay_since since;
  int64_t took = mux_now_ns() - watch->start_ns;
  if (took > STOPWATCH_NS) {
    mux_delay_read(&watch->delay, &since);
    int64_t waited = since.waited_ns + since.own_waited_ns; /* one after the other */
    took = waited < took ? took - waited : 0;
  }
  mux_delay_free(&watch->delay);
  return took;
}
