// SPDX-License-Identifier: Apache-2.0
/*
 * The two OTLP encodings of the same spans. Protobuf is read back by a small wire walker with the
 * field numbers of the specification written out here, so that a mistake in our .proto shows; JSON
 * by a strict reader.
 */
#include <math.h>

#include "export/exporters.h"
#include "export/otlp_batch.h"
#include "json_reader.h"
#include "span_fixture.h"
#include "wire_reader.h"

#define WALL 1700000000000000000LL

static const struct clock_base base = {.offset_ns = WALL};

/* --- the spans --- */

static struct trace *sample_trace(struct service *one, struct service *two)
{
	const struct span_model models[] = {
	    {.name = "POST /checkout",
		.kind = SPAN_KIND_SERVER,
		.id = 0x0102030405060708,
		.flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM | SPAN_FLAG_REMOTE_KNOWN,
		.start_ns = 1000,
		.end_ns = 2000000001,
		.service = one,
		.trace_state = "a=1,b=\"2\"",
		.dropped_attrs = 3,
		ATTRS(ATTR_S("text", "a\"b\\c\n\x01\xc3\xa9 and a longer clean tail"),
		    ATTR_I("min", INT64_MIN), ATTR_I("status", 200), ATTR_D("ratio", 0.1),
		    ATTR_B("no", false), ATTR_B("yes", true), ATTR_S("empty", ""),
		    ATTR_D("nan", (double)NAN), ATTR_D("inf", -(double)INFINITY))},
	    {.name = "POST /inventory/deduct",
		.kind = SPAN_KIND_SERVER,
		.status = SPAN_STATUS_ERROR,
		.id = 2,
		.parent = 0x0102030405060708,
		.service = two},
	    {.name = "INSERT orders",
		.kind = SPAN_KIND_CLIENT,
		.status = SPAN_STATUS_OK,
		.id = 3,
		.parent = 0x0102030405060708,
		.service = one},
	};

	struct trace *trace = fixture_trace(models, 3);

	trace->spans[2]->culprit = (struct span_link){.trace_id = {{0xc0}},
	    .span_id = {{0xd0}},
	    .flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN};
	return trace;
}

