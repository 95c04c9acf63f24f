// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics in OTLP: each rule of the format, read back with the field numbers of the specification written out here,
 * so that a mistake in our .proto shows; and the same in JSON. Random snapshots: test_otlp_metrics_round.c.
 */
#include "export/exporters.h"
#include "export/otlp_metric_batch.h"
#include "export/otlp_metrics.h"
#include "json_reader.h"
#include "metric_fixture.h"
#include "wire_reader.h"

#define WALL 1700000000000000000LL

static const struct clock_base base = {.offset_ns = WALL};

static double as_double(struct field f)
{
	double value;

	assert_int_equal(f.wire, 1);
	memcpy(&value, &f.value, sizeof(value));
	return value;
}

/* One metric of zerospan itself, encoded both ways. */
struct encoded {
	struct buf protobuf, text;
	struct sv metric;  /* in protobuf */
	struct json *json; /* the whole */
};

#define METRIC "resourceMetrics/0/scopeMetrics/0/metrics/0/"

static struct encoded encode(struct metric_family *family, uint64_t time_ns)
{
	struct service *own = fixture_service("zerospan", 1);
	struct metric_snapshot snapshot = {.families = family, .n_families = 1, .time_ns = time_ns};
	struct encoded e = {{0}, {0}, {0}, NULL};

	assert_int_equal(
	    encode_otlp_metrics_protobuf(&e.protobuf, &snapshot, own, &base), family->n_points);
	assert_int_equal(
	    encode_otlp_metrics_json(&e.text, &snapshot, own, &base), family->n_points);
	assert_false(e.protobuf.failed || e.text.failed);
	e.metric = wire_sub(wire_sub(wire_sub(buf_sv(&e.protobuf), 1, 0), 2, 0), 2, 0);
	e.json = json_parse(e.text.data);
	assert_non_null(e.json);
	assert_null(strchr(e.text.data, '\n')); /* one line */
	service_unref(own);
	return e;
}

static void encoded_release(struct encoded *e)
{
	buf_release(&e->protobuf);
	buf_release(&e->text);
	json_free(e->json);
}

/* --- sums and gauges --- */

static void check_sum(struct encoded *e, uint64_t temporality, bool monotonic)
{
	struct sv sum = wire_sub(e->metric, 7, 0), point = wire_sub(sum, 1, 0);

	assert_sv(wire_sub(e->metric, 1, 0), "m");
	assert_sv(wire_sub(e->metric, 2, 0), "What \"it\" is.");
	assert_sv(wire_sub(e->metric, 3, 0), "s");
	assert_int_equal(wire_get(sum, 2, 0).value, temporality);
	assert_int_equal(wire_get(sum, 3, 0).value, monotonic);
	assert_int_equal(wire_get(point, 2, 0).value, WALL + 10);
	assert_int_equal(wire_get(point, 3, 0).value, WALL + 200);
	assert_int_equal(wire_get(point, 4, 0).number, 4); /* 0 is said */
	assert_true(as_double(wire_get(point, 4, 0)) == 0);
	assert_true(as_double(wire_get(wire_sub(sum, 1, 1), 4, 0)) == -2.5);
	assert_int_equal(wire_count(sum, 1), 2);
	assert_string_equal(json_text(e->json, METRIC "name"), "m");
	assert_string_equal(json_text(e->json, METRIC "description"), "What \"it\" is.");
	assert_string_equal(json_text(e->json, METRIC "unit"), "s");
	assert_int_equal(
	    atoi(json_text(e->json, METRIC "sum/aggregationTemporality")), (int)temporality);
	assert_true((json_at(e->json, METRIC "sum/isMonotonic") != NULL) == monotonic);
	assert_string_equal(
	    json_text(e->json, METRIC "sum/dataPoints/0/startTimeUnixNano"), "1700000000000000010");
	assert_string_equal(
	    json_text(e->json, METRIC "sum/dataPoints/0/timeUnixNano"), "1700000000000000200");
	assert_string_equal(json_text(e->json, METRIC "sum/dataPoints/0/asDouble"), "0");
	assert_string_equal(json_text(e->json, METRIC "sum/dataPoints/1/asDouble"), "-2.5");
}

