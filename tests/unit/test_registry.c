/* test_registry.c: backends are found, and plug-ins that break the interface are refused before
 * any of their functions is called (backends/registry.h). */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "backends/adopt.h"
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

static struct mux_adopted own;

/* Our own backends pass the checks for plug-ins, and are copied faithfully. */
static void the_trees_backends_keep_to_the_interface(void **state) {
  (void)state;
  size_t count;
  const struct mux_backend *const *all = mux_registry_all(&count);
  for (size_t i = 0; i < count; i++) {
    char why[256] = "";
    if (mux_plugin_adopt(&own, all[i], why, sizeof why) != 0)
      fail_msg("%s: %s", all[i]->name, why);
    assert_string_equal(own.backend.name, all[i]->name);
    assert_int_equal(own.backend.flags, all[i]->flags);
    assert_ptr_equal(own.backend.run, all[i]->run);
    if (all[i]->poller != NULL)
      assert_memory_equal(own.backend.poller, all[i]->poller, sizeof *all[i]->poller);
    size_t options = mux_options_count(all[i]->options);
    assert_int_equal(mux_options_count(own.backend.options), options);
    if (options > 0)
      assert_memory_equal(own.backend.options, all[i]->options, options * sizeof *own.options);
    const struct mux_exemption *row = all[i]->exemptions;
    for (size_t k = 0; row != NULL && row[k].test != NULL; k++)
      assert_memory_equal(&own.backend.exemptions[k], &row[k], sizeof row[k]);
  }
}

static int run_nothing(struct mux_worker *worker) {
  (void)worker;
  return 0;
}
static const struct mux_poller poller_without_wait = {0};

static const struct mux_backend good = {
    .abi = MUX_ABI,
    .name = "good",
    .summary = "-",
    .transports = MUX_TCP,
    .run = run_nothing,
};

static void assert_refused(const struct mux_backend *given, const char *expected) {
  char why[256] = "";
  int rc = mux_plugin_adopt(&own, given, why, sizeof why);
  if (rc != -EINVAL || strstr(why, expected) == NULL)
    fail_msg("gave %d, '%s'; expected '%s'", rc, why, expected);
}

static void each_breach_is_refused_with_its_reason(void **state) {
  (void)state;
  char why[256] = "";
  assert_int_equal(mux_plugin_adopt(&own, &good, why, sizeof why), 0);

  assert_refused(NULL, "points nowhere");
  struct mux_backend bad = good;
  bad.abi.version = 1;
  assert_refused(&bad, "built for plug-in ABI 1, this muxbench has 2");
  bad = good;
  bad.abi.backend_bytes = 16;
  assert_refused(&bad, "struct mux_backend has 16 bytes");
  bad = good;
  bad.abi.event_bytes = 13;
  assert_refused(&bad, "struct mux_event has 13 bytes");
  bad = good;
  bad.abi.poller_bytes = 1 << 20;
  assert_refused(&bad, "struct mux_poller has 1048576 bytes");
  assert_refused((const struct mux_backend *)((uintptr_t)&good + 1), "points nowhere");
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

/* A plug-in of a later minor version has more fields, in its tables as well. They are skipped. */
static void longer_structs_are_accepted(void **state) {
  (void)state;
  static const struct {
    struct mux_option row;
    char more[24];
  } options[] = {{{"one", "-", "1", MUX_OPT_COUNT, .max = 9}, "more"},
                 {{"two", "-", "2", MUX_OPT_COUNT, .max = 9}, "more"},
                 {{0}, "more"}};
  static const struct {
    struct mux_exemption row;
    char more[40];
  } exemptions[] = {{{"first", "-"}, "more"}, {{"second", "why"}, "more"}, {{0}, "more"}};
  struct {
    struct mux_backend backend;
    char more[64];
  } later = {.backend = good, .more = "later"};
  later.backend.abi.backend_bytes = sizeof later;
  later.backend.abi.option_bytes = sizeof *options;
  later.backend.abi.exemption_bytes = sizeof *exemptions;
  later.backend.options = &options[0].row;
  later.backend.exemptions = &exemptions[0].row;
  char why[256] = "";
  if (mux_plugin_adopt(&own, &later.backend, why, sizeof why) != 0)
    fail_msg("%s", why);
  assert_string_equal(own.backend.name, "good");
  assert_int_equal(mux_options_count(own.backend.options), 2);
  assert_string_equal(own.backend.options[1].key, "two");
  assert_string_equal(own.backend.exemptions[1].reason, "why");
  assert_null(own.backend.exemptions[2].test);
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
  assert_int_equal(mux_plugin_load(&backend, "/", why, sizeof why), -EINVAL);
  assert_string_equal(why, "not a regular file");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_tree_has_its_backends_in_order),
      cmocka_unit_test(the_trees_backends_keep_to_the_interface),
      cmocka_unit_test(each_breach_is_refused_with_its_reason),
      cmocka_unit_test(longer_structs_are_accepted),
      cmocka_unit_test(a_path_is_told_from_a_name),
      cmocka_unit_test(shared_objects_are_loaded_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
