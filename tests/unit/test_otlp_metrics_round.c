// SPDX-License-Identifier: Apache-2.0
/*
 * Random snapshots through both encoders of metrics and back: what is read equals what was written, number by number,
 * by readers that know the specification only; and protoc reads all of it.
 */
#include <stdio.h>
#include <unistd.h>

#include "export/exporters.h"
#include "json_reader.h"
#include "metric_fixture.h"
#include "wire_reader.h"

#define WALL 1700000000000000000LL

enum {
	ROUNDS = 300,
	SERVICES = 3,
};

static const struct clock_base base = {.offset_ns = WALL};

/* --- single values --- */

static double double_of(struct field f)
{
	double value;

	assert_int_equal(f.wire, 1);
	memcpy(&value, &f.value, sizeof(value));
	return value;
}

static int64_t zigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static bool same_double(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static double json_double(const struct json *j, const char *path)
{
	const struct json *hit = json_at(j, path);

	assert_non_null(hit);
	assert_int_equal(hit->type, '0');
	return strtod(hit->text, NULL);
}

static uint64_t json_u64(const struct json *j, const char *path)
{
	const struct json *hit = json_at(j, path);

	assert_non_null(hit);
	assert_int_equal(hit->type, '"');
	return strtoull(hit->text, NULL, 10);
}

/* --- one point, in both forms --- */

/* Field numbers of a data point; those of what a kind of point has not are 0. */
struct numbers {
	uint32_t attributes, count, sum, exemplars, min, max;
};

static const struct numbers number_point = {.attributes = 7};
static const struct numbers histogram_point = {9, 4, 5, 8, 11, 12};
static const struct numbers exponential_point = {1, 4, 5, 11, 12, 13};

static void check_attr(
    struct sv p, uint32_t list, size_t i, const struct attr *attr, const struct json *j)
{
	struct field value = wire_attr(p, list, i, attr->key);

	assert_string_equal(json_text(j, "key"), attr->key);
	switch (attr->type) {
	case ATTR_STRING:
		assert_int_equal(value.number, 1);
		assert_true(sv_eq(value.bytes, attr->string));
		assert_true(sv_eq(sv_cstr(json_text(j, "value/stringValue")), attr->string));
		break;
	case ATTR_INT:
		assert_int_equal(value.number, 3);
		assert_true((int64_t)value.value == attr->integer);
		assert_true((int64_t)json_u64(j, "value/intValue") == attr->integer);
		break;
	case ATTR_DOUBLE:
		assert_int_equal(value.number, 4);
		assert_true(double_of(value) == attr->real);
		assert_true(json_double(j, "value/doubleValue") == attr->real);
		break;
	default:
		assert_int_equal(value.number, 2);
		assert_int_equal(value.value, attr->boolean);
		assert_int_equal(json_at(j, "value/boolValue")->type, attr->boolean ? 't' : 'f');
	}
}

static void check_attrs(struct sv p, const struct numbers *numbers, const struct json *j,
    const struct metric_point *point)
{
	size_t n = point->n_attrs + (point->part.key ? 1 : 0);
	const struct json *attr = json_at(j, "attributes")->child;

	assert_int_equal(wire_count(p, numbers->attributes), n);
	for (size_t i = 0; i < n; i++, attr = attr->next) {
		assert_non_null(attr);
		check_attr(p, numbers->attributes, i,
		    i < point->n_attrs ? &point->attrs[i] : &point->part, attr);
	}
	assert_null(attr);
}

static void check_exemplars(struct sv p, const struct numbers *numbers, const struct json *j,
    const struct metric_point *point)
{
	const struct json *list = json_at(j, "exemplars");
	const struct json *item = list ? list->child : NULL;
	size_t n = 0;

	for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
		const struct metric_exemplar *exemplar = &point->exemplars[i];
		char hex[33] = "";
		struct sv sub;

		if (!exemplar->present)
			continue;
		sub = wire_sub(p, numbers->exemplars, n++);
		assert_int_equal(wire_get(sub, 2, 0).value, WALL + exemplar->time_ns);
		assert_true(double_of(wire_get(sub, 3, 0)) == exemplar->value);
		assert_memory_equal(wire_sub(sub, 4, 0).p, exemplar->span_id.b, 8);
		assert_memory_equal(wire_sub(sub, 5, 0).p, exemplar->trace_id.b, 16);
		assert_non_null(item);
		assert_int_equal(json_u64(item, "timeUnixNano"), WALL + exemplar->time_ns);
		assert_true(json_double(item, "asDouble") == exemplar->value);
		for (size_t k = 0; k < 16; k++)
			snprintf(hex + 2 * k, 3, "%02x", exemplar->trace_id.b[k]);
		assert_string_equal(json_text(item, "traceId"), hex);
		item = item->next;
	}
	assert_int_equal(wire_count(p, numbers->exemplars), n);
	assert_null(item);
}

