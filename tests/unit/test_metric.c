// SPDX-License-Identifier: Apache-2.0
/* The metric registry: sets, buckets, exemplars, the bound, forgetting, concurrent readers. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "metric/metric.h"
#include "span_fixture.h"

static const double bounds[] = {0.005, 0.1, 1};
static const struct metric_desc duration = {.name = "http.server.request.duration",
    .unit = "s",
    .description = "Duration of HTTP server requests.",
    .type = METRIC_HISTOGRAM,
    .bounds = bounds,
    .n_bounds = 3};
static const struct metric_desc counter = {
    .name = "zerospan.events", .unit = "{event}", .type = METRIC_COUNTER};
static const struct metric_desc gauge = {
    .name = "zerospan.queue", .unit = "{span}", .type = METRIC_GAUGE};

static uint64_t lost_records(struct metrics *metrics)
{
	struct metrics_stats stats;

	metrics_stats(metrics, &stats);
	return stats.lost_records;
}

static void test_counter_and_gauge(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter), *g = metrics_add(metrics, &gauge);
	const struct attr a[] = {ATTR_S("kind", "read"), ATTR_I("code", 7)};
	const struct attr swapped[] = {ATTR_I("code", 7), ATTR_S("kind", "read")};
	const struct attr other[] = {ATTR_S("kind", "7"), ATTR_S("code", "read")};
	struct metric_snapshot *s;

	(void)state;
	metric_record(c, NULL, a, 2, 1, NULL);
	metric_record(c, NULL, swapped, 2, 2.5, NULL); /* order does not matter */
	metric_record(c, NULL, other, 2, 1, NULL);
	metric_record(g, NULL, NULL, 0, 5, NULL);
	metric_record(g, NULL, NULL, 0, -3, NULL);
	metric_set(c, other, 2, 40);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->n_families, 2);
	assert_string_equal(s->families[0].desc.name, "zerospan.events");
	assert_int_equal(s->families[0].n_points, 2);
	assert_true(s->families[0].points[0].value == 3.5);
	assert_true(s->families[0].points[1].value == 40);
	assert_int_equal(s->families[1].n_points, 1);
	assert_true(s->families[1].points[0].value == -3);
	assert_int_equal(lost_records(metrics), 0);
	metrics_free(metrics); /* a snapshot lives on */
	assert_true(sv_eq(s->families[0].points[0].attrs[0].string, SV("read")));
	metric_snapshot_free(s);
}

static const char *part_name(size_t part)
{
	static const char *const names[] = {"cpu", "sleep", "lock"};

	return names[part];
}

static void record_parts(
    struct instrument *c, struct service *service, const struct attr *attr, const uint64_t *parts)
{
	metric_record_together(
	    &(struct metric_value){.instrument = c, .parts = parts}, 1, service, attr, 1, NULL);
}

/* A divided counter: parts that are 0 are no points, sets are told apart, one that ended is forgotten. */
static void test_parts(void **state)
{
	static const struct metric_desc divided = {.name = "zerospan.request.time",
	    .unit = "s",
	    .type = METRIC_COUNTER,
	    .part_key = "state",
	    .part_name = part_name,
	    .n_parts = 3,
	    .part_unit = 0.5};
	const uint64_t first[] = {2, 0, 1}, second[] = {4, 0, 0};
	const struct attr a = ATTR_S("route", "/a"), b = ATTR_S("route", "/b");
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &divided);
	struct service *service = fixture_service("shop", 1);
	struct service *next = fixture_service("shop", 1);
	struct metric_snapshot *s;

	(void)state;
	record_parts(c, service, &a, first);
	record_parts(c, service, &b, second);
	record_parts(c, service, &a, second);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 3);
	assert_true(sv_eq(s->families[0].points[0].part.string, SV("cpu")));
	assert_true(s->families[0].points[0].value == 3);
	assert_true(sv_eq(s->families[0].points[1].part.string, SV("lock")));
	assert_true(s->families[0].points[1].value == 0.5);
	assert_true(sv_eq(s->families[0].points[2].attrs[0].string, SV("/b")));
	assert_true(s->families[0].points[2].value == 2);
	metric_snapshot_free(s);
	metrics_end_service(metrics, service);
	record_parts(c, next, &b, second); /* the set that was used last is gone */
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 1);
	assert_true(s->families[0].points[0].value == 2);
	metric_snapshot_free(s);
	metrics_free(metrics);
	service_unref(next);
	service_unref(service);
}

