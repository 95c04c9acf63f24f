/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the requests of one route take, in a fixed amount of memory, to tell which are slower than the others.
 *
 * A histogram whose buckets are powers of two, each divided by 32, so a bucket is at most 3 % wide; two of them: the younger
 * takes LATENCY_GENERATION requests and becomes the older one then. So it is the last 1024 to 2048 requests that count, whatever
 * was before, and a request is compared with those before it, not with itself.
 */
#ifndef ZS_SAMPLING_LATENCY_H
#define ZS_SAMPLING_LATENCY_H

#include <stdint.h>

/* Buckets from 1 us to 2^40 ns (18 minutes); what is shorter or longer counts in the first or the last. */
#define LATENCY_MIN_BITS   10
#define LATENCY_MAX_BITS   40
#define LATENCY_SUB_BITS   5
#define LATENCY_POWERS     (LATENCY_MAX_BITS - LATENCY_MIN_BITS)
#define LATENCY_BUCKETS    (LATENCY_POWERS << LATENCY_SUB_BITS)
#define LATENCY_GENERATION 1024

/* One of the two histograms. */
struct latency_counts {
	uint32_t n;                      /* requests, up to LATENCY_GENERATION */
	uint16_t powers[LATENCY_POWERS]; /* sums of the buckets of each power of two */
	uint16_t buckets[LATENCY_BUCKETS];
};

struct latency {
	struct latency_counts younger, older;
};

/* A request has taken so long. All zero is an empty struct latency. */
void latency_add(struct latency *latency, uint64_t ns);

/* Requests that are remembered. */
uint32_t latency_count(const struct latency *latency);

/*
 * The share of the remembered requests that took about as long (the same bucket) or longer: 0 to 1. A request is beyond
 * the percentile p99 when that is 0.01 or less. 0 when none are remembered.
 */
double latency_share(const struct latency *latency, uint64_t ns);

#endif