static void check_extremes(struct sv p, const struct numbers *numbers, const struct json *j,
    const struct metric_point *point)
{
	bool known = point->count && !isnan(point->min);

	assert_int_equal(wire_count(p, numbers->min), known);
	assert_int_equal(wire_count(p, numbers->max), known);
	assert_true((json_at(j, "min") != NULL) == known);
	assert_true((json_at(j, "max") != NULL) == known);
	if (!known)
		return;
	assert_true(double_of(wire_get(p, numbers->min, 0)) == point->min);
	assert_true(double_of(wire_get(p, numbers->max, 0)) == point->max);
	assert_true(json_double(j, "min") == point->min);
	assert_true(json_double(j, "max") == point->max);
}

static void check_summary(struct sv p, const struct numbers *numbers, const struct json *j,
    const struct metric_point *point)
{
	assert_int_equal(wire_get(p, numbers->count, 0).value, point->count);
	assert_true(double_of(wire_get(p, numbers->sum, 0)) == point->value);
	assert_int_equal(json_u64(j, "count"), point->count);
	assert_true(json_double(j, "sum") == point->value);
	check_extremes(p, numbers, j, point);
	check_exemplars(p, numbers, j, point);
}

static void check_buckets(struct sv p, const struct json *j, const struct metric_point *point)
{
	struct sv counts = wire_sub(p, 6, 0), bounds = wire_sub(p, 7, 0);
	const struct json *count = json_at(j, "bucketCounts")->child;
	const struct json *bound = json_at(j, "explicitBounds")->child;

	for (size_t i = 0; i <= METRIC_BOUNDS; i++, count = count->next) {
		assert_int_equal(wire_fixed(&counts, 8), point->buckets[i]);
		assert_int_equal(json_u64(count, ""), point->buckets[i]);
	}
	assert_int_equal(bounds.len, sizeof(metric_bounds));
	assert_memory_equal(bounds.p, metric_bounds, sizeof(metric_bounds));
	for (size_t i = 0; i < METRIC_BOUNDS; i++, bound = bound->next)
		assert_true(json_double(bound, "") == metric_bounds[i]);
	assert_int_equal(counts.len, 0);
	assert_null(count);
	assert_null(bound);
}

static void check_exponential(
    struct sv p, const struct json *j, const struct metric_exponential *exponential)
{
	const struct json *count;
	struct sv positive, counts;

	assert_true(zigzag(wire_get(p, 6, 0).value) == exponential->scale);
	assert_int_equal(wire_get(p, 7, 0).value, exponential->zero_count);
	assert_true(json_double(j, "scale") == exponential->scale);
	assert_int_equal(json_u64(j, "zeroCount"), exponential->zero_count);
	assert_int_equal(wire_count(p, 8), exponential->n > 0);
	assert_true((json_at(j, "positive") != NULL) == (exponential->n > 0));
	if (!exponential->n)
		return;
	positive = wire_sub(p, 8, 0);
	assert_true(zigzag(wire_get(positive, 1, 0).value) == exponential->offset);
	assert_true(json_double(j, "positive/offset") == exponential->offset);
	counts = wire_sub(positive, 2, 0);
	count = json_at(j, "positive/bucketCounts")->child;
	for (uint32_t i = 0; i < exponential->n; i++, count = count->next) {
		assert_int_equal(wire_varint(&counts), exponential->counts[i]);
		assert_int_equal(json_u64(count, ""), exponential->counts[i]);
	}
	assert_int_equal(counts.len, 0);
	assert_null(count);
}

