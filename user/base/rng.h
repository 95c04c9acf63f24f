/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers for ids and jitter: xoshiro256** (Blackman, Vigna 2018, public domain), seeded by
 * splitmix64. Not for secrets. The same seed gives the same sequence, so a replay gives the same
 * ids.
 */
#ifndef ZS_BASE_RNG_H
#define ZS_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);

/* A seed from the kernel's entropy. */
uint64_t rng_random_seed(void);

/* Seed from the kernel's entropy. */
void rng_seed_random(struct rng *rng);

/* Uniform over all 64-bit values. */
uint64_t rng_next(struct rng *rng);

#endif
