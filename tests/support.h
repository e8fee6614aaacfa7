/* support.h: what test programs share: cmocka with the headers it wants, and random values that a
 * failure can be repeated with.
 *
 * Random tests draw from test_random(). Its seed is the clock's, or MUX_TEST_SEED from the
 * environment; test_seed() prints it into the output, which is shown when a test fails. */
#ifndef MUX_SUPPORT_H
#define MUX_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka.h after the four above: it needs them. */
#include <cmocka.h>

#define TEST_COUNT(array) (sizeof(array) / sizeof *(array))

/* A group set-up function: seeds test_random and says with what. */
int test_seed(void **state);
uint64_t test_random(void);
/* Uniform in [low, high]. */
uint64_t test_random_in(uint64_t low, uint64_t high);

/* What fn(arg) does in a child process: its exit status (128 + signal), and up to bytes-1 bytes of
 * its standard error. A child that hangs is killed after 10 s. */
int test_in_child(void (*fn)(void *arg), void *arg, char *errors, size_t bytes);

/* The path of a plug-in made for the tests (tests/plugins.mk), such as "skeleton.so". The text is
 * overwritten by the next call. */
const char *test_plugin_path(const char *name);

#endif