static void test_sums(void **state)
{
	struct metric_point points[] = {{.start_ns = 10}, {.start_ns = 10, .value = -2.5}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_COUNTER), .points = points, .n_points = 2};
	struct encoded e = encode(&family, 200);

	(void)state;
	check_sum(&e, 2, true);
	encoded_release(&e);
	family.delta = true;
	e = encode(&family, 200);
	check_sum(&e, 1, true);
	encoded_release(&e);
	family.delta = false;
	family.desc.type = METRIC_UPDOWN;
	e = encode(&family, 200);
	check_sum(&e, 2, false);
	encoded_release(&e);
}

/* A gauge has no temporality and no start; its value may be anything. */
static void test_gauge(void **state)
{
	struct metric_point points[] = {
	    {.start_ns = 10, .value = (double)NAN}, {.start_ns = 10, .value = -(double)INFINITY}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_GAUGE), .points = points, .n_points = 2};
	struct encoded e = encode(&family, 200);
	struct sv gauge = wire_sub(e.metric, 5, 0), point = wire_sub(gauge, 1, 0);

	(void)state;
	assert_int_equal(wire_count(gauge, 1), 2);
	assert_int_equal(wire_count(gauge, 2), 0);
	assert_int_equal(wire_count(point, 2), 0);
	assert_int_equal(wire_get(point, 3, 0).value, WALL + 200);
	assert_true(isnan(as_double(wire_get(point, 4, 0))));
	assert_null(json_at(e.json, METRIC "gauge/dataPoints/0/startTimeUnixNano"));
	assert_null(json_at(e.json, METRIC "gauge/aggregationTemporality"));
	assert_string_equal(json_text(e.json, METRIC "gauge/dataPoints/0/asDouble"), "NaN");
	assert_string_equal(json_text(e.json, METRIC "gauge/dataPoints/1/asDouble"), "-Infinity");
	encoded_release(&e);
}

/* The part of a divided counter is one more attribute; all types of values; the overflow set is a set like others. */
static void test_attributes(void **state)
{
	struct attr attrs[] = {ATTR_S("route", "/a"), ATTR_I("status", 200)};
	struct attr overflow[] = {ATTR_B("otel.metric.overflow", true)};
	struct metric_point points[] = {
	    {.attrs = attrs, .n_attrs = 2, .part = ATTR_S("state", "cpu")},
	    {.part = ATTR_S("state", "lock")}, {.attrs = overflow, .n_attrs = 1}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_COUNTER), .points = points, .n_points = 3};
	struct encoded e = encode(&family, 200);
	struct sv sum = wire_sub(e.metric, 7, 0);

	(void)state;
	assert_int_equal(wire_count(wire_sub(sum, 1, 0), 7), 3);
	assert_sv(wire_attr(wire_sub(sum, 1, 0), 7, 0, "route").bytes, "/a");
	assert_int_equal(wire_attr(wire_sub(sum, 1, 0), 7, 1, "status").value, 200);
	assert_sv(wire_attr(wire_sub(sum, 1, 0), 7, 2, "state").bytes, "cpu");
	assert_int_equal(wire_count(wire_sub(sum, 1, 1), 7), 1);
	assert_sv(wire_attr(wire_sub(sum, 1, 1), 7, 0, "state").bytes, "lock");
	assert_int_equal(wire_count(wire_sub(sum, 1, 2), 7), 1);
	assert_int_equal(wire_attr(wire_sub(sum, 1, 2), 7, 0, "otel.metric.overflow").number, 2);
	assert_int_equal(wire_attr(wire_sub(sum, 1, 2), 7, 0, "otel.metric.overflow").value, 1);
	assert_string_equal(
	    json_text(e.json, METRIC "sum/dataPoints/0/attributes/2/value/stringValue"), "cpu");
	assert_string_equal(json_text(e.json, METRIC "sum/dataPoints/1/attributes/0/key"), "state");
	assert_int_equal(
	    json_at(e.json, METRIC "sum/dataPoints/2/attributes/0/value/boolValue")->type, 't');
	encoded_release(&e);
}

