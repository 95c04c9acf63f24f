// SPDX-License-Identifier: Apache-2.0
/* The percentiles of a route: against exact ones, over what is forgotten, at the ends. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/rng.h"
#include "sampling/latency.h"
#include "support.h"

static struct latency *new_latency(void)
{
	struct latency *latency = calloc(1, sizeof(*latency));

	assert_non_null(latency);
	return latency;
}

static void empty(void **state)
{
	struct latency *latency = new_latency();

	(void)state;
	assert_int_equal(latency_count(latency), 0);
	assert_true(latency_share(latency, 5) == 0);
	free(latency);
}

static void shares(void **state)
{
	struct latency *latency = new_latency();

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		latency_add(latency, i < 100 ? NS_PER_MS : NS_PER_S);
	assert_int_equal(latency_count(latency), 100);
	assert_true(latency_share(latency, 2 * NS_PER_S) == 0);
	assert_true(latency_share(latency, NS_PER_S) == 0.01);
	assert_true(latency_share(latency, 2 * NS_PER_MS) == 0.01);
	assert_true(latency_share(latency, NS_PER_MS) == 1); /* as long as */
	assert_true(latency_share(latency, 1) == 1);
	free(latency);
}

/* Whatever has the same digits of 3 % is as long; a step further is longer. */
static void width_of_buckets(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	for (int i = 0; i < 300; i++) {
		struct latency *latency = new_latency();
		uint64_t ns =
		    1024 + rng_next(&rng) % ((1ULL << 40) - 1024) / (1 + rng_next(&rng) % 1000000);

		latency_add(latency, ns);
		assert_true(latency_share(latency, ns) == 1);
		assert_true(latency_share(latency, ns + ns / 32 + 1) == 0);
		assert_true(latency_share(latency, ns - ns / 32 - 1) == 1);
		free(latency);
	}
}

static void too_short_and_too_long(void **state)
{
	struct latency *latency = new_latency();

	(void)state;
	latency_add(latency, 0);
	latency_add(latency, 1023);
	latency_add(latency, UINT64_MAX);
	assert_true(latency_share(latency, 0) == 1);
	assert_true(latency_share(latency, 1 << 12) == 1.0 / 3);
	assert_true(latency_share(latency, UINT64_MAX) == 1.0 / 3);
	free(latency);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of the last 2048 or fewer requests, spread over three powers of ten, the share is right up to what shares a bucket. */
static void against_exact(void **state)
{
	enum {
		N = 5000
	};
	static uint64_t all[N];
	struct latency *latency = new_latency();
	uint64_t *last;
	struct rng rng;
	size_t n;

	(void)state;
	rng_seed(&rng, 4);
	for (size_t i = 0; i < N; i++) {
		uint64_t magnitude = 1 + rng_next(&rng) % 1000;

		all[i] = NS_PER_MS * 1000 / magnitude;
		latency_add(latency, all[i]);
	}
	n = latency_count(latency);
	assert_int_equal(n, LATENCY_GENERATION + N % LATENCY_GENERATION);
	last = all + N - n;
	qsort(last, n, sizeof(*last), compare);
	for (size_t k = 0; k < n; k += 7) {
		size_t fewer = k, more = k;
		double share = latency_share(latency, last[k]);

		while (fewer > 0 && last[fewer - 1] > last[k] - last[k] / 32 - 1)
			fewer--;
		while (more > 0 && last[more - 1] == last[more])
			more--;
		assert_true(share >= (double)(n - more) / (double)n - 1e-9);
		assert_true(share <= (double)(n - fewer) / (double)n + 1e-9);
	}
	free(latency);
}

/* A route that has become slow: what was before is forgotten. */
static void what_was_before(void **state)
{
	struct latency *latency = new_latency();

	(void)state;
	for (int i = 0; i < 10000; i++)
		latency_add(latency, NS_PER_MS);
	assert_true(latency_share(latency, NS_PER_S) == 0);
	for (int i = 0; i < 2 * LATENCY_GENERATION; i++)
		latency_add(latency, NS_PER_S);
	assert_true(latency_share(latency, NS_PER_S) == 1);
	free(latency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(width_of_buckets),
	    cmocka_unit_test(too_short_and_too_long),
	    cmocka_unit_test(against_exact),
	    cmocka_unit_test(what_was_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
