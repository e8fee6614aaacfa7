/* pattern.h: bytes that tell where they belong.
 *
 * Every connection sends one endless stream. Byte o of connection c is byte o%8 (little endian) of
 * the word mix(seed, c, o/8), where mix is a bijection of 64 bits: 24 bits of connection and 40
 * bits of word index (8 TiB per connection). A word that comes back can be unmixed and tells the
 * connection and the offset that it was sent at, so loss, repetition, reordering and cross-talk can
 * be told from damage. With messages of p bytes, message m is bytes [m·p, (m+1)·p) of the stream.
 * The mixing is the finaliser of splitmix64 (Steele, Lea, Flood 2014). */
#ifndef MUX_PATTERN_H
#define MUX_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MUX_PATTERN_CONNECTIONS = 1 << 24 };

struct mux_pattern {
  uint64_t key;
};

static inline struct mux_pattern mux_pattern_new(uint64_t seed) {
  return (struct mux_pattern){.key = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
}

static inline uint64_t mux_pattern_word(const struct mux_pattern *pattern, uint32_t connection,
                                        uint64_t index) {
  uint64_t x = ((uint64_t)connection << 40 | (index & ((UINT64_C(1) << 40) - 1))) ^ pattern->key;
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* Unmixes the word at `data`, 8 bytes: its connection and its offset there. The result means
 * nothing if the bytes are not a whole word of the pattern. */
struct mux_pattern_place {
  uint32_t connection;
  uint64_t offset; /* below MUX_PATTERN_BYTES */
};
#define MUX_PATTERN_BYTES (UINT64_C(1) << 43)

static inline struct mux_pattern_place mux_pattern_place(const struct mux_pattern *pattern,
                                                         const void *data) {
  uint64_t x;
  memcpy(&x, data, 8);
  x = (x ^ x >> 31 ^ x >> 62) * UINT64_C(0x319642b2d24d8ec3);
  x = (x ^ x >> 27 ^ x >> 54) * UINT64_C(0x96de1b173f119089);
  x = (x ^ x >> 30 ^ x >> 60) ^ pattern->key;
  return (struct mux_pattern_place){.connection = (uint32_t)(x >> 40),
                                    .offset = x * 8 & (MUX_PATTERN_BYTES - 1)};
}

/* Writes bytes [offset, offset+n) of the connection's stream to out. */
void mux_pattern_fill(const struct mux_pattern *pattern, uint32_t connection, uint64_t offset,
                      void *out, size_t n);

/* Compares n received bytes with [offset, offset+n) of the stream. Returns how many are right
 * before the first wrong one: n if all are. */
size_t mux_pattern_match(const struct mux_pattern *pattern, uint32_t connection, uint64_t offset,
                         const void *data, size_t n);

enum mux_damage {
  MUX_DAMAGE_NONE,
  MUX_DAMAGE_LOST,      /* what came belongs further on in this stream */
  MUX_DAMAGE_REPEATED,  /* ... further back: sent again, or overtaken by later bytes (reordered) */
  MUX_DAMAGE_CROSSTALK, /* ... to another connection */
  MUX_DAMAGE_ALTERED,   /* ... nowhere: the bytes themselves are damaged */
};

/* What is wrong with data, which should have been [offset, offset+n) but differs. `connections` and
 * `sent` bound what can have been sent (ids 0…connections-1, offsets below sent). It takes about 15
 * bytes from the first wrong one on; with fewer the answer is ALTERED. */
struct mux_diagnosis {
  enum mux_damage damage;
  uint64_t offset;          /* of the first wrong byte */
  uint32_t from_connection; /* where the bytes there belong */
  uint64_t from_offset;
};
struct mux_diagnosis mux_pattern_diagnose(const struct mux_pattern *pattern, uint32_t connection,
                                          uint64_t offset, const void *data, size_t n,
                                          uint32_t connections, uint64_t sent);

/* In words, for a server's author. Returns out. */
char *mux_diagnosis_print(char *out, size_t out_bytes, const struct mux_diagnosis *diagnosis);

#endif