static void check_point(struct sv p, const struct json *j, const struct metric_family *family,
    const struct metric_point *point, const struct metric_snapshot *snapshot)
{
	const struct numbers *numbers = family->desc.type != METRIC_HISTOGRAM ? &number_point
	    : point->exponential                                              ? &exponential_point
									      : &histogram_point;

	if (family->desc.type != METRIC_GAUGE) {
		assert_int_equal(wire_get(p, 2, 0).value, WALL + point->start_ns);
		assert_int_equal(json_u64(j, "startTimeUnixNano"), WALL + point->start_ns);
	}
	assert_int_equal(wire_get(p, 3, 0).value, WALL + snapshot->time_ns);
	assert_int_equal(json_u64(j, "timeUnixNano"), WALL + snapshot->time_ns);
	check_attrs(p, numbers, j, point);
	if (family->desc.type != METRIC_HISTOGRAM) {
		assert_true(same_double(double_of(wire_get(p, 4, 0)), point->value));
		assert_true(same_double(json_double(j, "asDouble"), point->value));
		return;
	}
	check_summary(p, numbers, j, point);
	if (point->exponential)
		check_exponential(p, j, point->exponential);
	else
		check_buckets(p, j, point);
}

/* --- the whole: expectations in their own order, by asking every point for every service --- */

/* The data field of a family's metric in protobuf, and its name in JSON. */
static uint32_t data_number(const struct metric_family *family, const char **ret_name)
{
	switch (family->desc.type) {
	case METRIC_GAUGE:
		*ret_name = "gauge";
		return 5;
	case METRIC_HISTOGRAM:
		*ret_name = family->points[0].exponential ? "exponentialHistogram" : "histogram";
		return family->points[0].exponential ? 10 : 9;
	default:
		*ret_name = "sum";
		return 7;
	}
}

/* Check the family's points of one service. Returns their number. */
static size_t check_family(struct sv metric, const struct json *j,
    const struct metric_snapshot *snapshot, const struct metric_family *family,
    const struct service *service)
{
	const char *name;
	uint32_t number = data_number(family, &name);
	struct sv data = wire_sub(metric, number, 0);
	const struct json *points = json_at(json_at(j, name), "dataPoints");
	const struct json *point = points->child;
	size_t n = 0;

	assert_true(sv_eq(wire_sub(metric, 1, 0), sv_cstr(family->desc.name)));
	assert_string_equal(json_text(j, "name"), family->desc.name);
	if (family->desc.type != METRIC_GAUGE) {
		assert_int_equal(wire_get(data, 2, 0).value, family->delta ? 1 : 2);
		assert_true(json_double(json_at(j, name), "aggregationTemporality") ==
		    (family->delta ? 1 : 2));
	}
	for (size_t i = 0; i < family->n_points; i++) {
		if (family->points[i].service != service)
			continue;
		assert_non_null(point);
		check_point(wire_sub(data, 1, n++), point, family, &family->points[i], snapshot);
		point = point->next;
	}
	assert_int_equal(wire_count(data, 1), n);
	assert_null(point);
	return n;
}

static bool has_points(const struct metric_family *family, const struct service *service)
{
	for (size_t i = 0; i < family->n_points; i++)
		if (family->points[i].service == service)
			return true;
	return false;
}

/* The group of a service, whose name is that of its resource. */
static size_t check_group(struct sv group, const struct json *j,
    const struct metric_snapshot *snapshot, const struct service *service)
{
	struct sv metrics = wire_sub(group, 2, 0);
	const struct json *metric = json_at(j, "scopeMetrics/0/metrics")->child;
	size_t n = 0, points = 0;

	for (size_t f = 0; f < snapshot->n_families; f++) {
		if (!has_points(&snapshot->families[f], service))
			continue;
		assert_non_null(metric);
		points += check_family(
		    wire_sub(metrics, 2, n++), metric, snapshot, &snapshot->families[f], service);
		metric = metric->next;
	}
	assert_int_equal(wire_count(metrics, 2), n);
	assert_null(metric);
	assert_true(points > 0);
	return points;
}