static void test_values_are_copied(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter);
	char text[] = "first";
	const struct attr a = {.key = "k", .type = ATTR_STRING, .string = {text, 5}};
	struct metric_snapshot *s;

	(void)state;
	metric_record(c, NULL, &a, 1, 1, NULL);
	memcpy(text, "other", 5);
	metric_record(c, NULL, &a, 1, 1, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 2);
	assert_true(sv_eq(s->families[0].points[0].attrs[0].string, SV("first")));
	metric_snapshot_free(s);
	metrics_free(metrics);
}

static void test_histogram(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration);
	const struct span_model model = {
	    .name = "x", .id = 9, .flags = SPAN_FLAG_SAMPLED, .start_ns = 5, .end_ns = 77};
	const struct span_model unsampled = {.name = "x", .id = 8, .flags = SPAN_FLAG_RANDOM};
	struct span *yes = fixture_span(&model), *no = fixture_span(&unsampled);
	struct metric_snapshot *s;
	struct metric_point *p;

	(void)state;
	metric_record(h, NULL, NULL, 0, 0.005, yes); /* bounds are upper-inclusive */
	metric_record(h, NULL, NULL, 0, 0.0050001, no);
	metric_record(h, NULL, NULL, 0, 1, NULL);
	metric_record(h, NULL, NULL, 0, 1000, yes);
	metric_record(h, NULL, NULL, 0, 2000, no); /* keeps the exemplar it has */
	s = metrics_snapshot(metrics);
	p = &s->families[0].points[0];
	assert_int_equal(p->count, 5);
	assert_true(fabs(p->value - 3001.0100001) < 1e-9);
	assert_int_equal(p->buckets[0], 1);
	assert_int_equal(p->buckets[1], 1);
	assert_int_equal(p->buckets[2], 1);
	assert_int_equal(p->buckets[3], 2);
	assert_true(p->exemplars[0].present);
	assert_int_equal(p->exemplars[0].time_ns, 77);
	assert_true(span_id_eq(&p->exemplars[0].span_id, &yes->span_id));
	assert_false(p->exemplars[1].present);
	assert_false(p->exemplars[2].present);
	assert_true(p->exemplars[3].value == 1000);
	metric_snapshot_free(s);
	metrics_free(metrics);
	span_free(yes);
	span_free(no);
}

/* Up-downs fall, below zero too, and take absolute values of a service. */
static void test_updown(void **state)
{
	static const struct metric_desc desc = {
	    .name = "http.server.active_requests", .unit = "{request}", .type = METRIC_UPDOWN};
	struct service *service = fixture_service("shop", 1);
	struct metrics *metrics = metrics_new();
	struct instrument *u = metrics_add(metrics, &desc);
	struct metric_snapshot *s;

	(void)state;
	metric_record(u, NULL, NULL, 0, 2, NULL);
	metric_record(u, NULL, NULL, 0, -3, NULL);
	metric_record(u, NULL, NULL, 0, (double)INFINITY, NULL);
	metric_set_of(u, service, NULL, 0, 9);
	metric_set_of(u, service, NULL, 0, 4);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 2);
	assert_true(s->families[0].points[0].value == -1);
	assert_true(s->families[0].points[1].value == 4);
	assert_ptr_equal(s->families[0].points[1].service, service);
	assert_int_equal(lost_records(metrics), 1);
	metric_snapshot_free(s);
	metrics_free(metrics);
	service_unref(service);
}