static void check_link(struct sv span)
{
	struct sv link = wire_sub(span, 13, 0);

	assert_int_equal(wire_count(span, 13), 1);
	assert_memory_equal(wire_sub(link, 1, 0).p, "\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(wire_sub(link, 1, 0).len, 16);
	assert_memory_equal(wire_sub(link, 2, 0).p, "\xd0\0\0\0\0\0\0", 8);
	assert_int_equal(wire_get(link, 6, 0).wire, 5);
	assert_int_equal(wire_get(link, 6, 0).value, 0x101);
}

static void check_resource(struct sv rs, const char *name, uint64_t pid)
{
	struct sv resource = wire_sub(rs, 1, 0), scope;

	assert_true(sv_eq(wire_attr(resource, 1, 0, "service.name").bytes, sv_cstr(name)));
	assert_int_equal(wire_attr(resource, 1, 2, "process.pid").number, 3);
	assert_int_equal(wire_attr(resource, 1, 2, "process.pid").value, pid);
	assert_sv(wire_attr(resource, 1, 4, "telemetry.sdk.name").bytes, "zerospan");
	assert_sv(wire_attr(resource, 1, 5, "telemetry.sdk.language").bytes, "c");
	assert_sv(wire_attr(resource, 1, 6, "telemetry.sdk.version").bytes, ZEROSPAN_VERSION);
	assert_sv(wire_attr(resource, 1, 7, "telemetry.distro.name").bytes, "zerospan");
	assert_sv(wire_attr(resource, 1, 8, "telemetry.distro.version").bytes, ZEROSPAN_VERSION);
	assert_int_equal(wire_count(resource, 1), 9);
	assert_int_equal(wire_count(rs, 2), 1);
	assert_sv(wire_sub(rs, 3, 0), "https://opentelemetry.io/schemas/1.44.0");
	scope = wire_sub(wire_sub(rs, 2, 0), 1, 0);
	assert_sv(wire_sub(scope, 1, 0), "zerospan");
	assert_sv(wire_sub(scope, 2, 0), ZEROSPAN_VERSION);
	assert_sv(wire_sub(wire_sub(rs, 2, 0), 3, 0), "https://opentelemetry.io/schemas/1.44.0");
}

static void check_attr_values(struct sv span)
{
	double real;
	uint64_t bits;

	assert_sv(
	    wire_attr(span, 9, 0, "text").bytes, "a\"b\\c\n\x01\xc3\xa9 and a longer clean tail");
	assert_int_equal(wire_attr(span, 9, 0, "text").number, 1);
	assert_int_equal(wire_attr(span, 9, 1, "min").number, 3);
	assert_true((int64_t)wire_attr(span, 9, 1, "min").value == INT64_MIN);
	assert_int_equal(wire_attr(span, 9, 2, "status").value, 200);
	assert_int_equal(wire_attr(span, 9, 3, "ratio").number, 4);
	bits = wire_attr(span, 9, 3, "ratio").value;
	memcpy(&real, &bits, sizeof(real));
	assert_true(real == 0.1);
	assert_int_equal(wire_attr(span, 9, 4, "no").number, 2); /* false is said */
	assert_int_equal(wire_attr(span, 9, 4, "no").value, 0);
	assert_int_equal(wire_attr(span, 9, 5, "yes").value, 1);
	assert_int_equal(wire_attr(span, 9, 6, "empty").number, 1);
	assert_int_equal(wire_count(span, 9), 9);
}

static void check_first_span(struct sv span)
{
	assert_memory_equal(wire_sub(span, 1, 0).p,
	    "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf", 16);
	assert_int_equal(wire_sub(span, 1, 0).len, 16);
	assert_sv(wire_sub(span, 2, 0), "\x01\x02\x03\x04\x05\x06\x07\x08");
	assert_sv(wire_sub(span, 3, 0), "a=1,b=\"2\"");
	assert_int_equal(wire_count(span, 4), 0); /* a root has no parent field at all */
	assert_sv(wire_sub(span, 5, 0), "POST /checkout");
	assert_int_equal(wire_get(span, 6, 0).value, 2);
	assert_int_equal(wire_get(span, 7, 0).wire, 1);
	assert_int_equal(wire_get(span, 7, 0).value, WALL + 1000);
	assert_int_equal(wire_get(span, 8, 0).wire, 1);
	assert_int_equal(wire_get(span, 8, 0).value, WALL + 2000000001);
	assert_int_equal(wire_get(span, 10, 0).value, 3);
	assert_int_equal(wire_count(span, 13), 0);
	assert_int_equal(wire_count(span, 15), 0);
	assert_int_equal(wire_get(span, 16, 0).wire, 5);
	assert_int_equal(wire_get(span, 16, 0).value, 0x103);
	check_attr_values(span);
}

static void test_protobuf(void **state)
{
	struct service *one = fixture_service("shop", 1234), *two = fixture_service("stock", 77);
	struct trace *traces[] = {sample_trace(one, two), sample_trace(two, one)};
	struct sv request, spans, child;
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(encode_otlp_protobuf(&out, traces, 2, &base), 6);
	assert_false(out.failed);
	request = buf_sv(&out);
	assert_int_equal(wire_count(request, 1), 2); /* one ResourceSpans per service */
	check_resource(wire_sub(request, 1, 0), "shop", 1234);
	check_resource(wire_sub(request, 1, 1), "stock", 77);
	spans = wire_sub(wire_sub(request, 1, 0), 2, 0);
	assert_int_equal(wire_count(spans, 2), 3);
	check_first_span(wire_sub(spans, 2, 0));
	child = wire_sub(spans, 2, 1);
	assert_sv(wire_sub(child, 5, 0), "INSERT orders");
	assert_sv(wire_sub(child, 4, 0), "\x01\x02\x03\x04\x05\x06\x07\x08");
	assert_int_equal(wire_get(child, 6, 0).value, 3);
	assert_int_equal(wire_get(wire_sub(child, 15, 0), 3, 0).value, 1);
	check_link(child);
	child = wire_sub(wire_sub(wire_sub(request, 1, 1), 2, 0), 2, 0);
	assert_sv(wire_sub(child, 5, 0), "POST /inventory/deduct");
	assert_int_equal(wire_get(wire_sub(child, 15, 0), 3, 0).value, 2);
	buf_release(&out);
	trace_unref(traces[0]);
	trace_unref(traces[1]);
	service_unref(one);
	service_unref(two);
}

/* Lengths around the steps of a varint, and the bound that the encoder reserves. */
static void test_protobuf_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 126, 127, 128, 129, 16383, 16384, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = malloc(sizes[i] + 1);
		struct attr attr = {.key = "k", .type = ATTR_STRING};
		struct span_model model = {.name = "n", .kind = SPAN_KIND_CLIENT, .id = 1};
		struct trace *trace;
		struct buf out;
		struct sv span;

		memset(text, 'x', sizes[i]);
		attr.string = sv_from(text, sizes[i]);
		model.attrs = &attr;
		model.n_attrs = 1;
		trace = fixture_trace(&model, 1);
		buf_init(&out);
		assert_int_equal(encode_otlp_protobuf(&out, &trace, 1, &base), 1);
		span = wire_sub(wire_sub(wire_sub(buf_sv(&out), 1, 0), 2, 0), 2, 0);
		assert_true(sv_eq(wire_attr(span, 9, 0, "k").bytes, attr.string));
		buf_release(&out);
		trace_unref(trace);
		free(text);
	}
}

/* --- JSON --- */

#define SPANS "resourceSpans/0/scopeSpans/0/spans"

