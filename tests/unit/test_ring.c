/* test_ring.c: the submission queue of an io_uring when it is full (common/ring.h). */
#include "tests/support.h"

#include <stdlib.h>
#include <unistd.h>

#if __has_include(<liburing.h>)

#include "common/ring.h"

static struct mux_uring uring;

static void open_ring(bool sqpoll) {
  char why[200] = "";
  struct mux_uring_config config = {.entries = 8,
                                    .completions = 16,
                                    .buffer_bytes = 256,
                                    .defer_taskrun = true,
                                    .sqpoll = sqpoll};
  if (mux_uring_open(&uring, &config, why, sizeof why) != 0) {
    print_message("skipped: %s\n", why);
    skip();
  }
}

static void submissions_never_run_out(void **state) {
  (void)state;
  for (int sqpoll = 0; sqpoll < 2; sqpoll++) {
    open_ring(sqpoll);
    for (int i = 0; i < 100; i++) {
      struct io_uring_sqe *sqe = mux_uring_sqe(&uring);
      assert_non_null(sqe);
      io_uring_prep_nop(sqe);
      if (i % 8 == 7) { /* make room for completions */
        struct io_uring_cqe *cqe;
        assert_int_equal(mux_uring_wait(&uring, 1000000000), 0);
        while (io_uring_peek_cqe(&uring.ring, &cqe) == 0)
          io_uring_cqe_seen(&uring.ring, cqe);
      }
    }
    mux_uring_close(&uring);
  }
}

/* With its descriptor closed, every io_uring_enter(2) fails. */
static void fill_broken_ring(void *arg) {
  (void)arg;
  alarm(10);
  open_ring(false);
  io_uring_unregister_ring_fd(&uring.ring);
  close(uring.ring.ring_fd);
  for (int i = 0; i < 100; i++)
    io_uring_prep_nop(mux_uring_sqe(&uring));
  int rc = mux_uring_wait(&uring, 0);
  exit(rc < 0 ? 0 : 1);
}

static void a_broken_ring_is_an_error_and_no_endless_loop(void **state) {
  (void)state;
  char errors[256];
  open_ring(false); /* skips if there is no io_uring */
  mux_uring_close(&uring);
  assert_int_equal(test_in_child(fill_broken_ring, NULL, errors, sizeof errors), 0);
}

#else

static void submissions_never_run_out(void **state) {
  (void)state;
  skip(); /* built without liburing */
}
#define a_broken_ring_is_an_error_and_no_endless_loop submissions_never_run_out

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(submissions_never_run_out),
      cmocka_unit_test(a_broken_ring_is_an_error_and_no_endless_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
