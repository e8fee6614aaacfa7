/* pattern.c: see pattern.h. */
#include "common/pattern.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the pattern is stored little endian");

void mux_pattern_fill(const struct mux_pattern *pattern, uint32_t connection, uint64_t offset,
                      void *out, size_t n) {
  unsigned char *to = out;
  uint64_t index = offset / 8;
  size_t skip = offset % 8;
  if (skip != 0 && n > 0) {
    uint64_t word = mux_pattern_word(pattern, connection, index++);
    size_t part = n < 8 - skip ? n : 8 - skip;
    memcpy(to, (const unsigned char *)&word + skip, part);
    to += part;
    n -= part;
  }
  for (; n >= 8; n -= 8, to += 8) {
    uint64_t word = mux_pattern_word(pattern, connection, index++);
    memcpy(to, &word, 8);
  }
  if (n > 0) {
    uint64_t word = mux_pattern_word(pattern, connection, index);
    memcpy(to, &word, n);
  }
}

/* Bytes of two words that agree from the lowest address on. */
static size_t common_prefix(uint64_t a, uint64_t b) {
  return a == b ? 8 : (size_t)__builtin_ctzll(a ^ b) / 8;
}

size_t mux_pattern_match(const struct mux_pattern *pattern, uint32_t connection, uint64_t offset,
                         const void *data, size_t n) {
  const unsigned char *from = data;
  uint64_t index = offset / 8;
  size_t skip = offset % 8;
  size_t done = 0;
  if (skip != 0 && n > 0) {
    uint64_t word = mux_pattern_word(pattern, connection, index++) >> (8 * skip);
    uint64_t got = 0;
    size_t part = n < 8 - skip ? n : 8 - skip;
    memcpy(&got, from, part);
    size_t same = common_prefix(word, got);
    if (same < part)
      return same;
    done = part;
  }
  for (; n - done >= 8; done += 8) {
    uint64_t got;
    memcpy(&got, from + done, 8);
    uint64_t word = mux_pattern_word(pattern, connection, index++);
    if (got != word)
      return done + common_prefix(word, got);
  }
  if (done < n) {
    uint64_t got = 0;
    memcpy(&got, from + done, n - done);
    size_t same = common_prefix(mux_pattern_word(pattern, connection, index), got);
    return done + (same < n - done ? same : n - done);
  }
  return n;
}

/* Reads the whole word at data+at as a position. Offsets start `at` bytes before it. */
static bool locate(const struct mux_pattern *pattern, const unsigned char *data, size_t at,
                   uint32_t connections, uint64_t sent, struct mux_diagnosis *found) {
  struct mux_pattern_place place = mux_pattern_place(pattern, data + at);
  if (place.connection >= connections || place.offset >= sent || place.offset < at)
    return false;
  found->from_connection = place.connection;
  found->from_offset = place.offset - at;
  return true;
}

struct mux_diagnosis mux_pattern_diagnose(const struct mux_pattern *pattern, uint32_t connection,
                                          uint64_t offset, const void *data, size_t n,
                                          uint32_t connections, uint64_t sent) {
  struct mux_diagnosis result = {.offset = offset};
  size_t right = mux_pattern_match(pattern, connection, offset, data, n);
  if (right == n)
    return result;
  const unsigned char *wrong = (const unsigned char *)data + right;
  result.offset = offset + right;
  result.damage = MUX_DAMAGE_ALTERED;
  for (size_t at = 0; at < 8 && at + 8 <= n - right; at++) {
    if (!locate(pattern, wrong, at, connections, sent, &result))
      continue;
    if (result.from_connection != connection)
      result.damage = MUX_DAMAGE_CROSSTALK;
    else if (result.from_offset > result.offset)
      result.damage = MUX_DAMAGE_LOST;
    else if (result.from_offset < result.offset)
      result.damage = MUX_DAMAGE_REPEATED;
    break;
  }
  return result;
}

char *mux_diagnosis_print(char *out, size_t out_bytes, const struct mux_diagnosis *d) {
  switch (d->damage) {
  case MUX_DAMAGE_NONE:
    snprintf(out, out_bytes, "all bytes are right");
    break;
  case MUX_DAMAGE_LOST:
    snprintf(out, out_bytes, "%" PRIu64 " bytes lost (or overtaken) at offset %" PRIu64,
             d->from_offset - d->offset, d->offset);
    break;
  case MUX_DAMAGE_REPEATED:
    snprintf(out, out_bytes, "bytes of offset %" PRIu64 " came again (or late) at offset %" PRIu64,
             d->from_offset, d->offset);
    break;
  case MUX_DAMAGE_CROSSTALK:
    snprintf(out, out_bytes,
             "bytes of connection %" PRIu32 " (its offset %" PRIu64 ") came at offset %" PRIu64,
             d->from_connection, d->from_offset, d->offset);
    break;
  case MUX_DAMAGE_ALTERED:
    snprintf(out, out_bytes, "bytes altered from offset %" PRIu64 " on", d->offset);
    break;
  }
  return out;
}