/* --- histograms --- */

static void check_exemplar(struct sv exemplar, uint64_t time_ns, double value)
{
	assert_int_equal(wire_get(exemplar, 2, 0).wire, 1);
	assert_int_equal(wire_get(exemplar, 2, 0).value, time_ns);
	assert_true(as_double(wire_get(exemplar, 3, 0)) == value);
	assert_int_equal(wire_sub(exemplar, 4, 0).len, 8);
	assert_memory_equal(wire_sub(exemplar, 4, 0).p, "\x05\0\0\0\0\0\0\x06", 8);
	assert_int_equal(wire_sub(exemplar, 5, 0).len, 16);
	assert_memory_equal(wire_sub(exemplar, 5, 0).p, "\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08", 16);
	assert_int_equal(wire_count(exemplar, 7), 0);
}

#define EXEMPLAR(at, of_value)                                         \
	{                                                              \
		.present = true, .value = (of_value), .time_ns = (at), \
		.trace_id = {{7, [15] = 8}}, .span_id = {              \
			{5, [7] = 6}                                   \
		}                                                      \
	}

/* The times of exemplars: before the point's, within, after it. */
static void test_histogram(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {0, 3, 0, 1, 1ULL << 40}, value = 0;
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {
	    [1] = EXEMPLAR(5, 0), [3] = EXEMPLAR(150, 2), [4] = EXEMPLAR(250, 3)};
	struct metric_point point = {.start_ns = 10,
	    .count = (1ULL << 40) + 4,
	    .value = 0,
	    .min = 0,
	    .max = 3,
	    .buckets = buckets,
	    .exemplars = exemplars};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_HISTOGRAM), .points = &point, .n_points = 1};
	struct encoded e = encode(&family, 200);
	struct sv histogram = wire_sub(e.metric, 9, 0), p = wire_sub(histogram, 1, 0), list;

	(void)state;
	assert_int_equal(wire_get(histogram, 2, 0).value, 2);
	assert_int_equal(wire_count(p, 9), 0);
	assert_int_equal(wire_get(p, 2, 0).value, WALL + 10);
	assert_int_equal(wire_get(p, 3, 0).value, WALL + 200);
	assert_int_equal(wire_get(p, 4, 0).wire, 1);
	assert_int_equal(wire_get(p, 4, 0).value, (1ULL << 40) + 4);
	assert_int_equal(wire_get(p, 5, 0).number, 5); /* a sum of 0 is said, */
	assert_true(as_double(wire_get(p, 5, 0)) == 0);
	assert_int_equal(wire_get(p, 11, 0).number, 11); /* and so is a smallest value of 0 */
	assert_true(as_double(wire_get(p, 11, 0)) == 0);
	assert_true(as_double(wire_get(p, 12, 0)) == 3);
	list = wire_sub(p, 6, 0); /* packed */
	assert_int_equal(list.len, 8 * (METRIC_BOUNDS + 1));
	for (size_t i = 0; i <= METRIC_BOUNDS; i++)
		value += wire_fixed(&list, 8);
	assert_int_equal(value, (1ULL << 40) + 4); /* buckets add up to the count */
	assert_int_equal(wire_sub(p, 7, 0).len, 8 * METRIC_BOUNDS);
	assert_memory_equal(wire_sub(p, 7, 0).p, metric_bounds, sizeof(metric_bounds));
	assert_int_equal(wire_count(p, 8), 3);
	check_exemplar(wire_sub(p, 8, 0), WALL + 11, 0);
	check_exemplar(wire_sub(p, 8, 1), WALL + 150, 2);
	check_exemplar(wire_sub(p, 8, 2), WALL + 200, 3);
	encoded_release(&e);
}

#define POINT METRIC "histogram/dataPoints/0/"

