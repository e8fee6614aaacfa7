/* test_agents.c: one load by several agents (load --agents): local ones, agents in network and time
 * namespaces, and what happens when one is lost. */
#include "tests/support.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/run_experiment.h"
#include "tests/spawn.h"

enum { AGENTS = 4 };

static struct test_result result;

static const json_t *agent_of(const json_t *json, int i) {
  const json_t *agent = json_array_get(json_object_get(json, "agents"), (size_t)i);
  assert_non_null(agent);
  return agent;
}

/* What all have echoed is what each has. */
static void assert_sum(const json_t *json) {
  long long sum = 0;
  assert_int_equal(json_array_size(json_object_get(json, "agents")), AGENTS);
  for (int i = 0; i < AGENTS; i++) {
    assert_true(json_is_null(json_object_get(agent_of(json, i), "lost")));
    assert_true(test_json_int(agent_of(json, i), "completed") > 0);
    sum += test_json_int(agent_of(json, i), "completed");
  }
  assert_int_equal(test_json_int(json, "completed"), sum);
  assert_int_equal(test_json_int(json, "response_us.count"), sum);
}

static void local_agents_are_one_load(void **state) {
  (void)state;
  struct test_server server;
  char hlog[200];
  snprintf(hlog, sizeof hlog, "%s/hlog", test_directory());
  test_serve(&server, "--backend epoll-lt");
  test_command(&result,
               "load --target %s --agents ,,, --connections 10 --idle 6 --rate 2k "
               "--duration 500ms --warmup 100ms --sources 127.0.0.0/28 --json --hlog %s",
               server.target, hlog);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  assert_sum(json);
  struct stat file;
  assert_int_equal(stat(hlog, &file), 0);
  assert_int_equal(test_json_int(json, "connections"), 10);
  assert_int_equal(test_json_int(json, "held"), 10);
  assert_int_equal(test_json_int(json, "idle_held"), 6);
  assert_int_equal(test_json_int(json, "threads"), AGENTS);
  /* The slots of all are those of one schedule. */
  assert_true(test_json_int(json, "sent") >= 980 && test_json_int(json, "sent") <= 1020);
  assert_true(test_json_real(json, "server_cpu_us_per_req") > 0);
  for (int i = 0; i < AGENTS; i++) { /* the clock of all is one */
    long long offset = test_json_int(agent_of(json, i), "clock_offset_ns");
    assert_true(llabs(offset) <= test_json_int(agent_of(json, i), "clock_error_ns"));
  }
  json_decref(json);
  test_stop(&server);
}

static void the_text_says_who_did_what(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  test_command(&result, "load %s --agents 'env A=1' -c 2 -d 100ms --warmup 0", server.target);
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, " by env A=1: "));
  test_command(&result, "load %s --agents 'env A=1,env A=2' -c 2 -d 100ms --warmup 0",
               server.target);
  test_expect(&result, 0);
  assert_non_null(strstr(result.out, "\n  agent 1, "));
  assert_non_null(strstr(result.out, " by env A=2: "));
  test_stop(&server);
}

/* ---- Namespaces ------------------------------------------------------------------------------ */

/* Network namespaces, joined by a bridge, and the server's address on it. */
static bool make_networks(void) {
  static const char script[] =
      "id=$$; exec 2>/dev/null; "
      "ip link add muxb type bridge && ip addr add 10.213.77.1/24 dev muxb && ip link set muxb up "
      "&& for i in 1 2 3 4; do "
      "ip netns add muxn$i && ip link add muxv$i type veth peer name eth0 netns muxn$i && "
      "ip link set muxv$i master muxb up && ip -n muxn$i addr add 10.213.77.1$i/24 dev eth0 && "
      "ip -n muxn$i link set eth0 up && ip -n muxn$i link set lo up || exit 1; done";
  return geteuid() == 0 && system(script) == 0;
}

static int remove_networks(void **state) {
  (void)state;
  (void)!system("exec 2>/dev/null; for i in 1 2 3 4; do ip netns del muxn$i; ip link del muxv$i; "
                "done; ip link del muxb");
  return 0;
}

static int networks(void **state) {
  static bool there;
  remove_networks(NULL); /* of a test that was killed */
  there = make_networks();
  *state = &there;
  return 0;
}

static void skip_without(bool there, const char *kind) {
  if (there)
    return;
  print_message("skipped: no %s namespaces can be made here (root, iproute2, util-linux)\n", kind);
  skip();
}

static const char in_namespaces[] = "ip netns exec muxn1,ip netns exec muxn2,ip netns exec muxn3,"
                                    "ip netns exec muxn4";