static void check_json_span(const struct json *j)
{
	assert_string_equal(json_text(j, SPANS "/0/traceId"), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
	assert_string_equal(json_text(j, SPANS "/0/spanId"), "0102030405060708");
	assert_null(json_at(j, SPANS "/0/parentSpanId"));
	assert_string_equal(json_text(j, SPANS "/1/parentSpanId"), "0102030405060708");
	assert_string_equal(json_text(j, SPANS "/0/traceState"), "a=1,b=\"2\"");
	assert_string_equal(json_text(j, SPANS "/0/flags"), "259");
	assert_string_equal(json_text(j, SPANS "/0/kind"), "2");
	assert_int_equal(json_at(j, SPANS "/0/kind")->type, '0');
	assert_string_equal(json_text(j, SPANS "/0/startTimeUnixNano"), "1700000000000001000");
	assert_int_equal(json_at(j, SPANS "/0/startTimeUnixNano")->type, '"');
	assert_string_equal(json_text(j, SPANS "/0/endTimeUnixNano"), "1700000002000000001");
	assert_string_equal(json_text(j, SPANS "/0/droppedAttributesCount"), "3");
	assert_null(json_at(j, SPANS "/0/status/code"));
	assert_string_equal(json_text(j, SPANS "/1/status/code"), "1");
	assert_null(json_at(j, SPANS "/0/links"));
	assert_string_equal(
	    json_text(j, SPANS "/1/links/0/traceId"), "c0000000000000000000000000000000");
	assert_string_equal(json_text(j, SPANS "/1/links/0/spanId"), "d000000000000000");
	assert_string_equal(json_text(j, SPANS "/1/links/0/flags"), "257");
	assert_null(json_at(j, SPANS "/1/links/1"));
}

static void check_json_attrs(const struct json *j)
{
#define VALUE(n) SPANS "/0/attributes/" n "/value/"
	assert_string_equal(json_text(j, SPANS "/0/attributes/0/key"), "text");
	assert_string_equal(json_text(j, VALUE("0") "stringValue"),
	    "a\"b\\c\n\x01\xc3\xa9 and a longer clean tail");
	assert_string_equal(json_text(j, VALUE("1") "intValue"), "-9223372036854775808");
	assert_int_equal(json_at(j, VALUE("1") "intValue")->type, '"');
	assert_string_equal(json_text(j, VALUE("3") "doubleValue"), "0.1");
	assert_int_equal(json_at(j, VALUE("3") "doubleValue")->type, '0');
	assert_int_equal(json_at(j, VALUE("4") "boolValue")->type, 'f');
	assert_int_equal(json_at(j, VALUE("5") "boolValue")->type, 't');
	assert_int_equal(json_at(j, VALUE("6") "stringValue")->type, '"');
	assert_string_equal(json_text(j, VALUE("7") "doubleValue"), "NaN");
	assert_string_equal(json_text(j, VALUE("8") "doubleValue"), "-Infinity");
	assert_null(json_at(j, SPANS "/0/attributes/9"));
}

static void test_json(void **state)
{
	struct service *one = fixture_service("shop", 1234), *two = fixture_service("stock", 77);
	struct trace *trace = sample_trace(one, two);
	struct json *j;
	struct buf out;

	(void)state;
	buf_init(&out);
	encode_otlp_json(&out, &trace, 1, &base);
	assert_false(out.failed);
	assert_null(strchr(out.data, '\n')); /* one object, one line */
	j = json_parse(out.data);
	assert_non_null(j);
	assert_string_equal(
	    json_text(j, "resourceSpans/0/resource/attributes/0/value/stringValue"), "shop");
	assert_string_equal(
	    json_text(j, "resourceSpans/1/resource/attributes/2/value/intValue"), "77");
	assert_string_equal(
	    json_text(j, "resourceSpans/1/resource/attributes/4/key"), "telemetry.sdk.name");
	assert_string_equal(json_text(j, "resourceSpans/1/scopeSpans/0/scope/name"), "zerospan");
	assert_string_equal(json_text(j, "resourceSpans/1/schemaUrl"), OTLP_SCHEMA_URL);
	assert_string_equal(json_text(j, "resourceSpans/1/scopeSpans/0/spans/0/status/code"), "2");
	assert_null(json_at(j, "resourceSpans/2"));
	check_json_span(j);
	check_json_attrs(j);
	json_free(j);
	buf_release(&out);
	trace_unref(trace);
	service_unref(one);
	service_unref(two);
}

/* Every byte that JSON escapes, at every distance from the ends of the words it is copied in. */
static void test_json_escaping(void **state)
{
	(void)state;
	for (int c = 1; c < 0x80; c++) {
		for (size_t len = 1; len < 20; len++) {
			for (size_t at = 0; at < len; at++) {
				char name[32];
				struct span_model model = {.name = name, .id = 1};
				struct trace *trace;
				struct json *j;
				struct buf out;

				memset(name, 'x', len);
				name[len] = '\0';
				name[at] = (char)c;
				trace = fixture_trace(&model, 1);
				buf_init(&out);
				encode_otlp_json(&out, &trace, 1, &base);
				j = json_parse(out.data);
				assert_non_null(j);
				assert_string_equal(json_text(j, SPANS "/0/name"), name);
				json_free(j);
				buf_release(&out);
				trace_unref(trace);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_protobuf_sizes),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_escaping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
