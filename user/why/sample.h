/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that are kept: all of them up to a bound, beyond it a sample in which the rare are not lost.
 *
 * Requests of one route that lasted about as long (within a factor of two) and ended alike (class of status, failed or not) are a
 * stratum. Each stratum keeps up to WHY_STRATUM_MAX requests, all with the same probability (algorithm R: Vitter, Random
 * sampling with a reservoir, 1985), and counts all: a request that is kept stands for seen / kept of them, its weight. So
 * counts, and percentiles to the octave, stay exact however many there were, one slow request among a million is kept, and
 * as long as no stratum is full everything is exact.
 */
#ifndef ZS_WHY_SAMPLE_H
#define ZS_WHY_SAMPLE_H

#include <stddef.h>

#include "why/request.h"

enum {
	/* A percentile inside of a stratum is then off by 4 % of its rank at most, in 19 of 20 cases. */
	WHY_STRATUM_MAX = 512,
	/* Requests kept at once, some 20 MB at 12 facts each; then strata grow no more ... */
	WHY_KEPT_MAX = 32768,
	/* ... but each keeps at least so many. */
	WHY_STRATUM_MIN = 8,
	/* A busy service's routes have 10 each. */
	WHY_STRATA_MAX = 4096,
};

struct why_kept {
	const struct why_request *request; /* borrowed from the sample */
	double weight;                     /* so many requests it stands for, at least 1 */
};

struct why_sample;

struct why_sample *why_sample_new(void);         /* NULL: no memory */
void why_sample_free(struct why_sample *sample); /* NULL is fine */

/* Offer a request, which is copied if it is kept. */
void why_sample_add(struct why_sample *sample, const struct why_request *request);

/* Requests kept now. */
size_t why_sample_count(const struct why_sample *sample);

/* All of them, in any order, to why_sample_count() places. */
void why_sample_list(const struct why_sample *sample, struct why_kept *ret_kept);

/* Requests for which there was no stratum or no memory: in no count. */
uint64_t why_sample_refused(const struct why_sample *sample);

#endif