static void check_request(struct sv request, const struct json *j,
    const struct metric_snapshot *snapshot, struct service *const *services)
{
	size_t n = 0, expected = 0;

	for (const struct json *group = json_at(j, "resourceMetrics")->child; group;
	     group = group->next, n++) {
		struct sv sub = wire_sub(request, 1, n);
		struct sv name = wire_attr(wire_sub(sub, 1, 0), 1, 0, "service.name").bytes;
		size_t s = 0;

		assert_true(sv_eq(
		    name, sv_cstr(json_text(group, "resource/attributes/0/value/stringValue"))));
		while (!sv_eq(name, sv_cstr(services[s]->name)))
			assert_true(++s < SERVICES);
		expected +=
		    check_group(sub, group, snapshot, s == SERVICES - 1 ? NULL : services[s]);
	}
	assert_int_equal(wire_count(request, 1), n);
	for (size_t f = 0; f < snapshot->n_families; f++)
		expected -= snapshot->families[f].n_points;
	assert_int_equal(expected, 0); /* every point once */
}

static void test_round_trip(void **state)
{
	struct service *services[SERVICES] = {fixture_service("shop", 1),
	    fixture_service("stock", 2), fixture_service("zerospan", 3)};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	for (int round = 0; round < ROUNDS; round++) {
		struct metric_snapshot snapshot;
		struct buf protobuf = {0}, text = {0};
		struct json *j;

		metric_room_clear();
		snapshot = metric_random_snapshot(&rng, services, SERVICES);
		encode_otlp_metrics_protobuf(&protobuf, &snapshot, services[SERVICES - 1], &base);
		encode_otlp_metrics_json(&text, &snapshot, services[SERVICES - 1], &base);
		j = json_parse(text.data);
		assert_non_null(j);
		check_request(buf_sv(&protobuf), j, &snapshot, services);
		json_free(j);
		buf_release(&protobuf);
		buf_release(&text);
	}
	for (size_t s = 0; s < SERVICES; s++)
		service_unref(services[s]);
}

/* --- protoc --- */

/* Run protoc over a request. Returns what it wrote; caller frees. Fails when it does. */
static char *protoc_decode(struct sv request)
{
	char path[] = "/tmp/zerospan-protoc-XXXXXX", command[1024];
	int fd = mkstemp(path);
	struct buf out = {0};
	char chunk[4096];
	FILE *pipe;
	size_t n;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, request.p, request.len), request.len);
	close(fd);
	snprintf(command, sizeof(command),
	    "protoc --decode=otlp.ExportMetricsServiceRequest --proto_path='" TEST_DATA
	    "' '" TEST_DATA "/otlp.proto' <%s 2>&1",
	    path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buf_append(&out, chunk, n);
	n = (size_t)pclose(pipe);
	unlink(path);
	if (n)
		fail_msg("protoc: %s", out.data);
	return out.data;
}

static size_t count_lines(const char *text, const char *wanted)
{
	size_t n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += strspn(line, " \n");
		n += strncmp(line, wanted, strlen(wanted)) == 0;
	}
	return n;
}

/* Fields without a name are printed by their number. */
static size_t count_unknown(const char *text)
{
	size_t n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += strspn(line, " \n");
		n += *line >= '0' && *line <= '9';
	}
	return n;
}

/* Messages one behind the other are one message with the contents of all. */
static void test_protoc(void **state)
{
	struct service *services[SERVICES] = {fixture_service("shop", 1),
	    fixture_service("stock", 2), fixture_service("zerospan", 3)};
	struct buf request = {0};
	size_t points = 0;
	struct rng rng;
	char *text;

	(void)state;
	if (system("protoc --version >/dev/null 2>&1")) {
		print_message("protoc is not installed (Debian package protobuf-compiler)\n");
		skip();
	}
	rng_seed(&rng, 5);
	metric_room_clear();
	for (int round = 0; round < ROUNDS; round++) {
		struct metric_snapshot snapshot = metric_random_snapshot(&rng, services, SERVICES);

		points += encode_otlp_metrics_protobuf(
		    &request, &snapshot, services[SERVICES - 1], &base);
		metric_room_clear();
	}
	text = protoc_decode(buf_sv(&request));
	assert_int_equal(count_lines(text, "data_points {"), points);
	assert_true(points > ROUNDS);
	assert_int_equal(count_unknown(text), 0);
	free(text);
	buf_append(&request, "\xd8\x06\x01", 3); /* field 107, which nobody knows */
	text = protoc_decode(buf_sv(&request));
	assert_int_equal(count_unknown(text), 1);
	free(text);
	buf_release(&request);
	for (size_t s = 0; s < SERVICES; s++)
		service_unref(services[s]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_protoc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
