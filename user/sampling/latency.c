// SPDX-License-Identifier: Apache-2.0
/* The two histograms of a route; see latency.h. */
#include "sampling/latency.h"

/* The place of the highest bit says which power of two it is, the bits behind that which of its parts. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int bits;

	if (ns < 1ULL << LATENCY_MIN_BITS)
		return 0;
	if (ns >= 1ULL << LATENCY_MAX_BITS)
		return LATENCY_BUCKETS - 1;
	bits = 63 - (unsigned int)__builtin_clzll(ns);
	return ((bits - LATENCY_MIN_BITS) << LATENCY_SUB_BITS) +
	    (unsigned int)(ns >> (bits - LATENCY_SUB_BITS) & ((1u << LATENCY_SUB_BITS) - 1));
}

void latency_add(struct latency *latency, uint64_t ns)
{
	struct latency_counts *younger = &latency->younger;
	unsigned int bucket = bucket_of(ns);

	if (younger->n == LATENCY_GENERATION) {
		latency->older = *younger;
		*younger = (struct latency_counts){0};
	}
	younger->n++;
	younger->powers[bucket >> LATENCY_SUB_BITS]++;
	younger->buckets[bucket]++;
}

uint32_t latency_count(const struct latency *latency)
{
	return latency->younger.n + latency->older.n;
}

/* Requests in this bucket and those above. */
static uint32_t count_from(const struct latency_counts *counts, unsigned int bucket)
{
	unsigned int power = bucket >> LATENCY_SUB_BITS;
	uint32_t n = 0;

	for (unsigned int i = bucket; i < (power + 1) << LATENCY_SUB_BITS; i++)
		n += counts->buckets[i];
	for (unsigned int i = power + 1; i < LATENCY_POWERS; i++)
		n += counts->powers[i];
	return n;
}

double latency_share(const struct latency *latency, uint64_t ns)
{
	unsigned int bucket = bucket_of(ns);
	uint32_t as_long =
	    count_from(&latency->younger, bucket) + count_from(&latency->older, bucket);

	return as_long ? (double)as_long / latency_count(latency) : 0;
}