static void agents_in_namespaces_are_one_load(void **state) {
  struct test_server server;
  skip_without(*(bool *)*state, "network");
  test_serve(&server, "--backend epoll-lt --listen tcp://10.213.77.1:0 --allow-remote");
  test_command(&result,
               "load --target %s --allow-remote --agents '%s' --connections 40 --rate 4k "
               "--duration 500ms --warmup 100ms --json",
               server.target, in_namespaces);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  assert_sum(json);
  assert_int_equal(test_json_int(json, "held"), 40);
  assert_true(test_json_real(json, "server_cpu_us_per_req") > 0); /* the agents do not see it */
  json_decref(json);
  test_stop(&server);
}

static void a_host_that_is_cut_off_is_missed(void **state) {
  struct test_server server;
  struct test_process load;
  char command[500];
  skip_without(*(bool *)*state, "network");
  test_serve(&server, "--backend epoll-lt --listen tcp://10.213.77.1:0 --allow-remote");
  snprintf(command, sizeof command,
           "load --target %s --allow-remote --agents '%s' --connections 40 --rate 8k "
           "--duration 4s --warmup 0 --timeout 1s --json",
           server.target, in_namespaces);
  test_start(&load, command);
  test_await_traffic(&server);
  assert_int_equal(system("ip link set muxv3 down"), 0);
  test_wait(&load, &result);
  test_expect(&result, 1);
  json_t *json = test_json(&result);
  assert_false(json_is_true(json_object_get(json, "valid")));
  assert_true(test_json_int(agent_of(json, 0), "completed") >
              test_json_int(agent_of(json, 2), "completed"));
  json_decref(json);
  test_stop(&server);
}

/* Its clock is a thousand seconds ahead. */
static void another_clock_is_found_out(void **state) {
  (void)state;
  struct test_server server;
  bool there =
      geteuid() == 0 && system("unshare --time --monotonic 1000 --fork true 2>/dev/null") == 0;
  skip_without(there, "time");
  test_serve(&server, "--backend epoll-lt");
  test_command(&result,
               "load --target %s --agents ',unshare --time --monotonic 1000 --fork' "
               "--connections 4 --duration 300ms --warmup 100ms --json",
               server.target);
  test_expect(&result, 0);
  json_t *json = test_json(&result);
  long long offset = test_json_int(agent_of(json, 1), "clock_offset_ns");
  assert_true(llabs(offset - 1000 * MUX_S) <=
              test_json_int(agent_of(json, 1), "clock_error_ns") + MUX_US);
  assert_true(llabs(test_json_int(agent_of(json, 0), "clock_offset_ns")) < 100 * MUX_MS);
  assert_true(llabs(test_json_int(agent_of(json, 1), "start_late_ns")) < 100 * MUX_MS);
  json_decref(json);
  test_stop(&server);
}

/* ---- One is lost ----------------------------------------------------------------------------- */

static char pid_file[200];

static bool has_pid(void *arg) {
  FILE *file = fopen(pid_file, "re");
  int pid = 0;
  if (file == NULL)
    return false;
  bool there = fscanf(file, "%d\n", &pid) == 1 && pid > 0;
  fclose(file);
  *(pid_t *)arg = pid;
  return there;
}

/* Starts a load of a minute by three agents. The second is that process. */
static pid_t start_victim(struct test_process *load, const char *target) {
  char command[500];
  pid_t pid = 0;
  snprintf(pid_file, sizeof pid_file, "%s/pid", test_directory());
  unlink(pid_file);
  snprintf(command, sizeof command,
           "load --target %s --agents ',sh -c \"echo $$ >%s; exec \\\"\\$@\\\"\" sh,' "
           "--connections 6 --rate 20k --duration 60s --warmup 0 --json",
           target, pid_file);
  test_start(load, command);
  assert_true(test_wait_until(has_pid, &pid));
  return pid;
}

static void lose(int signal, const char *why) {
  struct test_server server;
  struct test_process load;
  test_serve(&server, "--backend epoll-lt");
  pid_t victim = start_victim(&load, server.target);
  test_await_traffic(&server);
  int64_t start_ns = mux_now_ns();
  assert_int_equal(kill(victim, signal), 0);
  test_wait(&load, &result);
  int64_t took_ns = mux_now_ns() - start_ns;
  test_expect(&result, 1);
  assert_non_null(strstr(result.err, "agent 2 (sh -c "));
  assert_non_null(strstr(result.err, why));
  assert_true(took_ns < 30 * MUX_S); /* 10 s on a host that is not busy */
  json_t *json = test_json(&result);
  assert_true(json_is_string(json_object_get(agent_of(json, 1), "lost")));
  assert_true(json_is_null(json_object_get(agent_of(json, 2), "lost")));
  assert_true(json_is_false(json_object_get(json, "valid")));
  assert_int_equal(test_json_int(json, "connections"), 6);
  assert_int_equal(test_json_int(json, "established"), signal == SIGTERM ? 6 : 4);
  json_decref(json);
  test_stop(&server);
}

static void one_that_dies_is_named(void **state) {
  (void)state;
  lose(SIGKILL, "it has ended");
}