/* What is recorded together shares its keys, is found again in whatever order, and overflows together. */
static void test_together(void **state)
{
	struct metrics *metrics = metrics_new();
	const struct metric_value values[] = {
	    {.instrument = metrics_add(metrics, &duration), .value = 0.5},
	    {.instrument = metrics_add(metrics, &counter), .value = 3}};
	const struct metric_value bad[] = {values[0], {values[1].instrument, -1, NULL}};
	struct metric_snapshot *s;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < METRIC_MAX_SETS + 1; i++)
			metric_record_together(
			    values, 2, NULL, &(struct attr)ATTR_I("n", i), 1, NULL);
	metric_record_together(bad, 2, NULL, &(struct attr)ATTR_I("n", 0), 1, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(lost_records(metrics), 1);
	for (size_t f = 0; f < 2; f++)
		assert_int_equal(s->families[f].n_points, METRIC_MAX_SETS + 1);
	for (size_t i = 0; i < METRIC_MAX_SETS; i++) {
		assert_ptr_equal(s->families[0].points[i].attrs, s->families[1].points[i].attrs);
		assert_int_equal(s->families[0].points[i].count, i == 0 ? 3 : 2);
		assert_true(s->families[1].points[i].value == 6);
	}
	assert_int_equal(s->families[0].points[METRIC_MAX_SETS].count, 2);
	assert_true(s->families[1].points[METRIC_MAX_SETS].value == 6);
	metric_snapshot_free(s);
	metrics_free(metrics);
}

/* A series counts since the first event's beginning, or since the first record; snapshots tell when they were taken. */
static void test_times(void **state)
{
	const struct span_model model = {.name = "x", .id = 9, .start_ns = 5, .end_ns = 77};
	const struct span_model later = {.name = "x", .id = 9, .start_ns = 50, .end_ns = 78};
	struct span *first = fixture_span(&model), *second = fixture_span(&later);
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration), *c = metrics_add(metrics, &counter);
	uint64_t before = clock_monotonic_ns(), since;
	struct metric_snapshot *s;

	(void)state;
	metric_record(h, NULL, NULL, 0, 0.25, first);
	metric_record(h, NULL, NULL, 0, 0.125, second);
	metric_record(c, NULL, NULL, 0, 1, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].points[0].start_ns, 5);
	assert_true(s->families[0].points[0].min == 0.125);
	assert_true(s->families[0].points[0].max == 0.25);
	assert_null(s->families[0].points[0].exponential);
	since = s->families[1].points[0].start_ns;
	assert_in_range(since, before, s->time_ns);
	metric_snapshot_free(s);
	metric_record(c, NULL, NULL, 0, 1, NULL);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[1].points[0].start_ns, since);
	metric_snapshot_free(s);
	metrics_free(metrics);
	span_free(first);
	span_free(second);
}

/* Whether a span, sampled or not, becomes an exemplar under this filter. */
static bool is_exemplar(enum metric_exemplar_filter filter, uint32_t flags)
{
	const struct span_model model = {.name = "x", .id = 9, .flags = flags, .end_ns = 77};
	struct span *span = fixture_span(&model);
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration);
	struct metric_snapshot *s;
	bool present;

	metrics_set_exemplar_filter(metrics, filter);
	metric_record(h, NULL, NULL, 0, 0, span);
	s = metrics_snapshot(metrics);
	present = s->families[0].points[0].exemplars[0].present;
	metric_snapshot_free(s);
	metrics_free(metrics);
	span_free(span);
	return present;
}

static void test_exemplar_filter(void **state)
{
	(void)state;
	assert_true(is_exemplar(METRIC_EXEMPLAR_TRACE_BASED, SPAN_FLAG_SAMPLED));
	assert_false(is_exemplar(METRIC_EXEMPLAR_TRACE_BASED, 0));
	assert_true(is_exemplar(METRIC_EXEMPLAR_ALWAYS_ON, 0));
	assert_false(is_exemplar(METRIC_EXEMPLAR_ALWAYS_OFF, SPAN_FLAG_SAMPLED));
}

/* Exemplars that come once their span is known to be kept: only of what was counted, and what was forgotten stays so. */
static void test_deferred_exemplars(void **state)
{
	const struct span_model model = {
	    .name = "x", .id = 9, .flags = SPAN_FLAG_SAMPLED, .start_ns = 5, .end_ns = 77};
	const struct attr a[] = {ATTR_S("kind", "read")}, unknown[] = {ATTR_S("kind", "write")};
	struct span *span = fixture_span(&model);
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration), *c = metrics_add(metrics, &counter);
	const struct metric_value values[] = {
	    {.instrument = h, .value = 0.05}, {.instrument = c, .value = 1}};
	const struct metric_value elsewhere = {.instrument = h, .value = 0.5};
	struct metric_snapshot *s;

	(void)state;
	metrics_defer_exemplars(metrics, true);
	metric_record_together(values, 2, NULL, a, 1, span);
	s = metrics_snapshot(metrics);
	assert_false(s->families[0].points[0].exemplars[1].present);
	assert_int_equal(s->families[0].points[0].start_ns, 5);
	metric_snapshot_free(s);
	metric_offer_together(values, 2, NULL, unknown, 1, span);
	metric_offer_together(&elsewhere, 1, NULL, a, 1, span); /* a bucket of nothing */
	metric_offer_together(values, 2, NULL, a, 1, span);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 1);
	assert_int_equal(s->families[0].points[0].count, 1);
	assert_true(s->families[1].points[0].value == 1);
	assert_true(s->families[0].points[0].exemplars[1].present);
	assert_true(s->families[0].points[0].exemplars[1].value == 0.05);
	assert_false(s->families[0].points[0].exemplars[2].present);
	metric_snapshot_free(s);
	metrics_free(metrics);
	span_free(span);
}

