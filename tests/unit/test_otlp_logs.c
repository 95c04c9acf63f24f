// SPDX-License-Identifier: Apache-2.0
/*
 * The two OTLP encodings of the same log records, read back with the field numbers of the
 * specification written out here.
 */
#include "export/exporters.h"
#include "export/otlp_batch.h"
#include "json_reader.h"
#include "span_fixture.h"
#include "wire_reader.h"

#define WALL 1700000000000000000LL

static const struct clock_base base = {.offset_ns = WALL};

/* Batches of: a full record and a binary one of `one`, a bare one of `two`, an empty line of `one`. */
static void sample(struct service *one, struct service *two, struct log_batch *ret_logs[2])
{
	const struct attr attrs[] = {ATTR_S("log.iostream", "std\"out"), ATTR_I("thread.id", 7)};
	const struct log_record models[] = {
	    {.time_ns = 5,
		.observed_ns = 9,
		.severity = LOG_SEVERITY_WARN,
		.severity_text = SV("WARNING"),
		.body = SV("caf\xc3\xa9 \"is\"\n full"),
		.attrs = attrs,
		.n_attrs = 2,
		.dropped_attrs = 3,
		.trace_id = {{0xa0, 0xa1}},
		.span_id = {{0xb0}},
		.flags = 1,
		.service = one},
	    {.observed_ns = 10, .body = SV("a\xff\0b"), .trace_id = {{0xc0}}, .service = one},
	    {.observed_ns = 11, .body = SV("bare"), .span_id = {{1}}, .service = two},
	    {.observed_ns = 12, .service = one},
	};

	for (size_t b = 0; b < 2; b++) {
		ret_logs[b] = log_batch_new(2);
		for (size_t i = 0; i < 2; i++)
			ret_logs[b]->records[ret_logs[b]->n_records++] =
			    log_record_new(&models[2 * b + i]);
	}
}

static void check_resource(struct sv logs, const char *name)
{
	struct sv resource = wire_sub(logs, 1, 0), scope_logs = wire_sub(logs, 2, 0), scope;

	assert_true(sv_eq(wire_attr(resource, 1, 0, "service.name").bytes, sv_cstr(name)));
	assert_sv(wire_attr(resource, 1, 4, "telemetry.sdk.name").bytes, "zerospan");
	assert_int_equal(wire_count(resource, 1), 9);
	assert_sv(wire_sub(logs, 3, 0), OTLP_SCHEMA_URL);
	assert_int_equal(wire_count(logs, 2), 1);
	scope = wire_sub(scope_logs, 1, 0);
	assert_sv(wire_sub(scope, 1, 0), "zerospan");
	assert_sv(wire_sub(scope, 2, 0), ZEROSPAN_VERSION);
	assert_sv(wire_sub(scope_logs, 3, 0), OTLP_SCHEMA_URL);
}

static void check_full(struct sv record)
{
	assert_int_equal(wire_get(record, 1, 0).wire, 1);
	assert_int_equal(wire_get(record, 1, 0).value, WALL + 5);
	assert_int_equal(wire_get(record, 2, 0).value, 13);
	assert_sv(wire_sub(record, 3, 0), "WARNING");
	assert_sv(wire_sub(wire_sub(record, 5, 0), 1, 0), "caf\xc3\xa9 \"is\"\n full");
	assert_int_equal(wire_count(record, 6), 2);
	assert_sv(wire_attr(record, 6, 0, "log.iostream").bytes, "std\"out");
	assert_int_equal(wire_attr(record, 6, 1, "thread.id").value, 7);
	assert_int_equal(wire_get(record, 7, 0).value, 3);
	assert_int_equal(wire_get(record, 8, 0).wire, 5);
	assert_int_equal(wire_get(record, 8, 0).value, 1);
	assert_int_equal(wire_sub(record, 9, 0).len, 16);
	assert_memory_equal(wire_sub(record, 9, 0).p, "\xa0\xa1", 2);
	assert_int_equal(wire_sub(record, 10, 0).len, 8);
	assert_memory_equal(wire_sub(record, 10, 0).p, "\xb0\0", 2);
	assert_int_equal(wire_get(record, 11, 0).wire, 1);
	assert_int_equal(wire_get(record, 11, 0).value, WALL + 9);
}

