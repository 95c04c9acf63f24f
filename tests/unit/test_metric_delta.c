// SPDX-License-Identifier: Apache-2.0
/* Changes between snapshots: each rule, and that all changes add up to the totals. */
#include "base/clock.h"
#include "metric/metric_delta.h"
#include "metric_fixture.h"

/* --- snapshots of one family by hand --- */

static struct attr keys[4][1] = {{{.key = "k", .type = ATTR_INT, .integer = 0}},
    {{.key = "k", .type = ATTR_INT, .integer = 1}}, {{.key = "k", .type = ATTR_INT, .integer = 2}},
    {{.key = "k", .type = ATTR_INT, .integer = 3}}};

static struct metric_family family_of(enum metric_type type, struct metric_point *points, size_t n)
{
	return (struct metric_family){
	    .desc = metric_fixture_desc("m", type), .points = points, .n_points = n};
}

static struct metric_snapshot snapshot_of(struct metric_family *family, uint64_t time_ns)
{
	return (struct metric_snapshot){.families = family, .n_families = 1, .time_ns = time_ns};
}

#define POINT(key, since, of_value)                                                        \
	{                                                                                  \
		.attrs = keys[key], .n_attrs = 1, .start_ns = (since), .value = (of_value) \
	}

static void test_counter(void **state)
{
	struct metric_point old[] = {POINT(0, 10, 5), POINT(1, 10, 7), POINT(2, 10, 9)};
	/* 0 forgotten; 1 grown; 2 unchanged; 3 is new. */
	struct metric_point now[] = {POINT(1, 10, 7.5), POINT(2, 10, 9), POINT(3, 150, 4)};
	struct metric_family families[] = {
	    family_of(METRIC_COUNTER, old, 3), family_of(METRIC_COUNTER, now, 3)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	struct metric_delta d;

	(void)state;
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.time_ns, 200);
	assert_int_equal(d.snapshot.n_families, 1);
	assert_true(d.snapshot.families[0].delta);
	assert_int_equal(d.snapshot.families[0].n_points, 2);
	assert_ptr_equal(d.snapshot.families[0].points[0].attrs, keys[1]);
	assert_true(d.snapshot.families[0].points[0].value == 0.5);
	assert_int_equal(d.snapshot.families[0].points[0].start_ns, 100);
	assert_ptr_equal(d.snapshot.families[0].points[1].attrs, keys[3]);
	assert_true(d.snapshot.families[0].points[1].value == 4);
	assert_int_equal(d.snapshot.families[0].points[1].start_ns, 100);
	metric_delta_release(&d);
	assert_true(now[0].value == 7.5); /* pure */
}