/* Recorded, then offered: an exemplar once, by the filter. */
static void test_deferred_filter(void **state)
{
	const struct span_model model = {
	    .name = "x", .id = 9, .flags = SPAN_FLAG_SAMPLED, .end_ns = 7};
	static const struct {
		enum metric_exemplar_filter filter;
		bool recorded, offered; /* it is there afterwards */
	} rows[] = {{METRIC_EXEMPLAR_TRACE_BASED, false, true},
	    {METRIC_EXEMPLAR_ALWAYS_ON, true, true}, {METRIC_EXEMPLAR_ALWAYS_OFF, false, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span *span = fixture_span(&model);
		struct metrics *metrics = metrics_new();
		const struct metric_value value = {
		    .instrument = metrics_add(metrics, &duration), .value = 0.05};
		bool there[2];

		metrics_defer_exemplars(metrics, true);
		metrics_set_exemplar_filter(metrics, rows[i].filter);
		for (int k = 0; k < 2; k++) {
			struct metric_snapshot *s;

			(k ? metric_offer_together : metric_record_together)(
			    &value, 1, NULL, NULL, 0, span);
			s = metrics_snapshot(metrics);
			there[k] = s->families[0].points[0].exemplars[1].present;
			metric_snapshot_free(s);
		}
		assert_int_equal(there[0], rows[i].recorded);
		assert_int_equal(there[1], rows[i].offered);
		metrics_free(metrics);
		span_free(span);
	}
}

/* Without deferring there is nothing to offer: the exemplar came with the value. */
static void test_offer_without_deferring(void **state)
{
	const struct span_model model = {
	    .name = "x", .id = 9, .flags = SPAN_FLAG_SAMPLED, .end_ns = 7};
	struct span *span = fixture_span(&model);
	struct metrics *metrics = metrics_new();
	const struct metric_value value = {
	    .instrument = metrics_add(metrics, &duration), .value = 0.05};
	struct metric_snapshot *s;

	(void)state;
	metrics_defer_exemplars(metrics, true);
	metrics_defer_exemplars(metrics, false);
	metric_record_together(&value, 1, NULL, NULL, 0, NULL);
	metric_offer_together(&value, 1, NULL, NULL, 0, span);
	s = metrics_snapshot(metrics);
	assert_false(s->families[0].points[0].exemplars[1].present);
	metric_snapshot_free(s);
	metrics_free(metrics);
	span_free(span);
}

/* The exponential form counts the same values as the bounds; a snapshot has its own copy. */
static void test_exponential_form(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *h;
	struct metric_snapshot *s, *after;
	const struct metric_exponential *e;

	(void)state;
	metrics_keep_exponential(metrics);
	h = metrics_add(metrics, &duration);
	for (int set = 0; set < 2; set++) {
		metric_record(h, NULL, &(struct attr)ATTR_I("n", set), 1, 0, NULL);
		metric_record(h, NULL, &(struct attr)ATTR_I("n", set), 1, 1, NULL);
		metric_record(h, NULL, &(struct attr)ATTR_I("n", set), 1, 1 << set, NULL);
	}
	s = metrics_snapshot(metrics);
	metric_record(h, NULL, &(struct attr)ATTR_I("n", 0), 1, 1, NULL);
	after = metrics_snapshot(metrics);
	e = s->families[0].points[0].exponential;
	assert_int_equal(e->zero_count, 1);
	assert_int_equal(e->scale, METRIC_EXPONENTIAL_SCALE_MAX);
	assert_int_equal(e->offset, -1);
	assert_int_equal(e->n, 1);
	assert_int_equal(e->counts[0], 2);
	assert_int_equal(after->families[0].points[0].exponential->counts[0], 3);
	assert_int_equal(s->families[0].points[0].count, 3);
	e = s->families[0].points[1].exponential; /* 1 and 2 are 2^scale buckets apart */
	assert_int_equal(e->scale, 7);
	assert_int_equal(e->offset, -1);
	assert_int_equal(e->n, 129);
	assert_int_equal(e->counts[0], 1);
	assert_int_equal(e->counts[128], 1);
	metric_snapshot_free(s);
	metric_snapshot_free(after);
	metrics_free(metrics);
}

static void test_overflow(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter);
	struct service *service = fixture_service("shop", 1);
	struct metric_snapshot *s;
	double total = 0;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < METRIC_MAX_SETS + 5; i++) {
			const struct attr a = ATTR_I("n", i);

			metric_record(c, service, &a, 1, 1, NULL);
		}
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, METRIC_MAX_SETS + 1);
	for (size_t i = 0; i < s->families[0].n_points; i++)
		total += s->families[0].points[i].value;
	assert_true(total == 2 * (METRIC_MAX_SETS + 5));
	assert_string_equal(
	    s->families[0].points[METRIC_MAX_SETS].attrs[0].key, "otel.metric.overflow");
	assert_true(s->families[0].points[METRIC_MAX_SETS].value == 10);
	assert_null(s->families[0].points[METRIC_MAX_SETS].service);
	metric_snapshot_free(s);
	metrics_end_service(metrics, service);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 1); /* the overflow stays */
	metric_snapshot_free(s);
	metrics_free(metrics);
	service_unref(service);
}

