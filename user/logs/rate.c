// SPDX-License-Identifier: Apache-2.0
/* Token buckets by process; see rate.h. A token is a second's worth of nanoseconds, so that no part of one gets lost. */
#include "logs/rate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"

struct bucket {
	struct hnode node; /* by pid */
	struct list age;   /* among all, longest without a line first */
	uint32_t pid;
	uint64_t tokens_ns; /* NS_PER_S each; up to burst * NS_PER_S */
	uint64_t last_ns;
};

struct rates {
	struct rate_limit limit;
	struct hmap by_pid;
	struct list age;
};

struct rates *rates_new(const struct rate_limit *limit)
{
	struct rates *rates = calloc(1, sizeof(*rates));

	if (!rates)
		return NULL;
	rates->limit = *limit;
	hmap_init(&rates->by_pid);
	list_init(&rates->age);
	return rates;
}

static void bucket_free(struct rates *rates, struct bucket *bucket)
{
	hmap_remove(&rates->by_pid, &bucket->node);
	list_remove(&bucket->age);
	free(bucket);
}

void rates_free(struct rates *rates)
{
	if (!rates)
		return;
	list_for_each (at, &rates->age) {
		bucket_free(rates, container_of(at, struct bucket, age));
	}
	hmap_release(&rates->by_pid);
	free(rates);
}

static struct bucket *bucket_find(const struct rates *rates, uint32_t pid)
{
	hmap_for_each_hash (node, &rates->by_pid, hash_u64(pid)) {
		struct bucket *bucket = container_of(node, struct bucket, node);

		if (bucket->pid == pid)
			return bucket;
	}
	return NULL;
}

static uint64_t full(const struct rates *rates)
{
	return rates->limit.burst * NS_PER_S;
}

static struct bucket *bucket_new(struct rates *rates, uint32_t pid, uint64_t now_ns)
{
	struct bucket *bucket = calloc(1, sizeof(*bucket));

	if (!bucket)
		return NULL;
	bucket->pid = pid;
	bucket->tokens_ns = full(rates);
	bucket->last_ns = now_ns;
	list_init(&bucket->age);
	if (hmap_add(&rates->by_pid, hash_u64(pid), &bucket->node)) {
		free(bucket);
		return NULL;
	}
	if (rates->by_pid.count > RATES_MAX_PROCESSES)
		bucket_free(rates, container_of(rates->age.next, struct bucket, age));
	return bucket;
}

static void refill(const struct rates *rates, struct bucket *bucket, uint64_t now_ns)
{
	uint64_t room = full(rates) - bucket->tokens_ns;
	uint64_t passed_ns = now_ns - bucket->last_ns;

	if (now_ns <= bucket->last_ns) /* events of several CPUs are not quite in order */
		return;
	bucket->last_ns = now_ns;
	if (passed_ns > room / rates->limit.per_second)
		bucket->tokens_ns = full(rates);
	else
		bucket->tokens_ns += passed_ns * rates->limit.per_second;
}

bool rates_pass(struct rates *rates, uint32_t pid, uint64_t now_ns)
{
	struct bucket *bucket = bucket_find(rates, pid);

	if (!bucket)
		bucket = bucket_new(rates, pid, now_ns);
	if (!bucket)
		return true;
	list_remove(&bucket->age);
	list_add_tail(&rates->age, &bucket->age);
	refill(rates, bucket, now_ns);
	if (bucket->tokens_ns < NS_PER_S)
		return false;
	bucket->tokens_ns -= NS_PER_S;
	return true;
}