static void test_histogram_json(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {0, 3, 0, 1, 1ULL << 60};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {[3] = EXEMPLAR(150, 2)};
	struct metric_point point = {.start_ns = 10,
	    .count = (1ULL << 60) + 4,
	    .value = 0.1,
	    .min = 0,
	    .max = 3,
	    .buckets = buckets,
	    .exemplars = exemplars};
	struct metric_family family = {.desc = metric_fixture_desc("m", METRIC_HISTOGRAM),
	    .points = &point,
	    .n_points = 1,
	    .delta = true};
	struct encoded e = encode(&family, 200);

	(void)state;
	assert_string_equal(json_text(e.json, METRIC "histogram/aggregationTemporality"), "1");
	assert_string_equal(json_text(e.json, POINT "count"), "1152921504606846980");
	assert_int_equal(
	    json_at(e.json, POINT "count")->type, '"'); /* 64-bit integers are strings */
	assert_string_equal(json_text(e.json, POINT "sum"), "0.1");
	assert_string_equal(json_text(e.json, POINT "min"), "0");
	assert_string_equal(json_text(e.json, POINT "max"), "3");
	assert_string_equal(json_text(e.json, POINT "bucketCounts/4"), "1152921504606846976");
	assert_int_equal(json_at(e.json, POINT "bucketCounts/4")->type, '"');
	assert_null(json_at(e.json, POINT "bucketCounts/5"));
	assert_string_equal(json_text(e.json, POINT "explicitBounds/3"), "2.5");
	assert_null(json_at(e.json, POINT "explicitBounds/4"));
	assert_string_equal(
	    json_text(e.json, POINT "exemplars/0/timeUnixNano"), "1700000000000000150");
	assert_string_equal(json_text(e.json, POINT "exemplars/0/asDouble"), "2");
	assert_string_equal(json_text(e.json, POINT "exemplars/0/spanId"), "0500000000000006");
	assert_string_equal(
	    json_text(e.json, POINT "exemplars/0/traceId"), "07000000000000000000000000000008");
	assert_null(json_at(e.json, POINT "exemplars/1"));
	encoded_release(&e);
}

/* Of nothing and of changes the extremes are not known, and not said. */
static void test_unknown_extremes(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {1};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	struct metric_point points[] = {
	    {.count = 1, .min = (double)NAN, .max = (double)NAN}, {.count = 0, .min = 0, .max = 0}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_HISTOGRAM), .points = points, .n_points = 2};
	struct encoded e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		points[i].buckets = buckets;
		points[i].exemplars = exemplars;
	}
	e = encode(&family, 200);
	for (size_t i = 0; i < 2; i++) {
		struct sv p = wire_sub(wire_sub(e.metric, 9, 0), 1, i);

		assert_int_equal(wire_count(p, 5), 1);
		assert_int_equal(wire_count(p, 8), 0);
		assert_int_equal(wire_count(p, 11), 0);
		assert_int_equal(wire_count(p, 12), 0);
	}
	assert_null(json_at(e.json, POINT "min"));
	assert_null(json_at(e.json, POINT "max"));
	assert_null(json_at(e.json, POINT "exemplars"));
	encoded_release(&e);
}

