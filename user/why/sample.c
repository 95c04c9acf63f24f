// SPDX-License-Identifier: Apache-2.0
/* Strata and their reservoirs; see sample.h. */
#include "why/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/rng.h"

struct stratum_key {
	uint32_t route;
	int octave;       /* of the duration: floor(log2(ns)) */
	int status_class; /* of the status code: 2 for 200 */
	bool failed, open;
};

struct stratum {
	struct hnode node;
	struct stratum_key key;
	uint64_t seen;
	size_t n, cap;
	struct why_request **kept; /* n of them, room for cap */
};

struct why_sample {
	struct hmap strata;
	struct rng rng;
	size_t n; /* kept in all strata */
	uint64_t refused;
};

/* Any seed does: nobody outside can choose what is kept by it, and the same input gives the same report. */
#define SAMPLE_SEED 1

struct why_sample *why_sample_new(void)
{
	struct why_sample *sample = calloc(1, sizeof(*sample));

	if (!sample)
		return NULL;
	hmap_init(&sample->strata);
	rng_seed(&sample->rng, SAMPLE_SEED);
	return sample;
}

static void stratum_free(struct stratum *stratum)
{
	for (size_t i = 0; i < stratum->n; i++)
		free(stratum->kept[i]);
	free(stratum->kept);
	free(stratum);
}

void why_sample_free(struct why_sample *sample)
{
	struct hnode *node;
	size_t slot = 0;

	if (!sample)
		return;
	while ((node = hmap_pop(&sample->strata, &slot)))
		stratum_free(container_of(node, struct stratum, node));
	hmap_release(&sample->strata);
	free(sample);
}

static struct stratum_key key_of(const struct why_request *request)
{
	return (struct stratum_key){
	    .route = request->route,
	    .octave = 63 - __builtin_clzll(request->duration_ns | 1),
	    .status_class = request->status / 100,
	    .failed = request->failed,
	    .open = request->open,
	};
}

static uint64_t hash_of(const struct stratum_key *key)
{
	uint64_t rest = (uint64_t)key->octave << 32 | (uint64_t)(unsigned)key->status_class << 2;

	return hash_combine(
	    hash_u64(key->route), rest | (uint64_t)key->failed << 1 | (uint64_t)key->open);
}

static bool is_same(const struct stratum_key *a, const struct stratum_key *b)
{
	return a->route == b->route && a->octave == b->octave &&
	    a->status_class == b->status_class && a->failed == b->failed && a->open == b->open;
}

/* NULL: no room or no memory. */
static struct stratum *stratum_get(struct why_sample *sample, const struct stratum_key *key)
{
	uint64_t hash = hash_of(key);
	struct stratum *stratum;

	hmap_for_each_hash (node, &sample->strata, hash) {
		stratum = container_of(node, struct stratum, node);
		if (is_same(&stratum->key, key))
			return stratum;
	}
	stratum = sample->strata.count < WHY_STRATA_MAX ? calloc(1, sizeof(*stratum)) : NULL;
	if (!stratum)
		return NULL;
	stratum->key = *key;
	if (hmap_add(&sample->strata, hash, &stratum->node)) {
		free(stratum);
		return NULL;
	}
	return stratum;
}

static bool may_grow(const struct why_sample *sample, const struct stratum *stratum)
{
	/* Having let one go it is a reservoir, and stays as large as it is. */
	if (stratum->seen > stratum->n || stratum->n >= WHY_STRATUM_MAX)
		return false;
	return sample->n < WHY_KEPT_MAX || stratum->n < WHY_STRATUM_MIN;
}

/* Room for one more; false without memory. */
static bool reserve(struct stratum *stratum)
{
	size_t cap = stratum->cap ? stratum->cap * 2 : WHY_STRATUM_MIN;
	struct why_request **kept;

	if (stratum->n < stratum->cap)
		return true;
	kept = realloc(stratum->kept, cap * sizeof(*kept));
	if (!kept)
		return false;
	stratum->kept = kept;
	stratum->cap = cap;
	return true;
}

static struct why_request *copy_of(const struct why_request *request)
{
	size_t size = sizeof(*request) + request->n_facts * sizeof(request->facts[0]);
	struct why_request *copy = malloc(size);

	if (copy)
		memcpy(copy, request, size);
	return copy;
}

/* False: without memory. */
static bool keep(
    struct why_sample *sample, struct stratum *stratum, const struct why_request *request)
{
	bool grows = may_grow(sample, stratum) && reserve(stratum);
	size_t at = grows ? stratum->n : (size_t)(rng_next(&sample->rng) % (stratum->seen + 1));
	struct why_request *copy;

	if (stratum->n && at >= stratum->n && !grows) {
		stratum->seen++; /* others stand for it */
		return true;
	}
	copy = grows || stratum->n ? copy_of(request) : NULL;
	if (!copy)
		return false;
	if (grows) {
		stratum->n++;
		sample->n++;
	} else {
		free(stratum->kept[at]);
	}
	stratum->kept[at] = copy;
	stratum->seen++;
	return true;
}

void why_sample_add(struct why_sample *sample, const struct why_request *request)
{
	struct stratum_key key = key_of(request);
	struct stratum *stratum = stratum_get(sample, &key);

	if (!stratum || !keep(sample, stratum, request))
		sample->refused++;
}

size_t why_sample_count(const struct why_sample *sample)
{
	return sample->n;
}

void why_sample_list(const struct why_sample *sample, struct why_kept *ret_kept)
{
	struct hnode *node = NULL;
	size_t slot = 0;

	while ((node = hmap_iterate(&sample->strata, &slot, node))) {
		const struct stratum *stratum = container_of(node, struct stratum, node);

		for (size_t i = 0; i < stratum->n; i++, ret_kept++) {
			ret_kept->request = stratum->kept[i];
			ret_kept->weight = (double)stratum->seen / (double)stratum->n;
		}
	}
}

uint64_t why_sample_refused(const struct why_sample *sample)
{
	return sample->refused;
}
