// SPDX-License-Identifier: Apache-2.0
/* The two histograms of a route; see latency.h. */
#include "sampling/latency.h"

#include <string.h>

enum {
	YOUNGER,
	OLDER
};

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
	if (latency->n[YOUNGER] == LATENCY_GENERATION) {
		latency->n[OLDER] = latency->n[YOUNGER];
		memcpy(latency->counts[OLDER], latency->counts[YOUNGER],
		    sizeof(latency->counts[OLDER]));
		latency->n[YOUNGER] = 0;
		memset(latency->counts[YOUNGER], 0, sizeof(latency->counts[YOUNGER]));
	}
	latency->n[YOUNGER]++;
	latency->counts[YOUNGER][bucket_of(ns)]++;
}

uint32_t latency_count(const struct latency *latency)
{
	return latency->n[YOUNGER] + latency->n[OLDER];
}

double latency_share(const struct latency *latency, uint64_t ns)
{
	uint32_t as_long = 0;

	for (unsigned int i = bucket_of(ns); i < LATENCY_BUCKETS; i++)
		as_long += latency->counts[YOUNGER][i] + latency->counts[OLDER][i];
	return as_long ? (double)as_long / latency_count(latency) : 0;
}