static void test_exponential(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {7}, counts[] = {2, 0, 300};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {[2] = EXEMPLAR(150, 2)};
	struct metric_exponential exponential = {
	    .scale = -3, .zero_count = 5, .offset = -2, .n = 3, .counts = counts};
	struct metric_exponential zeros = {.scale = 20, .zero_count = 4};
	struct metric_point points[] = {{.start_ns = 10,
					    .count = 307,
					    .value = 0,
					    .min = 0,
					    .max = 9,
					    .exponential = &exponential},
	    {.start_ns = 10, .count = 4, .exponential = &zeros}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_HISTOGRAM), .points = points, .n_points = 2};
	struct encoded e;
	struct sv data, p, positive, list;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		points[i].buckets = buckets;
		points[i].exemplars = exemplars;
	}
	e = encode(&family, 200);
	data = wire_sub(e.metric, 10, 0);
	p = wire_sub(data, 1, 0);
	assert_int_equal(wire_get(data, 2, 0).value, 2);
	assert_int_equal(wire_get(p, 2, 0).value, WALL + 10);
	assert_int_equal(wire_get(p, 3, 0).value, WALL + 200);
	assert_int_equal(wire_get(p, 4, 0).value, 307);
	assert_true(as_double(wire_get(p, 5, 0)) == 0);
	assert_int_equal(wire_get(p, 6, 0).value, 5); /* -3 in zigzag */
	assert_int_equal(wire_get(p, 7, 0).wire, 1);
	assert_int_equal(wire_get(p, 7, 0).value, 5);
	positive = wire_sub(p, 8, 0);
	assert_int_equal(wire_get(positive, 1, 0).value, 3); /* -2 in zigzag */
	list = wire_sub(positive, 2, 0);                     /* packed varints */
	assert_int_equal(wire_varint(&list), 2);
	assert_int_equal(wire_varint(&list), 0);
	assert_int_equal(wire_varint(&list), 300);
	assert_int_equal(list.len, 0);
	assert_int_equal(wire_count(p, 9), 0); /* nothing is negative */
	check_exemplar(wire_sub(p, 11, 0), WALL + 150, 2);
	assert_true(as_double(wire_get(p, 12, 0)) == 0);
	assert_true(as_double(wire_get(p, 13, 0)) == 9);
	p = wire_sub(data, 1, 1);
	assert_int_equal(wire_get(p, 6, 0).value, 40);
	assert_int_equal(wire_count(p, 8), 0);
	encoded_release(&e);
}

#undef POINT
#define POINT METRIC "exponentialHistogram/dataPoints/0/"

static void test_exponential_json(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {7}, counts[] = {2, 300};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	struct metric_exponential exponential = {
	    .scale = -3, .zero_count = 5, .offset = -2, .n = 2, .counts = counts};
	struct metric_point point = {
	    .count = 307, .exponential = &exponential, .buckets = buckets, .exemplars = exemplars};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_HISTOGRAM), .points = &point, .n_points = 1};
	struct encoded e = encode(&family, 200);

	(void)state;
	assert_string_equal(json_text(e.json, POINT "count"), "307");
	assert_string_equal(json_text(e.json, POINT "scale"), "-3");
	assert_string_equal(json_text(e.json, POINT "zeroCount"), "5");
	assert_int_equal(json_at(e.json, POINT "zeroCount")->type, '"');
	assert_string_equal(json_text(e.json, POINT "positive/offset"), "-2");
	assert_string_equal(json_text(e.json, POINT "positive/bucketCounts/1"), "300");
	assert_int_equal(json_at(e.json, POINT "positive/bucketCounts/1")->type, '"');
	assert_null(json_at(e.json, POINT "bucketCounts"));
	assert_null(json_at(e.json, METRIC "histogram"));
	encoded_release(&e);
}

/* As many points as one request has, rich ones: less than the 4 MiB that collectors take over gRPC by default. */
static void test_size(void **state)
{
	enum {
		BOUNDS = 15,
		N_ATTRS = 12,
	};
	static const double bounds[BOUNDS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct metric_exemplar exemplars[BOUNDS + 1];
	uint64_t buckets[BOUNDS + 1] = {0};
	struct metric_point *points = calloc(OTLP_METRICS_REQUEST_POINTS, sizeof(*points));
	struct metric_family family = {.desc = metric_fixture_desc("m", METRIC_HISTOGRAM),
	    .points = points,
	    .n_points = OTLP_METRICS_REQUEST_POINTS};
	struct attr attrs[N_ATTRS];
	struct service *own = fixture_service("zerospan", 1);
	const struct metric_snapshot snapshot = {
	    .families = &family, .n_families = 1, .time_ns = 200};
	struct buf out = {0};

	(void)state;
	family.desc.bounds = bounds;
	family.desc.n_bounds = BOUNDS;
	for (size_t i = 0; i <= BOUNDS; i++)
		exemplars[i] = (struct metric_exemplar)EXEMPLAR(150, 2);
	for (size_t i = 0; i < N_ATTRS; i++)
		attrs[i] =
		    ATTR_S("http.request.header.", "/a/route/of/forty/characters/for/:id/end");
	for (size_t i = 0; i < OTLP_METRICS_REQUEST_POINTS; i++)
		points[i] = (struct metric_point){.attrs = attrs,
		    .n_attrs = N_ATTRS,
		    .count = 1,
		    .buckets = buckets,
		    .exemplars = exemplars};
	encode_otlp_metrics_protobuf(&out, &snapshot, own, &base);
	assert_in_range(out.len, 3 << 20, (4 << 20) - 1);
	buf_release(&out);
	service_unref(own);
	free(points);
}

/* One point that is not kept in that form: the whole metric is in the other. */
static void test_mixed_histograms(void **state)
{
	uint64_t buckets[METRIC_BOUNDS + 1] = {4};
	struct metric_exemplar exemplars[METRIC_BOUNDS + 1] = {{0}};
	struct metric_exponential zeros = {.scale = 20, .zero_count = 4};
	struct metric_point points[] = {{.count = 4, .exponential = &zeros}, {.count = 4}};
	struct metric_family family = {
	    .desc = metric_fixture_desc("m", METRIC_HISTOGRAM), .points = points, .n_points = 2};
	struct encoded e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		points[i].buckets = buckets;
		points[i].exemplars = exemplars;
	}
	e = encode(&family, 200);
	assert_int_equal(wire_count(e.metric, 10), 0);
	assert_int_equal(wire_count(wire_sub(e.metric, 9, 0), 1), 2);
	encoded_release(&e);
}

