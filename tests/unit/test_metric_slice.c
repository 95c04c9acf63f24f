// SPDX-License-Identifier: Apache-2.0
/* Slices of random snapshots: of limited size, and one after the other all points of the whole, in order. */
#include "metric/metric_slice.h"
#include "metric_fixture.h"

/* The points of a slice are those of the whole from first on. Returns their number. */
static size_t check_slice(
    const struct metric_snapshot *whole, const struct metric_snapshot *slice, size_t first)
{
	size_t at = 0, n = 0, f = 0, i = 0;

	for (size_t w = 0; w < whole->n_families; w++) {
		for (size_t k = 0; k < whole->families[w].n_points; k++, at++) {
			if (at < first || f == slice->n_families)
				continue;
			assert_string_equal(
			    slice->families[f].desc.name, whole->families[w].desc.name);
			assert_true(slice->families[f].delta == whole->families[w].delta);
			assert_ptr_equal(
			    &slice->families[f].points[i], &whole->families[w].points[k]);
			n++;
			if (++i == slice->families[f].n_points) {
				i = 0;
				f++;
			}
		}
	}
	assert_int_equal(f, slice->n_families);
	assert_int_equal(i, 0);
	return n;
}

static void test_slices(void **state)
{
	struct service *service = fixture_service("shop", 1);
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int round = 0; round < 500; round++) {
		struct metric_snapshot whole, slice;
		struct metric_family room[6];
		size_t total, max = 1 + metric_below(&rng, 12), first = 0;

		metric_room_clear();
		whole = metric_random_snapshot(&rng, &service, 1);
		total = metric_snapshot_points(&whole);
		while (first < total) {
			size_t n;

			slice = metric_slice(&whole, first, max, room);
			n = check_slice(&whole, &slice, first);
			assert_int_equal(n, metric_snapshot_points(&slice));
			assert_int_equal(n, total - first < max ? total - first : max);
			assert_true(slice.time_ns == whole.time_ns);
			first += n;
		}
		slice = metric_slice(&whole, total, max, room);
		assert_int_equal(slice.n_families, 0);
	}
	service_unref(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
