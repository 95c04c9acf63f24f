// SPDX-License-Identifier: Apache-2.0
/* Values that the metric registry does not record, and counts as lost. */
#include <float.h>
#include <math.h>

#include "metric/metric.h"
#include "span_fixture.h"

static const double bounds[] = {0.005, 0.1, 1};
static const struct metric_desc duration = {
    .name = "duration", .unit = "s", .type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = 3};
static const struct metric_desc counter = {.name = "events", .type = METRIC_COUNTER};
static const struct metric_desc balance = {.name = "balance", .type = METRIC_UPDOWN};

static uint64_t lost_records(struct metrics *metrics)
{
	struct metrics_stats stats;

	metrics_stats(metrics, &stats);
	return stats.lost_records;
}

/* A sum that would be too much for a number stays what it is, and goes on. */
static void test_sums_stay_finite(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *const all[] = {metrics_add(metrics, &counter),
	    metrics_add(metrics, &balance), metrics_add(metrics, &duration)};
	struct metric_snapshot *s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		metric_record(all[i], NULL, NULL, 0, 0x1p1023, NULL);
		metric_record(all[i], NULL, NULL, 0, 0x1p1023, NULL);
		metric_record(all[i], NULL, NULL, 0, 0x1p1022, NULL);
	}
	metric_record(all[1], NULL, NULL, 0, -0x1.8p1023, NULL);
	metric_record(all[1], NULL, NULL, 0, 7, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(lost_records(metrics), 3);
	assert_true(s->families[0].points[0].value == 0x1.8p1023);
	assert_true(s->families[1].points[0].value == 7);
	assert_true(s->families[2].points[0].value == 0x1.8p1023);
	assert_int_equal(s->families[2].points[0].count, 2);
	assert_int_equal(s->families[2].points[0].buckets[3], 2);
	metric_snapshot_free(s);
	metrics_free(metrics);
}

/* What is too small for the sum by itself makes it no infinite one together, either. */
static void test_rests_stay_finite(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter);
	struct metric_snapshot *s;

	(void)state;
	metric_record(c, NULL, NULL, 0, DBL_MAX, NULL);
	for (int i = 0; i < 100; i++)
		metric_record(c, NULL, NULL, 0, 0x1p969, NULL); /* a quarter of the last digit */
	s = metrics_snapshot(metrics);
	assert_true(isfinite(s->families[0].points[0].value));
	assert_int_equal(lost_records(metrics), 99);
	metric_snapshot_free(s);
	metrics_free(metrics);
}

static void test_bad_values_are_lost_and_counted(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter), *h = metrics_add(metrics, &duration);
	struct metric_snapshot *s;

	(void)state;
	metric_record(c, NULL, NULL, 0, -1, NULL);
	metric_record(c, NULL, NULL, 0, (double)NAN, NULL);
	metric_record(h, NULL, NULL, 0, (double)INFINITY, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(lost_records(metrics), 3);
	assert_int_equal(s->families[0].n_points, 0);
	metric_snapshot_free(s);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_values_are_lost_and_counted),
	    cmocka_unit_test(test_sums_stay_finite),
	    cmocka_unit_test(test_rests_stay_finite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
