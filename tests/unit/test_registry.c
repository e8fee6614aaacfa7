/* test_registry.c: backends are found, and plug-ins that break the interface are refused before
 * anything of them is called (backends/registry.h). */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "backends/registry.h"

static void the_tree_has_its_backends_in_order(void **state) {
  (void)state;
  static const char *const expected[] = {"epoll-et", "epoll-lt", "libev",  "libevent",
                                         "poll",     "select",   "threads"};
  for (size_t i = 0; i < TEST_COUNT(expected); i++)
    if (mux_registry_find(expected[i]) == NULL)
      fail_msg("there is no %s", expected[i]);
  assert_null(mux_registry_find("epoll"));
  assert_null(mux_registry_find(""));
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  assert_true(count >= TEST_COUNT(expected));
  assert_null(all[count]);
  for (size_t i = 1; i < count; i++)
    assert_true(strcmp(all[i - 1]->name, all[i]->name) < 0);
}

/* What is asked of plug-ins holds for our own. */
static void the_trees_backends_keep_to_the_interface(void **state) {
  (void)state;
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  for (size_t i = 0; i < count; i++) {
    struct mux_backend own;
    char why[256] = "";
    if (mux_plugin_adopt(&own, all[i], why, sizeof why) != 0)
      fail_msg("%s: %s", all[i]->name, why);
    assert_memory_equal(&own, all[i], sizeof own);
  }
}

static int run_nothing(struct mux_worker *worker) {
  (void)worker;
  return 0;
}
static const struct mux_poller poller_without_wait = {0};

static const struct mux_backend good = {
    .abi_version = MUX_ABI_VERSION,
    .struct_bytes = sizeof(struct mux_backend),
    .name = "good",
    .summary = "-",
    .transports = MUX_TCP,
    .run = run_nothing,
};

static void assert_refused(const struct mux_backend *given, const char *expected) {
  struct mux_backend own;
  char why[256] = "";
  int rc = mux_plugin_adopt(&own, given, why, sizeof why);
  if (rc != -EINVAL || strstr(why, expected) == NULL)
    fail_msg("gave %d, '%s'; expected '%s'", rc, why, expected);
}

static void each_breach_is_refused_with_its_reason(void **state) {
  (void)state;
  struct mux_backend own;
  char why[256] = "";
  assert_int_equal(mux_plugin_adopt(&own, &good, why, sizeof why), 0);

  assert_refused(NULL, "points nowhere");
  struct mux_backend bad = good;
  bad.abi_version = MUX_ABI_VERSION + 1;
  assert_refused(&bad, "interface version");
  bad = good;
  bad.struct_bytes = 16;
  assert_refused(&bad, "bytes");
  bad = good;
  bad.run = NULL;
  assert_refused(&bad, "neither");
  bad = good;
  bad.poller = mux_registry_find("poll")->poller;
  assert_refused(&bad, "both");
  bad = good;
  bad.run = NULL;
  bad.poller = &poller_without_wait;
  assert_refused(&bad, "lacks");
  bad = good;
  bad.summary = NULL;
  assert_refused(&bad, "summary");
  bad = good;
  bad.transports = 0;
  assert_refused(&bad, "transport");
  static const char *const names[] = {NULL,         "",       "Upper",
                                      "with space", "comma,", "a/b",
                                      "\n",         "x\x1b",  "abcdefghijklmnopqrstuvwxyz-012345"};
  for (size_t i = 0; i < TEST_COUNT(names); i++) {
    bad = good;
    bad.name = names[i];
    assert_refused(&bad, "name");
  }
}

/* A plug-in of a later minor version has more fields, which are not read. */
static void a_longer_struct_is_accepted(void **state) {
  (void)state;
  struct {
    struct mux_backend backend;
    char more[64];
  } later = {.backend = good, .more = "later"};
  later.backend.struct_bytes = sizeof later;
  struct mux_backend own;
  char why[256] = "";
  assert_int_equal(mux_plugin_adopt(&own, &later.backend, why, sizeof why), 0);
  assert_string_equal(own.name, "good");
}

static void a_path_is_told_from_a_name(void **state) {
  (void)state;
  assert_true(mux_plugin_is_path("./my.so"));
  assert_true(mux_plugin_is_path("my.so"));
  assert_true(mux_plugin_is_path("/x/y"));
  assert_false(mux_plugin_is_path("epoll-lt"));
  assert_false(mux_plugin_is_path(".so"));
}

static void shared_objects_are_loaded_or_refused(void **state) {
  (void)state;
  const struct mux_backend *backend = NULL;
  char why[512] = "";
  assert_int_equal(mux_plugin_load(&backend, test_plugin_path("skeleton.so"), why, sizeof why), 0);
  assert_string_equal(backend->name, "skeleton");
  assert_non_null(backend->poller);

  int rc = mux_plugin_load(&backend, test_plugin_path("nameless.so"), why, sizeof why);
  assert_int_equal(rc, -EINVAL);
  assert_non_null(strstr(why, "mux_plugin"));
  assert_int_equal(mux_plugin_load(&backend, test_plugin_path("none.so"), why, sizeof why),
                   -ENOENT);
  assert_int_equal(mux_plugin_load(&backend, "/proc/self/status", why, sizeof why), -ENOEXEC);
  assert_int_equal(mux_plugin_load(&backend, "/", why, sizeof why), -ENOEXEC);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_tree_has_its_backends_in_order),
      cmocka_unit_test(the_trees_backends_keep_to_the_interface),
      cmocka_unit_test(each_breach_is_refused_with_its_reason),
      cmocka_unit_test(a_longer_struct_is_accepted),
      cmocka_unit_test(a_path_is_told_from_a_name),
      cmocka_unit_test(shared_objects_are_loaded_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
