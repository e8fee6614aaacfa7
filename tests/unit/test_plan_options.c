/* test_plan_options.c: a plan holds what load and serve take, and nothing else; what does not fit
 * is skipped; and load is told what the row says. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/plan/plan.h"
#include "bench/run/trial_columns.h"
#include "bench/run/trial_load.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/memory.h"
#include "loadgen/load_options.h"

static char path[] = "/tmp/test_plan_options.XXXXXX.cfg";

static int make_file(void **state) {
  (void)state;
  int fd = mkstemps(path, 4);
  return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state) {
  (void)state;
  return unlink(path);
}

struct dry_run {
  const char *text; /* of the experiment */
  const char *set;  /* --set, or NULL */
  int line;         /* that is blamed; 0: the --set */
  const char *says;
};

static void write_config(const char *text) {
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void run_dry(void *arg) {
  const struct dry_run *dry = arg;
  char *argv[] = {"run", path, "--dry-run", dry->set != NULL ? "--set" : NULL, (char *)dry->set,
                  NULL};
  dup2(STDERR_FILENO, STDOUT_FILENO); /* seen by the test, too */
  exit(cmd_run(dry->set != NULL ? 5 : 3, argv));
}

static void what_load_or_serve_refuses_is_not_planned(void **state) {
  (void)state;
#define FILE_OF(servers, rest) "servers = ( " servers " );\nblocks = 1;\n" rest
#define EPOLL(rest)            FILE_OF("\"epoll-lt\"", rest)
  static const struct dry_run cases[] = {
      /* A value of one option. */
      {EPOLL("load = { depth = 1000000; };\n"), NULL, 3, "depth: 1000000 is out of range"},
      {EPOLL("load = { rate = 200000000; };\n"), NULL, 3, "rate: 200000000 is out of range"},
      {EPOLL("load = {\n timestamps = \"often\"; };\n"), NULL, 4, "timestamps: 'often'"},
      {EPOLL("load = { sources = \"here\"; };\n"), NULL, 3, "sources: 'here'"},
      {EPOLL("load = { engine = \"steam\"; };\n"), NULL, 3, "engine: 'steam'"},
      {EPOLL("serve = { buffer = \"128MiB\"; };\n"), NULL, 3, "buffer: 128MiB is out of range"},
      {EPOLL("serve = { busy-poll = \"1500ns\"; };\n"), NULL, 3, "busy-poll: '1500ns'"},
      {EPOLL("serve = { defer-accept = \"1.5s\"; };\n"), NULL, 3, "defer-accept: '1.5s'"},
      {EPOLL("serve = {\n listen = \"here\"; };\n"), NULL, 4, "listen: 'here'"},
      {EPOLL("serve = {\n listen = \"tcp://192.0.2.1:0\"; };\n"), NULL, 4, "loopback"},
      {EPOLL("serve = {\n options = \"speed=1\"; };\n"), NULL, 4, "no option 'speed'"},
      {EPOLL("load = { };\n"), "depth=1000000", 0, "depth: 1000000 is out of range"},
      {EPOLL("load = { };\n"), "options=speed=1", 0, "no option 'speed'"},
      /* Options of load that do not go together, in any cell. */
      {EPOLL("load = { mode = [ \"echo\", \"crr\" ];\n depth = [ 1, 4 ]; };\n"), NULL, 4,
       "(cell mode=crr;depth=4)"},
      {EPOLL("load = { rate = \"1k\";\n depth = 4; };\n"), NULL, 4, "depth: "},
      {EPOLL("load = { rate = [ \"closed\", \"1k\" ];\n think = \"1ms\"; };\n"), NULL, 4,
       "think: "},
      {EPOLL("load = { connections = [ 8, 2 ];\n threads = 4; };\n"), NULL, 4,
       "threads: 4 threads for 2 connections"},
      {EPOLL("load = { duration = \"60s\";\n rate = \"100M\"; };\n"), NULL, 4, "rate: "},
      {EPOLL("serve = { listen = \"udp://127.0.0.1:0\"; };\nload = {\n payload = 70000; };\n"),
       NULL, 5, "payload: "},
      {EPOLL("serve = { listen = \"udp://127.0.0.1:0\"; };\nload = {\n payload = 4; };\n"), NULL, 5,
       "payload: "},
      {EPOLL("serve = { listen = \"udp://127.0.0.1:0\"; };\nload = {\n mode = \"crr\"; };\n"), NULL,
       5, "mode: "},
      {EPOLL("load = { timestamps = \"1/10\"; };\nserve = { listen = \"unix:///tmp/t.sock\"; };\n"),
       NULL, 3, "timestamps: "},
      {EPOLL("load = { sources = \"127.0.0.0/8\"; };\nserve = { listen = \"tcp://[::1]:0\"; };\n"),
       NULL, 3, "sources: "},
      {EPOLL("load = { };\n"), "threads=2", 0, "threads: 2 threads for 1 connection;"},
      /* A server's own options, and where it is. */
      {FILE_OF("\"poll\",\n { name = \"x\"; backend = \"epoll-lt\";\n options = \"speed=1\"; }",
               "load = { };\n"),
       NULL, 3, "no option 'speed'"},
      {FILE_OF("\"poll\",\n { name = \"x\"; backend = \"epoll-lt\";\n workers = 9999; }",
               "load = { };\n"),
       "workers=2", 3, "workers: 9999 is out of range"},
      {FILE_OF("\"poll\",\n { name = \"x\"; target = \"tcp://192.0.2.1:7\"; }", "load = { };\n"),
       NULL, 2, "loopback"},
      {FILE_OF("\"poll\",\n { name = \"x\"; target = \"here\"; }", "load = { };\n"), NULL, 2,
       "'here'"},
      {FILE_OF("{ name = \"x\"; command = \"./x {port}\"; }",
               "serve = { listen = \"tcp://192.0.2.1:0\"; };\n"),
       NULL, 3, "loopback"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct dry_run dry = cases[i];
    write_config(dry.text);
    char errors[1024];
    char place[160];
    int status = test_in_child(run_dry, &dry, errors, sizeof errors);
    if (dry.line > 0)
      snprintf(place, sizeof place, "muxbench: %s:%d: ", path, dry.line);
    else
      snprintf(place, sizeof place, "muxbench: --set %s: ", dry.set);
    if (status != MUX_EXIT_USAGE || strncmp(errors, place, strlen(place)) != 0 ||
        strstr(errors, dry.says) == NULL || strchr(errors, '\n') != errors + strlen(errors) - 1)
      fail_msg("%sexit %d: %s", dry.text, status, errors);
  }
}

/* Where a backend or this host cannot do what is right in itself, the trial is skipped. */
static void what_does_not_fit_is_skipped(void **state) {
  (void)state;
  static const struct dry_run cases[] = {
      {FILE_OF("\"iterative\", \"select\"", "serve = { workers = [ 1, 5 ]; };\n"), NULL, 0,
       "Skips workers=5, iterative: iterative serves with at most 1 worker\n"},
      {FILE_OF("\"threads\", \"epoll-lt\"", "load = { payload = [ 8, 64 ]; };\n"
                                            "serve = { listen = \"udp://127.0.0.1:0\"; };\n"),
       NULL, 0, "Skips payload=64, threads: threads does not serve udp4\n"},
      {FILE_OF("\"poll\", \"epoll-lt\"",
               "serve = { workers = 2; accept = [ \"shared\", \"exclusive\" ]; };\n"),
       NULL, 0, "Skips accept=exclusive, poll: poll cannot accept by 'exclusive': only epoll"},
      /* What load would refuse over UDP is never asked of it: nobody serves it. */
      {FILE_OF("\"threads\"", "load = { mode = \"crr\"; };\n"
                              "serve = { listen = \"udp://127.0.0.1:0\"; };\n"),
       NULL, 0, "Skips all, threads: threads does not serve udp4\n"},
      {EPOLL("load = { connections = [ 1, 8000000 ]; };\n"), NULL, 0,
       "Skips connections=8000000, epoll-lt: the load needs 8000015 descriptors"},
  };
  for (size_t i = 0; i < TEST_COUNT(cases); i++) {
    struct dry_run dry = cases[i];
    write_config(dry.text);
    char shown[4096];
    int status = test_in_child(run_dry, &dry, shown, sizeof shown);
    if (status != 0 || strstr(shown, dry.says) == NULL)
      fail_msg("%sexit %d: %s", dry.text, status, shown);
  }
}

/* The row of a trial and the words its load is started with say the same. A stream's payload and
 * depth are load's own to choose; every other cell has them from the experiment. */
static void a_row_says_what_load_is_told(void **state) {
  (void)state;
  char why[512];
  write_config("servers = ( \"epoll-lt\" );\nblocks = 1;\nload = { mode = [ \"echo\", \"crr\", "
               "\"stream\" ]; threads = [ 1, 2 ]; connections = 2; linger0 = \"yes\"; };\n");
  struct experiment *e = experiment_read(path, NULL, 0, why, sizeof why);
  if (e == NULL)
    fail_msg("%s", why);
  struct plan *plan = plan_new(e, NULL);
  const struct rundir dir = {.id = "id"};
  const struct trial_setting setting = {.plan = plan, .dir = &dir};
  assert_int_equal(plan->cell_count, 6);
  for (int i = 0; i < plan->cell_count; i++) {
    struct plan_trial trials[1];
    plan_launch(plan, i, 1, trials);
    const struct plan_trial *trial = &trials[0];
    struct pace_cell times = {.warmup_ns = MUX_MS, .duration_ns = 2 * MUX_MS};
    struct row *row = mux_new(1, sizeof *row);
    struct rows rows = {.rows = row, .count = 1};
    struct load_options options;
    char *argv[TRIAL_LOAD_ARGS + 4] = {"load", "tcp://127.0.0.1:1"};
    int argc = 2;
    char **words = trial_load_options(plan, trial, &times, "", NULL, NULL);
    while (words[argc - 2] != NULL) {
      argv[argc] = words[argc - 2];
      argc++;
    }
    load_options_parse(&options, argc, argv);
    trial_describe(&setting, trial, row);
    bool stream = options.config.mode == LOAD_STREAM;
    assert_int_equal(options.config.payload_bytes, stream ? 65536 : 64);
    assert_int_equal(row_number(row, COL_payload_bytes), options.config.payload_bytes);
    assert_int_equal(row_number(row, COL_depth), options.config.depth);
    assert_int_equal(row_number(row, COL_threads), options.config.threads);
    assert_int_equal(options.config.warmup_ns, times.warmup_ns);
    assert_int_equal(options.config.duration_ns, times.duration_ns);
    assert_true(options.config.linger0);
    free(words);
    rows_free(&rows);
  }
  plan_free(plan);
  experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_load_or_serve_refuses_is_not_planned),
      cmocka_unit_test(what_does_not_fit_is_skipped),
      cmocka_unit_test(a_row_says_what_load_is_told),
  };
  return cmocka_run_group_tests(tests, make_file, remove_file);
}
