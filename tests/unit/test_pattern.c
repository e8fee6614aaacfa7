/* test_pattern.c: the stream is what pattern.h says, byte by byte, and damage is told apart at any
 * alignment (common/pattern.h). */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "common/pattern.h"

enum { BYTES = 600, CONNECTIONS = 10000 };
static const uint64_t sent = UINT64_C(1) << 30;

/* The definition, one byte at a time. */
static unsigned char byte_at(const struct mux_pattern *pattern, uint32_t connection, uint64_t o) {
  return (unsigned char)(mux_pattern_word(pattern, connection, o / 8) >> (o % 8 * 8));
}

static uint32_t random_connection(void) {
  return (uint32_t)test_random_in(0, CONNECTIONS - 1);
}

static void fill_is_the_definition(void **state) {
  (void)state;
  for (int i = 0; i < 5000; i++) {
    struct mux_pattern pattern = mux_pattern_new(test_random());
    uint32_t connection = (uint32_t)test_random_in(0, MUX_PATTERN_CONNECTIONS - 1);
    uint64_t offset = test_random() >> test_random_in(21, 63);
    size_t n = test_random_in(0, i % 2 == 0 ? 20 : BYTES);
    unsigned char got[BYTES + 2];
    memset(got, 0xa5, sizeof got);
    mux_pattern_fill(&pattern, connection, offset, got + 1, n);
    for (size_t k = 0; k < n; k++)
      assert_int_equal(got[k + 1], byte_at(&pattern, connection, offset + k));
    assert_int_equal(got[0], 0xa5);
    assert_int_equal(got[n + 1], 0xa5);
  }
}

static void match_finds_the_first_wrong_byte(void **state) {
  (void)state;
  for (int i = 0; i < 20000; i++) {
    struct mux_pattern pattern = mux_pattern_new(test_random());
    uint32_t connection = random_connection();
    uint64_t offset = test_random_in(0, 1 << 20);
    size_t n = test_random_in(0, i % 2 == 0 ? 20 : BYTES);
    unsigned char data[BYTES + 1];
    mux_pattern_fill(&pattern, connection, offset, data, n);
    data[n] = (unsigned char)(byte_at(&pattern, connection, offset + n) ^ 1); /* not to be read */
    assert_int_equal(mux_pattern_match(&pattern, connection, offset, data, n), n);
    if (n == 0)
      continue;
    size_t first = n;
    for (uint64_t flips = test_random_in(1, 3); flips > 0; flips--) {
      size_t at = test_random_in(0, n - 1);
      data[at] =
          (unsigned char)(byte_at(&pattern, connection, offset + at) ^ test_random_in(1, 255));
      first = at < first ? at : first;
    }
    assert_int_equal(mux_pattern_match(&pattern, connection, offset, data, n), first);
  }
}

