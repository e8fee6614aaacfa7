/* test_run_udp.c: experiments over UDP: the gate, the floor, the columns of losses, and streams
 * beside it. */
#include "tests/support.h"

#include <string.h>

#include "tests/run_experiment.h"
#include "tests/udp_peer.h"

static struct test_result result;

static const enum column losses[] = {COL_datagrams_lost, COL_datagrams_reordered,
                                     COL_datagrams_duplicated, COL_datagrams_late};

static void transports_stand_side_by_side(void **state) {
  (void)state;
  test_write_config("transports",
                    "question = \"?\"; servers = (\"epoll-lt\", \"threads\"); "
                    "baseline = \"epoll-lt\"; twin = false; blocks = 1; count = \"0\";\n"
                    "load = { connections = 100; duration = \"300ms\"; warmup = \"50ms\"; };\n"
                    "serve = { listen = [ \"tcp://127.0.0.1:0\", \"udp://127.0.0.1:0\" ]; };\n");
  test_run_experiment(&result, "transports", "transports");
  struct rows rows = test_read_rows("transports");
  json_t *run = test_read_run("transports");
  const struct row *udp = test_find_row(&rows, "listen=udp://127.0.0.1:0", "epoll-lt");
  const struct row *tcp = test_find_row(&rows, "listen=tcp://127.0.0.1:0", "epoll-lt");
  const struct row *none = test_find_row(&rows, "listen=udp://127.0.0.1:0", "threads");
  assert_string_equal(row_text(udp, COL_transport), "udp4");
  assert_true(row_number(udp, COL_completed) > 0);
  assert_true(row_number(udp, COL_established) == 100);
  assert_true(row_number(udp, COL_floor_us) > 0.2);
  assert_true(row_number(udp, COL_errors_mismatch) == 0);
  for (size_t i = 0; i < TEST_COUNT(losses); i++) {
    assert_true(row_number(udp, losses[i]) >= 0);
    assert_string_equal(row_text(tcp, losses[i]), ""); /* not measured, not 0 */
  }
  assert_string_equal(row_text(none, COL_status), "skipped");
  assert_non_null(
      strstr(test_reason(run, (int)row_number(none, COL_trial)), "does not serve udp4"));
  json_decref(run);
  rows_free(&rows);
}

/* Losses are counted and void what they touch; wrong bytes do not come past the gate. */
static void bad_peers_are_told_apart(void **state) {
  (void)state;
  struct udp_peer *loses =
      udp_peer_start((struct udp_plan){.misdeed = UDP_LOSE, .every = 25, .always = true});
  struct udp_peer *alters =
      udp_peer_start((struct udp_plan){.misdeed = UDP_FLIP, .every = 1, .always = true});
  test_write_config("peers",
                    "question = \"?\"; servers = ({ name = \"loses\"; target = \"%s\"; }, "
                    "{ name = \"alters\"; target = \"%s\"; }); blocks = 1; count = \"0\";\n"
                    "method = \"fresh\";\n" /* a slice is shorter than the wait for what is lost */
                    "load = { connections = 10; duration = \"300ms\"; warmup = \"50ms\"; "
                    "timeout = \"100ms\"; };\n",
                    loses->target, alters->target);
  test_command(&result, "run %s/peers.cfg --out %s/peers", test_directory(), test_directory());
  test_expect(&result, 1);
  struct rows rows = test_read_rows("peers");
  json_t *run = test_read_run("peers");
  const struct row *lossy = test_find_row(&rows, "all", "loses");
  const struct row *wrong = test_find_row(&rows, "all", "alters");
  double lost = row_number(lossy, COL_datagrams_lost);
  assert_true(lost > 0);
  assert_true(lost == row_number(lossy, COL_errors_timeout));
  assert_string_equal(row_text(lossy, COL_status), "invalid");
  assert_true(row_has_flag(lossy, "datagrams_lost"));
  assert_false(row_has_flag(lossy, "errors"));
  assert_string_equal(row_text(wrong, COL_status), "failed");
  assert_non_null(
      strstr(test_reason(run, (int)row_number(wrong, COL_trial)), "comes back altered"));
  json_decref(run);
  rows_free(&rows);
  udp_peer_end(loses);
  udp_peer_end(alters);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(transports_stand_side_by_side),
      cmocka_unit_test(bad_peers_are_told_apart),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