/* Nothing before: everything is new and has the start of its set. */
static void test_first(void **state)
{
	struct metric_point now[] = {POINT(1, 10, 7.5), POINT(2, 20, 0)};
	struct metric_family family = family_of(METRIC_COUNTER, now, 2);
	struct metric_snapshot after = snapshot_of(&family, 200);
	struct metric_delta d;

	(void)state;
	assert_int_equal(metric_delta_init(&d, NULL, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.families[0].n_points, 1); /* nothing counted: no point */
	assert_true(d.snapshot.families[0].points[0].value == 7.5);
	assert_int_equal(d.snapshot.families[0].points[0].start_ns, 10);
	metric_delta_release(&d);
	metric_delta_release(NULL);
}

/* Fewer than before, or another start: it began anew. Never a negative change. */
static void test_reset(void **state)
{
	struct metric_point old[] = {POINT(0, 10, 50), POINT(1, 10, 7)};
	struct metric_point now[] = {POINT(0, 10, 3), POINT(1, 150, 9)};
	struct metric_family families[] = {
	    family_of(METRIC_COUNTER, old, 2), family_of(METRIC_COUNTER, now, 2)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	struct metric_delta d;

	(void)state;
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.families[0].n_points, 2);
	assert_true(d.snapshot.families[0].points[0].value == 3);
	assert_true(d.snapshot.families[0].points[1].value == 9);
	metric_delta_release(&d);
}

/* Parts of a divided counter have one address and are told apart by their names. */
static void test_parts(void **state)
{
	struct metric_point old[] = {POINT(0, 10, 1), POINT(0, 10, 2)};
	struct metric_point now[] = {POINT(0, 10, 4), POINT(0, 10, 8), POINT(0, 10, 16)};
	const size_t old_parts[] = {0, 2}, now_parts[] = {0, 1, 2};
	struct metric_family families[] = {
	    family_of(METRIC_COUNTER, old, 2), family_of(METRIC_COUNTER, now, 3)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	struct metric_delta d;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		old[i].part = (struct attr){.key = "state",
		    .type = ATTR_STRING,
		    .string = sv_cstr(metric_part_name(old_parts[i]))};
	for (size_t i = 0; i < 3; i++)
		now[i].part = (struct attr){.key = "state",
		    .type = ATTR_STRING,
		    .string = sv_cstr(metric_part_name(now_parts[i]))};
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.families[0].n_points, 3);
	assert_true(d.snapshot.families[0].points[0].value == 3);
	assert_true(d.snapshot.families[0].points[1].value == 8);
	assert_true(d.snapshot.families[0].points[2].value == 14);
	metric_delta_release(&d);
}

/* Which type is a change under which preference; what is not is the later family itself. */
static void test_preferences(void **state)
{
	static const struct {
		enum metric_temporality preference;
		enum metric_type type;
		bool observed, delta;
	} cases[] = {
	    {METRIC_TEMPORALITY_CUMULATIVE, METRIC_COUNTER, false, false},
	    {METRIC_TEMPORALITY_CUMULATIVE, METRIC_HISTOGRAM, false, false},
	    {METRIC_TEMPORALITY_DELTA, METRIC_COUNTER, false, true},
	    {METRIC_TEMPORALITY_DELTA, METRIC_COUNTER, true, true},
	    {METRIC_TEMPORALITY_DELTA, METRIC_HISTOGRAM, false, true},
	    {METRIC_TEMPORALITY_DELTA, METRIC_UPDOWN, false, false},
	    {METRIC_TEMPORALITY_DELTA, METRIC_GAUGE, false, false},
	    {METRIC_TEMPORALITY_LOWMEMORY, METRIC_COUNTER, false, true},
	    {METRIC_TEMPORALITY_LOWMEMORY, METRIC_COUNTER, true, false},
	    {METRIC_TEMPORALITY_LOWMEMORY, METRIC_HISTOGRAM, false, true},
	    {METRIC_TEMPORALITY_LOWMEMORY, METRIC_UPDOWN, false, false},
	    {METRIC_TEMPORALITY_LOWMEMORY, METRIC_GAUGE, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metric_family family = family_of(cases[i].type, NULL, 0);
		struct metric_snapshot after = snapshot_of(&family, 200);
		struct metric_point point = POINT(0, 10, 1);
		struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
		uint64_t buckets[METRIC_BOUNDS + 1] = {1};
		struct metric_delta d;

		point.count = 1;
		point.buckets = buckets;
		point.exemplars = exemplars;
		family.points = &point;
		family.n_points = 1;
		family.observed = cases[i].observed;
		assert_int_equal(metric_delta_init(&d, &after, &after, cases[i].preference), 0);
		assert_true(d.snapshot.families[0].delta == cases[i].delta);
		if (cases[i].delta) {
			assert_int_equal(d.snapshot.families[0].n_points, 0);
		} else {
			assert_ptr_equal(d.snapshot.families[0].points, &point);
			assert_int_equal(d.snapshot.families[0].n_points, 1);
		}
		metric_delta_release(&d);
	}
}

/* --- histograms --- */

static void test_histogram(void **state)
{
	uint64_t old_buckets[] = {1, 0, 2, 0, 0}, now_buckets[] = {1, 3, 4, 0, 1};
	struct metric_exemplar old_exemplars[METRIC_BOUNDS + 1] = {
	    {.present = true, .time_ns = 50, .span_id = {{1}}},
	    [2] = {.present = true, .time_ns = 60, .span_id = {{2}}}};
	struct metric_exemplar now_exemplars[METRIC_BOUNDS + 1] = {
	    {.present = true, .time_ns = 50, .span_id = {{1}}},
	    [2] = {.present = true, .time_ns = 160, .span_id = {{3}}}};
	struct metric_point old = POINT(0, 10, 4), now = POINT(0, 10, 10);
	struct metric_family families[] = {
	    family_of(METRIC_HISTOGRAM, &old, 1), family_of(METRIC_HISTOGRAM, &now, 1)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	const struct metric_point *change;
	struct metric_delta d;

	(void)state;
	old.count = 3;
	old.buckets = old_buckets;
	old.exemplars = old_exemplars;
	now.count = 9;
	now.min = 0.001;
	now.max = 5;
	now.buckets = now_buckets;
	now.exemplars = now_exemplars;
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	change = d.snapshot.families[0].points;
	assert_int_equal(change->count, 6);
	assert_true(change->value == 6);
	assert_memory_equal(
	    change->buckets, ((uint64_t[]){0, 3, 2, 0, 1}), (METRIC_BOUNDS + 1) * sizeof(uint64_t));
	assert_false(change->exemplars[0].present); /* told already */
	assert_true(change->exemplars[2].present);
	assert_int_equal(change->exemplars[2].span_id.b[0], 3);
	assert_true(isnan(change->min) && isnan(change->max));
	metric_delta_release(&d);
	/* Nothing before: the extremes are those of the change. */
	assert_int_equal(metric_delta_init(&d, NULL, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_true(d.snapshot.families[0].points->min == 0.001);
	assert_true(d.snapshot.families[0].points->max == 5);
	metric_delta_release(&d);
}

/* A set that began anew in one bucket only is whole. */
static void test_histogram_reset(void **state)
{
	uint64_t old_buckets[] = {5, 0, 0, 0, 0}, now_buckets[] = {0, 0, 0, 0, 6};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	struct metric_point old = POINT(0, 10, 1), now = POINT(0, 10, 30);
	struct metric_family families[] = {
	    family_of(METRIC_HISTOGRAM, &old, 1), family_of(METRIC_HISTOGRAM, &now, 1)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	struct metric_delta d;

	(void)state;
	old.count = 5;
	old.buckets = old_buckets;
	now.count = 6;
	now.buckets = now_buckets;
	old.exemplars = now.exemplars = exemplars;
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.families[0].points->count, 6);
	assert_true(d.snapshot.families[0].points->value == 30);
	assert_memory_equal(
	    d.snapshot.families[0].points->buckets, now_buckets, sizeof(now_buckets));
	metric_delta_release(&d);
}

/* --- exponential histograms: values as bucket indices at the finest scale --- */

enum {
	VALUES = 300,
	SPREAD = 400,
	FINEST = 6,
};

static int32_t floor_shift(int32_t index, int32_t shift)
{
	return (int32_t)floor(ldexp(index, -shift));
}

/* The first n values at a scale, and a histogram's other numbers, of which these tests need the count. */
static struct metric_point exponential_point(
    const int32_t *values, size_t n, int32_t scale, struct metric_exemplar *exemplars)
{
	struct metric_exponential *e = metric_room_take(sizeof(*e));
	struct metric_point point = POINT(0, 10, (double)n);
	int32_t low = INT32_MAX, high = INT32_MIN;

	e->scale = scale;
	for (size_t i = 0; i < n; i++) {
		int32_t at = floor_shift(values[i], FINEST - scale);

		low = at < low ? at : low;
		high = at > high ? at : high;
	}
	e->offset = n ? low : 0;
	e->n = n ? (uint32_t)(high - low + 1) : 0;
	e->counts = metric_room_take((e->n + 1) * sizeof(*e->counts));
	for (size_t i = 0; i < n; i++)
		e->counts[floor_shift(values[i], FINEST - scale) - low]++;
	point.count = n;
	point.exponential = e;
	point.buckets = metric_room_take((METRIC_BOUNDS + 1) * sizeof(*point.buckets));
	point.buckets[0] = n;
	point.exemplars = exemplars;
	return point;
}

/* Whether a histogram holds exactly the values [first, end). */
static void check_exponential(
    const struct metric_exponential *e, const int32_t *values, size_t first, size_t end)
{
	uint64_t *counts = metric_room_take((e->n + 1) * sizeof(*counts));

	for (size_t i = first; i < end; i++) {
		int32_t at = floor_shift(values[i], FINEST - e->scale) - e->offset;

		assert_true(at >= 0 && at < (int32_t)e->n);
		counts[at]++;
	}
	if (e->n)
		assert_memory_equal(counts, e->counts, e->n * sizeof(*counts));
}

static void test_exponential(void **state)
{
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (int round = 0; round < 500; round++) {
		size_t n = 1 + metric_below(&rng, VALUES), cut = metric_below(&rng, n);
		int32_t coarse = (int32_t)metric_below(&rng, FINEST + 1);
		int32_t fine = coarse + (int32_t)metric_below(&rng, (size_t)(FINEST - coarse + 1));
		struct metric_point old, now;
		struct metric_family families[2];
		struct metric_snapshot before, after;
		int32_t values[VALUES];
		struct metric_delta d;

		metric_room_clear();
		for (size_t i = 0; i < n; i++)
			values[i] = (int32_t)metric_below(&rng, SPREAD) - SPREAD / 2;
		old = exponential_point(values, cut, fine, exemplars);
		now = exponential_point(values, n, coarse, exemplars);
		families[0] = family_of(METRIC_HISTOGRAM, &old, 1);
		families[1] = family_of(METRIC_HISTOGRAM, &now, 1);
		before = snapshot_of(&families[0], 100);
		after = snapshot_of(&families[1], 200);
		assert_int_equal(
		    metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
		assert_int_equal(d.snapshot.families[0].points->count, n - cut);
		assert_int_equal(d.snapshot.families[0].points->exponential->scale, coarse);
		check_exponential(d.snapshot.families[0].points->exponential, values, cut, n);
		check_exponential(now.exponential, values, 0, n); /* pure */
		metric_delta_release(&d);
	}
}

/* What does not fit into the later one began anew: the whole of the later one, whatever was taken away already. */
static void test_exponential_reset(void **state)
{
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	const int32_t values[] = {1, 1, 2, 9}, others[] = {1, 1, 1, 2, 9, 9};
	struct metric_point old = exponential_point(values, 4, FINEST, exemplars);
	struct metric_point now = exponential_point(others, 5, FINEST, exemplars);
	struct metric_family families[] = {
	    family_of(METRIC_HISTOGRAM, &old, 1), family_of(METRIC_HISTOGRAM, &now, 1)};
	struct metric_snapshot before = snapshot_of(&families[0], 100);
	struct metric_snapshot after = snapshot_of(&families[1], 200);
	struct metric_delta d;

	(void)state;
	now.exponential->counts[8] = 0; /* the value 9 */
	assert_int_equal(metric_delta_init(&d, &before, &after, METRIC_TEMPORALITY_DELTA), 0);
	assert_int_equal(d.snapshot.families[0].points->count, 5);
	assert_int_equal(d.snapshot.families[0].points->exponential->counts[0], 3);
	assert_int_equal(d.snapshot.families[0].points->exponential->counts[1], 1);
	metric_delta_release(&d);
}

/* --- all changes add up --- */

enum {
	SETS = 20,
	STEPS = 200,
};

/* What a destination adds up: one cell per set and part. */
struct total {
	const void *attrs;
	const char *part;
	double value;
	uint64_t count, buckets[METRIC_BOUNDS + 1];
	bool seen; /* in the last snapshot */
};

struct totals {
	struct total cells[4096];
	size_t n;
};

static struct total *total_of(struct totals *totals, const struct metric_point *point)
{
	const char *part = point->part.key ? point->part.string.p : NULL;

	for (size_t i = 0; i < totals->n; i++)
		if (totals->cells[i].attrs == point->attrs && totals->cells[i].part == part)
			return &totals->cells[i];
	assert_true(totals->n < 4096);
	totals->cells[totals->n] = (struct total){.attrs = point->attrs, .part = part};
	return &totals->cells[totals->n++];
}

static void add_changes(struct totals *totals, const struct metric_snapshot *changes)
{
	for (size_t f = 0; f < changes->n_families; f++) {
		for (size_t i = 0; i < changes->families[f].n_points; i++) {
			const struct metric_point *point = &changes->families[f].points[i];
			struct total *total = total_of(totals, point);

			assert_true(changes->families[f].delta);
			assert_true(point->value > 0 || point->count > 0);
			total->value += point->value;
			total->count += point->count;
			for (size_t b = 0; point->buckets && b <= METRIC_BOUNDS; b++)
				total->buckets[b] += point->buckets[b];
		}
	}
}

/* Forgets what is gone: the address may come back as that of another set. */
static void forget_unseen(struct totals *totals)
{
	size_t n = 0;

	for (size_t i = 0; i < totals->n; i++) {
		if (!totals->cells[i].seen)
			continue;
		totals->cells[n] = totals->cells[i];
		totals->cells[n++].seen = false;
	}
	totals->n = n;
}

static void check_totals(struct totals *totals, const struct metric_snapshot *snapshot)
{
	for (size_t f = 0; f < snapshot->n_families; f++) {
		for (size_t i = 0; i < snapshot->families[f].n_points; i++) {
			const struct metric_point *point = &snapshot->families[f].points[i];
			struct total *total = total_of(totals, point);

			assert_true(total->value == point->value);
			assert_int_equal(total->count, point->count);
			if (point->buckets)
				assert_memory_equal(
				    total->buckets, point->buckets, sizeof(total->buckets));
			total->seen = true;
		}
	}
	forget_unseen(totals);
}

/* What snapshots of the registry say of a set: since when, between which values, and whether totals are observed. */
static void test_registry(void **state)
{
	const struct metric_desc counter = metric_fixture_desc("counter", METRIC_COUNTER);
	const struct metric_desc updown = metric_fixture_desc("updown", METRIC_UPDOWN);
	const struct metric_desc histogram = metric_fixture_desc("histogram", METRIC_HISTOGRAM);
	const struct metric_desc total = metric_fixture_desc("total", METRIC_COUNTER);
	struct metrics *metrics = metrics_new();
	struct instrument *observed = metrics_add(metrics, &total);
	struct instrument *counted = metrics_add(metrics, &counter);
	struct instrument *level = metrics_add(metrics, &updown);
	struct instrument *times = metrics_add(metrics, &histogram);
	uint64_t begin_ns = clock_monotonic_ns();
	struct metric_snapshot *s;

	(void)state;
	metric_set(observed, NULL, 0, 3);
	metric_record(counted, NULL, NULL, 0, 3, NULL);
	metric_record(level, NULL, NULL, 0, 3, NULL);
	metric_record(level, NULL, NULL, 0, -5, NULL);
	metric_record(times, NULL, NULL, 0, 0.5, NULL);
	metric_record(times, NULL, NULL, 0, 7, NULL);
	metric_record(times, NULL, NULL, 0, 0.25, NULL);
	s = metrics_snapshot(metrics);
	assert_true(s->families[0].observed);
	assert_false(s->families[1].observed);
	assert_true(s->families[2].points[0].value == -2);
	assert_true(s->families[3].points[0].min == 0.25);
	assert_true(s->families[3].points[0].max == 7);
	assert_true(s->families[3].points[0].start_ns >= begin_ns);
	assert_true(s->time_ns >= s->families[3].points[0].start_ns);
	metric_snapshot_free(s);
	metrics_free(metrics);
}

struct instruments {
	struct instrument *counter, *histogram, *divided;
};

/* Values are small integers, whose sums are exact. */
static void record_some(struct rng *rng, const struct instruments *to, struct service *service)
{
	for (size_t n = metric_below(rng, 60); n; n--) {
		struct attr attr = ATTR_I("k", (int64_t)metric_below(rng, SETS));
		const uint64_t parts[] = {
		    metric_below(rng, 2), metric_below(rng, 2), metric_below(rng, 5)};

		const struct metric_value divided = {.instrument = to->divided, .parts = parts};

		metric_record(to->counter, service, &attr, 1, (double)metric_below(rng, 9), NULL);
		metric_record(to->histogram, service, &attr, 1, (double)metric_below(rng, 4), NULL);
		metric_record_together(&divided, 1, service, &attr, 1, NULL);
	}
}

static void add_instruments(struct metrics *metrics, struct instruments *to)
{
	struct metric_desc divided = metric_fixture_desc("divided", METRIC_COUNTER);
	const struct metric_desc counter = metric_fixture_desc("counter", METRIC_COUNTER);
	const struct metric_desc histogram = metric_fixture_desc("histogram", METRIC_HISTOGRAM);

	divided.part_key = "state";
	divided.part_name = metric_part_name;
	divided.n_parts = 3;
	divided.part_unit = 0.5;
	to->counter = metrics_add(metrics, &counter);
	to->histogram = metrics_add(metrics, &histogram);
	to->divided = metrics_add(metrics, &divided);
}

/* The registry at work, with a service that comes and goes. */
static void test_sum_of_changes(void **state)
{
	struct metrics *metrics = metrics_new();
	struct service *stays = fixture_service("stays", 1), *goes = fixture_service("goes", 2);
	struct totals *totals = calloc(1, sizeof(*totals));
	struct metric_snapshot *before = NULL;
	struct instruments to;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 11);
	add_instruments(metrics, &to);
	for (int step = 0; step < STEPS; step++) {
		struct metric_snapshot *after;
		struct metric_delta d;

		record_some(&rng, &to, stays);
		record_some(&rng, &to, goes);
		after = metrics_snapshot(metrics);
		assert_int_equal(metric_delta_init(&d, before, after, METRIC_TEMPORALITY_DELTA), 0);
		add_changes(totals, &d.snapshot);
		check_totals(totals, after);
		metric_delta_release(&d);
		metric_snapshot_free(before);
		before = after;
		if (metric_below(&rng, 10) == 0) {
			metrics_end_service(metrics, goes);
			service_unref(goes);
			goes = fixture_service("goes", 2);
		}
	}
	metric_snapshot_free(before);
	metrics_free(metrics);
	service_unref(stays);
	service_unref(goes);
	free(totals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counter),
	    cmocka_unit_test(test_first),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_preferences),
	    cmocka_unit_test(test_histogram),
	    cmocka_unit_test(test_histogram_reset),
	    cmocka_unit_test(test_exponential),
	    cmocka_unit_test(test_exponential_reset),
	    cmocka_unit_test(test_registry),
	    cmocka_unit_test(test_sum_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
