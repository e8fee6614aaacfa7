/* random.h: random numbers that follow from a seed: splitmix64 (Steele, Lea, Flood, "Fast
 * splittable pseudorandom number generators", 2014). Not for secrets. */
#ifndef MUX_RANDOM_H
#define MUX_RANDOM_H

#include <stdint.h>

/* The next of 64 random bits; *state begins as the seed. */
static inline uint64_t mux_random(uint64_t *state) {
  uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* In [0, below), below > 0. The bias of the remainder is below 2^-32 for any that fits 32 bits. */
static inline uint64_t mux_random_below(uint64_t *state, uint64_t below) {
  return mux_random(state) % below;
}

#endif