static void test_services(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &counter);
	struct service *one = fixture_service("shop", 1), *two = fixture_service("shop", 2);
	const struct attr a = ATTR_S("k", "v");
	struct metric_snapshot *s;

	(void)state;
	metric_record(c, one, &a, 1, 1, NULL);
	metric_record(c, two, &a, 1, 1, NULL);
	metric_record(c, NULL, &a, 1, 1, NULL);
	assert_int_equal(atomic_load(&one->refs), 2);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 3);
	assert_ptr_equal(s->families[0].points[1].service, two);
	metrics_end_service(metrics, one);
	metrics_end_service(metrics, NULL);
	assert_int_equal(atomic_load(&one->refs), 2); /* the snapshot's */
	metric_snapshot_free(s);
	assert_int_equal(atomic_load(&one->refs), 1);
	s = metrics_snapshot(metrics);
	assert_int_equal(s->families[0].n_points, 2);
	assert_ptr_equal(s->families[0].points[0].service, two);
	metric_snapshot_free(s);
	metrics_free(metrics);
	assert_int_equal(atomic_load(&two->refs), 1);
	service_unref(one);
	service_unref(two);
}

static void *record_many(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		const struct attr a = ATTR_I("n", i % 7);

		metric_record(arg, NULL, &a, 1, 0.01, NULL);
	}
	return NULL;
}

/* Every snapshot taken meanwhile is consistent: buckets add up to the count. */
static void test_concurrent_snapshots(void **state)
{
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration);
	uint64_t seen = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, record_many, h), 0);
	while (seen < 20000) {
		struct metric_snapshot *s = metrics_snapshot(metrics);
		uint64_t total = 0;

		for (size_t i = 0; i < s->families[0].n_points; i++) {
			const struct metric_point *p = &s->families[0].points[i];

			assert_int_equal(
			    p->buckets[0] + p->buckets[1] + p->buckets[2] + p->buckets[3],
			    p->count);
			total += p->count;
		}
		assert_true(total >= seen);
		seen = total;
		metric_snapshot_free(s);
	}
	pthread_join(thread, NULL);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counter_and_gauge),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_values_are_copied),
	    cmocka_unit_test(test_histogram),
	    cmocka_unit_test(test_updown),
	    cmocka_unit_test(test_together),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_exemplar_filter),
	    cmocka_unit_test(test_deferred_exemplars),
	    cmocka_unit_test(test_deferred_filter),
	    cmocka_unit_test(test_offer_without_deferring),
	    cmocka_unit_test(test_exponential_form),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_concurrent_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