/* It hands in its part, but that is not of the same time as the others'. */
static void one_that_ends_early_is_named(void **state) {
  (void)state;
  lose(SIGTERM, "it has ended before it was told to");
}

static void one_that_falls_silent_is_named(void **state) {
  (void)state;
  lose(SIGSTOP, "it has been silent for 5 s");
}

static void ctrl_c_keeps_what_was_measured(void **state) {
  (void)state;
  struct test_server server;
  struct test_process load;
  test_serve(&server, "--backend epoll-lt");
  start_victim(&load, server.target);
  test_await_traffic(&server);
  kill(load.pid, SIGINT);
  test_wait(&load, &result);
  test_expect(&result, 130);
  json_t *json = test_json(&result);
  assert_true(json_is_true(json_object_get(json, "interrupted")));
  json_decref(json);
  test_stop(&server);
}

static void what_is_no_agent_is_refused(void **state) {
  (void)state;
  struct test_server server;
  test_serve(&server, "--backend epoll-lt");
  static const struct {
    const char *options, *why;
    int status;
  } rows[] = {
      {"-c 2 --agents ',echo hello'", "agent 2 (echo hello): it said 'hello ", 1},
      {"-c 2 --agents ',/nonexistent'", "agent 2 (/nonexistent): it could not be started: No such",
       1},
      {"-c 2 --agents ',true'", "agent 2 (true): it has ended", 1},
      {"-c 2 --agents ,,", "--agents: 3 for 2 connections; each needs one", 2},
      {"-c 2 --agents , --part 1/2", "--part: not together with --agents", 2},
      {"-c 2 --agents , --find-rate 'p99<1ms'", "--find-rate: not together with --agents", 2},
  };
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    test_command(&result, "load %s %s", server.target, rows[i].options);
    test_expect_error(&result, rows[i].status, rows[i].why);
  }
  test_command(&result, "agent"); /* its standard input is empty */
  test_expect(&result, 0);
  test_stop(&server);
}

static void what_an_agent_says_is_not_trusted(void **state) {
  (void)state;
  static const struct {
    const char *says, *why;
  } rows[] = {
      {"echo 'agent {\"protocol\": 2, \"host\": \"x\"}'; sleep 60", "it speaks version 2"},
      {"echo 'agent {\"protocol\": 1, \"host\": \"\"}'; sleep 60", "it said 'agent "},
      {"echo 'agent {\"protocol\": 1, \"host\": \"x\"}'; yes x", "it said 'x'"},
      {"echo 'agent {\"protocol\": 1, \"host\": \"x\"}'; echo 'clock 2 -1'; sleep 60",
       "it said 'clock 2 -1'"},
      {"head -c 100000 /dev/zero | tr '\\0' x; sleep 60", "it does not speak the protocol"},
  };
  struct test_server server;
  char path[200];
  snprintf(path, sizeof path, "%s/fake", test_directory());
  test_serve(&server, "--backend epoll-lt");
  for (size_t i = 0; i < TEST_COUNT(rows); i++) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", rows[i].says);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    test_command(&result, "load %s -c 2 --agents ,%s", server.target, path);
    test_expect_error(&result, 1, rows[i].why);
  }
  test_stop(&server);
}

/* The runner orders slices of a load by agents as of any other. */
static void an_experiment_takes_agents(void **state) {
  (void)state;
  test_write_config("agents", "question = \"?\"; baseline = \"epoll-lt\"; blocks = 1; rounds = 3; "
                              "servers = (\"epoll-lt\", \"poll\"); agents = (\"\", \"\"); "
                              "count = \"0s\"; load = { connections = 10; };");
  test_run_experiment(&result, "agents", "out");
  struct rows rows = test_read_rows("out");
  assert_true(rows.count >= 2);
  for (size_t i = 0; i < rows.count; i++)
    assert_true(row_number(&rows.rows[i], COL_host_cpu_us_per_req) > 0);
  rows_free(&rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(local_agents_are_one_load),
      cmocka_unit_test(the_text_says_who_did_what),
      cmocka_unit_test_setup_teardown(agents_in_namespaces_are_one_load, networks, remove_networks),
      cmocka_unit_test_setup_teardown(a_host_that_is_cut_off_is_missed, networks, remove_networks),
      cmocka_unit_test(another_clock_is_found_out),
      cmocka_unit_test(one_that_dies_is_named),
      cmocka_unit_test(one_that_ends_early_is_named),
      cmocka_unit_test(one_that_falls_silent_is_named),
      cmocka_unit_test(ctrl_c_keeps_what_was_measured),
      cmocka_unit_test(what_is_no_agent_is_refused),
      cmocka_unit_test(what_an_agent_says_is_not_trusted),
      cmocka_unit_test(an_experiment_takes_agents),
  };
  return cmocka_run_group_tests(tests, test_make_directory, test_remove_directory);
}
