/* spawn.h: real muxbench processes under test.
 *
 * The program is $MUXBENCH, else build/muxbench. Command lines are split into words as a shell
 * would (common/words.h); the first word is the command. Every child dies with the test program
 * (PR_SET_PDEATHSIG), so a failed assertion leaves none behind. Failures are cmocka failures that
 * show what the process wrote. */
#ifndef MUX_SPAWN_H
#define MUX_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/addr.h"

enum { TEST_OUTPUT = 256 << 10, TEST_TIMEOUT_S = 60 };

struct test_process {
  pid_t pid;
  int out_fd; /* files that hold its stdout and stderr */
  int err_fd;
  char command[512];
};

/* What a process left when it had ended. */
struct test_result {
  char command[512];
  int status; /* exit status, or 1000 + signal: not to be mixed up with exit 130 */
  char out[TEST_OUTPUT];
  char err[TEST_OUTPUT];
};

void test_start(struct test_process *process, const char *command);
/* Waits for it to end, TEST_TIMEOUT_S at most, and fills result. */
void test_wait(struct test_process *process, struct test_result *result);
/* Both. The result is the caller's, too large for a small stack. */
void test_command(struct test_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Asserts that it exited with `status`. */
void test_expect(const struct test_result *result, int status);
/* Asserts exit `status`, nothing on stdout, and one line of standard error that begins with
 * "muxbench: " and contains `text`. */
void test_expect_error(const struct test_result *result, int status, const char *text);

/* A server: "muxbench serve ARGS", ready once its line "listening ADDR" was read. */
struct test_server {
  struct test_process process;
  struct mux_addr addr;
  char target[MUX_ADDR_TEXT]; /* the same, as text */
};
/* Whether the backend of "NAME OPTION…" can run here. */
bool test_has_backend(const char *server);
void test_serve(struct test_server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits until it has served for a while: only traffic takes 50 ms of a server's CPU time. */
void test_await_traffic(const struct test_server *server);
/* SIGTERM; asserts exit 0 and that standard error is empty. */
void test_stop(struct test_server *server);
/* Waits until done(arg) is true; false if it is not within TEST_TIMEOUT_S. */
bool test_wait_until(bool (*done)(void *arg), void *arg);
/* Current content of its stderr; the text is overwritten by the next call. */
const char *test_errors(const struct test_process *process);

/* What a result says on stdout, as JSON; fails if it is none. The caller decrefs it. */
struct json_t;
struct json_t *test_json(const struct test_result *result);
/* Member of nested objects, "errors.mismatch"; fails if it is not there or no integer. */
long long test_json_int(const struct json_t *object, const char *path);
double test_json_real(const struct json_t *object, const char *path);

/* A directory under /tmp for the files of one test program. Returns it with no slash at the end. */
const char *test_directory(void);
/* Removes it and what is in it. Both fit cmocka's group functions. */
int test_make_directory(void **state);
int test_remove_directory(void **state);
/* Number of entries in a directory, . and .. left out; -1 if it does not exist. */
int test_count_files(const char *directory);

/* As many connections as asked for, or MUX_TEST_CONNECTIONS_MAX if that is less. */
int test_connections(int wanted);

#endif