/* --- envelopes --- */

static void check_resource(struct sv group, const char *name)
{
	struct sv resource = wire_sub(group, 1, 0), scope = wire_sub(group, 2, 0);

	assert_true(sv_eq(wire_attr(resource, 1, 0, "service.name").bytes, sv_cstr(name)));
	assert_sv(wire_attr(resource, 1, 4, "telemetry.sdk.name").bytes, "zerospan");
	assert_sv(wire_attr(resource, 1, 5, "telemetry.sdk.language").bytes, "c");
	assert_sv(wire_attr(resource, 1, 6, "telemetry.sdk.version").bytes, ZEROSPAN_VERSION);
	assert_int_equal(wire_count(resource, 1), 9);
	assert_int_equal(wire_count(group, 2), 1);
	assert_sv(wire_sub(group, 3, 0), "https://opentelemetry.io/schemas/1.44.0");
	assert_sv(wire_sub(wire_sub(scope, 1, 0), 1, 0), "zerospan");
	assert_sv(wire_sub(wire_sub(scope, 1, 0), 2, 0), ZEROSPAN_VERSION);
	assert_sv(wire_sub(scope, 3, 0), "https://opentelemetry.io/schemas/1.44.0");
}

/* One resource per service, in it one metric per family; families without points of it are not there. */
static void test_groups(void **state)
{
	struct service *shop = fixture_service("shop", 1), *stock = fixture_service("stock", 2);
	struct service *own = fixture_service("zerospan", 3);
	struct metric_point one[] = {{.service = shop, .value = 1}, {.service = stock, .value = 2},
	    {.service = shop, .value = 3}};
	struct metric_point two[] = {{.value = 4}, {.service = stock, .value = 5}};
	struct metric_family families[] = {
	    {.desc = metric_fixture_desc("one", METRIC_COUNTER), .points = one, .n_points = 3},
	    {.desc = metric_fixture_desc("none", METRIC_COUNTER)},
	    {.desc = metric_fixture_desc("two", METRIC_GAUGE), .points = two, .n_points = 2}};
	struct metric_snapshot snapshot = {.families = families, .n_families = 3, .time_ns = 9};
	struct buf out = {0};
	struct sv request, metrics;

	(void)state;
	assert_int_equal(encode_otlp_metrics_protobuf(&out, &snapshot, own, &base), 5);
	request = buf_sv(&out);
	assert_int_equal(wire_count(request, 1), 3);
	check_resource(wire_sub(request, 1, 0), "shop");
	check_resource(wire_sub(request, 1, 1), "stock");
	check_resource(wire_sub(request, 1, 2), "zerospan");
	metrics = wire_sub(wire_sub(request, 1, 0), 2, 0);
	assert_int_equal(wire_count(metrics, 2), 1);
	assert_sv(wire_sub(wire_sub(metrics, 2, 0), 1, 0), "one");
	assert_int_equal(wire_count(wire_sub(wire_sub(metrics, 2, 0), 7, 0), 1), 2);
	metrics = wire_sub(wire_sub(request, 1, 1), 2, 0);
	assert_int_equal(wire_count(metrics, 2), 2);
	assert_sv(wire_sub(wire_sub(metrics, 2, 1), 1, 0), "two");
	metrics = wire_sub(wire_sub(request, 1, 2), 2, 0);
	assert_int_equal(wire_count(metrics, 2), 1);
	buf_release(&out);
	service_unref(shop);
	service_unref(stock);
	service_unref(own);
}

