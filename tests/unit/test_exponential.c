// SPDX-License-Identifier: Apache-2.0
/* Exponential histograms: indices, falling scales, nothing lost. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "metric/exponential.h"
#include "support.h"

static uint64_t counts[METRIC_EXPONENTIAL_BUCKETS];

static struct metric_exponential empty(void)
{
	struct metric_exponential h;

	memset(counts, 0, sizeof(counts));
	metric_exponential_init(&h, counts);
	return h;
}

static uint64_t total(const struct metric_exponential *h)
{
	uint64_t sum = h->zero_count;

	for (uint32_t i = 0; i < h->n; i++)
		sum += h->counts[i];
	return sum;
}

static void powers_of_two(void **state)
{
	(void)state;
	for (int scale = -4; scale <= METRIC_EXPONENTIAL_SCALE_MAX; scale++)
		assert_int_equal(metric_exponential_index(1, scale), -1);
	assert_int_equal(metric_exponential_index(2, 0), 0);
	assert_int_equal(metric_exponential_index(4, 0), 1);
	assert_int_equal(metric_exponential_index(0.5, 0), -2);
	assert_int_equal(metric_exponential_index(2, 3), 7);
	assert_int_equal(metric_exponential_index(0.25, 3), -17);
	assert_int_equal(metric_exponential_index(16, -2), 0); /* (1, 16] */
	assert_int_equal(metric_exponential_index(17, -2), 1);
	assert_int_equal(metric_exponential_index(DBL_TRUE_MIN, 20), -1074 * (1 << 20) - 1);
}

/* Neighbours of a power of two are on the right side of it at every scale. */
static void beside_powers_of_two(void **state)
{
	(void)state;
	for (int scale = 0; scale <= METRIC_EXPONENTIAL_SCALE_MAX; scale++)
		for (int exponent = -1000; exponent <= 1000; exponent += 125) {
			double power = ldexp(1, exponent);
			int32_t bound = exponent * (1 << scale);

			assert_int_equal(metric_exponential_index(power, scale), bound - 1);
			assert_int_equal(
			    metric_exponential_index(nextafter(power, INFINITY), scale), bound);
			assert_int_equal(
			    metric_exponential_index(nextafter(power, 0), scale), bound - 1);
		}
}

/* Random values: in the bucket whose bounds, in long double, hold them, unless they are on a bound as far as that can tell. */
static void indices_are_logarithms(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 200000; i++) {
		int scale = (int)(rng_next(&rng) % 25) - 4;
		double value = ldexp(1 + (double)(rng_next(&rng) >> 12) * 0x1p-52,
		    (int)(rng_next(&rng) % 2044) - 1021);
		long double exact = log2l((long double)value) * powl(2, scale);
		int32_t index = metric_exponential_index(value, scale);

		if (fabsl(exact - roundl(exact)) > 1e-9L)
			assert_int_equal(index, (int32_t)ceill(exact) - 1);
		else
			assert_in_range(index + INT64_C(0x80000000),
			    (int64_t)roundl(exact) - 1 + INT64_C(0x80000000),
			    (int64_t)roundl(exact) + INT64_C(0x80000000));
	}
}

static void one_value_has_the_largest_scale(void **state)
{
	struct metric_exponential h = empty();

	(void)state;
	metric_exponential_record(&h, 0.0137);
	metric_exponential_record(&h, 0.0137);
	assert_int_equal(h.scale, METRIC_EXPONENTIAL_SCALE_MAX);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.offset, metric_exponential_index(0.0137, h.scale));
}

static void zeros(void **state)
{
	struct metric_exponential h = empty();

	(void)state;
	metric_exponential_record(&h, 0);
	metric_exponential_record(&h, 0);
	assert_int_equal(h.zero_count, 2);
	assert_int_equal(h.n, 0);
}

/* Neighbouring pairs become one: index >> 1, also of negative ones. */
static void downscale(void **state)
{
	struct metric_exponential h = empty();

	(void)state;
	h.offset = -3;
	h.n = 6; /* -3 | -2 -1 | 0 1 | 2 */
	for (uint32_t i = 0; i < h.n; i++)
		counts[i] = i + 1;
	metric_exponential_downscale(&h, 1);
	assert_int_equal(h.scale, METRIC_EXPONENTIAL_SCALE_MAX - 1);
	assert_int_equal(h.offset, -2);
	assert_int_equal(h.n, 4);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 5);
	assert_int_equal(counts[2], 9);
	assert_int_equal(counts[3], 6);
	assert_int_equal(counts[4] + counts[5], 0);
}

/* The smallest and the largest double fit, at the lowest scale there is. */
static void widest_range(void **state)
{
	struct metric_exponential h = empty();

	(void)state;
	metric_exponential_record(&h, DBL_MAX);
	metric_exponential_record(&h, DBL_TRUE_MIN);
	metric_exponential_record(&h, 1);
	assert_int_equal(h.scale, -4);
	assert_true(h.n <= METRIC_EXPONENTIAL_BUCKETS);
	assert_int_equal(total(&h), 3);
}

/* Whatever the order, the buckets are those of the final scale, which is the largest that fits. */
static void same_as_counted_at_the_final_scale(void **state)
{
	enum {
		VALUES = 1000
	};
	static double values[VALUES];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2);
	for (int round = 0; round < 50; round++) {
		struct metric_exponential h = empty();
		uint64_t expected[METRIC_EXPONENTIAL_BUCKETS] = {0};
		int32_t low = INT32_MAX, high = INT32_MIN;

		for (int i = 0; i < VALUES; i++) {
			values[i] =
			    exp2((double)(rng_next(&rng) >> 11) * 0x1p-53 * (round + 0.01) - 9);
			metric_exponential_record(&h, values[i]);
		}
		for (int i = 0; i < VALUES; i++) {
			int32_t finer = metric_exponential_index(values[i], h.scale + 1);

			expected[metric_exponential_index(values[i], h.scale) - h.offset]++;
			low = finer < low ? finer : low;
			high = finer > high ? finer : high;
		}
		assert_memory_equal(expected, counts, sizeof(counts));
		assert_int_equal(total(&h), VALUES);
		assert_true(high - low >= METRIC_EXPONENTIAL_BUCKETS);
		assert_true(counts[0] && counts[h.n - 1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(powers_of_two),
	    cmocka_unit_test(beside_powers_of_two),
	    cmocka_unit_test(indices_are_logarithms),
	    cmocka_unit_test(one_value_has_the_largest_scale),
	    cmocka_unit_test(zeros),
	    cmocka_unit_test(downscale),
	    cmocka_unit_test(widest_range),
	    cmocka_unit_test(same_as_counted_at_the_final_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