static void test_protobuf(void **state)
{
	struct service *one = fixture_service("shop", 1), *two = fixture_service("stock", 2);
	struct sv request, first, scope_logs, record;
	struct log_batch *logs[2];
	struct buf out;

	(void)state;
	sample(one, two, logs);
	buf_init(&out);
	assert_int_equal(encode_otlp_logs_protobuf(&out, logs, 2, &base), 4);
	request = buf_sv(&out);
	assert_int_equal(wire_count(request, 1), 2);
	first = wire_sub(request, 1, 0);
	check_resource(first, "shop");
	check_resource(wire_sub(request, 1, 1), "stock");
	scope_logs = wire_sub(first, 2, 0);
	assert_int_equal(wire_count(scope_logs, 2), 3); /* across the batches, in their order */
	check_full(wire_sub(scope_logs, 2, 0));
	record = wire_sub(scope_logs, 2, 1);
	assert_int_equal(wire_count(record, 1), 0); /* when is not known */
	assert_int_equal(wire_count(record, 2) + wire_count(record, 3), 0);
	assert_int_equal(wire_count(wire_sub(record, 5, 0), 1), 0);
	assert_true(sv_eq(wire_sub(wire_sub(record, 5, 0), 7, 0), SV("a\xff\0b")));
	assert_int_equal(wire_sub(record, 9, 0).len, 16);
	assert_int_equal(wire_count(record, 10), 0);
	record = wire_sub(scope_logs, 2, 2);
	assert_int_equal(wire_sub(wire_sub(record, 5, 0), 1, 0).len, 0); /* there, and empty */
	assert_int_equal(wire_get(record, 11, 0).value, WALL + 12);
	record = wire_sub(wire_sub(wire_sub(request, 1, 1), 2, 0), 2, 0);
	assert_sv(wire_sub(wire_sub(record, 5, 0), 1, 0), "bare");
	assert_int_equal(
	    wire_count(record, 9) + wire_count(record, 10), 0); /* no span without a trace */
	assert_int_equal(wire_count(record, 6) + wire_count(record, 7) + wire_count(record, 8), 0);
	buf_release(&out);
	for (size_t b = 0; b < 2; b++)
		log_batch_unref(logs[b]);
	service_unref(one);
	service_unref(two);
}

#define RECORD "resourceLogs/0/scopeLogs/0/logRecords"

static void check_json(const struct json *j)
{
	assert_string_equal(json_text(j, RECORD "/0/timeUnixNano"), "1700000000000000005");
	assert_string_equal(json_text(j, RECORD "/0/observedTimeUnixNano"), "1700000000000000009");
	assert_string_equal(json_text(j, RECORD "/0/severityNumber"), "13");
	assert_int_equal(json_at(j, RECORD "/0/severityNumber")->type, '0');
	assert_string_equal(json_text(j, RECORD "/0/severityText"), "WARNING");
	assert_string_equal(
	    json_text(j, RECORD "/0/body/stringValue"), "caf\xc3\xa9 \"is\"\n full");
	assert_string_equal(json_text(j, RECORD "/0/attributes/0/value/stringValue"), "std\"out");
	assert_string_equal(json_text(j, RECORD "/0/attributes/1/value/intValue"), "7");
	assert_string_equal(json_text(j, RECORD "/0/droppedAttributesCount"), "3");
	assert_string_equal(json_text(j, RECORD "/0/flags"), "1");
	assert_string_equal(json_text(j, RECORD "/0/traceId"), "a0a10000000000000000000000000000");
	assert_string_equal(json_text(j, RECORD "/0/spanId"), "b000000000000000");
	assert_null(json_at(j, RECORD "/1/timeUnixNano"));
	assert_null(json_at(j, RECORD "/1/severityNumber"));
	assert_null(json_at(j, RECORD "/1/spanId"));
	assert_string_equal(json_text(j, RECORD "/1/body/bytesValue"), "Yf8AYg==");
	assert_string_equal(json_text(j, RECORD "/2/body/stringValue"), "");
	assert_null(json_at(j, "resourceLogs/1/scopeLogs/0/logRecords/0/traceId"));
	assert_null(json_at(j, "resourceLogs/1/scopeLogs/0/logRecords/0/spanId"));
	assert_string_equal(json_text(j, "resourceLogs/0/schemaUrl"), OTLP_SCHEMA_URL);
	assert_string_equal(json_text(j, "resourceLogs/0/scopeLogs/0/schemaUrl"), OTLP_SCHEMA_URL);
	assert_string_equal(json_text(j, "resourceLogs/0/scopeLogs/0/scope/name"), "zerospan");
	assert_string_equal(
	    json_text(j, "resourceLogs/1/resource/attributes/0/value/stringValue"), "stock");
}

static void test_json(void **state)
{
	struct service *one = fixture_service("shop", 1), *two = fixture_service("stock", 2);
	struct log_batch *logs[2];
	struct buf out;
	struct json *j;

	(void)state;
	sample(one, two, logs);
	buf_init(&out);
	encode_otlp_logs_json(&out, logs, 2, &base);
	assert_null(strchr(out.data, '\n')); /* one line */
	j = json_parse(out.data);
	assert_non_null(j);
	check_json(j);
	json_free(j);
	buf_release(&out);
	for (size_t b = 0; b < 2; b++)
		log_batch_unref(logs[b]);
	service_unref(one);
	service_unref(two);
}

/* Bodies of every length: the bound of the arena holds, the base64 is right at its end. */
static void test_sizes(void **state)
{
	static const char *const base64[] = {"", "/w==", "//8=", "////", "/////w=="};
	char body[300];

	(void)state;
	memset(body, 0xff, sizeof(body));
	for (size_t len = 0; len < sizeof(body); len++) {
		const struct log_record model = {.observed_ns = 1, .body = sv_from(body, len)};
		struct log_batch *logs = log_batch_new(1);
		struct buf out;
		struct json *j;

		logs->records[logs->n_records++] = log_record_new(&model);
		buf_init(&out);
		assert_int_equal(encode_otlp_logs_protobuf(&out, &logs, 1, &base), 1);
		buf_clear(&out);
		encode_otlp_logs_json(&out, &logs, 1, &base);
		j = json_parse(out.data);
		assert_non_null(j);
		if (len > 0 && len < 5)
			assert_string_equal(json_text(j, RECORD "/0/body/bytesValue"), base64[len]);
		json_free(j);
		buf_release(&out);
		log_batch_unref(logs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