/*
 * More sets than an instrument has: the rest is in one point, marked, of zerospan itself, and nothing is lost or counted
 * twice.
 */
static void test_overflow(void **state)
{
	const struct metric_desc desc = metric_fixture_desc("m", METRIC_COUNTER);
	struct service *own = fixture_service("zerospan", 3), *shop = fixture_service("shop", 1);
	struct metrics *metrics = metrics_new();
	struct instrument *counter = metrics_add(metrics, &desc);
	struct metric_snapshot *snapshot;
	struct buf out = {0};
	struct sv sum, point;
	double total = 0;

	(void)state;
	for (int i = 0; i < METRIC_MAX_SETS + 5; i++) {
		struct attr attr = ATTR_I("k", i);

		metric_record(counter, shop, &attr, 1, 1, NULL);
	}
	snapshot = metrics_snapshot(metrics);
	assert_int_equal(
	    encode_otlp_metrics_protobuf(&out, snapshot, own, &base), METRIC_MAX_SETS + 1);
	assert_int_equal(wire_count(buf_sv(&out), 1), 2);
	check_resource(wire_sub(buf_sv(&out), 1, 0), "shop");
	check_resource(wire_sub(buf_sv(&out), 1, 1), "zerospan");
	sum = wire_sub(wire_sub(wire_sub(wire_sub(buf_sv(&out), 1, 0), 2, 0), 2, 0), 7, 0);
	for (point = sum; point.len;) {
		struct field f = wire_next(&point);

		if (f.number == 1)
			total += as_double(wire_get(f.bytes, 4, 0));
	}
	assert_true(total == METRIC_MAX_SETS);
	sum = wire_sub(wire_sub(wire_sub(wire_sub(buf_sv(&out), 1, 1), 2, 0), 2, 0), 7, 0);
	point = wire_sub(sum, 1, 0);
	assert_int_equal(wire_count(sum, 1), 1);
	assert_int_equal(wire_count(point, 7), 1);
	assert_int_equal(wire_attr(point, 7, 0, "otel.metric.overflow").value, 1);
	assert_true(as_double(wire_get(point, 4, 0)) == 5);
	buf_release(&out);
	metric_snapshot_free(snapshot);
	metrics_free(metrics);
	service_unref(own);
	service_unref(shop);
}

/* Never an empty envelope. */
static void test_nothing(void **state)
{
	struct metric_family family = {.desc = metric_fixture_desc("none", METRIC_COUNTER)};
	struct metric_snapshot snapshot = {.families = &family, .n_families = 1, .time_ns = 9};
	struct service *own = fixture_service("zerospan", 3);
	struct buf out = {0};

	(void)state;
	assert_int_equal(encode_otlp_metrics_protobuf(&out, &snapshot, own, &base), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(encode_otlp_metrics_json(&out, &snapshot, own, &base), 0);
	assert_string_equal(out.data, "{\"resourceMetrics\":[]}");
	buf_release(&out);
	service_unref(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_gauge),
	    cmocka_unit_test(test_attributes),
	    cmocka_unit_test(test_histogram),
	    cmocka_unit_test(test_histogram_json),
	    cmocka_unit_test(test_unknown_extremes),
	    cmocka_unit_test(test_exponential),
	    cmocka_unit_test(test_exponential_json),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_mixed_histograms),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