/* Streams of different seeds, connections and places are different. */
static void streams_differ(void **state) {
  (void)state;
  unsigned char a[64];
  unsigned char b[64];
  for (int i = 0; i < 2000; i++) {
    struct mux_pattern one = mux_pattern_new(test_random());
    struct mux_pattern two = mux_pattern_new(test_random());
    uint32_t connection = random_connection();
    mux_pattern_fill(&one, connection, 0, a, sizeof a);
    mux_pattern_fill(&two, connection, 0, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    mux_pattern_fill(&one, connection + 1, 0, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    mux_pattern_fill(&one, connection, test_random_in(1, 1000), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
  }
}

/* Bytes of a stream that breaks after `right` bytes: from there on come those of `from`, `at`. */
struct splice {
  struct mux_pattern pattern;
  uint32_t connection;
  uint64_t offset;
  unsigned char data[BYTES];
  uint64_t first_wrong; /* by comparison with the definition */
};

static void splice_random(struct splice *s) {
  s->pattern = mux_pattern_new(test_random());
  s->connection = random_connection();
  s->offset = test_random_in(1 << 20, 1 << 24);
}

static void splice_from(struct splice *s, size_t right, uint32_t from, uint64_t at) {
  mux_pattern_fill(&s->pattern, s->connection, s->offset, s->data, right);
  mux_pattern_fill(&s->pattern, from, at, s->data + right, BYTES - right);
  s->first_wrong = s->offset;
  while (s->data[s->first_wrong - s->offset] == byte_at(&s->pattern, s->connection, s->first_wrong))
    s->first_wrong++;
}

static struct mux_diagnosis diagnose(const struct splice *s) {
  return mux_pattern_diagnose(&s->pattern, s->connection, s->offset, s->data, BYTES, CONNECTIONS,
                              sent);
}

static void right_bytes_are_not_damage(void **state) {
  (void)state;
  struct splice s;
  for (int i = 0; i < 1000; i++) {
    splice_random(&s);
    mux_pattern_fill(&s.pattern, s.connection, s.offset, s.data, BYTES);
    assert_int_equal(diagnose(&s).damage, MUX_DAMAGE_NONE);
  }
}

static void loss_is_told(void **state) {
  (void)state;
  struct splice s;
  for (int i = 0; i < 5000; i++) {
    splice_random(&s);
    size_t right = test_random_in(0, BYTES - 64);
    uint64_t lost = test_random_in(1, i % 2 == 0 ? 16 : 1 << 20);
    splice_from(&s, right, s.connection, s.offset + right + lost);
    struct mux_diagnosis d = diagnose(&s);
    assert_int_equal(d.damage, MUX_DAMAGE_LOST);
    assert_int_equal(d.offset, s.first_wrong);
    assert_int_equal(d.from_connection, s.connection);
    assert_int_equal(d.from_offset, s.first_wrong + lost);
  }
}

static void repetition_is_told(void **state) {
  (void)state;
  struct splice s;
  for (int i = 0; i < 5000; i++) {
    splice_random(&s);
    size_t right = test_random_in(0, BYTES - 64);
    uint64_t back = test_random_in(1, i % 2 == 0 ? 16 : 1 << 20);
    splice_from(&s, right, s.connection, s.offset + right - back);
    struct mux_diagnosis d = diagnose(&s);
    assert_int_equal(d.damage, MUX_DAMAGE_REPEATED);
    assert_int_equal(d.offset, s.first_wrong);
    assert_int_equal(d.from_offset, s.first_wrong - back);
  }
}

static void crosstalk_is_told(void **state) {
  (void)state;
  struct splice s;
  for (int i = 0; i < 5000; i++) {
    splice_random(&s);
    size_t right = test_random_in(0, BYTES - 64);
    uint32_t from = (s.connection + (uint32_t)test_random_in(1, CONNECTIONS - 1)) % CONNECTIONS;
    uint64_t at = test_random_in(0, sent - BYTES);
    splice_from(&s, right, from, at);
    struct mux_diagnosis d = diagnose(&s);
    assert_int_equal(d.damage, MUX_DAMAGE_CROSSTALK);
    assert_int_equal(d.offset, s.first_wrong);
    assert_int_equal(d.from_connection, from);
    assert_int_equal(d.from_offset, at + (s.first_wrong - s.offset - right));
  }
}

static void altered_bytes_are_told(void **state) {
  (void)state;
  struct splice s;
  for (int i = 0; i < 5000; i++) {
    splice_random(&s);
    mux_pattern_fill(&s.pattern, s.connection, s.offset, s.data, BYTES);
    size_t at = test_random_in(0, BYTES - 64);
    size_t run = test_random_in(1, 64);
    for (size_t k = 0; k < run; k++)
      s.data[at + k] = (unsigned char)(s.data[at + k] ^ test_random_in(k == 0, 255));
    struct mux_diagnosis d = diagnose(&s);
    assert_int_equal(d.damage, MUX_DAMAGE_ALTERED);
    assert_int_equal(d.offset, s.offset + at);
  }
}

/* Few bytes, at the very end of a buffer: never read beyond it (the sanitizers watch). */
static void short_data_is_safe(void **state) {
  (void)state;
  for (int i = 0; i < 5000; i++) {
    struct mux_pattern pattern = mux_pattern_new(test_random());
    size_t n = test_random_in(1, 16);
    unsigned char *data = malloc(n);
    assert_non_null(data);
    uint64_t offset = test_random_in(0, 1000);
    for (size_t k = 0; k < n; k++)
      data[k] = (unsigned char)~byte_at(&pattern, 1, offset + k);
    struct mux_diagnosis d = mux_pattern_diagnose(&pattern, 1, offset, data, n, 2, 2000);
    assert_int_equal(d.damage, MUX_DAMAGE_ALTERED);
    assert_int_equal(d.offset, offset);
    free(data);
  }
}

static void each_diagnosis_prints_as_one_line(void **state) {
  (void)state;
  for (int damage = MUX_DAMAGE_NONE; damage <= MUX_DAMAGE_ALTERED; damage++) {
    struct mux_diagnosis d = {.damage = (enum mux_damage)damage, .offset = 100, .from_offset = 164};
    char text[160] = "";
    char cut[8];
    assert_true(strlen(mux_diagnosis_print(text, sizeof text, &d)) > 10);
    assert_null(strchr(text, '\n'));
    assert_int_equal(strlen(mux_diagnosis_print(cut, sizeof cut, &d)), sizeof cut - 1);
  }
  struct mux_diagnosis lost = {.damage = MUX_DAMAGE_LOST, .offset = 100, .from_offset = 164};
  char text[160];
  assert_non_null(strstr(mux_diagnosis_print(text, sizeof text, &lost), "64 bytes lost"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fill_is_the_definition), cmocka_unit_test(match_finds_the_first_wrong_byte),
      cmocka_unit_test(streams_differ),         cmocka_unit_test(right_bytes_are_not_damage),
      cmocka_unit_test(loss_is_told),           cmocka_unit_test(repetition_is_told),
      cmocka_unit_test(crosstalk_is_told),      cmocka_unit_test(altered_bytes_are_told),
      cmocka_unit_test(short_data_is_safe),     cmocka_unit_test(each_diagnosis_prints_as_one_line),
  };
  return cmocka_run_group_tests(tests, test_seed, NULL);
}
