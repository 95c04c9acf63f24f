// SPDX-License-Identifier: Apache-2.0
/* Limits of attributes: what is cut, what is dropped and counted, what the environment says. */
#include "base/log.h"
#include "base/utf8.h"
#include "export/exporters.h"
#include "export/limits.h"
#include "span_fixture.h"
#include "wire_reader.h"

static const char *const (*environment)[2];

static const char *fake_getenv(const char *name)
{
	for (size_t i = 0; environment[i][0]; i++)
		if (strcmp(environment[i][0], name) == 0)
			return environment[i][1];
	return NULL;
}

static struct signal_limits from(const char *const (*pairs)[2])
{
	environment = pairs;
	return attr_limits_from_env(fake_getenv);
}

static void test_environment(void **state)
{
	static const char *const none[][2] = {{NULL, NULL}};
	static const char *const general[][2] = {{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"},
	    {"OTEL_ATTRIBUTE_COUNT_LIMIT", "20"}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3"},
	    {"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0"},
	    {"OTEL_SPAN_LINK_COUNT_LIMIT", "0"}, {NULL, NULL}};
	static const char *const bad[][2] = {{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"},
	    {"OTEL_ATTRIBUTE_COUNT_LIMIT", "many"}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", ""},
	    {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "99999999999999999999"},
	    {"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "5x"}, {"OTEL_SPAN_LINK_COUNT_LIMIT", "-2"},
	    {NULL, NULL}};
	struct signal_limits limits = from(none), bad_limits;

	(void)state;
	assert_true(limits.spans.value_chars == ATTR_NO_LIMIT);
	assert_int_equal(limits.spans.count, 128);
	assert_int_equal(limits.logs.count, 128);
	assert_int_equal(limits.links, 128);
	assert_false(attr_limits_span_may_pass(&limits));
	limits = from(general);
	assert_int_equal(limits.links, 0);
	assert_int_equal(limits.spans.value_chars, 10);
	assert_int_equal(limits.spans.count, 3);
	assert_int_equal(limits.logs.value_chars, 0);
	assert_int_equal(limits.logs.count, 20);
	log_set_level(LOG_LEVEL_ERROR);
	limits = from(none);
	bad_limits = from(bad);
	assert_memory_equal(&limits, &bad_limits, sizeof(limits));
	log_set_level(LOG_LEVEL_INFO);
}

static char warned[4][128];
static size_t n_warned;

static void keep_warning(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	if (n_warned < 4)
		snprintf(warned[n_warned++], sizeof(warned[0]), "%s", text);
}

/* What limits nothing is looked at all the same: a mistake in it is told. */
static void test_without_effect(void **state)
{
	static const char *const bad[][2] = {{"OTEL_SPAN_EVENT_COUNT_LIMIT", "x"},
	    {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "-1"}, {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "1.5"},
	    {NULL, NULL}};
	static const char *const good[][2] = {{"OTEL_SPAN_EVENT_COUNT_LIMIT", "0"},
	    {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "5"}, {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", ""},
	    {NULL, NULL}};

	(void)state;
	log_set_observer(keep_warning, NULL);
	from(good);
	assert_int_equal(n_warned, 0);
	from(bad);
	log_set_observer(NULL, NULL);
	assert_int_equal(n_warned, 3);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(strstr(warned[i], bad[i][0]));
}

/* One to four bytes a character, cut at every length. */
static void test_cuts_between_characters(void **state)
{
	static const struct sv text = {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 11};
	static const size_t lens[] = {0, 1, 3, 6, 10, 11, 11};

	(void)state;
	for (size_t n = 0; n < sizeof(lens) / sizeof(lens[0]); n++) {
		struct attr attr = {.key = "k", .type = ATTR_STRING, .string = text};
		const struct attr_limits limits = {.value_chars = n, .count = 128};
		uint32_t dropped = 0;

		assert_int_equal(attr_limits_apply(&limits, &attr, 1, &dropped), 1);
		assert_int_equal(attr.string.len, lens[n]);
		assert_true(utf8_valid(attr.string));
		assert_int_equal(dropped, 0);
	}
}

static struct trace *sample(struct service *service)
{
	const struct span_model model = {.name = "a long name stays",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .start_ns = 1,
	    .end_ns = 2,
	    .dropped_attrs = 1,
	    .service = service,
	    ATTRS(
		ATTR_S("a", "abcdef"), ATTR_I("b", 123456), ATTR_S("c", "abc"), ATTR_B("d", true))};
	struct trace *trace = fixture_trace(&model, 1);

	trace->spans[0]->n_metric_attrs = 4;
	trace->spans[0]->culprit =
	    (struct span_link){.trace_id = {{7}}, .span_id = fixture_id(9), .flags = 1};
	return trace;
}

/* The wire shows it; names, resource and numbers are exempt. */
static void test_span_on_the_wire(void **state)
{
	const struct signal_limits limits = {.spans = {.value_chars = 3, .count = 3}, .links = 1};
	const struct clock_base clock = {0};
	struct service *service = fixture_service("a long service name", 1);
	struct trace *trace = sample(service);
	struct sv rs, span;
	struct buf out;

	(void)state;
	attr_limits_trace(&limits, trace);
	assert_int_equal(trace->spans[0]->n_metric_attrs, 3);
	buf_init(&out);
	encode_otlp_protobuf(&out, &trace, 1, &clock);
	rs = wire_sub(buf_sv(&out), 1, 0);
	assert_sv(wire_attr(wire_sub(rs, 1, 0), 1, 0, "service.name").bytes, "a long service name");
	span = wire_sub(wire_sub(rs, 2, 0), 2, 0);
	assert_sv(wire_sub(span, 5, 0), "a long name stays");
	assert_int_equal(wire_count(span, 9), 3);
	assert_sv(wire_attr(span, 9, 0, "a").bytes, "abc");
	assert_int_equal(wire_attr(span, 9, 1, "b").value, 123456);
	assert_sv(wire_attr(span, 9, 2, "c").bytes, "abc");
	assert_int_equal(wire_get(span, 10, 0).value, 1 + 1);
	assert_int_equal(wire_count(span, 13), 1);
	assert_int_equal(wire_count(span, 14), 0);
	buf_release(&out);
	trace_unref(trace);
	service_unref(service);
}

/* A link beyond the limit is counted, in both encodings; who was in the way, people still see. */
static void test_link_on_the_wire(void **state)
{
	const struct signal_limits limits = {
	    .spans = {.value_chars = ATTR_NO_LIMIT, .count = 128}, .links = 0};
	const struct clock_base clock = {0};
	struct trace *trace = sample(NULL);
	struct buf out;
	struct sv span;

	(void)state;
	assert_true(attr_limits_span_may_pass(&limits));
	attr_limits_trace(&limits, trace);
	assert_int_equal(trace->spans[0]->dropped_links, 1);
	assert_false(span_id_is_zero(&trace->spans[0]->culprit.span_id));
	buf_init(&out);
	encode_otlp_protobuf(&out, &trace, 1, &clock);
	span = wire_sub(wire_sub(wire_sub(buf_sv(&out), 1, 0), 2, 0), 2, 0);
	assert_int_equal(wire_count(span, 13), 0);
	assert_int_equal(wire_get(span, 14, 0).value, 1);
	buf_clear(&out);
	encode_otlp_json(&out, &trace, 1, &clock);
	assert_non_null(strstr(out.data, ",\"droppedLinksCount\":1,\"status\""));
	assert_null(strstr(out.data, "\"links\""));
	buf_release(&out);
	trace_unref(trace);
}

/* Without a link none is dropped. */
static void test_no_link(void **state)
{
	const struct signal_limits limits = {
	    .spans = {.value_chars = ATTR_NO_LIMIT, .count = 128}, .links = 0};
	struct trace *trace = sample(NULL);

	(void)state;
	trace->spans[0]->culprit = (struct span_link){0};
	attr_limits_trace(&limits, trace);
	assert_int_equal(trace->spans[0]->dropped_links, 0);
	trace_unref(trace);
}

static void test_default_changes_nothing(void **state)
{
	const struct signal_limits limits = attr_limits_default();
	struct trace *trace = sample(NULL);
	const struct span *span = trace->spans[0];

	(void)state;
	attr_limits_trace(&limits, trace);
	assert_int_equal(span->n_attrs, 4);
	assert_int_equal(span->n_metric_attrs, 4);
	assert_int_equal(span->dropped_attrs, 1);
	assert_int_equal(span->attrs[0].string.len, 6);
	assert_non_null(span_link(span));
	trace_unref(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_without_effect),
	    cmocka_unit_test(test_cuts_between_characters),
	    cmocka_unit_test(test_span_on_the_wire),
	    cmocka_unit_test(test_link_on_the_wire),
	    cmocka_unit_test(test_no_link),
	    cmocka_unit_test(test_default_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
